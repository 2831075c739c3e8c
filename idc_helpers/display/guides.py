"""How a person sets something in the AWS console: the path, a link, what to choose on the screen, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape

from idc_helpers.changes import State
from idc_helpers.display.tables import STYLE, Table, in_html


@dataclass(frozen=True)
class Guide:
    """One thing to set in the console.

    Attributes
    ----------
    setting
        The setting's key, such as ``"sessions"``; what an attestation names.
    title
        What a heading says.
    path
        The way through the console, such as ``"Settings → Authentication → Configure"``.
    link
        A deep link; its form is seen in use and not documented, so the path stands beside it.
    choices
        What to choose: (label on the screen, value to choose).
    why
        Why, in words for a learner.
    source
        AWS's page about it.
    wanted
        The values as the plan names them; what an attestation records.
    state
        How far it is, in words.
    """

    setting: str
    title: str
    path: str
    link: str
    choices: tuple[tuple[str, str], ...]
    why: str
    source: str
    wanted: State
    state: str


@dataclass(frozen=True)
class ConsoleGuide:
    """What to do in the console for one step; the last value of a cell shows it.

    Attributes
    ----------
    title
        The step's.
    guides
        One for each thing to set.
    to_record
        Those that a person still has to set and to attest.
    """

    title: str
    guides: tuple[Guide, ...]
    to_record: tuple[Guide, ...] = field(default=())

    def __repr__(self) -> str:
        if not self.guides:
            return f"“{self.title}”: nothing to do in the console"
        return "\n\n".join(_as_text(guide) for guide in self.guides)

    def _repr_html_(self) -> str:
        return STYLE + (
            "".join(guide_html(guide) for guide in self.guides) or f"<p>{in_html(repr(self))}</p>"
        )


def guide_html(guide: Guide) -> str:
    """Return one guide's markup: path, link, a table of what to choose, why, AWS's page."""
    return (
        f'<p class="idc-note"><b>{in_html(guide.title)}</b> · {in_html(guide.state)}<br>'
        f"In the AWS console: {in_html(guide.path)} · {_anchor(guide.link, 'open the console')}</p>"
        f"{_choices(guide).html()}"
        f'<p class="idc-note">{in_html(guide.why)} {_anchor(guide.source, "AWS’s page about it")}</p>'
    )


def _choices(guide: Guide) -> Table:
    return Table("What to choose", ("on the screen", "choose"), guide.choices)


def _as_text(guide: Guide) -> str:
    choices = [f"    {label}: {value}" for label, value in guide.choices]
    return "\n".join(
        [
            f"{guide.title} · {guide.state}",
            f"  In the AWS console: {guide.path}",
            f"  {guide.link}",
            "  Choose:",
            *choices,
            f"  {guide.why}",
            f"  {guide.source}",
        ]
    )


def _anchor(address: str, words: str) -> str:
    return (
        f'<a href="{escape(address)}" target="_blank" rel="noopener">{escape(words)}</a>' if address else ""
    )
