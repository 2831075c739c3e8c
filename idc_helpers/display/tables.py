"""Tables that read well in a notebook, light or dark, on paper, and without colour: HTML and plain text.

Every text is escaped: what a target calls its things is data, never markup.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from itertools import zip_longest
from typing import Any

from idc_helpers.aws.connected import Place

# A theme's own green, red and blue are too pale as text on its striped rows: mixed with that of the text they
# are not. A link within a text is told apart by more than its colour.
STYLE = """<style>
table.idc-table{border-collapse:collapse;margin:.4em 0;font-size:var(--jp-ui-font-size1,13px)}
table.idc-table,table.idc-table caption{color:var(--jp-ui-font-color1,inherit)}
table.idc-table caption{text-align:left;font-weight:600;padding:.2em 0;caption-side:top}
table.idc-table th,table.idc-table td{text-align:left!important;vertical-align:top!important;
padding:.3em .7em;overflow-wrap:break-word;
border-bottom:1px solid var(--jp-border-color2,#bdbdbd);background:none}
table.idc-table thead th{border-bottom:2px solid var(--jp-border-color1,#757575);font-weight:600}
table.idc-table tbody th{font-weight:600}
table.idc-table td:last-child{overflow-wrap:anywhere}
table.idc-table td.idc-first{white-space:nowrap}
table.idc-table tr.idc-good td.idc-first{
color:color-mix(in srgb,var(--jp-success-color1,#2e7d32) 70%,currentcolor)}
table.idc-table tr.idc-bad td.idc-first{
color:color-mix(in srgb,var(--jp-error-color1,#c62828) 70%,currentcolor);font-weight:600}
table.idc-table tr.idc-change td.idc-first{
color:color-mix(in srgb,var(--jp-brand-color1,#1565c0) 70%,currentcolor)}
.idc-place{display:inline-block;padding:0 .5em;font-weight:600;color:var(--jp-ui-font-color1,inherit);
border:1px solid var(--jp-border-color1,#757575);border-left:.4em solid var(--jp-success-color1,#2e7d32)}
.idc-place.idc-aws{border:2px solid var(--jp-error-color1,#c62828);
border-left:.8em solid var(--jp-error-color1,#c62828)}
p.idc-note{margin:.2em 0;color:var(--jp-ui-font-color1,inherit)}
p.idc-note a:any-link{text-decoration:underline}
</style>"""


_LONGEST_RULE = 40
# JupyterLab sets what stands between two dollar signs as mathematics: ``${path:…},Team=${path:…}``.
_DOLLAR = '<span class="mathjax_ignore">$</span>'


@dataclass(frozen=True)
class Line:
    """One readable line, as the last value of a cell.

    Attributes
    ----------
    text
        Plain text.
    """

    text: str

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return f'{STYLE}<p class="idc-note" role="status">{prose_in_html(self.text)}</p>'


@dataclass(frozen=True)
class Table:
    """A table with a caption; the last value of a cell shows it.

    Attributes
    ----------
    caption
        What the table shows, and its sum in words.
    columns
        The headings, in order.
    rows
        Texts, as many as there are columns; a text may hold several lines.
    row_header
        The column that names the row, counted from 0.
    marks
        For each row ``"good"``, ``"bad"``, ``"change"`` or ``""``: a colour of its first column, which also
        says it in words.
    note
        A line below the table.
    place
        The target that the table is about; AWS looks different from the sandbox.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    row_header: int = 0
    marks: tuple[str, ...] = ()
    note: str = ""
    place: Place | None = None

    def frame(self) -> Any:
        """Return the table as a pandas DataFrame with these columns, all of them text."""
        from idc_helpers.display.frames import table_frame  # noqa: PLC0415 - pandas only where someone asks for it

        return table_frame(self.columns, self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        if not self.rows:
            return "\n".join(part for part in (self._headline(), "  (nothing)", self.note) if part)
        lines = [(self.columns,), *(tuple(_lines_of(row)) for row in self.rows)]
        widths = [max(len(part[at]) for row in lines for part in row) for at in range(len(self.columns))]
        body = [_aligned(part, widths) for row in lines for part in row]
        body.insert(1, _aligned(tuple("-" * min(width, _LONGEST_RULE) for width in widths), widths))
        return "\n".join([self._headline(), *body, *([self.note] if self.note else [])])

    def _repr_html_(self) -> str:
        return STYLE + self.html()

    def html(self) -> str:
        """Return the table's markup without the style sheet."""
        note = f'<p class="idc-note">{prose_in_html(self.note)}</p>' if self.note else ""
        heads = "".join(f'<th scope="col">{escape(column)}</th>' for column in self.columns)
        body = "".join(self._row(row, mark) for row, mark in zip_longest(self.rows, self.marks, fillvalue=""))
        if not self.rows:
            body = f'<tr><td colspan="{len(self.columns)}">(nothing)</td></tr>'
        badge = f"{place_html(self.place)} " if self.place else ""
        return (
            f'<table class="idc-table"><caption>{badge}{in_html(self.caption)}</caption>'
            f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>{note}"
        )

    def _headline(self) -> str:
        return f"[{self.place}] {self.caption}" if self.place else self.caption

    def _row(self, row: tuple[str, ...] | str, mark: str | tuple[str, ...]) -> str:
        cells = "".join(self._cell(at, text) for at, text in enumerate(row))
        return f'<tr class="idc-{mark}">{cells}</tr>' if mark else f"<tr>{cells}</tr>"

    def _cell(self, at: int, text: str) -> str:
        if at == self.row_header:
            return f'<th scope="row">{in_html(text)}</th>'
        first = ' class="idc-first"' if at == 0 else ""
        return f"<td{first}>{in_html(text)}</td>"


def in_html(text: str) -> str:
    """Return a text as HTML: escaped, with its line breaks, and no formula between two dollar signs."""
    return escape(text).replace("\n", "<br>").replace("$", _DOLLAR)


def place_html(place: Place) -> str:
    """Return a place as a framed word in the theme's colours; AWS is framed as a warning."""
    words = str(place)
    kind = "" if place.is_sandbox else " idc-aws"
    return f'<span class="idc-place{kind}">{in_html(words[:1].upper() + words[1:])}</span>'


def prose_in_html(text: str) -> str:
    """Return a sentence as HTML, with what stands between two backticks as code."""
    return re.sub(r"`([^`\n]+)`", r"<code>\1</code>", in_html(text))


def _lines_of(row: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [tuple(parts) for parts in zip_longest(*(text.split("\n") for text in row), fillvalue="")]


def _aligned(parts: tuple[str, ...], widths: list[int]) -> str:
    return "  ".join(part.ljust(width) for part, width in zip(parts, widths, strict=True)).rstrip()
