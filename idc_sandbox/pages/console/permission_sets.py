"""Permission sets: the list, the wizard, one set and its policies."""

from __future__ import annotations

from starlette.responses import Response

from idc_sandbox.pages.console.desk import Console, Screen


def show_permission_sets(console: Console) -> Response:
    """Show the screen."""
    return console.show("permission-sets.html")


PERMISSION_SET_SCREENS = (Screen("/permission-sets", show_permission_sets),)
