"""The screens of the practice console as pages: path, what shows it, what takes the form on it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

from starlette.responses import Response

from idc_sandbox.pages.console import (
    accounts,
    applications,
    groups,
    instance,
    permission_sets,
    settings,
    users,
)
from idc_sandbox.pages.console.desk import ROOT, at_console, enter, leave

Handler = Callable[..., Response]
_MODULES = (instance, settings, permission_sets, groups, users, accounts, applications)


def console_pages() -> list[tuple[str, Handler | str, Handler | None, Handler | None]]:
    """Return path, what shows, what takes, and what shows a refusal, of every page of the console."""
    found: list[tuple[str, Handler | str, Handler | None, Handler | None]] = [
        (f"{ROOT}/enter", ROOT, enter, None),
        (f"{ROOT}/leave", ROOT, leave, None),
    ]
    for screen in chain.from_iterable(module.SCREENS for module in _MODULES):
        shows = at_console(screen.show)
        takes = None if screen.take is None else at_console(screen.take)
        found.append((f"{ROOT}{screen.path}", shows, takes, shows))
    return found
