"""Trees that read well with a hundred nodes: nested lists, whose text can be selected, and lines of text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from idc_helpers.display.tables import in_html

_STYLE = """<style>
.idc-tree{color:var(--jp-ui-font-color1,inherit);font-size:var(--jp-ui-font-size1,13px);line-height:1.5}
.idc-tree p{margin:.2em 0}
.idc-tree ul,.idc-tree li{list-style:none!important;margin:0;padding:0}
.idc-tree ul{padding:0!important;margin:0!important}.idc-tree ul ul{margin-left:.5em!important}
.idc-tree ul ul>li{position:relative;padding-left:1.3em}
.idc-tree ul ul>li::before{content:"";position:absolute;left:0;top:0;width:.9em;height:.75em;
border-left:1px solid var(--jp-border-color1,#9e9e9e);border-bottom:1px solid var(--jp-border-color1,#9e9e9e)}
.idc-tree ul ul>li:not(:last-child)::after{content:"";position:absolute;left:0;top:0;bottom:0;
border-left:1px solid var(--jp-border-color1,#9e9e9e)}
.idc-tree ul ul>li.idc-detail{padding-left:1.3em}
.idc-tree ul ul>li.idc-detail::before,.idc-tree ul ul>li.idc-detail::after{content:none;border:0}
</style>"""


@dataclass(frozen=True)
class TreeNode:
    """A node of a tree.

    Attributes
    ----------
    label
        What it is called.
    children
        What is below it.
    details
        What is to be said of it: one line each.
    is_group
        Whether it is there for what it holds, as an organizational unit is; shown bold.
    """

    label: str
    children: tuple[TreeNode, ...] = ()
    details: tuple[str, ...] = ()
    is_group: bool = False


@dataclass(frozen=True)
class Tree:
    """A tree; the last value of a cell shows it.

    Attributes
    ----------
    caption
        What it shows.
    roots
        The uppermost nodes.
    note
        A line below it.
    """

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
            f'{_STYLE}<div class="idc-tree"><p><strong>{in_html(self.caption)}</strong></p>'
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
