"""The screens of the practice console, by path: what shows each, and what takes the form on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from starlette.responses import Response

from idc_sandbox.pages.console import instance
from idc_sandbox.pages.console.desk import ROOT, ConsolePage, at_console, enter, leave


class Screen(NamedTuple):
    """A screen: a form that is refused shows it again, with what is wrong and what was typed."""

    path: str
    show: ConsolePage
    take: ConsolePage | None = None


SCREENS = (
    Screen("", instance.show_home),
    Screen("/enable", instance.show_enable, instance.take_enable),
    Screen("/delete", instance.show_delete, instance.take_delete),
)

Handler = Callable[..., Response]


def console_pages() -> list[tuple[str, Handler | str, Handler | None, Handler | None]]:
    """Return path, what shows, what takes, and what shows a refusal, of every page of the console."""
    found: list[tuple[str, Handler | str, Handler | None, Handler | None]] = [
        (f"{ROOT}/enter", ROOT, enter, None),
        (f"{ROOT}/leave", ROOT, leave, None),
    ]
    for screen in SCREENS:
        shows = at_console(screen.show)
        takes = None if screen.take is None else at_console(screen.take)
        found.append((f"{ROOT}{screen.path}", shows, takes, shows))
    return found
