"""Taking a run back, as a notebook uses it."""

from __future__ import annotations

from typing import Any

from idc_helpers.display.cell_outputs import Applied, apply_in_cell, require_applied, show_checks
from idc_helpers.display.gate import Gate
from idc_helpers.display.interaction import is_guided
from idc_helpers.display.movements import plan_table
from idc_helpers.display.tables import Line, Table
from idc_helpers.runbook.applying import Outcome, Progress
from idc_helpers.runbook.lesson import make_teardown
from idc_helpers.runbook.rehearsing import calls_of_undo
from idc_helpers.runbook.run_context import RunContext
from idc_helpers.runbook.undo import UndoPlan

TITLE = "Teardown"


class NotebookTeardown:
    """Takes back what the receipts of the run's folder name, newest first, and nothing else.

    Parameters
    ----------
    context
        The run whose receipts are taken back.
    """

    def __init__(self, context: RunContext) -> None:
        self.context = context
        self.title = TITLE
        self._teardown = make_teardown(context)  # one for all: its verdict counts what it has undone
        self.gate: Gate[UndoPlan] = Gate(
            TITLE,
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
            from idc_helpers.display.panels import TeardownPanel  # noqa: PLC0415 - no widget is imported headless

            self._panel = TeardownPanel(self)
        return self._panel

    def plan(self) -> Table:
        """Return what would be taken back: columns action, kind, key, reason, values; reads only."""
        return plan_table(TITLE, self.gate.show_plan().plan, self.context.place)

    def apply(self) -> Applied | Line:
        """Return what was taken back; in mode ``"plan"`` a line that nothing was written.

        Headless it writes; guided it asks for what the button did.

        Raises
        ------
        NotAppliedError
            Guided, when the button was not pressed and there is something to take back.
        KitError
            When something cannot be taken back; running it again goes on from there.
        """
        return apply_in_cell(self.gate, self.context.mode)

    def check(self) -> Table:
        """Return the checks: columns result, name, detail; reads only.

        Raises
        ------
        CheckFailedError
            When something of the run is left.
        NotAppliedError
            Guided, instead, when nothing was taken back yet: the cell was run too early.
        """
        results = self._teardown.check()
        if self._panel is not None and self.context.mode == "apply":
            require_applied(self.gate, results)
        return show_checks(TITLE, results)

    def _make_true(self, undo: UndoPlan, progress: Progress) -> Outcome:
        return self._teardown.apply(undo, progress=progress)
