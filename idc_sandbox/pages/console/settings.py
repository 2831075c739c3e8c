"""Settings: identity source, authentication, attributes, management, tags."""

from __future__ import annotations

from starlette.responses import Response

from idc_sandbox.pages.console.desk import Console, Screen


def show_settings(console: Console) -> Response:
    """Show the screen."""
    return console.show("settings.html")


SETTINGS_SCREENS = (Screen("/settings", show_settings),)
