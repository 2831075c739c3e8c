"""Undo of a whole run folder: a step whose plan comes from receipts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from idc_helpers.changes import Change, Resource, in_words
from idc_helpers.errors import ApplyRefusedError, KitError
from idc_helpers.runbook.applying import Applier, Outcome, Progress, no_progress
from idc_helpers.runbook.checks import Check, CheckResults
from idc_helpers.runbook.run_context import RunContext
from idc_helpers.runbook.undo import Fate, UndoPlan, plan_undo

NAME = "teardown"
NOTHING_LEFT = "nothing is left of what this run made"
_MOST_NAMED = 20


@dataclass(frozen=True)
class Verdict:
    """What an undo came to.

    Attributes
    ----------
    undone, left_alone, unreadable
        How many changes were undone, how many things of receipts are left alone, and how many receipts
        cannot be understood.
    to_undo
        How many changes could be undone and are not.
    """

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
    include_used
        Whether what the run created goes although others use or changed it.
    """

    context: RunContext
    resources: Mapping[str, Resource]
    steps: frozenset[str] = frozenset()
    include_used: bool = False
    _applied: tuple[UndoPlan, Outcome] | None = field(default=None, repr=False)

    def plan(self) -> UndoPlan:
        """Return what would be taken back; reads only."""
        undo = self._compare()
        self.context.events.write("planned", step=NAME, changes=undo.plan.counts(), by_hand=0)
        return undo

    def _compare(self, *, looks_for_uses: bool = True) -> UndoPlan:
        book = self.context.receipts
        receipts = book.open_receipts()
        if self.steps:
            receipts = [receipt for receipt in receipts if receipt.step in self.steps]
        return plan_undo(
            receipts,
            self.resources,
            self.context.origin(NAME),
            include_used=self.include_used,
            unreadable=book.unreadable(),
            elsewhere=book.elsewhere(),
            looks_for_uses=looks_for_uses,
        )

    def apply(self, undo: UndoPlan | None = None, *, progress: Progress = no_progress) -> Outcome:
        """Take back what the plan says and return what was done; running it again is safe.

        Parameters
        ----------
        undo
            A plan that was shown; None: a fresh one.
        progress
            As of `Applier.apply`.

        Raises
        ------
        ApplyRefusedError, WrongAccountError
            Before anything is changed; also when the target is not as the plan showed it any more.
        KitError
            When something cannot be taken back; what was taken back before stays so, and running again goes
            on from there.
        """
        if undo is None:
            undo = self.plan()
        elif undo.plan.writes:
            self._require_as_shown(undo)
        origin, book = self.context.origin(NAME), self.context.receipts
        if undo.plan.writes:
            self.context.require_apply()
        for receipt in undo.receipts_of(Fate.GONE):
            book.settle(receipt, origin)
        applier = Applier(self.resources, book, origin)
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

    def _require_as_shown(self, undo: UndoPlan) -> None:
        """Look again: minutes may have passed since the plan was shown."""
        fresh = self._compare(looks_for_uses=False)
        now = {each.receipt.receipt_id: each.change for each in fresh.undoings if each.receipt}
        for each in undo.undoings:
            shown = each.change
            if not shown.writes or each.receipt is None:
                continue
            found = now.get(each.receipt.receipt_id)
            if found is None or _means(found) != _means(shown):
                raise ApplyRefusedError(
                    f"the {in_words(shown.kind, shown.key)} is not as the plan showed it any more: somebody "
                    "has changed it since",
                    remedy="Nothing was undone. Review again, and read the new plan.",
                )

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

    def check(self) -> CheckResults:
        """Return whether anything is left of what the receipts name, and what; reads only."""
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
        others = tuple(change for change in remaining.left_alone() if change not in kept)
        words = f"; left alone: {_reasons(others)}" if others else ""
        return Check(NOTHING_LEFT, True, f"every receipt is undone{words}")
    names = ", ".join(in_words(change.kind, change.key) for change in writes)
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
    named = [f"{in_words(change.kind, change.key)} {change.reason}" for change in changes[:_MOST_NAMED]]
    more = len(changes) - len(named)
    return "; ".join([*named, *([f"and {more} more"] if more > 0 else [])])


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
        checks.append(Check("receipts of other places", True, elsewhere_in_words(remaining)))
    return checks


def elsewhere_in_words(undo: UndoPlan) -> str:
    """Return what was skipped, such as ``"skipped: 3 of aws account 111122223333 in eu-west-1"``."""
    return "skipped: " + "; ".join(f"{number} of {place}" for place, number in undo.elsewhere)
