"""Settings: identity source, authentication, attributes, management, tags."""

from __future__ import annotations

from starlette.responses import Response

from idc_sandbox.pages.console.desk import Console, Screen


def show(console: Console) -> Response:
    """Show the screen."""
    return console.show("settings.html")


SCREENS = (Screen("/settings", show),)
