"""Pictures where a person would rather look than read; each has a plain text that says the same."""

from __future__ import annotations

from typing import Any

_CSS = [
    {"selector": "caption", "props": "text-align:left;font-weight:600;caption-side:top;padding:.2em 0"},
    {
        "selector": "th,td",
        "props": "text-align:left;vertical-align:top;padding:.3em .7em;background:none;"
        "border:1px solid var(--jp-border-color2,#bdbdbd);color:var(--jp-ui-font-color1,inherit)",
    },
    {"selector": "td.reached", "props": "font-weight:600;background:var(--jp-layout-color2,#eeeeee)"},
]


class Matrix:
    """A DataFrame as a table whose cells are told apart by their words, and by shade.

    Parameters
    ----------
    frame
        Texts; ``"–"`` for nothing.
    caption
        What the table shows.
    """

    def __init__(self, frame: Any, caption: str) -> None:
        self.frame = frame
        self._corner = _escaped(str(frame.index.name or ""))
        self.caption = caption

    @property
    def styler(self) -> Any:
        """The pandas Styler, for further styling."""
        plain = self.frame.rename_axis(None)
        reached = plain.map(lambda text: "" if text == "–" else "reached")
        styler = (
            plain.style.set_caption(_escaped(self.caption)).set_table_styles(_CSS).set_td_classes(reached)
        )
        styler = (
            styler.format(escape="html")
            .format_index(escape="html", axis=0)
            .format_index(escape="html", axis=1)
        )
        # Its own would differ from run to run, and stored outputs are compared.
        return styler.set_uuid("idc-matrix")

    def __repr__(self) -> str:
        return (
            f"{self.caption}\n{self.frame.to_string() if len(self.frame) else '  (nobody reaches anything)'}"
        )

    def _repr_html_(self) -> str:
        html = str(self.styler.to_html())
        # What a screen reader needs and the Styler leaves out: a name for the corner, where headers point.
        html = html.replace('<th class="blank level0" >&nbsp;</th>', f'<th scope="col">{self._corner}</th>')
        html = html.replace('class="col_heading', 'scope="col" class="col_heading')
        return html.replace('class="row_heading', 'scope="row" class="row_heading')


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
