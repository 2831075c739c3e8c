"""A step and the teardown as a notebook uses them: guided with forms, headless without any widget."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from idc_aws.changes import Plan
from idc_aws.scenario.reading import scenario_warnings
from idc_helpers.notebook.console_guide import console_guide
from idc_helpers.notebook.forms.values import FormValues
from idc_helpers.notebook.gate import Applied, Gate, apply_in_cell, require_applied, show_checks
from idc_helpers.notebook.screen import is_guided
from idc_helpers.notebook.tables import Line, Table, plan_table, wanted_table
from idc_helpers.runbook.applying import Outcome, Progress
from idc_helpers.runbook.progress import note_own_values
from idc_helpers.runbook.run import RunContext
from idc_helpers.runbook.steps import STEPS, Step, calls_of_step, calls_of_undo, make_step, make_teardown
from idc_helpers.runbook.undo import Teardown, UndoPlan


class NotebookStep:
    """One step of the lesson in a notebook."""

    def __init__(self, context: RunContext, name: str) -> None:
        self._seed = context
        self._step = make_step(context, name)
        self.name = name
        self.title = self._step.title
        self.values = FormValues(context, name)
        self.gate: Gate[Plan] = Gate(
            self.title,
            self._make_plan,
            self._make_true,
            lambda plan: plan,
            lambda plan: calls_of_step(self.context, name, plan),
            context.place,
            context.opening,
        )
        self.undo_gate: Gate[UndoPlan] = Gate(
            f"{self.title}: undo",
            self._plan_undo,
            self._undo,
            lambda undo: undo.plan,
            lambda undo: calls_of_undo(self.context, undo.plan),
            context.place,
            context.opening,
        )
        self._panel: Any = None

    @property
    def context(self) -> RunContext:
        """The run, with the values of the form."""
        return self.values.context

    def set_values(self, values: Any) -> None:
        """Take values over, as the form does; the plan that was shown and the outcome count no more."""
        self.values.set(values)
        self.gate.changed()

    def form(self) -> Any:
        """Return the step's panel (guided), or a table of what is wanted: kind, key, values."""
        self.context.opening.require()
        if not is_guided():
            return wanted_table(self.title, self._current().desired, self.context.place)
        if self._panel is None:
            from idc_helpers.notebook.forms.panels import StepPanel  # noqa: PLC0415 - no widget is imported headless

            self._panel = StepPanel(self)
            return self._panel
        return self._panel.again()

    def plan(self) -> Table:
        """Return the plan: columns action, kind, key, reason, values; reads only."""
        table = plan_table(self.title, self.gate.show_plan(), self.context.place)
        notes = (self._step.later(), self._warnings())
        return replace(table, note=" ".join(part for part in notes if part))

    def apply(self) -> Applied | Line:
        """Return what was done; in mode ``"plan"`` a line that nothing was written.

        Headless it writes to the target: the plan that was shown last, or a fresh one. Guided it writes
        nothing: the button does, and this asks for what it did.
        """
        return apply_in_cell(self.gate, self.context.mode)

    def require(self) -> Applied:
        """Return what was applied."""
        return Applied(self.title, self.gate.require(), self.context.place)

    def check(self) -> Table:
        """Return the checks: columns result, name, detail; reads only."""
        results = self._current().check()
        if self._panel is not None and self._may_be_too_early():
            require_applied(self.gate, results)
        return show_checks(self.title, results)

    def _may_be_too_early(self) -> bool:
        # What this run made, and somebody has deleted or changed since, is for the check to tell.
        return self.context.mode == "apply" and not self._plan_undo().plan.changes

    def console_guide(self) -> Any:
        """Return how to set it in the AWS console; guided on AWS, with a form to record that it was done."""
        guide = console_guide(self._current(), self.context)
        if not (is_guided() and guide.to_record):
            return guide
        from idc_helpers.notebook.forms.panels import AttestationPanel  # noqa: PLC0415 - no widget is imported headless

        return AttestationPanel(guide, self.context, self.gate.changed)

    def _warnings(self) -> str:
        if STEPS[self.name].section != "permission_sets":
            return ""
        warnings = scenario_warnings(self.values.require().scenario)
        return " ".join(f"Warning: {one.path}: {one.message}. {one.remedy}" for one in warnings)

    def _current(self) -> Step:
        self._step.context = self.values.require()
        definition = STEPS[self.name]
        self._step.desired = definition.build(self._step.context.connection, self._step.context.scenario)
        return self._step

    def _make_plan(self) -> Plan:
        return self._current().plan()

    def _make_true(self, plan: Plan, progress: Progress) -> Outcome:
        step = self._current()
        outcome = step.apply(plan, progress=progress)
        note_own_values(step, self._seed.scenario, STEPS[self.name].build)
        return outcome

    def _teardown(self) -> Teardown:
        return make_teardown(self.context, frozenset({self.name}))

    def _plan_undo(self) -> UndoPlan:
        return self._teardown().plan()

    def _undo(self, undo: UndoPlan, progress: Progress) -> Outcome:
        outcome = self._teardown().apply(undo, progress=progress)
        self.gate.changed()
        return outcome


# Taking a run back, as a notebook uses it.

TEARDOWN_TITLE = "Teardown"


class NotebookTeardown:
    """Takes back what the receipts of the run's folder name, newest first, and nothing else."""

    def __init__(self, context: RunContext) -> None:
        self.context = context
        self.title = TEARDOWN_TITLE
        self._teardown = make_teardown(context)  # one for all: its verdict counts what it has undone
        self.gate: Gate[UndoPlan] = Gate(
            TEARDOWN_TITLE,
            self._teardown.plan,
            self._make_true,
            lambda undo: undo.plan,
            lambda undo: calls_of_undo(context, undo.plan),
            context.place,
            context.opening,
        )
        self._panel: Any = None

    def form(self) -> Any:
        """Return a panel with the plan and a button (guided), or the plan (headless); writes nothing."""
        self.context.opening.require()
        if not is_guided():
            return self.plan()
        if self._panel is None:
            from idc_helpers.notebook.forms.panels import TeardownPanel  # noqa: PLC0415 - no widget is imported headless

            self._panel = TeardownPanel(self)
        return self._panel

    def plan(self) -> Table:
        """Return what would be undone: columns action, kind, key, reason, values; reads only."""
        return plan_table(TEARDOWN_TITLE, self.gate.show_plan().plan, self.context.place)

    def apply(self) -> Applied | Line:
        """Return what was undone; in mode ``"plan"`` a line that nothing was written.

        Headless it writes; guided it asks for what the button did.
        """
        return apply_in_cell(self.gate, self.context.mode)

    def check(self) -> Table:
        """Return the checks: columns result, name, detail; reads only."""
        results = self._teardown.check()
        if self._panel is not None and self.context.mode == "apply":
            require_applied(self.gate, results)
        return show_checks(TEARDOWN_TITLE, results)

    def _make_true(self, undo: UndoPlan, progress: Progress) -> Outcome:
        return self._teardown.apply(undo, progress=progress)
