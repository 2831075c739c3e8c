"""A resource that is only looked at: the kit compares it with the scenario and never writes it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NoReturn

from idc_helpers.changes import Change, Resource, State, Use
from idc_helpers.errors import WriteFailedError


class Observed:
    """Wraps a resource so that what differs is left to a person.

    Used where a write would destroy: changing the identity source deletes users, groups and assignments.
    """

    by_hand = True

    def __init__(self, resource: Resource) -> None:
        self._resource = resource

    @property
    def kind(self) -> str:
        """The kind of what is wrapped."""
        return self._resource.kind

    def read(self, keys: Collection[str]) -> dict[str, State]:
        """Return the states of the named things; reads only."""
        return self._resource.read(keys)

    def identifiers(self, keys: Collection[str]) -> dict[str, str]:
        """Return AWS's ids of those of the named things that exist; reads only."""
        return self._resource.identifiers(keys)

    @property
    def derived_fields(self) -> Collection[str]:
        """Fields that nobody sets."""
        return self._resource.derived_fields

    def read_by_identifier(self, named: Collection[tuple[str, str]]) -> dict[tuple[str, str], State]:
        """Return the states of the very things that had these identifiers; reads only."""
        return self._resource.read_by_identifier(named)

    def uses(
        self, named: Mapping[str, str], ours: Collection[tuple[str, str]], *, again: bool = False
    ) -> dict[str, tuple[Use, ...]]:
        """Return what hangs on things besides what is ours; reads only."""
        return self._resource.uses(named, ours, again=again)

    def irreversible(self, change: Change) -> dict[str, str]:  # noqa: ARG002 - of the protocol
        """Return that the kit makes no such change."""
        return {"": "it is only looked at"}

    def write_all(
        self,
        changes: Sequence[Change],
        on_start: Callable[[Change], None],  # noqa: ARG002
    ) -> NoReturn:
        """Refuse: see the class."""
        keys = ", ".join(repr(change.key) for change in changes)
        raise WriteFailedError(f"{self.kind} {keys} is only looked at, never written")
