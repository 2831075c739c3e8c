"""Groups and their members."""

from __future__ import annotations

from starlette.responses import Response

from idc_sandbox.pages.console.desk import Console, Screen


def show_groups(console: Console) -> Response:
    """Show the screen."""
    return console.show("groups.html")


GROUP_SCREENS = (Screen("/groups", show_groups),)
