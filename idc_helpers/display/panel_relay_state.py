"""An editor of a relay state: a page of the AWS console by name and Region, or any address."""

from __future__ import annotations

import re
from typing import Any

import ipywidgets as widgets

from idc_helpers.aws.regions import identity_center_regions
from idc_helpers.display.choice_lists import CONSOLES
from idc_helpers.display.panel_choices import OTHER, WIDE_HIDDEN
from idc_helpers.display.panel_editors import ABSENT, WIDE, Editor

_CONSOLE_ADDRESS = re.compile(
    r"https://(?:(?P<region>[a-z0-9-]+)\.)?console\.aws\.amazon\.com/(?P<path>[^?#]*)"
)


class RelayStateEditor(Editor):
    """A page of the AWS console: which console, in which Region; or another address.

    Parameters
    ----------
    value
        Shown at first.
    """

    def __init__(self, value: str | None) -> None:
        consoles = [
            ("(the console's home page)", ""),
            *((name, path) for path, (name, _) in CONSOLES.items()),
        ]
        regions = [
            ("the Region that the person used last", ""),
            *((code, code) for code in identity_center_regions()),
        ]
        self._console = widgets.Dropdown(options=[*consoles, ("Another address …", OTHER)], layout=WIDE)
        self._region = widgets.Dropdown(
            options=regions, description="Region of the console", layout=widgets.Layout(**WIDE_HIDDEN)
        )
        self._text = widgets.Text(description="Address of the page", layout=widgets.Layout(**WIDE_HIDDEN))
        inputs = [self._console, self._region, self._text]
        super().__init__(widgets.VBox(inputs), inputs)
        self.write(value)
        self._console.observe(lambda _: self._show_parts(), names="value")

    def read(self) -> Any:
        """Return the address, or `ABSENT` for the home page."""
        path = self._console.value
        if path == OTHER:
            return self._text.value.strip() or ABSENT
        region = self._region.value if path and CONSOLES[path][1] else ""
        return f"https://{region}{'.' if region else ''}console.aws.amazon.com/{path}" if path else ABSENT

    def write(self, value: Any) -> None:
        """Show an address: as a console and a Region, where it is one of the list."""
        found = _CONSOLE_ADDRESS.fullmatch(value or "")
        known = found is not None and found["path"] in CONSOLES
        region = (found["region"] or "") if found else ""
        if known and found and region in ("", *identity_center_regions()):
            self._region.value = region
            self._console.value = found["path"]
        else:
            self._text.value = value or ""
            self._console.value = OTHER if value else ""
        self._show_parts()

    def note(self) -> str:
        """Return the address."""
        address = self.read()
        return "" if address is ABSENT or self._console.value == OTHER else str(address)

    def _show_parts(self) -> None:
        path = self._console.value
        self._text.layout.display = "" if path == OTHER else "none"
        regional = path in CONSOLES and CONSOLES[path][1]
        self._region.layout.display = "" if regional else "none"
