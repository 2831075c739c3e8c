"""Bars on a time axis, as a picture whose text can be selected, and as lines of text."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_STEPS_S = tuple(minutes * _MINUTE for minutes in (1, 5, 15, 30)) + tuple(
    hours * _HOUR for hours in (1, 2, 4, 6, 12, 24, 48, 168, 336, 720)
)
_MOST_TICKS = 9
_WIDTH, _LEFT, _RIGHT, _TOP, _ROW, _BAR = 760, 14, 30, 36, 46, 18
_COLUMNS = 48
_NUMBERS = "①②③④⑤⑥⑦⑧⑨"
_STYLE = """<style>
.idc-axis{color:var(--jp-ui-font-color1,inherit);font-size:var(--jp-ui-font-size1,13px)}
.idc-axis p{margin:.2em 0}.idc-axis svg{max-width:100%;height:auto;overflow:visible}
.idc-axis text{fill:var(--jp-ui-font-color1,currentColor);font-size:13px}
.idc-axis .b{font-weight:600}.idc-axis text.s{font-size:12px}
.idc-axis .l{stroke:var(--jp-border-color1,#9e9e9e)}
.idc-axis .m{stroke:var(--jp-ui-font-color1,currentColor);stroke-dasharray:3 3}
.idc-axis .f{stroke:var(--jp-brand-color1,#1565c0);fill:var(--jp-brand-color1,#1565c0);fill-opacity:.25}
</style>"""


@dataclass(frozen=True)
class Row:
    """What lasts, once or several times.

    Attributes
    ----------
    label
        What it is.
    words
        What to know of it.
    spans_s
        From when until when, in seconds since the axis begins.
    goes_on
        Whether more of them follow than are drawn.
    """

    label: str
    words: str
    spans_s: tuple[tuple[float, float], ...]
    goes_on: bool = False


@dataclass(frozen=True)
class TimeAxis:
    """Rows of bars above one axis; the last value of a cell shows it.

    Attributes
    ----------
    caption
        What it shows.
    rows
        From top to bottom.
    moments
        (when in seconds, what happens then), in order of time.
    note
        A line below.
    """

    caption: str
    rows: tuple[Row, ...]
    moments: tuple[tuple[float, str], ...] = ()
    note: str = ""

    @property
    def _end_s(self) -> float:
        ends = [end for row in self.rows for _, end in row.spans_s] + [at for at, _ in self.moments]
        return max([*ends, _MINUTE])

    def __repr__(self) -> str:
        widest = max(len(row.label) for row in self.rows)
        lines = [self.caption]
        lines += [f"{row.label.ljust(widest)}  {self._bar(row)}  {row.words}" for row in self.rows]
        lines += [f"{number} {words}" for number, words in self._legend()]
        return "\n".join([*lines, *([self.note] if self.note else [])])

    def _bar(self, row: Row) -> str:
        scale = _COLUMNS / self._end_s
        cells, after = ["·"] * _COLUMNS, 0
        for start, end in row.spans_s:
            first, after = round(start * scale), max(round(end * scale), round(start * scale) + 1)
            cells[first:after] = ["█"] * (min(after, _COLUMNS) - first)
        if row.goes_on:
            cells[min(after, _COLUMNS - 1)] = "…"
        return "".join(cells)

    def _legend(self) -> Iterator[tuple[str, str]]:
        for number, (at, words) in zip(_NUMBERS, self.moments, strict=False):
            yield number, f"{words} (after {duration_in_words(at)})" if at else words

    def _repr_html_(self) -> str:
        # Not image/svg+xml: JupyterLab makes an image of that, without text to select, deaf to the theme.
        lines = [f"{number} {words}" for number, words in self._legend()]
        below = "".join(f"<p>{escape(line)}</p>" for line in [*lines, *([self.note] if self.note else [])])
        caption = f"<p><strong>{escape(self.caption)}</strong></p>"
        return f'{_STYLE}<div class="idc-axis">{caption}{self.svg()}{below}</div>'

    def svg(self) -> str:
        """Return the bars and the axis; they take their colours from JupyterLab's theme."""
        axis_y = _TOP + len(self.rows) * _ROW + 6
        parts = [
            *self._ticks(axis_y),
            *self._moments(axis_y),
            *(part for at, row in enumerate(self.rows) for part in self._row(row, _TOP + at * _ROW)),
        ]
        said = escape(f"{self.caption}. " + " ".join(f"{row.label}: {row.words}." for row in self.rows))
        # The line breaks keep words apart where the notebook is not trusted, and only the texts are shown.
        inside = "\n".join(parts)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {axis_y + 26}" width="{_WIDTH}" '
            f'role="group" aria-label="{said}">{inside}</svg>'
        )

    def _x(self, at_s: float) -> float:
        return round(_LEFT + at_s / self._end_s * (_WIDTH - _LEFT - _RIGHT), 1)

    def _row(self, row: Row, y: int) -> Iterator[str]:
        label = f'<tspan class="b">{escape(row.label)}</tspan> {escape(row.words)}'
        yield f'<text x="{_LEFT}" y="{y + 14}">{label}</text>'
        for start, end in row.spans_s:
            x, width = self._x(start), max(self._x(end) - self._x(start), 2)
            yield f'<rect class="f" x="{x}" y="{y + 20}" width="{round(width, 1)}" height="{_BAR}" rx="2"/>'
        if row.goes_on:
            yield _text(self._x(row.spans_s[-1][1]) + 4, y + 20 + _BAR - 4, "… and so on")

    def _ticks(self, y: int) -> Iterator[str]:
        step = next((step for step in _STEPS_S if self._end_s / step <= _MOST_TICKS), _STEPS_S[-1])
        step *= math.ceil(self._end_s / step / _MOST_TICKS)
        yield f'<line class="l" x1="{_LEFT}" y1="{y}" x2="{_WIDTH - _RIGHT}" y2="{y}"/>'
        for at in range(0, int(self._end_s) + 1, step):
            x = self._x(at)
            yield f'<line class="l" x1="{x}" y1="{y}" x2="{x}" y2="{y + 5}"/>'
            yield _text(x, y + 18, short_duration(at), "s", "middle")

    def _moments(self, axis_y: int) -> Iterator[str]:
        for at, (number, (when, _)) in enumerate(zip(_NUMBERS, self.moments, strict=False)):
            x = self._x(when)
            # Moments close to each other stand on different heights.
            y = _TOP - 8 - (at % 2) * 14
            yield f'<line class="m" x1="{x}" y1="{y + 3}" x2="{x}" y2="{axis_y}"/>'
            yield _text(x, y, number, "b", "middle")


def _text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(words)}</text>'


def duration_in_words(length_s: float) -> str:
    """Return such as ``"8 hours"``, ``"7 days 1 hour"`` or ``"90 seconds"``."""
    names = ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute"), (1, "second"))
    left, parts = round(length_s), []
    for size, name in names:
        number, left = divmod(left, size)
        parts += [f"{number} {name}{'s' * (number != 1)}"] if number else []
    return " ".join(parts) or "0 seconds"


def short_duration(length_s: float) -> str:
    """Return such as ``"8 h"``, ``"2 d"`` or ``"30 min"``; the largest unit that divides it."""
    for size, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if length_s >= size and length_s % size == 0:
            return f"{round(length_s / size)} {name}"
    return f"{round(length_s)} s" if length_s else "0"
