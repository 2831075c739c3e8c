"""Settings: all its screens; among them the instance's name, and the key that encrypts it."""

from __future__ import annotations

from functools import partial
from typing import Any

from starlette.responses import Response

from idc_sandbox.errors import validation_error
from idc_sandbox.pages.console.authentication import AUTHENTICATION_SCREENS
from idc_sandbox.pages.console.desk import Console, Screen
from idc_sandbox.pages.console.directory import readable
from idc_sandbox.pages.console.identity_source import IDENTITY_SOURCE_SCREENS
from idc_sandbox.pages.console.management import MANAGEMENT_SCREENS
from idc_sandbox.pages.console.settings_frame import (
    ADDITIONAL_PATH,
    SETTINGS_PATH,
    Fields,
    show_form,
    show_tab,
)
from idc_sandbox.pages.console.settings_rows import ROW_SCREENS

_AWS_OWNED, _CUSTOMER_MANAGED = "AWS_OWNED_KMS_KEY", "CUSTOMER_MANAGED_KEY"
_KEYS = {_AWS_OWNED: "AWS owned key", _CUSTOMER_MANAGED: "Customer managed key"}


def _show_name(console: Console) -> Response:
    """Show the instance's name in a field."""
    instance = console.instance
    fields = Fields(console, {"name": instance.get("Name") or ""})
    return show_form(console, "name.html", ("Identity source", SETTINGS_PATH), fields=fields)


def _take_name(console: Console) -> Response:
    """Give the instance a name."""
    name = console.form.get("name", "").strip()
    if not name:
        raise validation_error("Type a name for the instance.")
    console.call("sso-admin", "UpdateInstance", InstanceArn=console.instance_arn, Name=name)
    return console.go(SETTINGS_PATH, "instance-renamed", name)


def _show_additional(console: Console) -> Response:
    """Show the tab."""

    def read(instance: dict[str, Any]) -> dict[str, Any]:
        key, unread = readable(partial(_key_of, console, instance["InstanceArn"]), None)
        return {"key": key, "keys": _KEYS, "key_unread": unread}

    return show_tab(console, "additional.html", ADDITIONAL_PATH, read)


def _show_encryption(console: Console) -> Response:
    """Show the two kinds of key."""
    instance = console.instance
    key = _key_of(console, instance["InstanceArn"])
    stored = {"key_type": key["KeyType"], "key_arn": key.get("KmsKeyArn") or ""}
    tab = ("Additional settings", ADDITIONAL_PATH)
    return show_form(console, "encryption.html", tab, keys=_KEYS, fields=Fields(console, stored))


def _take_encryption(console: Console) -> Response:
    """Choose the key that encrypts the instance; only AWS's own is to be had here."""
    chosen = console.form.get("key_type", "")
    if chosen not in _KEYS:
        raise validation_error("Choose one of the two kinds of key.")
    if chosen == _CUSTOMER_MANAGED:
        raise validation_error(
            "A customer managed key lives in AWS KMS, and this sandbox has none. The instance keeps its key."
        )
    console.call(
        "sso-admin",
        "UpdateInstance",
        InstanceArn=console.instance_arn,
        EncryptionConfiguration={"KeyType": chosen},
    )
    return console.go(ADDITIONAL_PATH, "encryption-saved")


def _key_of(console: Console, arn: str) -> dict[str, Any]:
    answer = console.call("sso-admin", "DescribeInstance", InstanceArn=arn)
    return dict(answer["EncryptionConfigurationDetails"])


SETTINGS_SCREENS = (
    *IDENTITY_SOURCE_SCREENS,
    Screen(f"{SETTINGS_PATH}/name", _show_name, _take_name),
    *AUTHENTICATION_SCREENS,
    *ROW_SCREENS,
    *MANAGEMENT_SCREENS,
    Screen(ADDITIONAL_PATH, _show_additional),
    Screen(f"{ADDITIONAL_PATH}/encryption", _show_encryption, _take_encryption),
)
