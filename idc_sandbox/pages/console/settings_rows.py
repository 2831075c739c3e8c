"""Settings, tabs Attributes for access control and Tags: their forms are rows of keys and values."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from starlette.responses import Response

from idc_sandbox.errors import conflict, validation_error
from idc_sandbox.pages.console.desk import Console, Screen
from idc_sandbox.pages.console.directory import readable, require_typed
from idc_sandbox.pages.console.settings_frame import (
    ATTRIBUTES_PATH,
    TAGS_PATH,
    Rows,
    read_access_control_attributes,
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
        return _show_rows(console, _rows_of(console))
    rows = read_access_control_attributes(console, console.instance)
    if rows is None:
        return console.go(ATTRIBUTES_PATH)
    return _show_rows(console, rows or [("", "")])


def _take_attribute_rows(console: Console) -> Response:
    """Add or remove a row of the form, or save all of them."""
    act = console.form.get("act", "")
    changed = _changed_rows(_rows_of(console), act)
    if changed is not None:
        return _show_rows(console, changed, has_new=act == "add")
    rows = _filled_rows(_rows_of(console))
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
    if read_access_control_attributes(console, console.instance) is None:
        return console.go(ATTRIBUTES_PATH)
    return show_form(console, "attributes-disable.html", _TAB)


def _take_disable(console: Console) -> Response:
    """Disable attributes for access control, with all rows."""
    require_typed(console, "DISABLE")
    console.call("sso-admin", f"Delete{_CONFIGURATION}", InstanceArn=console.instance_arn)
    return console.go("/settings", "attributes-disabled")


def _write(console: Console, verb: str, rows: Rows) -> None:
    attributes = [{"Key": key, "Value": {"Source": [value]}} for key, value in rows]
    values: dict[str, Any] = {_CONFIGURATION: {"AccessControlAttributes": attributes}}
    arn = console.instance_arn
    console.call("sso-admin", f"{verb}{_CONFIGURATION}", InstanceArn=arn, **values)


def _show_rows(console: Console, rows: Rows, *, has_new: bool = False) -> Response:
    paths = [f"${{path:{path}}}" for path in _PATHS]
    return show_form(console, "attributes-manage.html", _TAB, rows=rows, has_new=has_new, paths=paths)


# Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/tagging-console.html
_TAGS_TAB = ("Tags", TAGS_PATH)


def _show_tags(console: Console) -> Response:
    """Show the tab."""

    def read(instance: dict[str, Any]) -> dict[str, Any]:
        tags, unread = readable(partial(_tags_of, console, instance["InstanceArn"]), None)
        return {"tags": tags, "tags_unread": unread}

    return show_tab(console, "tags.html", TAGS_PATH, read)


def _show_tag_rows(console: Console) -> Response:
    """Show the tags in fields."""
    if console.problem:
        return _show_tags_in(console, _rows_of(console))
    instance = console.instance
    return _show_tags_in(console, _tags_of(console, instance["InstanceArn"]) or [("", "")])


def _show_tags_in(console: Console, rows: Rows, *, has_new: bool = False) -> Response:
    return show_form(console, "tags-manage.html", _TAGS_TAB, rows=rows, has_new=has_new)


def _take_tag_rows(console: Console) -> Response:
    """Add or remove a row of the form, or save all of them."""
    act = console.form.get("act", "")
    changed = _changed_rows(_rows_of(console), act)
    if changed is not None:
        return _show_tags_in(console, changed, has_new=act == "add")
    rows, arn = _filled_rows(_rows_of(console)), console.instance_arn
    if not all(key for key, _ in rows):
        raise validation_error("A value has no key beside it. Type the key, or remove the row.")
    wanted, before = dict(rows), dict(_tags_of(console, arn))
    if len(wanted) < len(rows):
        raise conflict("A key is there twice. A tag has one value: keep one of the rows.")
    gone = [key for key in before if key not in wanted]
    new = [{"Key": key, "Value": value} for key, value in wanted.items() if before.get(key) != value]
    if gone:
        console.call("sso-admin", "UntagResource", InstanceArn=arn, ResourceArn=arn, TagKeys=gone)
    if new:
        console.call("sso-admin", "TagResource", InstanceArn=arn, ResourceArn=arn, Tags=new)
    return console.go(TAGS_PATH, "tags-saved")


def _tags_of(console: Console, arn: str) -> Rows:
    tags = console.items("sso-admin", "ListTagsForResource", InstanceArn=arn, ResourceArn=arn)
    return sorted((one["Key"], one["Value"]) for one in tags)


def _rows_of(console: Console) -> Rows:
    """Return the rows of keys and values in the form that was sent."""
    return list(zip(console.form.getlist("key"), console.form.getlist("value"), strict=False))


def _changed_rows(rows: Rows, act: str) -> Rows | None:
    """Return the rows with one more, or without one, as a button says; None when they are to be saved."""
    if act == "add":
        return [*rows, ("", "")]
    kind, _, number = act.partition("-")
    if kind == "remove":
        return [row for index, row in enumerate(rows) if str(index) != number]
    return None


def _filled_rows(rows: Rows) -> Rows:
    """Return the rows in which something was typed, without the spaces around it."""
    stripped = [(key.strip(), value.strip()) for key, value in rows]
    return [row for row in stripped if any(row)]


ROW_SCREENS = (
    Screen(ATTRIBUTES_PATH, _show_attributes, _take_attributes),
    Screen(f"{ATTRIBUTES_PATH}/manage", _show_attribute_rows, _take_attribute_rows),
    Screen(f"{ATTRIBUTES_PATH}/disable", _show_disable, _take_disable),
    Screen(TAGS_PATH, _show_tags),
    Screen(f"{TAGS_PATH}/manage", _show_tag_rows, _take_tag_rows),
)
