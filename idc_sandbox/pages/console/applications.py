"""Applications: none here, and what they would be."""

from __future__ import annotations

from starlette.responses import Response

from idc_sandbox.pages.console.desk import Console, Screen


def show_applications(console: Console) -> Response:
    """Show the screen."""
    return console.show("applications.html")


APPLICATION_SCREENS = (Screen("/applications", show_applications),)
