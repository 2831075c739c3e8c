"""How far each step of the lesson is, read from the target now; reads only.

What a run remembers (its receipts) serves one question only: whether a thing that is not as wanted was made
so by this kit, and changed by somebody since.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from idc_helpers.changes import Action, Plan
from idc_helpers.errors import KitError
from idc_helpers.runbook.lesson import make_step
from idc_helpers.runbook.lesson_steps import CONCLUSION, ENABLE, LESSON, PERSON, LessonStep
from idc_helpers.runbook.outside_changes import changed_outside, has_own_values
from idc_helpers.runbook.person_states import PersonReader
from idc_helpers.runbook.run_context import RunContext
from idc_helpers.runbook.states import StepState


@dataclass(frozen=True)
class StepReading:
    """One step and how far it is.

    Attributes
    ----------
    entry
        The step.
    state
        How far it is.
    detail
        More of it, such as ``"3 to create"`` or ``"waits for step 1"``; may be empty.
    """

    entry: LessonStep
    state: StepState
    detail: str = ""

    @property
    def words(self) -> str:
        """Symbol, word and detail, such as ``"○ not applied: 3 to create"``."""
        return f"{self.state.symbol} {self.state.word}" + (f": {self.detail}" if self.detail else "")


_WORDS = {
    Action.CREATE: "to create",
    Action.UPDATE: "to update",
    Action.DELETE: "to delete",
    Action.BY_HAND: "to set in the console",
    Action.UNCHANGED: "as wanted",
    Action.SKIPPED: "skipped",
}


def read_states(context: RunContext, numbers: Collection[int] = ()) -> tuple[StepReading, ...]:
    """Return the lesson's steps with their states, in order; reads only.

    Parameters
    ----------
    numbers
        Only these steps; empty: all.
    """
    entries = [entry for entry in LESSON if not numbers or entry.number in numbers]
    # Another notebook may have made or deleted the instance since.
    has_instance = context.connection.refresh_instance() is not None
    person = PersonReader(context)
    return tuple(_read(context, entry, has_instance, person) for entry in entries)


def _read(context: RunContext, entry: LessonStep, has_instance: bool, person: PersonReader) -> StepReading:
    if entry.number > ENABLE and not has_instance:
        return StepReading(entry, StepState.LATER, "waits for step 1")
    try:
        if entry.step:
            return StepReading(entry, *_state_of(context, entry.step))
        if entry.who == PERSON:
            return StepReading(entry, *person.read(entry.number))
        if entry.number == CONCLUSION and person.read(entry.number - 1)[0] is not StepState.DONE:
            return StepReading(entry, StepState.LATER, f"waits for step {entry.number - 1}")
    except KitError as error:
        return StepReading(entry, StepState.UNREADABLE, error.message.splitlines()[0])
    return StepReading(entry, StepState.DONE, "there to read")


def _state_of(context: RunContext, name: str) -> tuple[StepState, str]:
    step = make_step(context, name)
    plan = step.compare()
    if not plan.changes:
        return StepState.NOT_ASKED, "the scenario says nothing of it"
    if plan.is_empty:
        return StepState.DONE, _in_words(plan) if plan.skipped else ""
    outside = changed_outside(context, step)
    if outside:
        return StepState.CHANGED_OUTSIDE, "; ".join(outside)
    if has_own_values(context, step):
        return StepState.DONE, "with values of your own, not the scenario's"
    return (StepState.NOT_APPLIED if plan.writes else StepState.WAITING), _in_words(plan)


def _in_words(plan: Plan) -> str:
    found = Counter(change.action for change in plan.changes)
    return ", ".join(f"{found[action]} {words}" for action, words in _WORDS.items() if found[action])


def count_done(readings: Iterable[StepReading]) -> int:
    """Return how many steps are done."""
    return sum(reading.state is StepState.DONE for reading in readings)


def next_step(readings: Iterable[StepReading]) -> StepReading | None:
    """Return the first step at which there is something to do, for the kit or by oneself; or None."""
    return next(
        (each for each in readings if each.state.is_open or each.state is StepState.BY_YOURSELF), None
    )
