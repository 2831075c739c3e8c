"""The words between what is wanted and what is there: states, changes, plans, and what can be written.

A **state** is what can be compared: JSON types under the API's names, no ids, no timestamps. A **key** is
what a person calls the thing: a permission set's name, a user name. Only the fields that the desired state
names are compared and changed: what a scenario does not say is left alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

State = dict[str, Any]


def in_words(kind: str, key: str) -> str:
    """Return kind and key as a person says them, such as ``"permission set AdministratorAccess"``.

    A kind of which there is only one, and a console setting, are named once.
    """
    noun, name = kind.replace("_", " "), key.replace("_", " ")
    return name if kind == "console_setting" or name == noun else f"{noun} {key}"


class Action(StrEnum):
    """What a change does to one thing."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    UNCHANGED = "unchanged"
    BY_HAND = "by hand"
    """Only a person can do it in the AWS console; the kit guides, records and checks."""
    SKIPPED = "skipped"
    """Nobody can do it now, such as giving access to a closed account; it is no obstacle to the others."""


class Use(NamedTuple):
    """Something that hangs on a thing: deleting the thing destroys it, or AWS refuses to delete it."""

    kind: str
    identifier: str
    words: str
    key: str = ""

    @property
    def name(self) -> tuple[str, str]:
        """Kind and identifier: what tells it from any other."""
        return self.kind, self.identifier


_MOST_NAMED = 5


def uses_in_words(uses: Sequence[Use]) -> str:
    """Return what hangs on a thing, such as ``"member bob, member eve and 3 more"``."""
    named = ", ".join(use.words for use in uses[:_MOST_NAMED])
    return named if len(uses) <= _MOST_NAMED else f"{named} and {len(uses) - _MOST_NAMED} more"


@dataclass(frozen=True)
class Change:
    """One line of a plan.

    Attributes
    ----------
    action, kind, key
        What happens to which thing, such as ``create``, ``"permission_set"``, ``"AdministratorAccess"``.
    before, after
        The state now (None: it does not exist) and the state wanted (None: it will not exist).
    reason
        Why, in words that a person reads.
    identifier
        AWS's id or ARN of the thing that a deletion means, as in `WriteResult`; empty elsewhere.
    takes
        For a deletion: kind and identifier of what may hang on the thing when it goes. Anything else keeps
        it from being deleted.
    """

    action: Action
    kind: str
    key: str
    before: State | None
    after: State | None
    reason: str
    identifier: str = ""
    takes: frozenset[tuple[str, str]] = field(default=frozenset(), compare=False, repr=False)

    @property
    def writes(self) -> bool:
        """Whether applying this change calls something that writes."""
        return self.action in (Action.CREATE, Action.UPDATE, Action.DELETE)


@dataclass(frozen=True)
class Plan:
    """Changes in the order in which they are applied."""

    changes: tuple[Change, ...] = ()

    @property
    def writes(self) -> tuple[Change, ...]:
        """The changes that call something that writes."""
        return tuple(change for change in self.changes if change.writes)

    @property
    def by_hand(self) -> tuple[Change, ...]:
        """The changes that only a person can make."""
        return tuple(change for change in self.changes if change.action is Action.BY_HAND)

    @property
    def skipped(self) -> tuple[Change, ...]:
        """The changes that nobody can make now."""
        return tuple(change for change in self.changes if change.action is Action.SKIPPED)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do, for the kit and for a person."""
        return not self.writes and not self.by_hand

    def counts(self) -> dict[str, int]:
        """Return how many things are created, updated, deleted, unchanged, in this order, and skipped."""
        found = Counter(change.action for change in self.changes)
        always = (Action.CREATE, Action.UPDATE, Action.DELETE, Action.UNCHANGED)
        skipped = {Action.SKIPPED.value: found[Action.SKIPPED]} if found[Action.SKIPPED] else {}
        return {action.value: found[action] for action in always} | skipped

    def __add__(self, other: Plan) -> Plan:
        return Plan(self.changes + other.changes)


@dataclass(frozen=True)
class WriteResult:
    """What a write left behind."""

    identifier: str
    request_ids: tuple[str, ...] = field(default=())


class Resource(Protocol):
    """One kind of thing on the target; the only door through which runbooks read and write."""

    @property
    def kind(self) -> str:
        """The kind's name, such as ``"permission_set"``."""
        ...

    @property
    def by_hand(self) -> bool:
        """Whether on this target only a person can write it (a console-only setting on AWS)."""
        ...

    @property
    def derived_fields(self) -> Collection[str]:
        """Fields of a state that nobody sets: they follow from others."""
        ...

    def read(self, keys: Collection[str]) -> dict[str, State]:
        """Return the states of those of the named things that exist; reads only."""
        ...

    def identifiers(self, keys: Collection[str]) -> dict[str, str]:
        """Return AWS's ids of those of the named things that exist; reads only."""
        ...

    def read_by_identifier(self, named: Collection[tuple[str, str]]) -> dict[tuple[str, str], State]:
        """Return the states of the very things that had these identifiers, whatever names lead to now.

        Reads only; asked where a key leads nowhere, or to another thing. A thing that was renamed has
        ``new_name`` in its state.

        Parameters
        ----------
        named
            Pairs of a key and an identifier, as `identifiers` gave it once.
        """
        ...

    def uses(
        self, named: Mapping[str, str], ours: Collection[tuple[str, str]], *, again: bool = False
    ) -> dict[str, tuple[Use, ...]]:
        """Return what hangs on things besides what is ours; reads only.

        Parameters
        ----------
        named
            Keys of the things by identifier; so is the answer.
        ours
            Kind and identifier of what does not count.
        again
            Whether this is the second look, just before the deletion: only what is cheap.
        """
        ...

    def irreversible(self, change: Change) -> dict[str, str]:
        """Return what of a change AWS offers no way to make: why, by field; with ``""`` for all of it."""
        ...

    def write_all(
        self, changes: Sequence[Change], on_start: Callable[[Change], None]
    ) -> Iterator[tuple[Change, WriteResult]]:
        """Make the changes and yield each (the object given) when it is complete.

        `on_start` is called just before the first call that writes a change. A field of `Change.after` that
        is None means that the attribute is removed.

        Raises
        ------
        KitError
            When a change fails; those yielded before are made.
        """
        ...
