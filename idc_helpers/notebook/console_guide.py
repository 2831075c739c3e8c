"""What a step asks a person to do in AWS's or the sandbox's console, and links to the sandbox's pages."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any
from urllib.parse import urlencode, urlsplit

from idc_aws.changes import Action, Change, State
from idc_aws.identifiers import console_link
from idc_aws.project import PAGES_VARIABLE
from idc_aws.sandbox import SandboxConsole
from idc_aws.settings import CONSOLE_SETTINGS
from idc_helpers.notebook.screen import is_guided
from idc_helpers.notebook.tables import TABLE_STYLE, Line, Table, in_html, outside_link
from idc_helpers.runbook.lesson import ConsoleScreen
from idc_helpers.runbook.run import RunContext
from idc_helpers.runbook.steps import Step
from idc_helpers.runbook.words import format_value


@dataclass(frozen=True)
class Guide:
    """One thing to set in the console."""

    setting: str
    title: str
    path: str
    link: str
    choices: tuple[tuple[str, str], ...]
    why: str
    source: str
    wanted: State
    state: str
    # The page of the practice console, in the sandbox: then nothing leads to AWS.
    screen: str = ""

    @property
    def place(self) -> str:
        """Where the path begins."""
        return "the practice console" if self.screen else "the AWS console"


@dataclass(frozen=True)
class ConsoleGuide:
    """What to do in the console for one step; the last value of a cell shows it."""

    title: str
    guides: tuple[Guide, ...]
    to_record: tuple[Guide, ...] = field(default=())

    def __repr__(self) -> str:
        if not self.guides:
            return f"“{self.title}”: nothing to do in the console"
        return "\n\n".join(map(_as_text, self.guides))

    def _repr_html_(self) -> str:
        return TABLE_STYLE + (
            "".join(guide_html(guide) for guide in self.guides) or f"<p>{in_html(repr(self))}</p>"
        )


def guide_html(guide: Guide) -> str:
    """Return one guide's markup: path, link, a table of what to choose, why, AWS's page."""
    anchor = outside_link(guide.link, f"open {guide.place.replace('AWS ', '')}")
    return (
        f'<p class="idc-note"><b>{in_html(guide.title)}</b> · {in_html(guide.state)}<br>'
        f"In {guide.place}: {in_html(guide.path)}{' · ' if anchor else ''}{anchor}</p>"
        f"{_choices(guide).html()}"
        f'<p class="idc-note">{in_html(guide.why)} {outside_link(guide.source, "AWS’s page about it")}</p>'
    )


def _choices(guide: Guide) -> Table:
    return Table("What to choose", ("on the screen", "choose"), guide.choices)


def _as_text(guide: Guide) -> str:
    choices = [f"    {label}: {value}" for label, value in guide.choices]
    return "\n".join(
        [
            f"{guide.title} · {guide.state}",
            f"  In {guide.place}: {guide.path}",
            f"  {guide.link or guide.screen}",
            "  Choose:",
            *choices,
            f"  {guide.why}",
            f"  {guide.source}",
        ]
    )


_CONSOLE = "/start/practice-console"
_ENABLE = "https://docs.aws.amazon.com/singlesignon/latest/userguide/enable-identity-center.html"
_WHY_ENABLE = (
    "An organization instance is enabled by a person, in the organization's management account, in the Region"
    " that is to be its home: no API does it. Choose with care, because another Region means starting over."
)


def console_guide(step: Step) -> ConsoleGuide:
    """Return what the step asks a person to do, with what is set already; reads only."""
    guides = [
        (change, _guide(change, step))
        for change in step.compare().changes
        if change.kind == "console_setting" or (change.kind, change.key) == ("instance", "organization")
    ]
    to_record = tuple(guide for change, guide in guides if change.action is Action.BY_HAND and guide.setting)
    return ConsoleGuide(step.title, tuple(guide for _, guide in guides), to_record)


def _guide(change: Change, step: Step) -> Guide:
    way = _way(step.context, step.entry.screen)
    if change.kind == "instance":
        return _enable_guide(change, step.context, way)
    setting = CONSOLE_SETTINGS[change.key]
    wanted = change.after or {}
    return Guide(
        setting=setting.name,
        title=setting.title,
        path=setting.console_path,
        **way,
        choices=format_choices(setting.fields, wanted),
        why=setting.why,
        source=setting.source_url,
        wanted=wanted,
        state=_state(change),
    )


def format_choices(fields: Mapping[str, str], wanted: State) -> tuple[tuple[str, str], ...]:
    """Return (label of the field, label of the value) for each field wanted, in the console's words."""
    return tuple((fields.get(name, name), _value(name, value)) for name, value in wanted.items())


def _value(name: str, value: Any) -> str:
    if value in (None, [], ""):
        return "(none)"
    if isinstance(value, list):
        return "\n".join(_value(name, part) for part in value)
    return format_value(name, value)


def _way(context: RunContext, screen: ConsoleScreen | None) -> dict[str, str]:
    """Return the link to a screen; in the sandbox the practice console's, with its path."""
    console = context.connection.console
    if console is None or screen is None:
        return {"link": _aws_link(context, screen)}
    path = f"{_CONSOLE}/{screen.path}"
    return {"link": _screen_link(console, path), "screen": path}


def _aws_link(context: RunContext, screen: ConsoleScreen | None) -> str:
    instance = context.connection.instance_or_none()
    if instance is None or screen is None:
        return f"https://{context.connection.region}.console.aws.amazon.com/singlesignon/home"
    return console_link(instance.region, instance.instance_arn, screen.tail)


def _screen_link(console: SandboxConsole, path: str) -> str:
    """Return the address of a screen; empty headless, where a link would stay in an output."""
    if not is_guided():
        return ""
    if pages_path():
        return f"{pages_path()}{path}"
    urls = console.pages()
    return f"{urls['site_url']}{path}?{urlsplit(urls['console_url']).query}"


def _enable_guide(change: Change, context: RunContext, way: Mapping[str, str]) -> Guide:
    wanted, region = change.after or {}, context.connection.region
    name, tags = wanted.get("name"), wanted.get("tags")
    return Guide(
        setting="",
        title=f"Enable IAM Identity Center ({change.key} instance)",
        path="IAM Identity Center → Enable",
        **way,
        choices=(
            ("Region (top right)", region),
            ("Instance configuration, where it is asked", "Single-Region instance"),
            ("Enable multi-account permissions, where it is asked", "on"),
            *((("Afterwards, in Settings → Details → Edit: instance name", name),) if name else ()),
            *(
                (("Afterwards, in Settings → Tags → Manage tags", format_value("tags", tags)),)
                if tags
                else ()
            ),
        ),
        why=_WHY_ENABLE,
        source=_ENABLE,
        wanted=wanted,
        state=_state(change),
    )


@dataclass(frozen=True)
class Doors:
    """The doors to one result of a step, as its panel names them: here, the console, a terminal."""

    step: Step
    link: str

    @classmethod
    def of(cls, step: Step) -> Doors:
        """Return the doors of a step; in the sandbox with a link to the very screen."""
        return cls(step, _way(step.context, step.entry.screen)["link"])

    def _repr_html_(self) -> str:
        screen, no_api = self.step.entry.screen, _no_api(self.step)
        if screen is None:
            return ""
        is_practice = self.step.context.connection.console is not None
        console = f"{'Practice' if is_practice else 'AWS'} console → {screen.words}"
        doors, closed = [outside_link(self.link, console) or in_html(console)], ""
        if is_practice or not no_api:
            doors.insert(0, "<b>Here</b>, with this form")
        if not no_api:
            doors.append("<b>Terminal</b>, with the AWS CLI commands that Review shows")
        else:
            both = "The terminal is" if is_practice else "This form and the terminal are"
            closed = f" {both} no door here: {in_html(no_api)}."
        number = ("One door", "Two doors", "Three doors")[len(doors) - 1]
        result = " to the same result" if len(doors) > 1 else ""
        return (
            f'<p class="idc-note">{number}{result}: {" · ".join(doors)}.{closed}'
            " Then press <b>Check</b>: it does not care which door you took.</p>"
        )


def _no_api(step: Step) -> str:
    # An account instance has an API.
    is_of_account = step.name == "instance" and step.scenario.instance.kind == "account"
    return "" if is_of_account else step.entry.no_api


def _state(change: Change) -> str:
    words = {
        Action.UNCHANGED: "as wanted" if change.reason == "is as wanted" else f"as wanted ({change.reason})",
        Action.BY_HAND: f"to be set by hand ({change.reason})",
    }
    return words.get(change.action, f"the sandbox's console sets it when you apply ({change.reason})")


_PAGES = {
    "mailbox": ("Open the mailbox", "/start/mailbox"),
    "portal": ("Open the access portal", "/start"),
    "phone": ("Open the practice phone", "/start/phone"),
    "console": ("Open the practice console", _CONSOLE),
}
_BESIDE = "They open beside the notebook; with Ctrl (or ⌘) held, in a tab of the browser."
_ONCE = (
    "Mailbox, phone and practice console open with a link that works once, within 10 minutes; run the cell"
    " again for more."
)


@dataclass(frozen=True, repr=False)
class PageLinks(Line):
    """A line with links to pages; as text it names the pages without their addresses."""

    links: tuple[tuple[str, str], ...] = ()
    note: str = ""

    def _repr_html_(self) -> str:
        anchors = " · ".join(outside_link(address, words) for words, address in self.links)
        note = f"<br>{escape(self.note)}" if self.note else ""
        return f'{super()._repr_html_()}<p class="idc-note">{anchors}{note}</p>'


def same_screen(context: RunContext, screen: ConsoleScreen) -> PageLinks:
    """Return that a screen of the console shows the same, with a link to it."""
    console = "practice console" if context.connection.console else "AWS console"
    words = f"The {console} shows the same in {screen.words}."
    return PageLinks(words, ((f"Open the {console}", _way(context, screen)["link"]),))


def pages_path() -> str:
    """Return the path of the pages in this JupyterLab, such as ``"/user/ana/identity-center-sandbox"``."""
    return os.environ.get(PAGES_VARIABLE, "")


def page_links(
    console: SandboxConsole, *pages: str, text: str = "The sandbox's pages.", address: str = ""
) -> PageLinks:
    """Return links to pages of the sandbox."""
    named, path = pages or tuple(_PAGES), pages_path()
    if path:
        query = {"mailbox": f"?{urlencode({'address': address})}"} if address else {}
        found = {name: f"{path}{_PAGES[name][1]}{query.get(name, '')}" for name in named}
    else:
        urls = console.pages(address or None)
        found = {name: urls[f"{name}_url"] for name in named}
    note = _BESIDE if path else _ONCE
    return PageLinks(text, tuple((_PAGES[name][0], found[name]) for name in named), note)
