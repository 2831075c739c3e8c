"""The lesson as a picture and as a line: each step's state, followed while other notebooks apply."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

from idc_aws.sandbox import SandboxConsole
from idc_helpers.notebook.screen import Handle, is_guided, show_updatable
from idc_helpers.notebook.tables import TABLE_STYLE, Line, Table, in_html, link_to, style
from idc_helpers.runbook.lesson import LESSON, steps_of_notebook
from idc_helpers.runbook.progress import StepReading, StepState, count_done, next_step, read_states, remember
from idc_helpers.runbook.run import RunContext

FOLLOW_POLL_S = 1.0
_TELLING = ("applied", "failed", "checked", "own_values")
_FILES = ("events.jsonl", "attestations.jsonl")
_STATE_FILES = ("sandbox.db", "sandbox.db-wal")

# By run folder, notebook and what is shown: showing it again ends the following of what was shown before. And
# the loop keeps only weak references.
_FOLLOWING: dict[tuple[Path, str, str], asyncio.Task[None]] = {}


def show_and_follow(
    context: RunContext, name: str, first: Callable[[], Any], make: Callable[[], Any]
) -> None:
    """Show something, and put in its place what `make` returns whenever a step of the run was applied."""
    if not is_guided():
        raise NotImplementedError
    # Before the target is read: nothing falls between.
    news = News(context.run_folder, context.connection.console)
    handle = show_updatable(first())
    key = (context.run_folder, context.notebook, name)
    before = _FOLLOWING.pop(key, None)
    if before is not None:
        before.cancel()
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return  # a plain script: nothing runs between its lines
    task = _FOLLOWING[key] = loop.create_task(_follow(news, handle, make))

    def closed() -> None:
        task.cancel()
        handle.update(Line(f"✘ Closed: {context.opening.refusal}"))

    context.opening.watch(closed)


async def _follow(news: News, handle: Handle, make: Callable[[], Any]) -> None:
    while True:
        await asyncio.sleep(FOLLOW_POLL_S)
        if not news.arrived():
            continue
        try:
            handle.update(await asyncio.to_thread(make))
        except Exception:  # noqa: S112 - the target may be stopped or asleep: what was seen last stays
            continue


class News:
    """Tells whether there is news of a step: in a run's folder, or in the sandbox's state."""

    # A step is also done in the practice console or with the AWS CLI, and then only the state has changed.
    # Reading does not change it, so that a reading is no news of the next one.

    def __init__(self, folder: Path, sandbox: SandboxConsole | None = None) -> None:
        self._paths = [folder / name for name in _FILES]
        self._sizes = [_size_and_time(path)[0] for path in self._paths]
        state = Path(sandbox.state_folder) if sandbox is not None and sandbox.state_folder else None
        self._state_paths = [state / name for name in _STATE_FILES] if state is not None else []
        self._state = [_size_and_time(path)[1] for path in self._state_paths]

    def arrived(self) -> bool:
        """Return whether since the last call a step was applied, checked or attested, or failed."""
        state = [_size_and_time(path)[1] for path in self._state_paths]
        state_before, self._state = self._state, state
        return self._folder_has_news() or state != state_before

    def _folder_has_news(self) -> bool:
        sizes = [_size_and_time(path)[0] for path in self._paths]
        before, self._sizes = self._sizes, sizes
        if sizes[1] != before[1]:
            return True
        # A file that has shrunk was begun anew.
        return sizes[0] != before[0] and _tells(self._paths[0], before[0] if before[0] < sizes[0] else 0)


def _size_and_time(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


def _tells(path: Path, start: int) -> bool:
    try:
        with path.open("rb") as file:
            file.seek(start)
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return False
    return any(_tells_of_step(line) for line in lines)


def _tells_of_step(line: str) -> bool:
    try:
        return json.loads(line).get("event") in _TELLING
    except (ValueError, AttributeError):
        return True  # torn: better to read once too often


COLUMNS = ("step", "what you do", "notebook", "who can do it", "state")
_HALVES = ("The administrator's half", "The person's half")
_MARKS = {
    StepState.DONE: "good",
    StepState.WAITING: "change",
    StepState.NOT_APPLIED: "change",
    StepState.CHANGED_OUTSIDE: "bad",
    StepState.UNREADABLE: "bad",
}

MAP_STYLE = style("lesson_map")


@dataclass(frozen=True)
class LessonMap:
    """The lesson's steps with their states; the last value of a cell shows it."""

    readings: tuple[StepReading, ...]

    @property
    def table(self) -> Table:
        """The steps as a table: columns step, what you do, notebook, who can do it, state."""
        rows = tuple(
            (str(entry.number), entry.task, entry.notebook, entry.who, reading.words)
            for reading in self.readings
            for entry in (reading.entry,)
        )
        marks = tuple(_MARKS.get(reading.state, "") for reading in self.readings)
        caption = f"The lesson, step by step: {_format_sum(self.readings)}"
        return Table(caption, COLUMNS, rows, row_header=1, marks=marks)

    def __repr__(self) -> str:
        return repr(self.table)

    def _repr_html_(self) -> str:
        halves = (
            [reading for reading in self.readings if reading.entry.is_persons is persons]
            for persons in (False, True)
        )
        following = next_step(self.readings)
        body = "".join(
            f"<h3>{escape(title)}</h3>{_stations(half, following)}"
            for title, half in zip(_HALVES, halves, strict=True)
        )
        go_on = ""
        if following is not None:
            link = link_to(following.entry.link, f"{following.entry.number} · {following.entry.task}")
            go_on = f" Continue with {link}."
        return (
            f'{MAP_STYLE}<section class="idc-map" aria-label="The lesson, step by step">'
            f"<p><strong>{_format_sum(self.readings)}.</strong>{go_on}</p>{body}</section>"
        )


@dataclass(frozen=True, repr=False)
class FollowedLessonMap(LessonMap):
    """A map that, in JupyterLab, is updated when a step was applied."""

    context: RunContext

    def _ipython_display_(self) -> None:
        first, again = LessonMap(self.readings), lambda: LessonMap(_read_all(self.context))
        show_and_follow(self.context, "map", lambda: first, again)


def lesson_map(context: RunContext) -> FollowedLessonMap:
    """Return the lesson's steps with their states and links; reads only."""
    return FollowedLessonMap(_read_all(context), context)


def _read_all(context: RunContext, numbers: Collection[int] = ()) -> tuple[StepReading, ...]:
    """Return the states; guided, with who made them so, which the side bar shows too."""
    readings = read_states(context, numbers)
    return remember(context, readings) if is_guided() else readings


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
    link = link_to(entry.link, f"{entry.number} · {entry.task}")
    # Who does it is said where it could be a surprise; the person's half is the person's.
    who = f' <span class="idc-who">({escape(entry.who)})</span>' if not entry.is_persons else ""
    return (
        f'<li class="{classes}"{here}>{link}{who} <span class="idc-state">{escape(reading.words)}</span></li>'
    )


def _mark(state: StepState) -> str:
    return f"idc-{_MARKS[state]}" if state in _MARKS else ""


def _format_sum(readings: Iterable[StepReading]) -> str:
    readings = tuple(readings)
    parts = [f"{count_done(readings)} of {len(readings)} steps done"]
    outside = sum(reading.state is StepState.CHANGED_OUTSIDE for reading in readings)
    return ", ".join([*parts, *([f"{outside} changed outside"] if outside else [])])


@dataclass(frozen=True)
class LessonLine:
    """Where a notebook stands in the lesson, in one line."""

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
    """What stands at the top of a notebook: where one works, and how far the lesson is."""

    where: str
    line: LessonLine

    def __repr__(self) -> str:
        return f"{self.where}\n{self.line!r}"

    def _repr_mimebundle_(self, **_: Any) -> Mapping[str, str]:
        lines = (in_html(self.where), self.line.html())
        html = "".join(f'<p class="idc-note">{line}</p>' for line in lines)
        return {"text/plain": repr(self), "text/html": f"{TABLE_STYLE}{html}"}


def lesson_line(context: RunContext) -> LessonLine:
    """Return where the run's notebook stands in the lesson; reads only."""
    # The whole map takes a good hundred calls on AWS, and an unattended run needs none of them.
    own = tuple(entry.number for entry in steps_of_notebook(context.notebook))
    if context.connection.is_sandbox and is_guided():
        return LessonLine(own, _read_all(context))
    return LessonLine(own, _read_all(context, own) if own else ())
