"""What the cells of a step return: the outcome of an apply, and the table of its checks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from idc_helpers.aws.connected import Place
from idc_helpers.display.failed_checks import failed_checks
from idc_helpers.display.gate import Gate
from idc_helpers.display.interaction import is_guided
from idc_helpers.display.live import LiveLine
from idc_helpers.display.movements import checks_table, outcome_table, plan_in_words
from idc_helpers.display.tables import Line, Table
from idc_helpers.errors import CheckFailedError, NotAppliedError
from idc_helpers.runbook.applying import Outcome
from idc_helpers.runbook.checks import CheckResults

P = TypeVar("P")


@dataclass(frozen=True)
class Applied:
    """What an apply did, as the last value of a cell.

    Attributes
    ----------
    title
        What a heading says.
    outcome
        The plan as it was applied and the changes made, with AWS's ids.
    place
        Where.
    """

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

    Raises
    ------
    NotAppliedError
        Guided, when the button was not pressed and there is something to do.
    KitError
        When a write fails.
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
    """Let checks that failed be told only where an apply came before them; guided alone.

    Raises
    ------
    NotAppliedError
        When nothing was applied and the plan has something to write: the cell was run too early.
    """
    if results.passed or gate.outcome is not None:
        return
    plan = gate.shown if gate.shown is not None else gate.show_plan()
    if gate.running or gate.changes_of(plan).writes:
        raise NotAppliedError(f"“{gate.title}” is not applied yet: press Apply in its form, then check")


def show_checks(title: str, results: CheckResults) -> Table:
    """Return the table of checks, or show it with what each failed one teaches, and raise.

    Raises
    ------
    CheckFailedError
        Naming what was expected, what was found and what to do.
    """
    table = checks_table(title, results)
    try:
        results.require()
    except CheckFailedError as error:
        from IPython.display import display  # noqa: PLC0415 - only where something is shown

        display(table, failed_checks(results))
        error.is_told_above = True
        raise
    return table
