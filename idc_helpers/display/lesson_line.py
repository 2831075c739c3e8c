"""Where a notebook stands in the lesson, as the line that heads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from itertools import groupby
from typing import Any

from idc_helpers.display.interaction import is_guided
from idc_helpers.display.lesson_map import link_to
from idc_helpers.display.tables import STYLE, in_html
from idc_helpers.runbook.lesson_states import StepReading, read_states
from idc_helpers.runbook.lesson_steps import LESSON, steps_of_notebook
from idc_helpers.runbook.run_context import RunContext
from idc_helpers.runbook.states import StepState


@dataclass(frozen=True)
class LessonLine:
    """Where a notebook stands in the lesson, in one line.

    Attributes
    ----------
    own
        The numbers of the notebook's steps; none for the first and the last notebook.
    readings
        The states that were read: the notebook's own, or all.
    """

    own: tuple[int, ...]
    readings: tuple[StepReading, ...]

    def __repr__(self) -> str:
        return " · ".join([self._position(), *(words for words, _ in self._parts())])

    def html(self) -> str:
        """Return the line's markup, with a link to each range's first step."""
        parts = (
            f"<span>{link_to(link, words) if link else escape(words)}</span>" for words, link in self._parts()
        )
        return " · ".join([f"<strong>{escape(self._position())}</strong>", *parts])

    def _position(self) -> str:
        if not self.own:
            return f"The lesson: {len(LESSON)} steps"
        numbers = str(self.own[0]) if len(self.own) == 1 else f"{self.own[0]}–{self.own[-1]}"
        return f"Step{'s' if len(self.own) > 1 else ''} {numbers} of {len(LESSON)}"

    def _parts(self) -> list[tuple[str, str]]:
        """Return neighbours of one state as one text, such as ``"✔ 1–9 done"``, with a link."""
        parts = []
        for _, group in groupby(self.readings, lambda reading: (reading.state, self._detail(reading))):
            run = list(group)
            first, last = run[0].entry.number, run[-1].entry.number
            numbers = str(first) if first == last else f"{first}–{last}"
            detail = self._detail(run[0])
            words = f"{run[0].state.symbol} {numbers} {run[0].state.word}" + (
                f" ({detail})" if detail else ""
            )
            parts.append((words, run[0].entry.link))
        return parts

    def _detail(self, reading: StepReading) -> str:
        # The notebook's own steps say more; the others are there to see how far the lesson is.
        is_open = reading.state.is_open or reading.state is StepState.LATER
        return reading.detail if is_open and reading.entry.number in self.own else ""


@dataclass(frozen=True)
class Heading:
    """What stands at the top of a notebook: where one works, and how far the lesson is.

    Attributes
    ----------
    where
        Target, account, caller, Region and mode.
    line
        The notebook's place in the lesson.
    """

    where: str
    line: LessonLine

    def __repr__(self) -> str:
        return f"{self.where}\n{self.line!r}"

    def _repr_mimebundle_(self, **_: Any) -> Mapping[str, str]:
        lines = (in_html(self.where), self.line.html())
        html = "".join(f'<p class="idc-note">{line}</p>' for line in lines)
        return {"text/plain": repr(self), "text/html": f"{STYLE}{html}"}


def lesson_line(context: RunContext) -> LessonLine:
    """Return where the run's notebook stands in the lesson; reads only.

    Guided in the sandbox all states are read. Elsewhere only those of the notebook's own steps: on AWS the
    whole map takes a good hundred calls, and an unattended run needs none of them.
    """
    own = tuple(entry.number for entry in steps_of_notebook(context.notebook))
    if context.connection.is_sandbox and is_guided():
        return LessonLine(own, read_states(context))
    return LessonLine(own, read_states(context, own) if own else ())
