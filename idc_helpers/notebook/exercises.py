"""“Try it yourself” in a notebook: the task, a hint that unfolds, a check that reads the target."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from html import escape
from typing import Any

from idc_aws.errors import ClosedRunbookError, KitError
from idc_aws.files import read_table
from idc_aws.identifiers import describe_length, no_such
from idc_aws.scenario.reading import chosen_person
from idc_helpers.notebook.screen import is_guided
from idc_helpers.notebook.tables import TABLE_STYLE, Line, Table, in_html, prose_in_html
from idc_helpers.runbook.examinations import EXAMINATIONS, CleanUp, Examination, Look, left_by
from idc_helpers.runbook.run import RunContext
from idc_helpers.runbook.words import LENGTHS


@dataclass(frozen=True)
class Exercise:
    """One task."""

    name: str
    notebook: str
    title: str
    task: str
    hint: str
    afterwards: str
    examine: Callable[[Look], Examination]
    names: Mapping[str, str] = field(default_factory=dict)
    asks: bool = False
    leaves_things: bool = False


def _exercise(values: dict[str, Any], left: str) -> Exercise:
    said = [values.pop("afterwards", ""), left if values.get("leaves_things") else ""]
    examine = EXAMINATIONS[values["name"]]
    return Exercise(**values, afterwards=" ".join(filter(None, said)), examine=examine)


_TABLE = read_table("exercises", "idc_helpers")
EXERCISES: dict[str, Exercise] = {
    values["name"]: _exercise(values, _TABLE["left"]) for values in _TABLE["exercise"]
}
"""All of them by name, in the order of the notebooks."""


def names_for(context: RunContext, exercise: Exercise) -> dict[str, str]:
    """Return an exercise's names, with what the scenario says of the person."""
    names = dict(exercise.names)
    with suppress(KitError):  # nobody is named: the exercise's own names count
        person = chosen_person(context.scenario)
        said = {"user_name": str(person.user_name), "profile_name": person.profile_name}
        names |= {name: value for name, value in said.items() if name in names}
    return names


def list_leftovers(context: RunContext) -> tuple[CleanUp, ...]:
    """Return what exercises left that no receipt names: memberships, assignments, groups, permission sets."""
    # They are known by the names that the exercises give them: on AWS one may be somebody else's.
    found: list[CleanUp] = []
    if context.connection.instance_or_none() is None:
        return ()
    # People before groups, assignments before the sets that they stand on.
    for exercise in reversed(EXERCISES.values()):
        # What cannot be read here, such as the permission sets of an account instance, is not there either.
        if exercise.leaves_things:
            with suppress(KitError):
                found += left_by(exercise.name, Look(context, names_for(context, exercise)))
    return tuple(found)


NOT_DONE = "An exercise for a person: not done here."
_COLUMNS = ("result", "what is asked", "what was found")
_COMMAND = "    "


class TryIt:
    """An exercise of a notebook; the last value of a cell shows the task."""

    def __init__(self, context: RunContext, name: str, names: Mapping[str, str]) -> None:
        if name not in EXERCISES:
            raise no_such("there is no exercise", name, EXERCISES)
        self._context, self.exercise = context, EXERCISES[name]
        own = self.exercise.names
        for unknown in set(names) - set(own):
            remedy = f"It has: {', '.join(own) or 'none'}."
            raise no_such(f"the exercise {name!r} has no name", unknown, own, remedy)
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

    def check(self, answer: object = "") -> Table | Line:
        """Return how far the target is: columns result, what is asked, what was found; reads only."""
        # An account's id without quotes is a number, and as good.
        look = Look(self._context, self.names, "" if answer is None else str(answer).strip())
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
