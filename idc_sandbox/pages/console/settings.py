"""Settings: identity source, authentication, attributes, management, tags, and the instance's name."""

from __future__ import annotations

from starlette.responses import Response

from idc_sandbox.errors import validation_error
from idc_sandbox.pages.console.attributes import ATTRIBUTE_SCREENS
from idc_sandbox.pages.console.authentication import AUTHENTICATION_SCREENS
from idc_sandbox.pages.console.desk import Console, Screen
from idc_sandbox.pages.console.identity_source import IDENTITY_SOURCE_SCREENS
from idc_sandbox.pages.console.management import MANAGEMENT_SCREENS
from idc_sandbox.pages.console.settings_frame import SETTINGS_PATH, Fields, instance_of, show_form
from idc_sandbox.pages.console.tags import TAG_SCREENS


def _show_name(console: Console) -> Response:
    """Show the instance's name in a field."""
    instance = console.instance
    if instance is None:
        return console.go("")
    fields = Fields(console, {"name": instance.get("Name") or ""})
    return show_form(console, "name.html", ("Identity source", SETTINGS_PATH), fields=fields)


def _take_name(console: Console) -> Response:
    """Give the instance a name."""
    name = console.form.get("name", "").strip()
    if not name:
        raise validation_error("Type a name for the instance.")
    console.call("sso-admin", "UpdateInstance", InstanceArn=instance_of(console)["InstanceArn"], Name=name)
    return console.go(SETTINGS_PATH, "instance-renamed", name)


SETTINGS_SCREENS = (
    *IDENTITY_SOURCE_SCREENS,
    Screen(f"{SETTINGS_PATH}/name", _show_name, _take_name),
    *AUTHENTICATION_SCREENS,
    *ATTRIBUTE_SCREENS,
    *MANAGEMENT_SCREENS,
    *TAG_SCREENS,
)
