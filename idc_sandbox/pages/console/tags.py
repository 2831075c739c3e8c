"""Settings, tabs Tags and Additional settings: the instance's tags, and the key that encrypts it."""

from __future__ import annotations

from functools import partial
from typing import Any

from starlette.responses import Response

from idc_sandbox.errors import conflict, validation_error
from idc_sandbox.pages.console.desk import Console, Screen
from idc_sandbox.pages.console.settings_frame import (
    ADDITIONAL_PATH,
    TAGS_PATH,
    Fields,
    Rows,
    changed_rows,
    filled_rows,
    if_allowed,
    instance_of,
    rows_of,
    show_form,
    show_tab,
)

# Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/tagging-console.html
_TAB = ("Tags", TAGS_PATH)
_AWS_OWNED, _CUSTOMER_MANAGED = "AWS_OWNED_KMS_KEY", "CUSTOMER_MANAGED_KEY"
_KEYS = {_AWS_OWNED: "AWS owned key", _CUSTOMER_MANAGED: "Customer managed key"}


def _show_tags(console: Console) -> Response:
    """Show the tab."""

    def read(instance: dict[str, Any]) -> dict[str, Any]:
        tags, unread = if_allowed(partial(_tags_of, console, instance["InstanceArn"]))
        return {"tags": tags, "tags_unread": unread}

    return show_tab(console, "tags.html", TAGS_PATH, read)


def _show_tag_rows(console: Console) -> Response:
    """Show the tags in fields."""
    if console.problem:
        return _show_rows(console, rows_of(console))
    instance = console.instance
    if instance is None:
        return console.go("")
    return _show_rows(console, _tags_of(console, instance["InstanceArn"]) or [("", "")])


def _take_tag_rows(console: Console) -> Response:
    """Add or remove a row of the form, or save all of them."""
    act = console.form.get("act", "")
    changed = changed_rows(rows_of(console), act)
    if changed is not None:
        return _show_rows(console, changed, has_new=act == "add")
    rows, arn = filled_rows(rows_of(console)), instance_of(console)["InstanceArn"]
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


def _show_additional(console: Console) -> Response:
    """Show the tab."""

    def read(instance: dict[str, Any]) -> dict[str, Any]:
        key, unread = if_allowed(partial(_key_of, console, instance["InstanceArn"]))
        return {"key": key, "keys": _KEYS, "key_unread": unread}

    return show_tab(console, "additional.html", ADDITIONAL_PATH, read)


def _show_encryption(console: Console) -> Response:
    """Show the two kinds of key."""
    instance = console.instance
    if instance is None:
        return console.go("")
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
        InstanceArn=instance_of(console)["InstanceArn"],
        EncryptionConfiguration={"KeyType": chosen},
    )
    return console.go(ADDITIONAL_PATH, "encryption-saved")


def _tags_of(console: Console, arn: str) -> Rows:
    tags = console.items("sso-admin", "ListTagsForResource", InstanceArn=arn, ResourceArn=arn)
    return sorted((one["Key"], one["Value"]) for one in tags)


def _key_of(console: Console, arn: str) -> dict[str, Any]:
    answer = console.call("sso-admin", "DescribeInstance", InstanceArn=arn)
    return dict(answer["EncryptionConfigurationDetails"])


def _show_rows(console: Console, rows: Rows, *, has_new: bool = False) -> Response:
    return show_form(console, "tags-manage.html", _TAB, rows=rows, has_new=has_new)


TAG_SCREENS = (
    Screen(TAGS_PATH, _show_tags),
    Screen(f"{TAGS_PATH}/manage", _show_tag_rows, _take_tag_rows),
    Screen(ADDITIONAL_PATH, _show_additional),
    Screen(f"{ADDITIONAL_PATH}/encryption", _show_encryption, _take_encryption),
)
