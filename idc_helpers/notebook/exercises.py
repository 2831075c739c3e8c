"""“Try it yourself” in a notebook: the task with a hint that unfolds, and a check that reads the target."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from idc_aws.errors import ClosedRunbookError, KitError, NotFoundError
from idc_aws.identifiers import describe_length, did_you_mean
from idc_helpers.notebook.screen import is_guided
from idc_helpers.notebook.tables import TABLE_STYLE, Line, Table, in_html, prose_in_html
from idc_helpers.runbook.examinations import Examination, Look
from idc_helpers.runbook.exercises import find_exercise, list_leftovers, names_for
from idc_helpers.runbook.run import RunContext
from idc_helpers.runbook.words import LENGTHS

NOT_DONE = "An exercise for a person: not done here."
_COLUMNS = ("result", "what is asked", "what was found")
_COMMAND = "    "


class TryIt:
    """An exercise of a notebook; the last value of a cell shows the task."""

    def __init__(self, context: RunContext, name: str, names: Mapping[str, str]) -> None:
        self._context = context
        self.exercise = find_exercise(name)
        for unknown in set(names) - set(self.exercise.names):
            meant = did_you_mean(unknown, self.exercise.names)
            raise NotFoundError(
                f"the exercise {name!r} has no name {unknown!r}. {meant}".rstrip(),
                remedy=f"It has: {', '.join(self.exercise.names) or 'none'}.",
            )
        self.names = {**names_for(context, self.exercise), **names}

    def __repr__(self) -> str:
        exercise = self.exercise
        return "\n".join(
            (
                f"Try it yourself: {exercise.title}",
                self._filled(exercise.task),
                f"A hint: {self._filled(exercise.hint)}",
                f"Afterwards: {exercise.afterwards}",
            )
        )

    def _repr_html_(self) -> str:
        exercise = self.exercise
        return (
            f'{TABLE_STYLE}<section aria-label="exercise"><p class="idc-note">'
            f"<b>{in_html(_sentence(exercise.title))}</b> {prose_in_html(self._filled(exercise.task))}</p>"
            f"<details><summary>A hint</summary>{_hint(self._filled(exercise.hint))}</details>"
            f'<p class="idc-note"><i>Afterwards.</i> {prose_in_html(exercise.afterwards)}</p></section>'
        )

    def check(self, answer: str = "") -> Table | Line:
        """Return how far the target is: columns result, what is asked, what was found; reads only."""
        look = Look(self._context, self.names, answer.strip())
        try:
            look.require_instance()
            examination = self.exercise.examine(look)
        except ClosedRunbookError:
            raise
        except KitError as error:
            return self._not_done(f"Not yet: {error.message} {error.remedy}".rstrip())
        self._context.events.write("exercise", step=self.exercise.name, done=examination.done)
        if examination.unreadable:
            return self._not_done(examination.unreadable)
        return _shown(self.exercise.title, examination) if is_guided() or examination.done else Line(NOT_DONE)

    def _not_done(self, words: str) -> Line:
        return Line(words if is_guided() else NOT_DONE)

    def _filled(self, text: str) -> str:
        # A command needs a duration as the API writes it; a sentence, as people say it.
        lengths = {
            f"{name}_in_words": describe_length(value)
            for name, value in self.names.items()
            if name in LENGTHS
        }
        return text.format(**self.names, **lengths)


def leftovers(context: RunContext) -> Table:
    """Return what exercises left that no receipt names: columns what, command that removes it; reads only."""
    rows = tuple((one.what, one.command) for one in list_leftovers(context))
    note = (
        "Nothing of this was made by the kit, so the teardown leaves it, and with it the instance. Run these"
        " in a terminal, top to bottom, if you made them for an exercise; then run the teardown again."
    )
    title = "Left by exercises"
    return Table(title, ("what", "the command that removes it"), rows, note=note if rows else "")


def _shown(title: str, examination: Examination) -> Table:
    findings = examination.findings
    rows = tuple(("✔ done" if one.done else "… not yet", one.words, one.found) for one in findings)
    marks = tuple("good" if one.done else "change" for one in findings)
    count = sum(one.done for one in findings)
    state = "done" if examination.done else f"{count} of {len(findings)} done"
    caption = f"{_capital(title)}: {state}"
    commands = [one.command for one in examination.clean_up]
    note = "\n".join(("To remove it again, in a terminal:", *commands)) if commands else ""
    return Table(caption, _COLUMNS, rows, row_header=1, marks=marks, note=note)


def _capital(title: str) -> str:
    return f"{title[:1].upper()}{title[1:]}"


def _sentence(title: str) -> str:
    return f"{_capital(title)}{'' if title.endswith('?') else '.'}"


def _hint(text: str) -> str:
    parts = []
    for line in text.splitlines():
        is_command = line.startswith(_COMMAND)
        parts.append(f"<pre>{escape(line.strip())}</pre>" if is_command else f"<p>{prose_in_html(line)}</p>")
    return "".join(parts)
