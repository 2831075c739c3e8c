"""Undo of a whole run folder: a step whose plan comes from receipts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from idc_helpers.changes import Plan, Resource, in_words
from idc_helpers.errors import KitError
from idc_helpers.runbook.applying import Applier, Outcome, Progress, no_progress
from idc_helpers.runbook.checks import Check, CheckResults
from idc_helpers.runbook.run_context import RunContext
from idc_helpers.runbook.undo import UndoPlan, plan_undo

NAME = "teardown"


@dataclass
class Teardown:
    """Takes back what the receipts of a run folder name, newest first, and nothing else.

    Attributes
    ----------
    context
        The run whose receipts are taken back.
    resources
        A resource for each kind that a receipt may name.
    steps
        Only the receipts of these steps; empty: of all.
    """

    context: RunContext
    resources: Mapping[str, Resource]
    steps: frozenset[str] = frozenset()

    def plan(self) -> UndoPlan:
        """Return what would be taken back; reads only.

        Raises
        ------
        ReceiptError
            When receipts are of another target, account or Region.
        """
        undo = self._compare()
        self.context.events.write("planned", step=NAME, changes=undo.plan.counts(), by_hand=0)
        return undo

    def _compare(self) -> UndoPlan:
        receipts = self.context.receipts.open_receipts()
        if self.steps:
            receipts = [receipt for receipt in receipts if receipt.step in self.steps]
        return plan_undo(receipts, self.resources, self.context.origin(NAME))

    def apply(self, undo: UndoPlan | None = None, *, progress: Progress = no_progress) -> Outcome:
        """Take back what the plan says and return what was done; running it again is safe.

        Raises
        ------
        ApplyRefusedError, WrongAccountError
            Before anything is changed.
        KitError
            When something cannot be taken back; what was taken back before stays so, and running again goes
            on from there.
        """
        undo = undo if undo is not None else self.plan()
        origin = self.context.origin(NAME)
        if undo.plan.writes:
            self.context.require_apply()
        for _, receipt in undo.settled:
            self.context.receipts.settle(receipt, origin)
        applier = Applier(self.resources, self.context.receipts, origin)
        try:
            outcome = applier.apply(undo.plan, progress=progress, undoes=undo.receipt_id, goes_on=True)
        except KitError as error:
            self.context.events.write("failed", step=NAME, error=str(error))
            raise
        self.context.events.write("applied", step=NAME, changes=outcome.counts())
        return outcome

    def check(self) -> CheckResults:
        """Return one check: nothing is left of what the receipts name, or what is; reads only."""
        remaining = self._compare().plan
        if self.context.mode == "plan" and remaining.writes:
            checks = [
                Check(
                    "teardown: plan",
                    True,
                    f"mode is 'plan', nothing was written: {len(remaining.writes)} to take back",
                )
            ]
        else:
            checks = [_left_over(remaining)]
        return self.context.record(NAME, CheckResults(tuple(checks)))


def _left_over(remaining: Plan) -> Check:
    if not remaining.writes:
        return Check("nothing is left of what this run made", True, "every receipt is taken back")
    names = ", ".join(in_words(change.kind, change.key) for change in remaining.writes)
    return Check(
        "nothing is left of what this run made", False, f"still there: {names}", "Run the teardown again."
    )
