"""Users: the wizard that adds one, and a user's own page."""

from __future__ import annotations

from starlette.responses import Response

from idc_sandbox.pages.console.desk import Console, Screen


def show_users(console: Console) -> Response:
    """Show the screen."""
    return console.show("users.html")


USER_SCREENS = (Screen("/users", show_users),)
