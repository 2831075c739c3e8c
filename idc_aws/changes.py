"""The words between what is wanted and what is there: states, changes, plans, and what can be written.

A **state** is what can be compared: JSON types under the API's names, no ids, no timestamps. A **key** is
what a person calls the thing: a permission set's name, a user name. Only the fields that the desired state
names are compared and changed: what a scenario does not say is left alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from idc_aws.identifiers import cut_list

State = dict[str, Any]


def key_in_words(kind: str, key: str) -> str:
    """Return a key as a person says it, such as ``"group Auditors · ReadOnlyAccess · 111122223333"``."""
    if kind != "account_assignment":
        return key
    principal_type, blank, rest = key.partition(" ")
    return f"{principal_type.lower()}{blank}{rest}"


def in_words(kind: str, key: str) -> str:
    """Return kind and key as a person says them, such as ``"permission set AdministratorAccess"``."""
    noun = kind.replace("_", " ")
    return noun if key == noun else f"{noun} {key_in_words(kind, key)}"


class Action(StrEnum):
    """What a change does to one thing.

    Attributes
    ----------
    CREATE, UPDATE, DELETE, UNCHANGED
        A write, or none.
    BY_HAND
        Only a person can do it in the AWS console; the kit guides, records and checks.
    SKIPPED
        Nobody can do it now, such as giving access to a closed account; it is no obstacle to the others.
    """

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    UNCHANGED = "unchanged"
    BY_HAND = "by hand"
    SKIPPED = "skipped"


def act_in_words(action: Action, kind: str, key: str) -> str:
    """Return an act on a thing as a person says it, such as ``"create permission set 'ReadOnlyAccess'"``."""
    noun = kind.replace("_", " ")
    return f"{action.value} {noun}" if key == noun else f"{action.value} {noun} {key!r}"


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


def format_uses(uses: Sequence[Use]) -> str:
    """Return what hangs on a thing, such as ``"member bob, member eve and 3 more"``."""
    return cut_list((use.words for use in uses), _MOST_NAMED)


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

    changes: tuple[Change, ...] = ()  # each of them, `unchanged` things too
    # what words of the scenario stand for, one line each: an organizational unit's accounts
    notes: tuple[str, ...] = ()

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
        return Plan(self.changes + other.changes, self.notes + other.notes)


@dataclass(frozen=True)
class WriteResult:
    """What a write left behind."""

    identifier: str
    request_ids: tuple[str, ...] = field(default=())
