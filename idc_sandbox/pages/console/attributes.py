"""Settings, tab Attributes for access control: what of a user goes along into a role's session."""

from __future__ import annotations

import re
from typing import Any

from starlette.responses import Response

from idc_sandbox.errors import validation_error
from idc_sandbox.pages.console.desk import Console, Screen
from idc_sandbox.pages.console.directory import require_typed
from idc_sandbox.pages.console.settings_frame import (
    ATTRIBUTES_PATH,
    Rows,
    changed_rows,
    filled_rows,
    instance_of,
    read_access_control_attributes,
    rows_of,
    show_form,
    show_tab,
)

# Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/configure-abac-attributes.html
_TAB = ("Attributes for access control", ATTRIBUTES_PATH)
_CONFIGURATION = "InstanceAccessControlAttributeConfiguration"
_SOURCE = re.compile(r"\$\{path:[^{}]+\}")
# https://docs.aws.amazon.com/singlesignon/latest/userguide/attributemappingsconcept.html
_PATHS = (
    "userName",
    "displayName",
    *(f"name.{part}" for part in ("givenName", "familyName", "middleName")),
    "emails[primary eq true].value",
    'phoneNumbers[type eq "work"].value',
    *(
        f'addresses[type eq "work"].{part}'
        for part in ("streetAddress", "locality", "region", "postalCode", "country", "formatted")
    ),
    *("userType", "title", "locale", "timezone"),
    *(
        f"enterprise.{part}"
        for part in (
            "employeeNumber",
            "costCenter",
            "organization",
            "division",
            "department",
            "manager.value",
        )
    ),
)


def _show_attributes(console: Console) -> Response:
    """Show the tab; before they are enabled, what they are for."""
    return show_tab(console, "attributes.html", ATTRIBUTES_PATH, lambda _: {})


def _take_attributes(console: Console) -> Response:
    """Enable attributes for access control, with none yet."""
    _write(console, "Create", [])
    return console.go(ATTRIBUTES_PATH, "attributes-enabled")


def _show_attribute_rows(console: Console) -> Response:
    """Show the attributes in fields."""
    if console.problem:
        return _show_rows(console, rows_of(console))
    instance = console.instance
    rows = None if instance is None else read_access_control_attributes(console, instance)
    if rows is None:
        return console.go(ATTRIBUTES_PATH)
    return _show_rows(console, rows or [("", "")])


def _take_attribute_rows(console: Console) -> Response:
    """Add or remove a row of the form, or save all of them."""
    act = console.form.get("act", "")
    changed = changed_rows(rows_of(console), act)
    if changed is not None:
        return _show_rows(console, changed, has_new=act == "add")
    rows = filled_rows(rows_of(console))
    for number, (key, value) in enumerate(rows, start=1):
        if not key:
            raise validation_error(f"Row {number} has no key. Type one, or remove the row.")
        if not _SOURCE.fullmatch(value):
            raise validation_error(
                f"The value of {key!r} names no attribute of a user. Write it as"
                " ${path:enterprise.costCenter}, with dollar sign and braces."
            )
    _write(console, "Update", rows)
    return console.go(ATTRIBUTES_PATH, "attributes-saved")


def _show_disable(console: Console) -> Response:
    """Show what disabling them does, and what is to be typed."""
    instance = console.instance
    if instance is None or read_access_control_attributes(console, instance) is None:
        return console.go(ATTRIBUTES_PATH)
    return show_form(console, "attributes-disable.html", _TAB)


def _take_disable(console: Console) -> Response:
    """Disable attributes for access control, with all rows."""
    require_typed(console, "DISABLE")
    console.call("sso-admin", f"Delete{_CONFIGURATION}", InstanceArn=instance_of(console)["InstanceArn"])
    return console.go("/settings", "attributes-disabled")


def _write(console: Console, verb: str, rows: Rows) -> None:
    attributes = [{"Key": key, "Value": {"Source": [value]}} for key, value in rows]
    values: dict[str, Any] = {_CONFIGURATION: {"AccessControlAttributes": attributes}}
    arn = instance_of(console)["InstanceArn"]
    console.call("sso-admin", f"{verb}{_CONFIGURATION}", InstanceArn=arn, **values)


def _show_rows(console: Console, rows: Rows, *, has_new: bool = False) -> Response:
    paths = [f"${{path:{path}}}" for path in _PATHS]
    return show_form(console, "attributes-manage.html", _TAB, rows=rows, has_new=has_new, paths=paths)


ATTRIBUTE_SCREENS = (
    Screen(ATTRIBUTES_PATH, _show_attributes, _take_attributes),
    Screen(f"{ATTRIBUTES_PATH}/manage", _show_attribute_rows, _take_attribute_rows),
    Screen(f"{ATTRIBUTES_PATH}/disable", _show_disable, _take_disable),
)
