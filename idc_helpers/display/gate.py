"""The gate between a plan that was shown and the write: what a button may do, and what a cell may run past.

Nothing is applied that the plan on the screen did not show. A value that changes, or an apply that fails,
closes the gate again. The logic knows no widget, so the button and the cell share it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from idc_helpers.aws.connected import Place
from idc_helpers.changes import Plan
from idc_helpers.errors import ApplyRefusedError, NotAppliedError
from idc_helpers.runbook.applying import Outcome, Progress, no_progress
from idc_helpers.runbook.rehearsing import PlannedCalls
from idc_helpers.runbook.run_context import Opening

P = TypeVar("P")


@dataclass
class Gate(Generic[P]):
    """One plan that can be shown, applied, and asked for.

    Attributes
    ----------
    title
        What a heading says.
    make_plan
        Reads the target and returns the plan of the values that the kernel holds.
    make_true
        Applies a plan.
    changes_of
        The changes that a plan makes.
    calls_of
        The calls that applying a plan would make; reads only.
    place
        Where the plan is applied; None: it is not said.
    opening
        The runbook's: when it is closed, so is the gate, for good.
    shown
        The plan on the screen, not applied yet; None: none, or not of the present values.
    outcome
        What the last apply did; None: nothing, or something was changed since.
    running
        Whether an apply is at work.
    """

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
        """Return a fresh plan, which is from now on the one that may be applied; reads only.

        Raises
        ------
        ClosedRunbookError
            When another runbook was opened since; also from `apply` and `require`.
        """
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
        """Apply the plan that was shown; writes to the target.

        Raises
        ------
        ApplyRefusedError
            When no plan of the present values was shown.
        KitError
            When the apply fails; the gate is closed then.
        """
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
        """Return what the button's apply did.

        Raises
        ------
        NotAppliedError
            When nothing was applied, or something was changed since.
        """
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
