"""The lesson as a picture: its notebooks as stations, with the steps, their states and links to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

from idc_helpers.display.following_lesson import show_and_follow
from idc_helpers.display.tables import Table
from idc_helpers.runbook.lesson_states import StepReading, count_done, next_step, read_states
from idc_helpers.runbook.lesson_steps import USERS
from idc_helpers.runbook.run_context import RunContext
from idc_helpers.runbook.states import StepState

COLUMNS = ("step", "what you do", "notebook", "who can do it", "state")
_HALVES = ("The administrator's half", "The person's half")
_MARKS = {
    StepState.DONE: "good",
    StepState.WAITING: "change",
    StepState.NOT_APPLIED: "change",
    StepState.CHANGED_OUTSIDE: "bad",
    StepState.UNREADABLE: "bad",
}

STYLE = """<style>
.idc-map{color:var(--jp-ui-font-color1,inherit);font-size:var(--jp-ui-font-size1,13px);line-height:1.4}
.idc-map p{margin:.3em 0}.idc-map h4{margin:.8em 0 .3em;font-size:1em;font-weight:600}
.idc-map ol,.idc-map li{list-style:none!important;margin:0;padding:0}
.idc-map ol{padding:0!important;margin:0!important}
.idc-map a{color:var(--jp-content-link-color,#1565c0)}
.idc-map ol.idc-stations{display:grid;grid-template-columns:repeat(auto-fill,minmax(19em,1fr));gap:.6em}
.idc-map li.idc-station{border:1px solid var(--jp-border-color1,#9e9e9e);border-radius:4px;
padding:.4em .7em;background:var(--jp-layout-color1,transparent)}
.idc-map .idc-station>a{font-weight:600}
.idc-map li.idc-step{margin:.35em 0 0;padding:0 0 0 .6em;
border-left:4px solid var(--jp-border-color1,#9e9e9e)}
.idc-map li.idc-good{border-left-color:var(--jp-success-color1,#2e7d32)}
.idc-map li.idc-change{border-left-color:var(--jp-brand-color1,#1565c0)}
.idc-map li.idc-bad{border-left-color:var(--jp-error-color1,#c62828)}
.idc-map .idc-state{display:block}.idc-map .idc-who{color:var(--jp-ui-font-color2,inherit)}
.idc-map .idc-next{outline:2px solid var(--jp-brand-color1,#1565c0);outline-offset:2px;border-radius:2px}
</style>"""


@dataclass(frozen=True)
class LessonMap:
    """The lesson's steps with their states; the last value of a cell shows it.

    Attributes
    ----------
    readings
        All steps, in order.
    """

    readings: tuple[StepReading, ...]

    @property
    def table(self) -> Table:
        """The steps as a table: columns step, what you do, notebook, who can do it, state."""
        rows = tuple(
            (str(entry.number), entry.title, entry.notebook, entry.who, reading.words)
            for reading in self.readings
            for entry in (reading.entry,)
        )
        marks = tuple(_MARKS.get(reading.state, "") for reading in self.readings)
        caption = f"The lesson, step by step: {_sum_in_words(self.readings)}"
        return Table(caption, COLUMNS, rows, row_header=1, marks=marks)

    def __repr__(self) -> str:
        return repr(self.table)

    def _repr_html_(self) -> str:
        halves = (
            [reading for reading in self.readings if (reading.entry.number <= USERS) is first]
            for first in (True, False)
        )
        following = next_step(self.readings)
        body = "".join(
            f"<h4>{escape(title)}</h4>{_stations(half, following)}"
            for title, half in zip(_HALVES, halves, strict=True)
        )
        go_on = ""
        if following is not None:
            link = link_to(following.entry.link, f"{following.entry.number} · {following.entry.title}")
            go_on = f" Continue with {link}."
        return (
            f'{STYLE}<section class="idc-map" aria-label="The lesson, step by step">'
            f"<p><strong>{_sum_in_words(self.readings)}.</strong>{go_on}</p>{body}</section>"
        )


@dataclass(frozen=True, repr=False)
class FollowedLessonMap(LessonMap):
    """A map that, in JupyterLab, is updated when a step was applied.

    Attributes
    ----------
    context
        The run.
    """

    context: RunContext

    def _ipython_display_(self) -> None:
        show_and_follow(self.context, "map", lambda: LessonMap(self.readings), self._read_again)

    def _read_again(self) -> LessonMap:
        return LessonMap(read_states(self.context))


def lesson_map(context: RunContext) -> FollowedLessonMap:
    """Return the lesson's steps with their states and links; reads only."""
    return FollowedLessonMap(read_states(context), context)


def _stations(readings: Sequence[StepReading], following: StepReading | None) -> str:
    stations = []
    for notebook, inside in groupby(readings, lambda reading: reading.entry.notebook):
        steps = "".join(_step(reading, is_next=reading is following) for reading in inside)
        heading = link_to(f"{notebook}.ipynb", notebook.replace("_", " "))
        stations.append(f'<li class="idc-station">{heading}<ol>{steps}</ol></li>')
    return f'<ol class="idc-stations">{"".join(stations)}</ol>'


def _step(reading: StepReading, *, is_next: bool) -> str:
    entry = reading.entry
    classes = " ".join(filter(None, ("idc-step", _mark(reading.state), "idc-next" if is_next else "")))
    here = ' aria-current="step"' if is_next else ""
    link = link_to(entry.link, f"{entry.number} · {entry.title}")
    # Who does it is said where it could be a surprise; the person's half is the person's.
    who = f' <span class="idc-who">({escape(entry.who)})</span>' if entry.number <= USERS else ""
    return (
        f'<li class="{classes}"{here}>{link}{who} <span class="idc-state">{escape(reading.words)}</span></li>'
    )


def _mark(state: StepState) -> str:
    return f"idc-{_MARKS[state]}" if state in _MARKS else ""


def link_to(address: str, words: str) -> str:
    """Return a link to a notebook, or to a heading in it, relative to the notebook that shows it."""
    return f'<a href="{escape(address)}">{escape(words)}</a>'


def _sum_in_words(readings: Iterable[StepReading]) -> str:
    readings = tuple(readings)
    parts = [f"{count_done(readings)} of {len(readings)} steps done"]
    outside = sum(reading.state is StepState.CHANGED_OUTSIDE for reading in readings)
    return ", ".join([*parts, *([f"{outside} changed outside"] if outside else [])])
