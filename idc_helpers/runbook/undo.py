"""Undo, planned: what becomes of each receipt, from what the target holds now."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from types import MappingProxyType

from idc_aws.access import whole_assignment_identifier
from idc_aws.changes import Action, Change, Plan, State, Use, format_uses
from idc_aws.errors import InvalidValueError, NotFoundError, ReceiptError
from idc_aws.resource import Resource
from idc_aws.scrubbing import scrub_values
from idc_aws.secrets import REMOVED
from idc_helpers.runbook.comparing import (
    could_come_from,
    describe_difference,
    keeps_part_of,
    others_fields,
    undo_creation,
    undo_update,
)
from idc_helpers.runbook.records import Origin, Receipt, ReceiptPlace
from idc_helpers.runbook.words import format_field


def named_identifier(receipt: Receipt) -> str:
    """Return the id that a receipt names; empty where it has none."""
    # An interrupted creation has none yet; earlier receipts of account assignments had only their key.
    if receipt.status != "done" or receipt.identifier == receipt.key:
        return ""
    if receipt.kind == "account_assignment":
        return whole_assignment_identifier(receipt.identifier, receipt.key)
    return receipt.identifier


class Found:
    """What receipts name, as it is; kept up to date with what is planned."""

    def __init__(self, receipts: Sequence[Receipt], resources: Mapping[str, Resource]) -> None:
        self.unreadable: dict[str, str] = {}
        self._resources = resources
        self._states: dict[tuple[str, str], State | None] = {}
        self._identifiers: dict[tuple[str, str], str] = {}
        # By kind, key and id: what only its id still leads to, because its key leads nowhere or to another.
        self._by_identifier: dict[tuple[str, str, str], State] = {}
        self._instances: dict[str, bool] = {}
        for kind in dict.fromkeys(receipt.kind for receipt in receipts):
            self._read(kind, [receipt for receipt in receipts if receipt.kind == kind])

    def _read(self, kind: str, receipts: list[Receipt]) -> None:
        resource = self._resources.get(kind)
        if resource is None:
            for receipt in receipts:
                self._cannot_read(receipt, f"the kind {kind!r} is not known to this version of the kit")
            return
        try:
            self._look(kind, resource, receipts)
        except (InvalidValueError, NotFoundError) as error:
            if len(receipts) == 1:  # it is this one; another one does not suffer for it
                self._cannot_read(receipts[0], error.message)
                return
            for receipt in receipts:
                self._read(kind, [receipt])

    def _look(self, kind: str, resource: Resource, receipts: list[Receipt]) -> None:
        existing = resource.existing(list(dict.fromkeys(receipt.key for receipt in receipts)))
        named = {(receipt.key, named_identifier(receipt)) for receipt in receipts}
        identifiers = {key: one.identifier for key, one in existing.items()}
        others = {(key, one) for key, one in named if one and one != identifiers.get(key)}
        found = resource.read_by_identifier(others) if others else {}
        self._states |= {(kind, key): one.state for key, one in existing.items()}
        self._identifiers |= {(kind, key): one.identifier for key, one in existing.items()}
        self._by_identifier |= {(kind, *pair): state for pair, state in found.items()}

    def _cannot_read(self, receipt: Receipt, why: str) -> None:
        name = f"the receipt of {receipt.kind} {receipt.key!r}"
        self.unreadable[receipt.receipt_id] = f"{name} cannot be understood: {why}"

    def state(self, receipt: Receipt) -> State | None:
        """Return the state of what has the receipt's key now, or None."""
        return self._states.get((receipt.kind, receipt.key))

    def identifier(self, receipt: Receipt) -> str:
        """Return the id of what has the receipt's key now."""
        return self._identifiers.get((receipt.kind, receipt.key), "")

    def by_identifier(self, receipt: Receipt) -> State | None:
        """Return the state of the very thing that a receipt names, where its key does not lead there."""
        return self._by_identifier.get((receipt.kind, receipt.key, named_identifier(receipt)))

    def has_instance(self, instance_arn: str) -> bool:
        """Return whether another instance than the connection's is visible."""
        if instance_arn not in self._instances:
            pair = ("organization", instance_arn)
            resource = self._resources.get("instance")
            self._instances[instance_arn] = bool(resource and resource.read_by_identifier([pair]))
        return self._instances[instance_arn]

    def take_back(self, receipt: Receipt, state: State | None) -> None:
        """Go on as if this were undone: several receipts may be of one thing."""
        if self._by_identifier.pop((receipt.kind, receipt.key, named_identifier(receipt)), None) is None:
            self._states[receipt.kind, receipt.key] = state


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
    """It cannot be undone, and goes with what the plan deletes."""
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
    """Decides, newest receipt first, what becomes of each."""

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
        is_creation = receipt.action == Action.CREATE  # of something that was made, not changed
        return self._undo_creation(receipt) if is_creation else self._undo_update(receipt)

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
            change = replace(change, reason=f"{change.reason}; this also deletes what others changed: {lost}")
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
            if not any(could_come_from(wanted, found) for found in (actual, scrub_values(actual))):
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
            settings = _settings_of_others(undoings) if kind == INSTANCE else ()
            takes = ours if kind in _MEMBERS else frozenset()
            for number, each in enumerate(undoings):
                if _deletes(each) and each.change.kind == kind:
                    used = uses.get(each.change.identifier, ())
                    undoings[number] = self._used(each, (*used, *settings), takes)
            if self.include_used and kind != INSTANCE:
                self._make_way(undoings, [use for used in uses.values() for use in used])

    def _used(self, undoing: Undoing, uses: Sequence[Use], takes: frozenset[tuple[str, str]]) -> Undoing:
        change = undoing.change
        if not uses:
            return replace(undoing, change=replace(change, takes=takes))
        words = format_uses(uses)
        if change.kind == INSTANCE or not self.include_used:
            verb = "still holds" if change.kind == INSTANCE else "is used by others, so it is left alone:"
            kept = Change(
                Action.UNCHANGED, change.kind, change.key, change.before, change.before, f"{verb} {words}"
            )
            return replace(undoing, change=kept, fate=Fate.LEFT)
        takes |= {use.name for use in uses}
        reason = f"{change.reason}; this also deletes what others attached to it: {words}"
        return replace(undoing, change=replace(change, takes=takes, reason=reason))

    def _make_way(self, undoings: list[Undoing], uses: Sequence[Use]) -> None:
        """Delete first what deleting a thing does not take along."""
        present = {(each.change.kind, each.change.identifier) for each in undoings if _deletes(each)}
        for use in dict.fromkeys(uses):
            if use.key and use.name not in present and use.kind in self.resources:
                reason = "does not belong to this run, and depends on something that is deleted"
                change = Change(Action.DELETE, use.kind, use.key, {}, None, reason, use.identifier)
                undoings.insert(0, Undoing(None, change, Fate.UNDO))


def _deletes(undoing: Undoing) -> bool:
    return undoing.change.action is Action.DELETE


def _kept(receipt: Receipt, actual: State | None, reason: str, fate: Fate = Fate.LEFT) -> Undoing:
    return Undoing(receipt, Change(Action.UNCHANGED, receipt.kind, receipt.key, actual, actual, reason), fate)


def _fate_of_unchanged(change: Change, before: State, after: State) -> Fate:
    found = change.before
    if found is None or all(found.get(name) == before.get(name) for name in after):
        return Fate.GONE
    keeps = any(
        keeps_part_of(before.get(name), after[name], state.get(name))
        for name in after
        for state in (found, scrub_values(found))
    )
    return Fate.LEFT if keeps else Fate.THEIRS


def _set_back(change: Change, stays: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Return the fields that an undo sets back, and those of them that AWS offers no way back for."""
    before, after = change.before or {}, change.after or {}
    restored = [name for name in after if after[name] != before.get(name)]
    return restored, [name for name in restored if "" in stays or name in stays]


def _without_irreversible(receipt: Receipt, change: Change, stays: Mapping[str, str]) -> Undoing:
    """Take out of a change what AWS offers no way back for."""
    before, after = change.before or {}, change.after or {}
    restored, kept = _set_back(change, stays)
    if not kept:
        return Undoing(receipt, change, Fate.UNDO)
    why = f"cannot be undone: {'; '.join(stays[name] for name in stays if name in ('', *kept))}"
    if len(kept) == len(restored):
        return _kept(receipt, before, why, Fate.STAYS)
    rest = [name for name in restored if name not in kept]
    possible = {**after, **{name: before.get(name) for name in kept}}
    reason = f"{describe_difference(possible, before, rest)}; {', '.join(map(format_field, kept))} {why}"
    return Undoing(receipt, replace(change, after=possible, reason=reason), Fate.UNDO)


def has_way_back(receipt: Receipt, resource: Resource) -> bool:
    """Tell from a receipt alone whether AWS offers a way back from what it names."""
    after = receipt.after or {}
    if receipt.action == Action.CREATE:
        change = undo_creation(receipt.kind, receipt.key, receipt.identifier, after, receipt.identifier)
        return "" not in resource.irreversible(change)
    before, derived = receipt.before or {}, resource.derived_fields
    change = undo_update(receipt.kind, receipt.key, before, after, after, derived=derived)
    restored, kept = _set_back(change, resource.irreversible(change))
    return change.writes and (not kept or kept != restored)


def _settings_of_others(undoings: Sequence[Undoing]) -> tuple[Use, ...]:
    """Return the console's settings that somebody changed after this run: they go with their instance."""
    return tuple(
        Use(each.change.kind, each.change.key, f"the setting {each.change.key!r}, which others changed")
        for each in undoings
        if each.change.kind == "console_setting" and each.fate in (Fate.THEIRS, Fate.LEFT)
    )


def let_go_along(undoings: list[Undoing]) -> None:
    """Let what cannot be undone go with its thing, or with the instance, where that is deleted."""
    deleted = {(each.change.kind, each.change.key) for each in undoings if _deletes(each)}
    no_instance = any(kind == INSTANCE for kind, _ in deleted)
    for number, each in enumerate(undoings):
        inside = no_instance and each.change.kind not in _OF_THE_ACCOUNT
        if each.fate is Fate.STAYS and (inside or (each.change.kind, each.change.key) in deleted):
            undoings[number] = replace(each, fate=Fate.GOES_ALONG)


@dataclass(frozen=True)
class UndoPlan:
    """What takes a run back."""

    undoings: tuple[Undoing, ...]
    unreadable: tuple[str, ...] = ()
    elsewhere: tuple[tuple[ReceiptPlace, int], ...] = ()

    @property
    def plan(self) -> Plan:
        """The changes, in the order in which they are applied."""
        return Plan(tuple(each.change for each in self.undoings))

    @cached_property
    def _receipt_ids(self) -> dict[int, str]:
        return {id(each.change): each.receipt.receipt_id for each in self.undoings if each.receipt}

    def receipt_id(self, change: Change) -> str:
        """Return the id of the receipt that a change of this plan takes back."""
        return self._receipt_ids.get(id(change), "")

    def receipts_of(self, *fates: Fate) -> list[Receipt]:
        """Return the receipts that have one of these fates."""
        return [each.receipt for each in self.undoings if each.fate in fates and each.receipt]

    def left_alone(self) -> tuple[Change, ...]:
        """Return the changes that are not made although something of the receipt may be there."""
        return tuple(each.change for each in self.undoings if each.fate in IS_LEFT_ALONE)


def plan_undo(
    receipts: Sequence[Receipt],
    resources: Mapping[str, Resource],
    origin: Origin,
    *,
    include_used: bool = False,
    unreadable: Sequence[str] = (),
    elsewhere: Mapping[ReceiptPlace, int] = MappingProxyType({}),
    looks_for_uses: bool = True,
) -> UndoPlan:
    """Return the plan that takes receipts back; reads only."""
    for receipt in receipts:
        _require_same_place(receipt, origin)
    found = Found(receipts, resources)
    finder = FateFinder(resources, origin, found, include_used=include_used, is_whole=not unreadable)
    readable = [receipt for receipt in receipts if receipt.receipt_id not in found.unreadable]
    undoings = [finder.undo(receipt) for receipt in readable]
    if looks_for_uses:
        finder.leave_used(undoings)
    let_go_along(undoings)
    return UndoPlan(tuple(undoings), (*unreadable, *found.unreadable.values()), tuple(elsewhere.items()))


def _require_same_place(receipt: Receipt, origin: Origin) -> None:
    if not origin.place.holds(receipt):
        raise ReceiptError(
            f"the receipt of {receipt.kind} {receipt.key!r} is of {receipt.place}, but this connection "
            f"is to {origin.place}",
            remedy="Connect to the account and Region that the run changed, with the same target.",
        )
