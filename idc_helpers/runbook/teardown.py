"""The teardown: what receipts name is undone as planned, looked at again, and counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from typing_extensions import override

from idc_aws.calls import one_look
from idc_aws.changes import Change, Plan
from idc_aws.connection import Connection
from idc_aws.errors import KitError
from idc_aws.identifiers import first_of
from idc_aws.resource import Resource
from idc_helpers.runbook.applying import Applier, Outcome, Progress, Reviewed, no_progress
from idc_helpers.runbook.comparing import Check, CheckResults
from idc_helpers.runbook.lesson import resources_by_kind
from idc_helpers.runbook.records import Receipt
from idc_helpers.runbook.run import RunContext
from idc_helpers.runbook.undo import Fate, UndoPlan, has_way_back, plan_undo
from idc_helpers.runbook.words import format_thing

NAME = "teardown"
NOTHING_LEFT = "nothing is left of what this run made"
_MOST_NAMED = 20


@dataclass(frozen=True)
class Verdict:
    """What an undo came to."""

    undone: int
    left_alone: int
    unreadable: int
    to_undo: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left that any receipt names, as far as can be known."""
        return not (self.left_alone or self.unreadable or self.to_undo)

    def __str__(self) -> str:
        words = f"{self.undone} undone, {self.left_alone} left alone, {self.unreadable} unreadable"
        return words + (f", {self.to_undo} still to undo" if self.to_undo else "")


class Teardown(Reviewed[UndoPlan]):
    """Takes back what the receipts of a run folder name, of all steps or some, and nothing else."""

    def __init__(
        self,
        context: RunContext,
        steps: frozenset[str] = frozenset(),
        *,
        include_used: bool = False,
        title: str = "Teardown",
    ) -> None:
        super().__init__(context, title)
        self._steps, self._include_used = steps, include_used
        self._applied: tuple[UndoPlan, Outcome] | None = None

    @override
    def resources(self, connection: Connection) -> Mapping[str, Resource]:
        return resources_by_kind(connection)

    @override
    def changes(self, plan: UndoPlan) -> Plan:
        return plan.plan

    @override
    def plan(self) -> UndoPlan:
        undo = self._compare()
        self.context.events.write("planned", step=NAME, changes=undo.plan.counts(), by_hand=0)
        return undo

    def is_possible(self) -> bool:
        """Tell from the receipts whether anything is there to undo; the target is not read."""
        resources = self.resources(self.context.target_connection)
        return any(
            receipt.kind in resources and has_way_back(receipt, resources[receipt.kind])
            for receipt in self._receipts()
        )

    def _receipts(self) -> list[Receipt]:
        receipts = self.context.receipts.open_receipts()
        return [receipt for receipt in receipts if not self._steps or receipt.step in self._steps]

    def _compare(self, *, looks_for_uses: bool = True) -> UndoPlan:
        book = self.context.receipts
        with one_look():
            return plan_undo(
                self._receipts(),
                self.resources(self.context.connection),
                self.context.origin(NAME),
                include_used=self._include_used,
                unreadable=book.unreadable(),
                elsewhere=book.elsewhere(),
                looks_for_uses=looks_for_uses,
            )

    @override
    def apply(self, plan: UndoPlan | None = None, *, progress: Progress = no_progress) -> Outcome:
        undo = plan if plan is not None else self.plan()
        origin, book = self.context.origin(NAME), self.context.receipts
        if undo.plan.writes:
            self.context.require_apply()
        for receipt in undo.receipts_of(Fate.GONE):
            book.settle(receipt, origin)
        applier = Applier(self.resources(self.context.connection), book, origin)
        try:
            outcome = applier.apply(undo.plan, progress=progress, undoes=undo.receipt_id, goes_on=True)
        except KitError as error:
            self.context.events.write("failed", step=NAME, error=str(error))
            raise
        for receipt in undo.receipts_of(Fate.STAYS, Fate.GOES_ALONG):
            book.settle(receipt, origin)  # said once: AWS offers no way back
        self._applied = undo, outcome
        self.context.events.write("applied", step=NAME, changes=outcome.counts())
        return outcome

    @override
    def changed_since(self, plan: UndoPlan) -> Change | None:
        if not plan.plan.writes:
            return None
        fresh = self._compare(looks_for_uses=False)
        shown, now = (
            {each.receipt.receipt_id: each.change for each in of.undoings if each.receipt}
            for of in (plan, fresh)
        )
        pairs = ((change, now.get(receipt_id)) for receipt_id, change in shown.items() if change.writes)
        return next((one for one, found in pairs if not found or _means(found) != _means(one)), None)

    def verdict(self) -> Verdict:
        """Return what the undo came to; reads the target again."""
        return self._verdict(self._compare())

    def _verdict(self, left: UndoPlan) -> Verdict:
        said_once = self._applied[0].receipts_of(Fate.STAYS) if self._applied else []
        return Verdict(
            undone=len(self._applied[1].done) if self._applied else 0,
            left_alone=len(left.left_alone()) + len(said_once),
            unreadable=len(left.unreadable),
            to_undo=len(left.plan.writes),
        )

    @override
    def check(self) -> CheckResults:
        remaining = self._compare()
        if self.context.mode == "plan" and remaining.plan.writes:
            checks = [
                Check(
                    "teardown: plan",
                    True,
                    f"mode is 'plan', nothing was written: {len(remaining.plan.writes)} to undo",
                )
            ]
        else:
            checks = [_left_over(remaining)]
        self.context.events.write("verdict", step=NAME, counts=asdict(self._verdict(remaining)))
        return self.context.record(NAME, CheckResults((*checks, *_about_receipts(remaining))))


def _means(change: Change) -> tuple[object, ...]:
    return change.action, change.before, change.after, change.identifier


def _left_over(remaining: UndoPlan) -> Check:
    writes = remaining.plan.writes
    kept = tuple(each.change for each in remaining.undoings if each.fate is Fate.LEFT)
    if not writes and not kept:
        others = remaining.left_alone()
        words = f"; left alone: {_reasons(others)}" if others else ""
        return Check(NOTHING_LEFT, True, f"every receipt is undone{words}")
    names = ", ".join(format_thing(change.kind, change.key) for change in writes)
    parts = [
        f"still there: {names}" if writes else "",
        f"{len(kept)} left alone: {_reasons(kept)}" if kept else "",
    ]
    remedy = "Run the teardown again." if writes else _REMEDY
    return Check(NOTHING_LEFT, False, "; ".join(part for part in parts if part), remedy)


_REMEDY = (
    "The reason is next to each. Where others use or changed it, ask them. Remove what hangs on it and "
    "run this again, or use `idc undo RUN --include-used`, which deletes it all the same."
)


def _reasons(changes: Sequence[Change]) -> str:
    named = [f"{format_thing(change.kind, change.key)} {change.reason}" for change in changes]
    return "; ".join(first_of(named, _MOST_NAMED))


def _about_receipts(remaining: UndoPlan) -> list[Check]:
    checks = []
    if remaining.unreadable:
        checks.append(
            Check(
                "every receipt can be read",
                False,
                f"{len(remaining.unreadable)} unreadable: {'; '.join(remaining.unreadable[:_MOST_NAMED])}",
                "What these lines name is not undone. Look at receipts.jsonl and the target; remove a line "
                "when you are sure that nothing of it is left.",
            )
        )
    if remaining.elsewhere:
        skipped = "; ".join(f"{number} of {place}" for place, number in remaining.elsewhere)
        checks.append(Check("receipts of other places", True, f"skipped: {skipped}"))
    return checks
