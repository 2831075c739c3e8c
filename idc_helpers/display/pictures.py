"""Pictures where a person would rather look than read; each has a plain text that says the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class TreeNode:
    """A node of a tree: what it is called, and what is below it."""

    label: str
    children: tuple[TreeNode, ...] = ()


@dataclass(frozen=True)
class Tree:
    """A tree: Mermaid in JupyterLab, lines elsewhere.

    Attributes
    ----------
    caption
        What it shows.
    root
        The uppermost node.
    """

    caption: str
    root: TreeNode

    def __repr__(self) -> str:
        return "\n".join([self.caption, self.root.label, *_branches(self.root, "")])

    def mermaid(self) -> str:
        """Return the tree as a Mermaid flowchart."""
        lines = ["flowchart TD", f"  accTitle: {self.caption}"]
        numbers: dict[int, str] = {}
        for node in _walk(self.root):
            numbers[id(node)] = f"n{len(numbers)}"
            lines.append(f'  {numbers[id(node)]}["{_mermaid_text(node.label)}"]')
        for node in _walk(self.root):
            lines += [f"  {numbers[id(node)]} --> {numbers[id(child)]}" for child in node.children]
        return "\n".join(lines)

    def _repr_mimebundle_(self, **_: Any) -> Mapping[str, str]:
        return {"text/vnd.mermaid": self.mermaid(), "text/plain": repr(self)}


def _walk(node: TreeNode) -> Iterator[TreeNode]:
    yield node
    for child in node.children:
        yield from _walk(child)


def _branches(node: TreeNode, indent: str) -> Sequence[str]:
    lines: list[str] = []
    for at, child in enumerate(node.children):
        last = at == len(node.children) - 1
        lines.append(f"{indent}{'└── ' if last else '├── '}{child.label}")
        lines += _branches(child, indent + ("    " if last else "│   "))
    return lines


def _mermaid_text(text: str) -> str:
    # Mermaid's own entities; its labels are markup otherwise.
    for character, entity in (("#", "#35;"), ('"', "#quot;"), ("<", "#lt;"), (">", "#gt;"), ("`", "#96;")):
        text = text.replace(character, entity)
    return text.replace("\n", "<br/>")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
