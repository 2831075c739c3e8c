"""What the kinds of things have in common: changes one after another, each told by name when it fails."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import ClassVar

from idc_aws.calls import Writer, in_threads
from idc_aws.changes import Action, Change, State, Use, WriteResult, in_words, uses_in_words
from idc_aws.connection import Connection
from idc_aws.errors import KitError, NotFoundError, WriteFailedError
from idc_aws.failures import failed_read, failed_write


class OneByOne(ABC):
    """A resource whose changes are made in order; see `idc_aws.changes.Resource`."""

    kind: ClassVar[str]
    derived_fields: ClassVar[Collection[str]] = ()

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def by_hand(self) -> bool:
        """Whether only a person can write it here."""
        return False

    def read(self, keys: Collection[str]) -> dict[str, State]:
        """Return the states of those of the named things that exist; reads only."""
        if not keys:
            return {}
        with failed_read(self._named(keys)):
            return self._read(keys)

    def identifiers(self, keys: Collection[str]) -> dict[str, str]:
        """Return AWS's ids or ARNs of those of the named things that exist; reads only."""
        if not keys:
            return {}
        with failed_read(self._named(keys)):
            return self._identifiers(keys)

    def read_by_identifier(self, named: Collection[tuple[str, str]]) -> dict[tuple[str, str], State]:
        """Return the states of the very things that had these identifiers; reads only."""
        if not named or self._connection.instance_or_none() is None:
            return {}
        with failed_read(self._named([key for key, _ in named])):
            found = zip(named, in_threads(lambda pair: self._read_one(*pair), named), strict=True)
        return {pair: state for pair, state in found if state is not None}

    def uses(
        self, named: Mapping[str, str], ours: Collection[tuple[str, str]], *, again: bool = False
    ) -> dict[str, tuple[Use, ...]]:
        """Return what hangs on things besides what is ours; reads only."""
        if not named or self._connection.instance_or_none() is None:
            return {}
        with failed_read(f"what uses {self._named(list(named.values()))}"):
            found = self._uses(named, ours, again=again)
        others = {one: tuple(use for use in uses if use.name not in ours) for one, uses in found.items()}
        return {one: uses for one, uses in others.items() if uses}

    def irreversible(self, change: Change) -> dict[str, str]:  # noqa: ARG002 - of the protocol
        """Return what of a change AWS offers no way to make: nothing."""
        return {}

    def _named(self, keys: Collection[str]) -> str:
        return f"{self.kind.replace('_', ' ')} {', '.join(repr(key) for key in list(keys)[:3])}"

    def _existing_identifier(self, key: str) -> str:
        """Return AWS's id or ARN of a thing that must exist."""
        identifier = self.identifiers([key]).get(key)
        if identifier is None:
            raise NotFoundError(
                f"there is no {self.kind.replace('_', ' ')} {key!r}",
                remedy="Plan again: it may have been deleted meanwhile.",
            )
        return identifier

    def write_all(
        self, changes: Sequence[Change], on_start: Callable[[Change], None]
    ) -> Iterator[tuple[Change, WriteResult]]:
        """Make the changes one after another and yield each when it is complete; writes."""
        for change in changes:
            on_start(change)
            writer = Writer(self._connection)
            try:
                with failed_write(change):
                    identifier = self._write(change, writer)
            except KitError as error:
                error.nothing_written = not writer.may_have_written
                raise
            yield change, writer.result(identifier)

    def _write(self, change: Change, writer: Writer) -> str:
        if change.action is Action.CREATE:
            return self._create(change.key, change.after or {}, writer)
        if change.action is Action.UPDATE:
            return self._update(change.key, change.before or {}, change.after or {}, writer)
        if change.action is Action.DELETE:
            identifier = change.identifier or self._existing_identifier(change.key)
            self._require_unused(change, identifier)
            self._delete(change.key, identifier, writer)
            return identifier
        raise WriteFailedError(
            f"{change.action.value} is not a write; {self.kind} {change.key!r} was not touched"
        )

    def _require_unused(self, change: Change, identifier: str) -> None:
        """Look once more: somebody may have begun to use the thing since the plan was made."""
        found = self.uses({identifier: change.key}, change.takes, again=True).get(identifier, ())
        if found:
            raise WriteFailedError(
                f"the {in_words(change.kind, change.key)} is used by others: {uses_in_words(found)}; "
                "it was not deleted",
                remedy="Delete what uses it first if it is to go, or leave it to the people who use it.",
            )

    @abstractmethod
    def _read(self, keys: Collection[str]) -> dict[str, State]:
        """Return the states of those that exist."""

    def _identifiers(self, keys: Collection[str]) -> dict[str, str]:
        """Return the ids of those that exist; one look for each."""
        found = zip(keys, in_threads(self._identifier, keys), strict=True)
        return {key: identifier for key, identifier in found if identifier is not None}

    @abstractmethod
    def _identifier(self, key: str) -> str | None:
        """Return AWS's id, or None where there is no such thing."""

    @abstractmethod
    def _read_one(self, key: str, identifier: str) -> State | None:
        """Return the state of what has this id, where its key no longer leads there; None: it is gone."""

    @abstractmethod
    def _uses(
        self, named: Mapping[str, str], ours: Collection[tuple[str, str]], *, again: bool
    ) -> dict[str, list[Use]]:
        """Return what hangs on each thing, by its identifier; what is ours may be left out."""

    @abstractmethod
    def _create(self, key: str, state: State, writer: Writer) -> str:
        """Create and return AWS's id."""

    @abstractmethod
    def _update(self, key: str, before: State, after: State, writer: Writer) -> str:
        """Change what differs between the two states and return AWS's id."""

    @abstractmethod
    def _delete(self, key: str, identifier: str, writer: Writer) -> None:
        """Delete the very thing that has this id."""
