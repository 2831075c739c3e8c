"""Who reaches what, as a matrix; it has a plain text that says the same."""

from __future__ import annotations

from html import escape
from typing import Any

from idc_helpers.display.tables import STYLE, in_html

NOTHING = "–"
_WIDE = 8
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
    """A DataFrame as a table whose cells are told apart by their words, and by shade.

    With more than eight columns the cells hold letters, which a legend explains: thirty accounts and twenty
    groups can be looked at as a whole.

    Parameters
    ----------
    frame
        Texts: names with commas between them, or ``"–"`` for nothing.
    caption
        What the table shows.
    note
        A line below the table.
    """

    def __init__(self, frame: Any, caption: str, note: str = "") -> None:
        self.frame = frame
        self.caption = caption
        self.note = note
        self._corner = str(frame.index.name or "")
        cells = {text for row in frame.to_numpy().tolist() for text in row if text != NOTHING}
        names = sorted({name for text in cells for name in text.split(", ")})
        self.letters = {name: _letter(at) for at, name in enumerate(names)} if self._is_wide else {}

    @property
    def _is_wide(self) -> bool:
        return len(self.frame.columns) > _WIDE

    @property
    def legend(self) -> str:
        """What the letters in the cells mean; empty where the cells hold names."""
        return " · ".join(f"{letter}: {name}" for name, letter in self.letters.items())

    @property
    def styler(self) -> Any:
        """The pandas Styler, for further styling."""
        plain = self.frame.rename_axis(None).rename_axis([None] * self.frame.columns.nlevels, axis=1)
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
            body = "\n".join(self._lines()) if self._is_wide else str(self.frame.to_string())
        return "\n".join(part for part in (self.caption, body, self.note) if part)

    def _lines(self) -> list[str]:
        """Return the matrix as a list: thirty columns are wider than any screen."""
        lines = []
        for row, texts in zip(self.frame.index, self.frame.to_numpy().tolist(), strict=True):
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
        lines = [line for line in (self.legend, self.note) if line]
        return STYLE + html + "".join(f'<p class="idc-note">{in_html(line)}</p>' for line in lines)


def _letter(at: int) -> str:
    number, letter = divmod(at, 26)
    return chr(ord("A") + letter) + (str(number + 1) if number else "")
