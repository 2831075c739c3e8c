"""Sequence diagrams as numbered lists: the text can be selected, and read aloud in its order."""

from __future__ import annotations

from dataclasses import dataclass

from idc_helpers.display.tables import in_html

# No colon: what stands behind the colon of a secret's name is taken out of every stored output.
_MARK = "·"
_LINE = "var(--jp-border-color1,#9e9e9e)"
_MOST_LANES = 6
# Places are classes: JupyterLab takes positions out of the style attributes of a notebook it does not trust.
_PLACES = "\n".join(
    f".idc-sequence.idc-lanes{at}{{--lanes:{at}}}.idc-sequence .idc-from{at}{{grid-column-start:{at}}}"
    f".idc-sequence .idc-to{at}{{grid-column-end:{at + 1}}}"
    f".idc-sequence .idc-over{at}{{margin:0 calc(50%/{at})}}"
    for at in range(1, _MOST_LANES + 1)
)
_STYLE = f"""<style>
.idc-sequence{{color:var(--jp-ui-font-color1,inherit);font-size:var(--jp-ui-font-size1,13px);line-height:1.35;
max-width:76em}}
.idc-sequence p{{margin:.3em 0}}
.idc-sequence ol,.idc-sequence li{{list-style:none!important;margin:0;padding:0}}
.idc-sequence ol{{padding:0!important;margin:0!important}}
.idc-sequence .idc-lanes,.idc-sequence li{{display:grid;grid-template-columns:repeat(var(--lanes),1fr)}}
.idc-sequence .idc-lanes>span{{text-align:center;font-weight:600;margin:0 .3em;padding:.2em;
border:1px solid {_LINE};border-radius:3px}}
.idc-sequence li{{padding:.45em 0;background:linear-gradient(to right,transparent calc(50% - .5px),
{_LINE} calc(50% - .5px),{_LINE} calc(50% + .5px),transparent calc(50% + .5px))
0 0/calc(100%/var(--lanes)) 100%}}
.idc-sequence .idc-message{{text-align:center}}
.idc-sequence .idc-words{{display:inline-block;padding:0 .3em;background:var(--jp-layout-color0,canvas)}}
.idc-sequence code{{overflow-wrap:anywhere;background:none;color:inherit}}
.idc-sequence .idc-arrow{{display:block;height:0;border-bottom:2px solid var(--jp-brand-color1,#1565c0);
position:relative;margin:.25em 0 .3em}}
.idc-sequence .idc-arrow::after{{content:"";position:absolute;top:-4px;border:5px solid transparent}}
.idc-sequence .idc-right::after{{right:0;border-left:8px solid var(--jp-brand-color1,#1565c0);border-right:0}}
.idc-sequence .idc-left::after{{left:0;border-right:8px solid var(--jp-brand-color1,#1565c0);border-left:0}}
.idc-sequence .idc-aside{{margin:0 .3em}}
.idc-sequence .idc-aside .idc-words{{border:1px dashed {_LINE};border-radius:3px}}
{_PLACES}
.idc-sequence .idc-said{{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}}
</style>"""


@dataclass(frozen=True)
class Message:
    """One message.

    Attributes
    ----------
    sender, receiver
        Who says it to whom; the same: what one does alone.
    words
        What is said.
    values
        (name, value): what goes with it.
    """

    sender: str
    receiver: str
    words: str
    values: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Sequence:
    """A conversation; the last value of a cell shows it.

    Attributes
    ----------
    caption
        What it shows.
    lanes
        Who takes part, from left to right.
    messages
        In order.
    note
        A line below it.
    """

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
            f'{_STYLE}<div class="idc-sequence idc-lanes{len(self.lanes)}">'
            f"<p><strong>{in_html(self.caption)}</strong></p>"
            f'<div class="idc-lanes" aria-hidden="true">{lanes}</div><ol>{items}</ol>{note}</div>'
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
