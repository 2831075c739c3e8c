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
        When a receipt is of another target or account, or of a kind that this kit does not know.
    """
    for receipt in receipts:
        _require_same_target(receipt, origin)
        _require_known(receipt, resources)
    states = _read_by_kind(receipts, resources)
    changes: list[Change] = []
    for receipt in receipts:
        thing = (receipt.kind, receipt.key)
        change = _undo_one(receipt, resources[receipt.kind], states.get(thing))
        if change.writes:
            # Several may be of one thing: each is held against what the undo of the newer ones leaves.
            states[thing] = change.after
        changes.append(change)
    return UndoPlan(Plan(tuple(changes)), tuple(receipts))


def _read_by_kind(
    receipts: list[Receipt], resources: Mapping[str, Resource]
) -> dict[tuple[str, str], State | None]:
    """Return the states of what receipts name and there is: one look for each kind takes the fewest calls."""
    keys: dict[str, dict[str, None]] = {}
    for receipt in receipts:
        keys.setdefault(receipt.kind, {})[receipt.key] = None
    return {
        (kind, key): state
        for kind, named in keys.items()
        for key, state in resources[kind].read(list(named)).items()
    }


def _undo_one(receipt: Receipt, resource: Resource, actual: State | None) -> Change:
    if receipt.action == Action.CREATE:
        identifier = resource.identifier(receipt.key) if actual is not None else ""
        if receipt.status == "started" and actual and not could_come_from(receipt.after or {}, actual):
            reason = "is not what the interrupted run was creating: left alone"
            return Change(Action.UNCHANGED, receipt.kind, receipt.key, actual, actual, reason)
        # An interrupted creation has no identifier yet; the plan before it found nothing of that name.
        named = receipt.identifier if receipt.status == "done" else identifier
        change = undo_creation(receipt.kind, receipt.key, named, actual, identifier)
    elif REMOVED in json.dumps(receipt.before):
        reason = "held a secret before, which receipts do not keep: set it by hand"
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
    if (receipt.target, receipt.account_id) != (origin.target, origin.account_id):
        raise ReceiptError(
            f"the receipt of {receipt.kind} {receipt.key!r} is of {receipt.target} {receipt.account_id!r}, "
            f"but this connection is to {origin.target} {origin.account_id!r}",
            remedy="Connect to the account that the run changed, with the same target.",
        )


def _require_known(receipt: Receipt, resources: Mapping[str, Resource]) -> None:
    if receipt.kind not in resources:
        raise ReceiptError(
            f"the receipt {receipt.receipt_id!r} is of the kind {receipt.kind!r}, unknown to this kit",
            remedy="Undo it with the version of the kit that made it.",
        )
