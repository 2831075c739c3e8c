"""The gate between a plan that was shown and the write, what cells return, and an apply that is watched.

Nothing is applied that the plan on the screen did not show. A value that changes, or an apply that fails,
closes the gate again. The logic knows no widget, so the button and the cell share it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from idc_aws.calls import Call, watched_writes
from idc_aws.changes import Change, Plan
from idc_aws.connection import Place
from idc_aws.errors import ApplyRefusedError, CancelledError, CheckFailedError, NotAppliedError
from idc_helpers.notebook.calls import call_in_words
from idc_helpers.notebook.screen import LiveLine, is_guided, progress_in_words
from idc_helpers.notebook.tables import Line, Table, checks_table, failed_checks, outcome_table, plan_in_words
from idc_helpers.runbook.applying import Outcome, Progress, no_progress
from idc_helpers.runbook.checks import CheckResults
from idc_helpers.runbook.run import Opening
from idc_helpers.runbook.steps import PlannedCalls

P = TypeVar("P")


@dataclass
class Gate(Generic[P]):
    """One plan that can be shown, applied, and asked for."""

    title: str
    make_plan: Callable[[], P]
    make_true: Callable[[P, Progress], Outcome]
    changes_of: Callable[[P], Plan]
    calls_of: Callable[[P], PlannedCalls] = lambda _plan: PlannedCalls(())
    place: Place | None = None
    opening: Opening = field(default_factory=Opening)
    shown: P | None = None
    outcome: Outcome | None = None
    running: bool = False
    _watchers: list[Callable[[], None]] = field(default_factory=list)
    _generation: int = 0

    def __post_init__(self) -> None:
        self.opening.watch(self.changed)

    def watch(self, watcher: Callable[[], None]) -> None:
        """Call this whenever the gate opens or closes."""
        self._watchers.append(watcher)

    def show_plan(self) -> P:
        """Return a fresh plan, which is from now on the one that may be applied; reads only."""
        self.opening.require()
        self.shown = None
        generation = self._generation
        try:
            plan = self.make_plan()
            self.shown = plan if generation == self._generation else None
        finally:
            self._tell()
        return plan

    def changed(self) -> None:
        """Close the gate: a value is not what was shown or applied any more."""
        self._generation += 1
        self.shown = None
        self.outcome = None
        self._tell()

    def apply(self, progress: Progress = no_progress) -> Outcome:
        """Apply the plan that was shown; writes to the target."""
        self.opening.require()
        if self.shown is None:
            raise ApplyRefusedError(
                f"no plan of the present values of “{self.title}” was shown",
                remedy="Review it first, and read the plan.",
            )
        plan, generation = self.shown, self._generation
        self.shown, self.outcome, self.running = None, None, True
        self._tell()
        try:
            outcome = self.make_true(plan, progress)
            self.outcome = outcome if generation == self._generation else None
        finally:
            self.running = False
            self._tell()
        return outcome

    def require(self) -> Outcome:
        """Return what the button's apply did."""
        self.opening.require()
        if self.running:
            raise NotAppliedError(
                f"“{self.title}” is being applied: wait until it is done, then run on from here"
            )
        if self.outcome is None:
            raise NotAppliedError(f"press Apply in “{self.title}”, then run on from here")
        return self.outcome

    def _tell(self) -> None:
        for watcher in self._watchers:
            watcher()


# What the cells of a step return: the outcome of an apply, and the table of its checks.


@dataclass(frozen=True)
class Applied:
    """What an apply did, as the last value of a cell."""

    title: str
    outcome: Outcome
    place: Place | None = None

    @property
    def table(self) -> Table:
        """What was done: columns result, kind, key, identifier."""
        return outcome_table(self.title, self.outcome, self.place)

    def __repr__(self) -> str:
        return repr(self.table)

    def _repr_html_(self) -> str:
        return self.table._repr_html_()


def apply_in_cell(gate: Gate[P], mode: str) -> Applied | Line:
    """Return what was done, or in mode ``"plan"`` a line that nothing was written.

    Headless it writes: the plan that was shown last, or a fresh one. Guided it writes nothing: the button
    does, and this asks for what it did; where there is nothing to write, there is nothing to press either.
    """
    gate.opening.require()
    guided = is_guided() and mode == "apply"
    if guided and (gate.running or gate.outcome is not None):
        return Applied(gate.title, gate.require(), gate.place)
    plan = gate.shown if gate.shown is not None else gate.show_plan()
    changes = gate.changes_of(plan)
    if mode != "apply":
        return Line(f"mode is {mode!r}: nothing was written ({plan_in_words(changes)})")
    if guided:
        return Applied(gate.title, gate.require() if changes.writes else gate.apply(), gate.place)
    return Applied(gate.title, gate.apply(LiveLine().progress), gate.place)


def require_applied(gate: Gate[P], results: CheckResults) -> None:
    """Let checks that failed be told only where an apply came before them; guided alone."""
    if results.passed or gate.outcome is not None:
        return
    plan = gate.shown if gate.shown is not None else gate.show_plan()
    if gate.running or gate.changes_of(plan).writes:
        raise NotAppliedError(f"“{gate.title}” is not applied yet: press Apply in its form, then check")


def show_checks(title: str, results: CheckResults) -> Table:
    """Return the table of checks, or show it with what each failed one teaches, and raise."""
    table = checks_table(title, results)
    try:
        results.require()
    except CheckFailedError as error:
        from IPython.display import display  # noqa: PLC0415 - only where something is shown

        display(table, failed_checks(results))
        error.is_told_above = True
        raise
    return table


# An apply under a person's eyes: the calls as they are sent, and a way to stop between two of them.


class WatchedApply:
    """One apply; says how far it is, and can be cancelled."""

    def __init__(self, expected: int, say: Callable[[str], None]) -> None:
        self._expected, self._say = expected, say
        self._cancelled = threading.Event()
        self._words = ""
        self._made = self._total = self._sent = 0

    def run(self, apply: Callable[[Progress], Outcome]) -> Outcome:
        """Apply, and return what was done."""
        with watched_writes(self._about_to_send):
            return apply(self._progress)

    def cancel(self) -> None:
        """Send no further call; the one that is under way is waited for. Safe from any thread."""
        self._cancelled.set()

    def _progress(self, event: str, change: Change, made: int, total: int) -> None:
        self._made, self._total = made, total
        self._words = progress_in_words(event, change, made, total)
        self._say(self._words)

    def _about_to_send(self, call: Call) -> None:
        if self._cancelled.is_set():
            raise CancelledError(
                f"cancelled: {self._made} of {self._total} changes are done, and no further call was sent",
                remedy="What is done has its receipts. Press Apply again to finish what is left,"
                " or undo this step.",
            )
        self._sent += 1
        number = f"{self._sent} of {max(self._expected, self._sent)}" if self._expected else str(self._sent)
        self._say(f"{self._words}\nCall {number}: {call_in_words(call)}")
