"""What the screens of Settings share: details above the tabs, and fields that keep what was typed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from starlette.responses import Response

from idc_sandbox.context import IDENTITY_CENTER
from idc_sandbox.errors import ServiceError
from idc_sandbox.pages.console.desk import ROOT, Console
from idc_sandbox.pages.console.directory import readable

Rows = list[tuple[str, str]]
SETTINGS_PATH = "/settings"
AUTHENTICATION_PATH = f"{SETTINGS_PATH}/authentication"
ATTRIBUTES_PATH = f"{SETTINGS_PATH}/attributes"
MANAGEMENT_PATH = f"{SETTINGS_PATH}/management"
TAGS_PATH = f"{SETTINGS_PATH}/tags"
ADDITIONAL_PATH = f"{SETTINGS_PATH}/additional"
_ATTRIBUTES = "InstanceAccessControlAttributeConfiguration"


class Fields:
    """What the fields of a form hold: what was typed where it was refused, else what is stored."""

    def __init__(self, console: Console, stored: Mapping[str, str | Sequence[str]]) -> None:
        self._form = console.form if console.problem else None
        self._stored = stored

    def text(self, name: str) -> str:
        """Return the text in a field."""
        if self._form is not None:
            return str(self._form.get(name, ""))
        return str(self._stored.get(name, ""))

    def has(self, name: str, value: str = "yes") -> bool:
        """Tell whether a box is ticked."""
        if self._form is not None:
            return value in self._form.getlist(name)
        return value in self._stored.get(name, ())


def settings_of(console: Console, instance: Mapping[str, Any]) -> dict[str, Any]:
    """Return what no API reads of an instance."""
    return console.do("GET", "settings", instance_arn=instance["InstanceArn"])


def write_console_setting(console: Console, name: str, **values: Any) -> None:
    """Write a setting that no API writes."""
    console.do("PUT", f"settings/{name}", instance_arn=console.instance_arn, **values)


def read_access_control_attributes(console: Console, instance: Mapping[str, Any]) -> Rows | None:
    """Return the attributes for access control by key; None while they are not enabled."""
    try:
        answer = console.call("sso-admin", f"Describe{_ATTRIBUTES}", InstanceArn=instance["InstanceArn"])
    except ServiceError as error:
        if error.code == "ResourceNotFoundException":
            return None
        raise
    attributes = answer[_ATTRIBUTES]["AccessControlAttributes"]
    return sorted((one["Key"], ", ".join(one["Value"]["Source"])) for one in attributes)


def read_delegated_administrators(console: Console) -> list[dict[str, Any]]:
    """Return the member account that administers Identity Center as well; at most one."""
    answer = console.organizations("ListDelegatedAdministrators", ServicePrincipal=IDENTITY_CENTER)
    return list(answer["DelegatedAdministrators"])


def show_tab(
    console: Console, template: str, path: str, read: Callable[[dict[str, Any]], dict[str, Any]]
) -> Response:
    """Return a tab of Settings, with the details of the instance above it; `read` gets its values."""
    instance = console.instance
    attributes, _ = readable(partial(read_access_control_attributes, console, instance), None)
    organization, _ = readable(lambda: console.organizations("DescribeOrganization")["Organization"], None)
    administrators, unread = readable(partial(read_delegated_administrators, console), None)
    tabs = (
        ("Identity source", SETTINGS_PATH),
        ("Authentication", AUTHENTICATION_PATH),
        *((("Attributes for access control", ATTRIBUTES_PATH),) if attributes is not None else ()),
        ("Management", MANAGEMENT_PATH),
        ("Tags", TAGS_PATH),
        ("Additional settings", ADDITIONAL_PATH),
    )
    values = {
        "instance": instance,
        "instance_id": instance["InstanceArn"].rpartition("/")[2],
        "organization_id": (organization or {}).get("Id", ""),
        "administrators": administrators,
        "administrators_unread": unread,
        "attributes": attributes,
        "tabs": [(label, f"{ROOT}{where}") for label, where in tabs],
        "here": f"{ROOT}{path}",
    }
    return console.show(f"settings/{template}", **values | read(instance))


def show_form(console: Console, template: str, tab: tuple[str, str], **values: Any) -> Response:
    """Return a page with one form, which a tab of Settings leads to."""
    label, path = tab
    crumbs = (("Settings", f"{ROOT}{SETTINGS_PATH}"), (label, f"{ROOT}{path}"))
    back = f"{ROOT}{path}"
    return console.show(f"settings/{template}", crumbs=crumbs, back=back, **values)
