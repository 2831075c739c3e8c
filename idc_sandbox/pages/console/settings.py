"""Settings: what its screens share, and its tabs but for the two of `sign_in_settings`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from starlette.responses import Response

from idc_sandbox.api.sso_admin.regions import DEFAULT_REGIONS
from idc_sandbox.context import IDENTITY_CENTER
from idc_sandbox.errors import ServiceError, conflict, validation_error
from idc_sandbox.pages.console.desk import ROOT, Console, Screen
from idc_sandbox.pages.console.directory import filled_rows, readable, require_typed

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

    def __init__(self, console: Console, stored: Mapping[str, str | bool | Sequence[str]]) -> None:
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
        stored = self._stored.get(name, ())
        return stored if isinstance(stored, bool) else value in stored


def write_console_setting(console: Console, name: str, **values: Any) -> None:
    """Write a setting that no API writes."""
    console.do("PUT", f"settings/{name}", instance_arn=console.instance_arn, **values)


def read_access_control_attributes(console: Console) -> Rows | None:
    """Return the attributes for access control by key; None while they are not enabled."""
    try:
        answer = console.call_sso(f"Describe{_ATTRIBUTES}")
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


def show_tab(console: Console, template: str, path: str, **values: Any) -> Response:
    """Return a tab of Settings, with the details of the instance above it."""
    instance = console.instance
    attributes, _ = readable(partial(read_access_control_attributes, console), None)
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
    details = {
        "instance": instance,
        "instance_id": instance["InstanceArn"].rpartition("/")[2],
        "organization_id": (organization or {}).get("Id", ""),
        "administrators": administrators,
        "administrators_unread": unread,
        "attributes": attributes,
        "tabs": [(label, f"{ROOT}{where}") for label, where in tabs],
        "here": f"{ROOT}{path}",
    }
    return console.show(f"settings/{template}", **details, **values)


def show_form(console: Console, template: str, tab: tuple[str, str], **values: Any) -> Response:
    """Return a page with one form, which a tab of Settings leads to."""
    label, path = tab
    crumbs = (("Settings", f"{ROOT}{SETTINGS_PATH}"), (label, f"{ROOT}{path}"))
    back = f"{ROOT}{path}"
    return console.show(f"settings/{template}", crumbs=crumbs, back=back, **values)


# Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/configure-abac-attributes.html
_TAB = ("Attributes for access control", ATTRIBUTES_PATH)
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
    return show_tab(console, "attributes.html", ATTRIBUTES_PATH)


def _take_attributes(console: Console) -> Response:
    """Enable attributes for access control, with none yet."""
    _write(console, "Create", [])
    return console.go(ATTRIBUTES_PATH, "attributes-enabled")


def _show_attribute_rows(console: Console) -> Response:
    """Show the attributes in fields."""
    if console.problem:
        return _show_rows(console, _rows_of(console))
    rows = read_access_control_attributes(console)
    if rows is None:
        return console.go(ATTRIBUTES_PATH)
    return _show_rows(console, rows or [("", "")])


def _take_attribute_rows(console: Console) -> Response:
    """Add or remove a row of the form, or save all of them."""
    act = console.form.get("act", "")
    changed = _changed_rows(_rows_of(console), act)
    if changed is not None:
        return _show_rows(console, changed, has_new=act == "add")
    rows = filled_rows(console, "key", "value")
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
    if read_access_control_attributes(console) is None:
        return console.go(ATTRIBUTES_PATH)
    return show_form(console, "attributes-disable.html", _TAB)


def _take_disable(console: Console) -> Response:
    """Disable attributes for access control, with all rows."""
    require_typed(console, "DISABLE")
    console.call_sso(f"Delete{_ATTRIBUTES}")
    return console.go("/settings", "attributes-disabled")


def _write(console: Console, verb: str, rows: Rows) -> None:
    attributes = [{"Key": key, "Value": {"Source": [value]}} for key, value in rows]
    values: dict[str, Any] = {_ATTRIBUTES: {"AccessControlAttributes": attributes}}
    console.call_sso(f"{verb}{_ATTRIBUTES}", **values)


def _show_rows(console: Console, rows: Rows, *, has_new: bool = False) -> Response:
    paths = [f"${{path:{path}}}" for path in _PATHS]
    return show_form(console, "attributes-manage.html", _TAB, rows=rows, has_new=has_new, paths=paths)


# Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/tagging-console.html
_TAGS_TAB = ("Tags", TAGS_PATH)


def _show_tags(console: Console) -> Response:
    """Show the tab."""
    tags, unread = readable(partial(_tags_of, console), None)
    return show_tab(console, "tags.html", TAGS_PATH, tags=tags, tags_unread=unread)


def _show_tag_rows(console: Console) -> Response:
    """Show the tags in fields."""
    if console.problem:
        return _show_tags_in(console, _rows_of(console))
    return _show_tags_in(console, _tags_of(console) or [("", "")])


def _show_tags_in(console: Console, rows: Rows, *, has_new: bool = False) -> Response:
    return show_form(console, "tags-manage.html", _TAGS_TAB, rows=rows, has_new=has_new)


def _take_tag_rows(console: Console) -> Response:
    """Add or remove a row of the form, or save all of them."""
    act = console.form.get("act", "")
    changed = _changed_rows(_rows_of(console), act)
    if changed is not None:
        return _show_tags_in(console, changed, has_new=act == "add")
    rows, arn = filled_rows(console, "key", "value"), console.instance_arn
    if not all(key for key, _ in rows):
        raise validation_error("A value has no key beside it. Type the key, or remove the row.")
    wanted, before = dict(rows), dict(_tags_of(console))
    if len(wanted) < len(rows):
        raise conflict("A key is there twice. A tag has one value: keep one of the rows.")
    gone = [key for key in before if key not in wanted]
    new = [{"Key": key, "Value": value} for key, value in wanted.items() if before.get(key) != value]
    if gone:
        console.call_sso("UntagResource", ResourceArn=arn, TagKeys=gone)
    if new:
        console.call_sso("TagResource", ResourceArn=arn, Tags=new)
    return console.go(TAGS_PATH, "tags-saved")


def _tags_of(console: Console) -> Rows:
    tags = console.list_sso("ListTagsForResource", ResourceArn=console.instance_arn)
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


ROW_SCREENS = (
    Screen(ATTRIBUTES_PATH, _show_attributes, _take_attributes),
    Screen(f"{ATTRIBUTES_PATH}/manage", _show_attribute_rows, _take_attribute_rows),
    Screen(f"{ATTRIBUTES_PATH}/disable", _show_disable, _take_disable),
    Screen(TAGS_PATH, _show_tags),
    Screen(f"{TAGS_PATH}/manage", _show_tag_rows, _take_tag_rows),
)


# Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/delegated-admin.html
_MANAGEMENT_TAB = ("Management", MANAGEMENT_PATH)


def _show_management(console: Console) -> Response:
    """Show the tab."""
    regions, unread = readable(partial(console.list_sso, "ListRegions"), None)
    return show_tab(console, "management.html", MANAGEMENT_PATH, regions=regions, regions_unread=unread)


def _show_register(console: Console) -> Response:
    """Show the member accounts that may administer Identity Center."""
    accounts, unread = readable(partial(_member_accounts, console), None)
    return show_form(
        console,
        "register.html",
        _MANAGEMENT_TAB,
        accounts=accounts,
        accounts_unread=unread,
        chosen=console.form.get("account_id", ""),
    )


def _take_register(console: Console) -> Response:
    """Make a member account the delegated administrator."""
    account_id = console.form.get("account_id", "")
    if not account_id:
        raise validation_error("Choose one member account.")
    if (current := read_delegated_administrators(console)) and current[0]["Id"] != account_id:
        raise validation_error(
            f"{current[0]['Name']} is the delegated administrator, and there is one at a time. Deregister it"
            " first."
        )
    console.organizations(
        "RegisterDelegatedAdministrator", AccountId=account_id, ServicePrincipal=IDENTITY_CENTER
    )
    return console.go(MANAGEMENT_PATH, "administrator-registered", account_id)


def _show_deregister(console: Console) -> Response:
    """Show which account is deregistered, and what is to be typed."""
    current = read_delegated_administrators(console)
    if not current:
        return console.go(MANAGEMENT_PATH)
    return show_form(console, "deregister.html", _MANAGEMENT_TAB, account=current[0])


def _take_deregister(console: Console) -> Response:
    """Take the delegated administrator's task from it, when its name is typed."""
    current = read_delegated_administrators(console)
    if not current:
        raise validation_error("No account is registered.")
    require_typed(console, current[0]["Name"])
    console.organizations(
        "DeregisterDelegatedAdministrator", AccountId=current[0]["Id"], ServicePrincipal=IDENTITY_CENTER
    )
    return console.go(MANAGEMENT_PATH, "administrator-deregistered", current[0]["Name"])


def _show_add_region(console: Console) -> Response:
    """Show the Regions that an instance can be replicated to."""
    instance = console.instance
    others = [one for one in DEFAULT_REGIONS if one != instance["PrimaryRegion"]]
    return show_form(
        console, "add-region.html", _MANAGEMENT_TAB, regions=others, chosen=console.form.get("region", "")
    )


def _take_add_region(console: Console) -> Response:
    """Add a Region; the instance has no key that could encrypt it there."""
    region = console.form.get("region", "")
    if region not in DEFAULT_REGIONS:
        raise validation_error("Choose one Region.")
    console.call_sso("AddRegion", RegionName=region)
    return console.go(MANAGEMENT_PATH, "region-added", region)


def _show_remove_region(console: Console) -> Response:
    """Show what ends in a Region that is removed."""
    name = console.part("region")
    region = next((one for one in console.list_sso("ListRegions") if one["RegionName"] == name), None)
    if region is None:
        return console.go(MANAGEMENT_PATH)
    return show_form(console, "remove-region.html", _MANAGEMENT_TAB, region=region)


def _take_remove_region(console: Console) -> Response:
    """Begin to remove a Region."""
    region = console.part("region")
    console.call_sso("RemoveRegion", RegionName=region)
    return console.go(MANAGEMENT_PATH, "region-removed", region)


def _member_accounts(console: Console) -> list[dict[str, Any]]:
    management = console.organizations("DescribeOrganization")["Organization"]["MasterAccountId"]
    return [one for one in console.organization_items("ListAccounts") if one["Id"] != management]


MANAGEMENT_SCREENS = (
    Screen(MANAGEMENT_PATH, _show_management),
    Screen(f"{MANAGEMENT_PATH}/register", _show_register, _take_register),
    Screen(f"{MANAGEMENT_PATH}/deregister", _show_deregister, _take_deregister),
    Screen(f"{MANAGEMENT_PATH}/add-region", _show_add_region, _take_add_region),
    Screen(f"{MANAGEMENT_PATH}/regions/{{region}}/remove", _show_remove_region, _take_remove_region),
)


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
    console.call_sso("UpdateInstance", Name=name)
    return console.go(SETTINGS_PATH, "instance-renamed", name)


def _show_additional(console: Console) -> Response:
    """Show the tab."""
    key, unread = readable(partial(_key_of, console), None)
    return show_tab(console, "additional.html", ADDITIONAL_PATH, key=key, keys=_KEYS, key_unread=unread)


def _show_encryption(console: Console) -> Response:
    """Show the two kinds of key."""
    key = _key_of(console)
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
    console.call_sso("UpdateInstance", EncryptionConfiguration={"KeyType": chosen})
    return console.go(ADDITIONAL_PATH, "encryption-saved")


def _key_of(console: Console) -> dict[str, Any]:
    return dict(console.call_sso("DescribeInstance")["EncryptionConfigurationDetails"])


SETTINGS_SCREENS = (
    Screen(f"{SETTINGS_PATH}/name", _show_name, _take_name),
    *ROW_SCREENS,
    *MANAGEMENT_SCREENS,
    Screen(ADDITIONAL_PATH, _show_additional),
    Screen(f"{ADDITIONAL_PATH}/encryption", _show_encryption, _take_encryption),
)
