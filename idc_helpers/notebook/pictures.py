"""Pictures as text: bars on a time axis, matrices, trees, and sequence diagrams."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from idc_aws.identifiers import describe_duration
from idc_helpers.notebook.tables import TABLE_STYLE, cut_html, in_html, style
from idc_helpers.notebook.whole_tables import FIRST_ROWS, MOST_ROWS, cut_note

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_STEPS_S = tuple(minutes * _MINUTE for minutes in (1, 5, 15, 30)) + tuple(
    hours * _HOUR for hours in (1, 2, 4, 6, 12, 24, 48, 168, 336, 720)
)
_MOST_TICKS = 9
_WIDTH, _LEFT, _RIGHT, _TOP, _ROW, _BAR = 760, 14, 30, 36, 46, 18
_COLUMNS = 48
_NUMBERS = "①②③④⑤⑥⑦⑧⑨"
_STYLE = style("time_axis")


@dataclass(frozen=True)
class Row:
    """What lasts, once or several times."""

    label: str
    words: str
    spans_s: tuple[tuple[float, float], ...]
    goes_on: bool = False


@dataclass(frozen=True)
class TimeAxis:
    """Rows of bars above one axis; the last value of a cell shows it."""

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
            yield number, f"{words} (after {describe_duration(at)})" if at else words

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


def short_duration(length_s: float) -> str:
    """Return such as ``"8 h"``, ``"2 d"`` or ``"30 min"``; the largest unit that divides it."""
    for size, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if length_s >= size and length_s % size == 0:
            return f"{round(length_s / size)} {name}"
    return f"{round(length_s)} s" if length_s else "0"


NOTHING = "–"
_WIDE = 8
MOST_CELLS = 1000
"""A matrix of more cells is shown by its first rows."""
_CSS = [
    {
        "selector": "caption",
        "props": "text-align:left;font-weight:600;caption-side:top;padding:.2em 0;"
        "color:var(--jp-ui-font-color1,inherit)",
    },
    {
        "selector": "th,td",
        "props": "text-align:left!important;vertical-align:top;padding:.3em .7em;background:none;"
        "border:1px solid var(--jp-border-color2,#bdbdbd);color:var(--jp-ui-font-color1,inherit)",
    },
    {"selector": "tbody th", "props": "white-space:nowrap"},
    {"selector": "td.reached", "props": "font-weight:600;background:var(--jp-layout-color2,#8882)"},
]
_WIDE_CSS = [
    {
        "selector": "thead tr:last-child th[scope=col]:not(:first-child)",
        "props": "writing-mode:vertical-rl;white-space:nowrap;padding:.7em .1em;vertical-align:bottom",
    },
    {"selector": "td", "props": "padding:.3em .4em"},
]


class Matrix:
    """A DataFrame as a table whose cells are told apart by their words, and by shade."""

    def __init__(self, frame: Any, caption: str, note: str = "", files: tuple[str, ...] = ()) -> None:
        self.frame = frame
        self.caption = caption
        self.note = note
        self.files = files
        self._corner = str(frame.index.name or "")
        cells = {text for row in frame.to_numpy().tolist() for text in row if text != NOTHING}
        names = sorted({name for text in cells for name in text.split(", ")})
        self.letters = {name: _letter(at) for at, name in enumerate(names)} if self._is_wide else {}

    @property
    def _is_wide(self) -> bool:
        return len(self.frame.columns) > _WIDE

    @property
    def shown(self) -> Any:
        """The rows that a cell shows: all, or the first ones of a matrix of very many cells."""
        rows, columns = self.frame.shape
        is_long = rows > MOST_ROWS or rows * columns > MOST_CELLS
        return (
            self.frame.head(max(10, min(FIRST_ROWS, MOST_CELLS // max(columns, 1))))
            if is_long
            else self.frame
        )

    def accesses(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """Return columns and rows of a list of what is reached: who, each level of a column, and what."""
        levels = [str(name or "account") for name in self.frame.columns.names]
        columns = [(one,) if isinstance(one, str) else one for one in self.frame.columns.tolist()]
        rows = [
            (str(who), *map(str, column), text)
            for who, texts in zip(self.frame.index, self.frame.to_numpy().tolist(), strict=True)
            for column, text in zip(columns, texts, strict=True)
            if text != NOTHING
        ]
        return (self._corner, *levels, "permission sets"), rows

    @property
    def is_cut(self) -> bool:
        """Whether a cell shows a part of it."""
        return self._cut is not None

    @property
    def _cut(self) -> tuple[int, int, str] | None:
        shown, rows = len(self.shown), len(self.frame)
        return (shown, rows, "rows") if shown < rows else None

    @property
    def legend(self) -> str:
        """What the letters in the cells mean; empty where the cells hold names."""
        return " · ".join(f"{letter}: {name}" for name, letter in self.letters.items())

    @property
    def styler(self) -> Any:
        """The pandas Styler, for further styling."""
        plain = self.shown.rename_axis(None).rename_axis([None] * self.frame.columns.nlevels, axis=1)
        plain = plain.map(self._short)
        reached = plain.map(lambda text: "" if text == NOTHING else "reached")
        styler = plain.style.set_caption(escape(self.caption, quote=False))
        styler = styler.set_table_styles(_CSS + (_WIDE_CSS if self._is_wide else [])).set_td_classes(reached)
        styler = styler.format(escape="html").format_index(escape="html", axis=0)
        styler = styler.format_index(escape="html", axis=1)
        # Its own would differ from run to run, and stored outputs are compared.
        return styler.set_uuid("idc-matrix-wide" if self._is_wide else "idc-matrix")

    def _short(self, text: str) -> str:
        return ", ".join(self.letters.get(name, name) for name in text.split(", "))

    def __repr__(self) -> str:
        if not len(self.frame):
            body = "  (nobody reaches anything)"
        else:
            body = "\n".join(self._lines()) if self._is_wide else str(self.shown.to_string())
        cut = cut_note(*self._cut, self.files) if self._cut else ""
        return "\n".join(part for part in (self.caption, body, cut, self.note) if part)

    def _lines(self) -> list[str]:
        """Return the matrix as a list: thirty columns are wider than any screen."""
        lines = []
        for row, texts in zip(self.shown.index, self.shown.to_numpy().tolist(), strict=True):
            lines.append(str(row))
            for column, text in zip(self.frame.columns, texts, strict=True):
                place = " · ".join(column) if isinstance(column, tuple) else str(column)
                lines += [f"  {place}: {text}"] if text != NOTHING else []
        return lines

    def _repr_html_(self) -> str:
        # What a screen reader needs and the Styler leaves out: a name for the corner, where headers point.
        html, levels = str(self.styler.to_html()), self.frame.columns.nlevels
        for level in range(levels):
            is_last = level == levels - 1
            corner = f'<th scope="col">{escape(self._corner)}</th>' if is_last else "<td></td>"
            html = html.replace(f'<th class="blank level{level}" >&nbsp;</th>', corner)
            scope = "col" if is_last else "colgroup"
            heading = f'class="col_heading level{level}'
            html = html.replace(heading, f'scope="{scope}" {heading}')
        html = html.replace('class="row_heading', 'scope="row" class="row_heading')
        lines = (line for line in (self.legend, self.note) if line)
        notes = "".join(f'<p class="idc-note">{in_html(line)}</p>' for line in lines)
        # What may scroll takes the focus, so that the arrow keys scroll it.
        region = f'role="region" tabindex="0" aria-label="{escape(self.caption)}"'
        notes = cut_html(self._cut, self.files) + notes
        return f'{TABLE_STYLE}<div style="overflow-x:auto" {region}>{html}</div>{notes}'


def _letter(at: int) -> str:
    number, letter = divmod(at, 26)
    return chr(ord("A") + letter) + (str(number + 1) if number else "")


_TREE_STYLE = style("tree")


@dataclass(frozen=True)
class TreeNode:
    """A node of a tree."""

    label: str
    children: tuple[TreeNode, ...] = ()
    details: tuple[str, ...] = ()
    is_group: bool = False


@dataclass(frozen=True)
class Tree:
    """A tree; the last value of a cell shows it."""

    caption: str
    roots: tuple[TreeNode, ...]
    note: str = ""

    def __repr__(self) -> str:
        lines = [self.caption]
        for root in self.roots:
            lines += [root.label, *_details(root, ""), *_branches(root, "")]
        return "\n".join([*lines, *([self.note] if self.note else [])])

    def _repr_html_(self) -> str:
        items = "".join(_item(root) for root in self.roots)
        note = f"<p>{in_html(self.note)}</p>" if self.note else ""
        return (
            f'{_TREE_STYLE}<div class="idc-tree"><p><strong>{in_html(self.caption)}</strong></p>'
            f"<ul>{items}</ul>{note}</div>"
        )


def _item(node: TreeNode) -> str:
    label = f"<strong>{in_html(node.label)}</strong>" if node.is_group else in_html(node.label)
    inside = "".join(f'<li class="idc-detail">{in_html(detail)}</li>' for detail in node.details)
    inside += "".join(_item(child) for child in node.children)
    return f"<li>{label}{f'<ul>{inside}</ul>' if inside else ''}</li>"


def _branches(node: TreeNode, indent: str) -> Sequence[str]:
    lines: list[str] = []
    for at, child in enumerate(node.children):
        last = at == len(node.children) - 1
        below = indent + ("    " if last else "│   ")
        lines.append(f"{indent}{'└── ' if last else '├── '}{child.label}")
        lines += [*_details(child, below), *_branches(child, below)]
    return lines


def _details(node: TreeNode, indent: str) -> list[str]:
    edge = "│   " if node.children else "    "
    return [f"{indent}{edge}{detail}" for detail in node.details]


# No colon: what stands behind the colon of a secret's name is taken out of every stored output.
_MARK = "·"
# Places are classes: JupyterLab takes positions out of the style attributes of a notebook it does not trust.
_SEQUENCE_STYLE = style("sequence")


@dataclass(frozen=True)
class Message:
    """One message."""

    sender: str
    receiver: str
    words: str
    values: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class SequenceDiagram:
    """A conversation; the last value of a cell shows it, folded, because it is longer than a screen."""

    caption: str
    lanes: tuple[str, ...]
    messages: tuple[Message, ...]
    note: str = ""

    def __repr__(self) -> str:
        lines = [self.caption]
        for number, message in enumerate(self.messages, 1):
            values = "".join(f"\n      {name} {_MARK} {value}" for name, value in message.values)
            lines.append(f"{number:3}. {_between(message)}: {message.words}{values}")
        return "\n".join([*lines, *([self.note] if self.note else [])])

    def _repr_html_(self) -> str:
        lanes = "".join(f"<span>{in_html(lane)}</span>" for lane in self.lanes)
        items = "".join(self._item(number, message) for number, message in enumerate(self.messages, 1))
        note = f"<p>{in_html(self.note)}</p>" if self.note else ""
        return (
            f'{_SEQUENCE_STYLE}<div class="idc-sequence idc-lanes{len(self.lanes)}"><details>'
            f"<summary><strong>{in_html(self.caption)}</strong> ({len(self.messages)} messages)</summary>"
            f'<div class="idc-lanes" aria-hidden="true">{lanes}</div><ol>{items}</ol>{note}</details></div>'
        )

    def _item(self, number: int, message: Message) -> str:
        start, end = self.lanes.index(message.sender), self.lanes.index(message.receiver)
        first, last = min(start, end), max(start, end)
        words = f'<span class="idc-said">{in_html(_between(message))}: </span>{in_html(message.words)}'
        values = "".join(f"<br>{in_html(name)} {_MARK} {_value(value)}" for name, value in message.values)
        arrow = f'<span class="idc-arrow idc-{"right" if start < end else "left"}"></span>'
        place = f"idc-from{first + 1} idc-to{last + 1}"
        # From the middle of one lane to the middle of the other; what one does alone fills its lane.
        kind = f"idc-message {place} " + (f"idc-over{last - first + 1}" if start != end else "idc-aside")
        arrow = arrow if start != end else ""
        return (
            f'<li><div class="{kind}">'
            f'<span class="idc-words">{number}. {words}{values}</span>{arrow}</div></li>'
        )


def _between(message: Message) -> str:
    if message.sender == message.receiver:
        return message.sender
    return f"{message.sender} → {message.receiver}"


def _value(value: str) -> str:
    # What is to be compared letter by letter looks so; words are words.
    return in_html(value) if " " in value else f"<code>{in_html(value)}</code>"
