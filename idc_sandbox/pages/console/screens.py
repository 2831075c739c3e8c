"""The screens of the practice console as pages: path, what shows it, what takes the form on it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

from starlette.responses import Response

from idc_sandbox.pages.console.access import ASSIGN_SCREENS, PROGRESS_SCREENS
from idc_sandbox.pages.console.accounts import ACCOUNT_SCREENS
from idc_sandbox.pages.console.applications import APPLICATION_SCREENS
from idc_sandbox.pages.console.authentication import AUTHENTICATION_SCREENS
from idc_sandbox.pages.console.desk import ROOT, at_console, enter, leave
from idc_sandbox.pages.console.groups import GROUP_SCREENS
from idc_sandbox.pages.console.identity_source import IDENTITY_SOURCE_SCREENS
from idc_sandbox.pages.console.instance import INSTANCE_SCREENS
from idc_sandbox.pages.console.permission_sets import PERMISSION_SET_SCREENS
from idc_sandbox.pages.console.settings import SETTINGS_SCREENS
from idc_sandbox.pages.console.users import USER_SCREENS

_Answer = Callable[..., Response]
_SCREENS = (
    INSTANCE_SCREENS,
    IDENTITY_SOURCE_SCREENS,
    AUTHENTICATION_SCREENS,
    SETTINGS_SCREENS,
    PERMISSION_SET_SCREENS,
    GROUP_SCREENS,
    USER_SCREENS,
    APPLICATION_SCREENS,
    ASSIGN_SCREENS,  # before an account's page, whose path would take theirs
    PROGRESS_SCREENS,
    ACCOUNT_SCREENS,
)


def console_pages() -> list[tuple[str, _Answer | str, _Answer | None, _Answer | None]]:
    """Return path, what shows, what takes, and what shows a refusal, of every page of the console."""
    found: list[tuple[str, _Answer | str, _Answer | None, _Answer | None]] = [
        (f"{ROOT}/enter", ROOT, enter, None),
        (f"{ROOT}/leave", ROOT, leave, None),
    ]
    for screen in chain.from_iterable(_SCREENS):
        shows = at_console(screen.show, needs_instance=screen.needs_instance)
        takes = screen.take and at_console(screen.take, needs_instance=screen.needs_instance)
        found.append((f"{ROOT}{screen.path}", shows, takes, shows))
    return found
