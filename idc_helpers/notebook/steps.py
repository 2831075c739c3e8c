"""A step and the teardown as a notebook's cells use them: guided with forms, headless without any widget."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar, Generic, TypeVar

from typing_extensions import override

from idc_aws.calls import one_look
from idc_aws.changes import Plan
from idc_aws.errors import ApplyRefusedError
from idc_aws.scenario.reading import scenario_warnings
from idc_helpers.notebook import inventory
from idc_helpers.notebook.calls import shown_calls, target_of
from idc_helpers.notebook.console_guide import console_guide, same_screen
from idc_helpers.notebook.forms.values import TYPED, FormValues
from idc_helpers.notebook.screen import is_guided, show, show_checks
from idc_helpers.notebook.tables import (
    Line,
    Table,
    checks_table,
    failed_checks,
    format_plan,
    outcome_table,
    plan_table,
    wanted_table,
)
from idc_helpers.runbook.applying import Reviewed
from idc_helpers.runbook.run import RunContext
from idc_helpers.runbook.steps import Step, StepUndo
from idc_helpers.runbook.teardown import Teardown

R = TypeVar("R", bound=Reviewed[Any])


class Cells(ABC, Generic[R]):
    """What a notebook's cells show of a step or a teardown; the buttons of its panel hold the same one."""

    looks_again: ClassVar[bool] = False
    """Whether cells look at the target once more before they apply: the plan is a moment old."""

    def __init__(self, step: R) -> None:
        self.step = step
        self.context = step.context
        self._panel: Any = None
        step.context.opening.watch(step.changed)

    def take(self) -> Any:
        """Return the panel in which a person takes the step (guided), or take it: plan, apply, check.

        Headless, each is shown once: what is wanted, the plan with the calls that it takes, what was done,
        and the checks, which are returned. Mode ``"plan"`` writes nothing; guided, only a button writes.
        """
        self.context.opening.require()
        if is_guided():
            return self._open_panel()
        with one_look():  # what was planned and then left as it was is not read again to be checked
            for shown in self._headless():
                show(shown)
            return self.check()

    def _headless(self) -> Iterator[Any]:
        """Yield what is shown before the checks, doing it on the way."""
        yield self.plan()
        if self.step.reviewed is not None:
            planned = self.step.calls(self.step.reviewed)
            if planned.calls or planned.stopped_by:
                # Without the sandbox's address, which is another one next time; its terminal knows it.
                target = replace(target_of(self.context), endpoint_url="")
                yield shown_calls(planned, target, self.context, self.step.title)
        yield self.apply()

    @abstractmethod
    def _open_panel(self) -> Any:
        """Return the panel, the same one when its cell is run again."""

    def plan(self) -> Table:
        """Return the plan: columns action, kind, key, reason, values; reads only."""
        changes = self.step.changes(self.step.review())
        return plan_table(self.step.title, changes, self.context)

    def apply(self) -> Table | Line:
        """Return what was done: columns result, kind, key, identifier; in mode ``"plan"`` a line instead.

        Guided it refuses: there only a button writes.
        """
        self.context.opening.require()
        changes = self._reviewed_changes()
        if self.context.mode != "apply":
            return Line(f"mode is {self.context.mode!r}: nothing was written ({format_plan(changes)})")
        if is_guided():
            raise ApplyRefusedError(
                f"in a guided notebook only the button *Apply* of “{self.step.title}” writes",
                remedy="Run the cell with its form, press Review, and read the plan first.",
            )
        outcome = self.step.apply_reviewed(looks_again=self.looks_again)
        return outcome_table(self.step.title, outcome, self.context)

    def check(self) -> Table:
        """Return the checks: columns result, name, detail; reads only."""
        return show_checks(self.step.title, self.step.check(), self.context)

    def _reviewed_changes(self) -> Plan:
        step = self.step
        return step.changes(step.reviewed if step.reviewed is not None else step.review())


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

    def wanted(self) -> Table:
        """Return what the values want: columns kind, key, values; may read the target."""
        self.context.opening.require()
        return wanted_table(self.step.title, self.step.desired, self.context)

    @override
    def take(self) -> Any:
        return self._look() if self.step.entry.only_reads else super().take()

    def _look(self) -> Any:
        """Show what the one step that only reads has found, and return its checks: nothing to press."""
        self.context.opening.require()
        later = self.step.later()
        if later and is_guided():
            return Line(later)
        planned = later and self.context.mode == "plan"
        show(Line(later) if planned else inventory.identity_source(self.context.connection))
        if not is_guided():
            self.step.plan()  # for the run's events
            return self.check()
        if self.step.entry.screen is not None:
            show(same_screen(self.context, self.step.entry.screen))
        results = self.step.check()
        table = checks_table(self.step.title, results)
        if results.passed:
            return table
        show(table)
        if self.context.connection.console is None:
            show(self.console_guide())  # with the form for a record, which the check then finds
        return failed_checks(results)

    @override
    def _headless(self) -> Iterator[Any]:
        yield self.wanted()
        yield from super()._headless()

    @override
    def _open_panel(self) -> Any:
        if self._panel is None:
            from idc_helpers.notebook.forms.panels import StepPanel  # noqa: PLC0415 - no widget is imported headless

            self._panel = StepPanel(self.values, self.undo)
            return self._panel
        return self._panel.again()

    def plan(self) -> Table:
        """Return the plan: columns action, kind, key, reason, values; reads only."""
        table = super().plan()
        notes = (table.note, self.step.later(), self._warnings())
        return replace(table, note=" ".join(part for part in notes if part))

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

    looks_again: ClassVar[bool] = True

    def __init__(self, context: RunContext) -> None:
        super().__init__(Teardown(context))  # one for all cells: its verdict counts what it has undone

    @override
    def _open_panel(self) -> Any:
        if self._panel is None:
            from idc_helpers.notebook.forms.panels import TeardownPanel  # noqa: PLC0415 - no widget is imported headless

            self._panel = TeardownPanel(self.step)
        return self._panel
