"""Take back what a run did: only what its receipts name, newest first."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from idc_helpers.changes import Action, Change, Plan, Resource, State
from idc_helpers.errors import ReceiptError
from idc_helpers.runbook.planning import could_come_from, undo_creation, undo_update
from idc_helpers.runbook.receipts import Origin, Receipt
from idc_helpers.scrubbing import REMOVED


@dataclass(frozen=True)
class UndoPlan:
    """What takes a run back.

    Attributes
    ----------
    plan
        Changes, newest receipt first.
    receipts
        The receipt behind each change, in the same order.
    """

    plan: Plan
    receipts: tuple[Receipt, ...]

    def receipt_id(self, change: Change) -> str:
        """Return the id of the receipt that a change of this plan takes back."""
        for candidate, receipt in zip(self.plan.changes, self.receipts, strict=True):
            if candidate is change:
                return receipt.receipt_id
        return ""

    @property
    def settled(self) -> tuple[tuple[Change, Receipt], ...]:
        """The receipts with nothing left to take back: the thing is gone."""
        pairs = zip(self.plan.changes, self.receipts, strict=True)
        return tuple(
            (change, receipt) for change, receipt in pairs if not change.writes and change.before is None
        )


def plan_undo(receipts: list[Receipt], resources: Mapping[str, Resource], origin: Origin) -> UndoPlan:
    """Return the plan that takes receipts back; reads only.

    Parameters
    ----------
    receipts
        Open receipts, newest first (`ReceiptBook.open_receipts`).
    resources
        A resource for each kind.
    origin
        Where the undo would run.

    Raises
    ------
    ReceiptError
        When a receipt is of another target, account or Region, or of a kind that this kit does not know.
    """
    for receipt in receipts:
        _require_same_target(receipt, origin)
        _require_known(receipt, resources)
    found = _Found(receipts, resources)
    changes = tuple(found.undo(receipt, resources[receipt.kind]) for receipt in receipts)
    return UndoPlan(Plan(changes), tuple(receipts))


class _Found:
    """What there is of what receipts name: a few looks for each kind, however many receipts there are."""

    def __init__(self, receipts: list[Receipt], resources: Mapping[str, Resource]) -> None:
        self._states: dict[tuple[str, str], State | None] = {}
        self._identifiers: dict[tuple[str, str], str] = {}
        # By kind, key and id: what only its id still leads to, because its key leads nowhere or to another.
        self._left_behind: dict[tuple[str, str, str], State] = {}
        for kind in dict.fromkeys(receipt.kind for receipt in receipts):
            self._read(resources[kind], [receipt for receipt in receipts if receipt.kind == kind])

    def _read(self, resource: Resource, receipts: list[Receipt]) -> None:
        kind = resource.kind
        states = resource.read(list(dict.fromkeys(receipt.key for receipt in receipts)))
        created = [receipt for receipt in receipts if receipt.action == Action.CREATE]
        identifiers = resource.identifiers(list(states))
        self._states |= {(kind, key): state for key, state in states.items()}
        self._identifiers |= {(kind, key): identifier for key, identifier in identifiers.items()}
        if read_by_identifier := getattr(resource, "read_by_identifier", None):
            named = {(receipt.key, _named_identifier(receipt)) for receipt in created}
            others = {(key, one) for key, one in named if one and one != identifiers.get(key)}
            self._left_behind |= {(kind, *pair): state for pair, state in read_by_identifier(others).items()}

    def undo(self, receipt: Receipt, resource: Resource) -> Change:
        """Return the change that takes a receipt back, after those of the newer ones."""
        thing = (receipt.kind, receipt.key)
        if receipt.action == Action.CREATE:
            identifier = _named_identifier(receipt)
            left_behind = self._left_behind.pop((*thing, identifier), None)
            if left_behind is not None:
                reason = "was created by this run; the user or group has gone and left it behind"
                return Change(Action.DELETE, *thing, left_behind, None, reason, identifier)
        change = _undo_one(receipt, resource, self._states.get(thing), self._identifiers.get(thing, ""))
        if change.writes:
            # Several may be of one thing: each is held against what the undo of the newer ones leaves.
            self._states[thing] = change.after
        return change


def _named_identifier(receipt: Receipt) -> str:
    """Return the id that a receipt names; empty where it has none.

    An interrupted creation has none yet; the plan before it found nothing of that name. Account assignments
    had none in earlier receipts but their key.
    """
    return receipt.identifier if receipt.status == "done" and receipt.identifier != receipt.key else ""


def _undo_one(receipt: Receipt, resource: Resource, actual: State | None, identifier: str) -> Change:
    if receipt.action == Action.CREATE:
        if receipt.status == "started" and actual and not could_come_from(receipt.after or {}, actual):
            reason = "is not what the interrupted run was creating: left alone"
            return Change(Action.UNCHANGED, receipt.kind, receipt.key, actual, actual, reason)
        change = undo_creation(receipt.kind, receipt.key, _named_identifier(receipt), actual, identifier)
    elif REMOVED in json.dumps(receipt.before):
        reason = "held a secret before, which receipts do not keep: set it by hand"
        return Change(Action.UNCHANGED, receipt.kind, receipt.key, actual, actual, reason)
    elif actual and (named := _named_identifier(receipt)) and named != identifier:
        reason = f"is another one ({identifier}) than the receipt names ({named}): left alone"
        return Change(Action.UNCHANGED, receipt.kind, receipt.key, actual, actual, reason)
    else:
        change = undo_update(receipt.kind, receipt.key, receipt.before or {}, receipt.after or {}, actual)
    if change.writes and receipt.key in getattr(resource, "irreversible_keys", ()):
        return Change(
            Action.UNCHANGED,
            receipt.kind,
            receipt.key,
            actual,
            actual,
            "cannot be undone: AWS allows it once",
        )
    return change


def _require_same_target(receipt: Receipt, origin: Origin) -> None:
    place, here = (f"{one.target} {one.account_id!r} in {one.region}" for one in (receipt, origin))
    if place != here:
        raise ReceiptError(
            f"the receipt of {receipt.kind} {receipt.key!r} is of {place}, but this connection is to {here}",
            remedy="Connect to the account and Region that the run changed, with the same target.",
        )


def _require_known(receipt: Receipt, resources: Mapping[str, Resource]) -> None:
    if receipt.kind not in resources:
        raise ReceiptError(
            f"the receipt {receipt.receipt_id!r} is of the kind {receipt.kind!r}, unknown to this kit",
            remedy="Undo it with the version of the kit that made it.",
        )
