"""Take back what a run did: only what its receipts name, newest first, and nothing that others use.

Nothing is called here that writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from idc_helpers.changes import Change, Plan, Resource
from idc_helpers.errors import ReceiptError
from idc_helpers.runbook.fates import IS_LEFT_ALONE, Fate, FateFinder, Undoing, let_go_along
from idc_helpers.runbook.found import Found
from idc_helpers.runbook.receipts import Origin, Receipt, ReceiptPlace, place_of

__all__ = ["Fate", "UndoPlan", "Undoing", "plan_undo"]


@dataclass(frozen=True)
class UndoPlan:
    """What takes a run back.

    Attributes
    ----------
    undoings
        Newest receipt first.
    unreadable
        What of the receipts cannot be understood, in words.
    elsewhere
        How many open receipts are of other places, which are not touched.
    """

    undoings: tuple[Undoing, ...]
    unreadable: tuple[str, ...] = ()
    elsewhere: tuple[tuple[ReceiptPlace, int], ...] = ()

    @property
    def plan(self) -> Plan:
        """The changes, in the order in which they are applied."""
        return Plan(tuple(each.change for each in self.undoings))

    def receipt_id(self, change: Change) -> str:
        """Return the id of the receipt that a change of this plan takes back."""
        for each in self.undoings:
            if each.change is change and each.receipt is not None:
                return each.receipt.receipt_id
        return ""

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
    """Return the plan that takes receipts back; reads only.

    Parameters
    ----------
    receipts
        Open receipts, newest first (`ReceiptBook.open_receipts`).
    resources
        A resource for each kind; an instance's comes before those of what it holds.
    origin
        Where the undo would run.
    include_used
        Whether what this run created goes although others use or changed it; an instance never does.
    unreadable
        What of the receipts cannot be understood: how an interrupted write ended may stand there.
    elsewhere
        How many open receipts are of other places.
    looks_for_uses
        Whether what hangs on things is looked for.

    Raises
    ------
    ReceiptError
        When a receipt is of another target, account, Region or state of the sandbox.
    """
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
    here = ReceiptPlace(origin.target, origin.account_id, origin.region, origin.state_id)
    if not here.holds(receipt):
        raise ReceiptError(
            f"the receipt of {receipt.kind} {receipt.key!r} is of {place_of(receipt)}, but this connection "
            f"is to {here}",
            remedy="Connect to the account and Region that the run changed, with the same target.",
        )
