"""What becomes of what each receipt names: undone, gone, or left alone, and why. Reads only."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from idc_helpers.changes import Action, Change, Resource, State, Use, uses_in_words
from idc_helpers.runbook.found import Found, is_creation, named_identifier
from idc_helpers.runbook.planning import (
    could_come_from,
    describe_difference,
    keeps_part_of,
    others_fields,
    undo_creation,
    undo_update,
)
from idc_helpers.runbook.receipts import Origin, Receipt
from idc_helpers.scrubbing import REMOVED

INSTANCE = "instance"
_OF_THE_ACCOUNT = (INSTANCE, "delegated_administrator")  # kinds that are not inside of an instance
_MEMBERS = ("group", "user")  # their memberships go with them; what hangs on others keeps them from going


class Fate(Enum):
    """What becomes of what a receipt names."""

    UNDO = "undo"
    """The plan takes it back."""
    GONE = "gone"
    """Nothing of it is there any more."""
    GOES_ALONG = "goes along"
    """It cannot be taken back, and goes with what the plan deletes."""
    THEIRS = "theirs"
    """Somebody changed it since: what is there now is theirs."""
    STAYS = "stays"
    """AWS offers no way back; said once."""
    LEFT = "left alone"
    """It is still there, as the run made it or in part, and is not touched."""


IS_LEFT_ALONE = (Fate.THEIRS, Fate.STAYS, Fate.LEFT)


@dataclass(frozen=True)
class Undoing:
    """A receipt (None: what makes way for another change) and what becomes of what it names."""

    receipt: Receipt | None
    change: Change
    fate: Fate


@dataclass(frozen=True)
class FateFinder:
    """Decides, newest receipt first, what becomes of each.

    Attributes
    ----------
    resources, origin, include_used
        As of `idc_helpers.runbook.undo.plan_undo`.
    found
        What there is of what the receipts name.
    is_whole
        Whether every receipt could be read.
    """

    resources: Mapping[str, Resource]
    origin: Origin
    found: Found
    include_used: bool
    is_whole: bool

    def undo(self, receipt: Receipt) -> Undoing:
        """Return what becomes of a receipt, after what becomes of the newer ones."""
        names = receipt.instance_arn, self.origin.instance_arn
        if receipt.kind not in _OF_THE_ACCOUNT and all(names) and names[0] != names[1]:
            if self.found.has_instance(receipt.instance_arn):
                return _kept(receipt, None, f"is in the instance {receipt.instance_arn}: connect to that one")
            return _kept(receipt, None, "is already gone, with its instance", Fate.GONE)
        return self._undo_creation(receipt) if is_creation(receipt) else self._undo_update(receipt)

    def _undo_creation(self, receipt: Receipt) -> Undoing:
        resource, identifier = self.resources[receipt.kind], named_identifier(receipt)
        actual, present = self.found.state(receipt), self.found.identifier(receipt)
        by_identifier = self.found.by_identifier(receipt)
        if by_identifier is not None:
            actual, present = by_identifier, identifier
        change = undo_creation(receipt.kind, receipt.key, identifier, actual, present)
        if not change.writes:
            return Undoing(receipt, change, Fate.GONE)
        if why := resource.irreversible(change).get(""):
            return _kept(receipt, actual, f"cannot be undone: {why}", Fate.STAYS)
        kept = self._not_as_made(receipt, actual or {}, resource)
        if kept is not None:
            return kept
        if by_identifier is not None and receipt.kind not in _MEMBERS:
            reason = "was created by this run; the user or group was renamed, or has gone and left it behind"
            change = replace(change, reason=reason)
        if receipt.status == "done" and (lost := self._of_others(receipt, actual or {}, resource)):
            change = replace(change, reason=f"{change.reason}; what others changed goes too: {lost}")
        self.found.take_back(receipt, None)
        return Undoing(receipt, change, Fate.UNDO)

    def _of_others(self, receipt: Receipt, actual: State, resource: Resource) -> str:
        """Return what others changed in a thing since it was made, in words."""
        wanted = receipt.after or {}
        return describe_difference(actual, wanted, others_fields(wanted, actual, resource.derived_fields))

    def _not_as_made(self, receipt: Receipt, actual: State, resource: Resource) -> Undoing | None:
        """Return why a thing is left alone that is not as its creation left it; None: it is so."""
        wanted = receipt.after or {}
        if receipt.status == "started":
            if not could_come_from(wanted, actual):
                words = "is not what the interrupted run was creating: left alone"
                return _kept(receipt, actual, words, Fate.THEIRS)
            if not self.is_whole:
                return _kept(
                    receipt, actual, "was begun, and a receipt that cannot be read may say how it ended"
                )
            return None
        words = self._of_others(receipt, actual, resource)
        if words and not self.include_used:
            return _kept(receipt, actual, f"was changed by others, so it is left alone: {words}")
        return None

    def _undo_update(self, receipt: Receipt) -> Undoing:
        before, after, actual = receipt.before or {}, receipt.after or {}, self.found.state(receipt)
        named, present = named_identifier(receipt), self.found.identifier(receipt)
        if (renamed := self.found.by_identifier(receipt)) is not None:
            name = renamed.get("new_name", "another name")
            return _kept(receipt, renamed, f"is called {name!r} now: set its values back by hand")
        if actual is not None and named and named != present:
            change = undo_creation(receipt.kind, receipt.key, named, actual, present)
            return Undoing(receipt, change, Fate.GONE)
        if actual is not None and REMOVED in json.dumps(before):
            words = "held a secret before, which receipts do not keep: set it by hand"
            return _kept(receipt, actual, words)
        resource = self.resources[receipt.kind]
        change = undo_update(
            receipt.kind, receipt.key, before, after, actual, derived=resource.derived_fields
        )
        if not change.writes:
            return Undoing(receipt, change, _fate_of_unchanged(change, before, after))
        self.found.take_back(receipt, change.after)
        return _without_irreversible(receipt, change, resource.irreversible(change))

    def leave_used(self, undoings: list[Undoing]) -> None:
        """Leave alone what others use; what is in an instance comes before the instance."""
        for kind, resource in reversed(list(self.resources.items())):
            deletions = [each for each in undoings if _deletes(each) and each.change.kind == kind]
            if not deletions:
                continue
            ours = frozenset((e.change.kind, e.change.identifier) for e in undoings if _deletes(e))
            uses = resource.uses({each.change.identifier: each.change.key for each in deletions}, ours)
            for each in deletions:
                used = uses.get(each.change.identifier, ())
                settings = _settings_of_others(undoings) if kind == INSTANCE else ()
                takes = ours if kind in _MEMBERS else frozenset()
                undoings[undoings.index(each)] = self._used(each, (*used, *settings), takes)
            if self.include_used and kind != INSTANCE:
                self._make_way(undoings, [use for used in uses.values() for use in used])

    def _used(self, undoing: Undoing, uses: Sequence[Use], takes: frozenset[tuple[str, str]]) -> Undoing:
        change = undoing.change
        if not uses:
            return replace(undoing, change=replace(change, takes=takes))
        words = uses_in_words(uses)
        if change.kind == INSTANCE or not self.include_used:
            verb = "still holds" if change.kind == INSTANCE else "is used by others, so it is left alone:"
            kept = Change(
                Action.UNCHANGED, change.kind, change.key, change.before, change.before, f"{verb} {words}"
            )
            return replace(undoing, change=kept, fate=Fate.LEFT)
        takes |= {use.name for use in uses}
        reason = f"{change.reason}; what others have on it goes too: {words}"
        return replace(undoing, change=replace(change, takes=takes, reason=reason))

    def _make_way(self, undoings: list[Undoing], uses: Sequence[Use]) -> None:
        """Delete first what deleting a thing does not take along."""
        present = {(each.change.kind, each.change.identifier) for each in undoings if _deletes(each)}
        for use in dict.fromkeys(uses):
            if use.key and use.name not in present and use.kind in self.resources:
                reason = "is not of this run, and hangs on what is deleted"
                change = Change(Action.DELETE, use.kind, use.key, {}, None, reason, use.identifier)
                undoings.insert(0, Undoing(None, change, Fate.UNDO))
                present.add(use.name)


def _deletes(undoing: Undoing) -> bool:
    return undoing.change.action is Action.DELETE


def _kept(receipt: Receipt, actual: State | None, reason: str, fate: Fate = Fate.LEFT) -> Undoing:
    return Undoing(receipt, Change(Action.UNCHANGED, receipt.kind, receipt.key, actual, actual, reason), fate)


def _fate_of_unchanged(change: Change, before: State, after: State) -> Fate:
    found = change.before
    if found is None or all(found.get(name) == before.get(name) for name in after):
        return Fate.GONE
    keeps = any(keeps_part_of(before.get(name), after[name], found.get(name)) for name in after)
    return Fate.LEFT if keeps else Fate.THEIRS


def _without_irreversible(receipt: Receipt, change: Change, stays: Mapping[str, str]) -> Undoing:
    """Take out of a change what AWS offers no way back for."""
    before, after = change.before or {}, change.after or {}
    restored = [name for name in after if after[name] != before.get(name)]
    kept = [name for name in restored if "" in stays or name in stays]
    if not kept:
        return Undoing(receipt, change, Fate.UNDO)
    why = f"cannot be undone: {'; '.join(stays[name] for name in stays if name in ('', *kept))}"
    if len(kept) == len(restored):
        return _kept(receipt, before, why, Fate.STAYS)
    rest = [name for name in restored if name not in kept]
    possible = {**after, **{name: before.get(name) for name in kept}}
    reason = f"{describe_difference(possible, before, rest)}; {', '.join(kept)} {why}"
    return Undoing(receipt, replace(change, after=possible, reason=reason), Fate.UNDO)


def _settings_of_others(undoings: Sequence[Undoing]) -> tuple[Use, ...]:
    """Return the console's settings that somebody changed after this run: they go with their instance."""
    return tuple(
        Use(each.change.kind, each.change.key, f"the setting {each.change.key!r}, which others changed")
        for each in undoings
        if each.change.kind == "console_setting" and each.fate in (Fate.THEIRS, Fate.LEFT)
    )


def let_go_along(undoings: list[Undoing]) -> None:
    """Let what cannot be taken back go with its thing, or with the instance, where that is deleted."""
    deleted = {(each.change.kind, each.change.key) for each in undoings if _deletes(each)}
    no_instance = any(kind == INSTANCE for kind, _ in deleted)
    for number, each in enumerate(undoings):
        inside = no_instance and each.change.kind not in _OF_THE_ACCOUNT
        if each.fate is Fate.STAYS and (inside or (each.change.kind, each.change.key) in deleted):
            undoings[number] = replace(each, fate=Fate.GOES_ALONG)
