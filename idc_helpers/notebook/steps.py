"""A step and the teardown as a notebook's cells use them: guided with forms, headless without any widget."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Generic, TypeVar

from idc_aws.changes import Plan
from idc_aws.connection import Place
from idc_aws.errors import NotAppliedError
from idc_aws.scenario.reading import scenario_warnings
from idc_helpers.notebook.console_guide import console_guide
from idc_helpers.notebook.forms.values import TYPED, FormValues
from idc_helpers.notebook.screen import LiveLine, is_guided, show_checks
from idc_helpers.notebook.tables import Line, Table, format_plan, outcome_table, plan_table, wanted_table
from idc_helpers.runbook.applying import Outcome, Reviewed
from idc_helpers.runbook.comparing import CheckResults
from idc_helpers.runbook.run import RunContext
from idc_helpers.runbook.steps import Step, StepUndo
from idc_helpers.runbook.undo import Teardown

R = TypeVar("R", bound=Reviewed[Any])


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


class Cells(Generic[R]):
    """What a notebook's cells show of a step or a teardown; the buttons of its panel hold the same one."""

    def __init__(self, step: R) -> None:
        self.step = step
        self.context = step.context
        self._panel: Any = None
        step.context.opening.watch(step.changed)

    def plan(self) -> Table:
        """Return the plan: columns action, kind, key, reason, values; reads only."""
        changes = self.step.changes(self.step.review())
        return plan_table(self.step.title, changes, self.context.place)

    def apply(self) -> Applied | Line:
        """Return what was done; in mode ``"plan"`` a line that nothing was written."""
        step, mode = self.step, self.context.mode
        self.context.opening.require()
        guided = is_guided() and mode == "apply"
        if guided and (step.running or step.outcome is not None):
            return self.require()
        changes = self._reviewed_changes()
        if mode != "apply":
            return Line(f"mode is {mode!r}: nothing was written ({format_plan(changes)})")
        if guided and changes.writes:
            return self.require()
        return self._applied(step.apply_reviewed() if guided else step.apply_reviewed(LiveLine().progress))

    def require(self) -> Applied:
        """Return what was applied."""
        return self._applied(self.step.require_outcome())

    def check(self) -> Table:
        """Return the checks: columns result, name, detail; reads only."""
        results = self.step.check()
        if self._panel is not None and self.context.mode == "apply":
            self._require_applied(results)
        return show_checks(self.step.title, results)

    def _require_applied(self, results: CheckResults) -> None:
        """Let checks that failed be shown only where an apply came before them."""
        if results.passed or self.step.outcome is not None:
            return
        if self._reviewed_changes().writes or self.step.running:
            raise NotAppliedError(
                f"“{self.step.title}” is not applied yet: press Apply in its form, then check"
            )

    def _reviewed_changes(self) -> Plan:
        step = self.step
        return step.changes(step.reviewed if step.reviewed is not None else step.review())

    def _applied(self, outcome: Outcome) -> Applied:
        return Applied(self.step.title, outcome, self.context.place)


class NotebookStep(Cells[Step]):
    """One step of the lesson in a notebook."""

    def __init__(self, context: RunContext, name: str) -> None:
        super().__init__(Step(context, name))
        if TYPED:
            self.values.restore()

    @cached_property
    def undo(self) -> StepUndo:
        """What takes back what the step has applied."""
        undo = StepUndo(self.step)
        self.context.opening.watch(undo.changed)
        return undo

    @cached_property
    def values(self) -> FormValues:
        """What the form holds."""
        return FormValues(self.step)

    def form(self) -> Any:
        """Return the step's panel (guided), or a table of what is wanted: kind, key, values."""
        self.context.opening.require()
        if not is_guided():
            return wanted_table(self.step.title, self.step.desired, self.context.place)
        if self._panel is None:
            from idc_helpers.notebook.forms.panels import StepPanel  # noqa: PLC0415 - no widget is imported headless

            self._panel = StepPanel(self.values, self.undo)
            return self._panel
        return self._panel.again()

    def plan(self) -> Table:
        """Return the plan: columns action, kind, key, reason, values; reads only."""
        table = super().plan()
        notes = (self.step.later(), self._warnings())
        return replace(table, note=" ".join(part for part in notes if part))

    def _require_applied(self, results: CheckResults) -> None:
        # What this run made, and somebody has deleted or changed since, is for the check to tell.
        if not self.undo.plan().plan.changes:
            super()._require_applied(results)

    def console_guide(self) -> Any:
        """Return how to set it in the AWS console; guided on AWS, with a form to record that it was done."""
        guide = console_guide(self.step)
        if not (is_guided() and guide.to_record):
            return guide
        from idc_helpers.notebook.forms.panels import AttestationPanel  # noqa: PLC0415 - no widget is imported headless

        return AttestationPanel(guide, self.context, self.step.changed)

    def _warnings(self) -> str:
        if self.step.entry.section != "permission_sets":
            return ""
        warnings = scenario_warnings(self.step.scenario)
        return " ".join(f"Warning: {one.path}: {one.message}. {one.remedy}" for one in warnings)


class NotebookTeardown(Cells[Teardown]):
    """Takes back what the receipts of the run's folder name, newest first, and nothing else."""

    def __init__(self, context: RunContext) -> None:
        super().__init__(Teardown(context))  # one for all cells: its verdict counts what it has undone

    def form(self) -> Any:
        """Return a panel with the plan and a button (guided), or where both are (headless); only shows."""
        self.context.opening.require()
        if not is_guided():
            return Line("The plan is in the next cell, and `teardown.apply()` carries it out.")
        if self._panel is None:
            from idc_helpers.notebook.forms.panels import TeardownPanel  # noqa: PLC0415 - no widget is imported headless

            self._panel = TeardownPanel(self.step)
        return self._panel
