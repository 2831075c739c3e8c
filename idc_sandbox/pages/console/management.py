"""Settings, tab Management: delegated administrator, Regions, and the end of the instance."""

from __future__ import annotations

from functools import partial
from typing import Any

from starlette.responses import Response

from idc_sandbox.api.sso_admin.regions import DEFAULT_REGIONS
from idc_sandbox.context import IDENTITY_CENTER
from idc_sandbox.errors import validation_error
from idc_sandbox.pages.console.desk import Console, Screen
from idc_sandbox.pages.console.directory import readable, require_typed
from idc_sandbox.pages.console.settings_frame import (
    MANAGEMENT_PATH,
    read_delegated_administrators,
    show_form,
    show_tab,
)

# Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/delegated-admin.html
_TAB = ("Management", MANAGEMENT_PATH)


def _show_management(console: Console) -> Response:
    """Show the tab."""

    def read(instance: dict[str, Any]) -> dict[str, Any]:
        arn = instance["InstanceArn"]
        regions, unread = readable(partial(console.items, "sso-admin", "ListRegions", InstanceArn=arn), None)
        return {"regions": regions, "regions_unread": unread}

    return show_tab(console, "management.html", MANAGEMENT_PATH, read)


def _show_register(console: Console) -> Response:
    """Show the member accounts that may administer Identity Center."""
    accounts, unread = readable(partial(_member_accounts, console), None)
    return show_form(
        console,
        "register.html",
        _TAB,
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
    return show_form(console, "deregister.html", _TAB, account=current[0])


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
    return show_form(console, "add-region.html", _TAB, regions=others, chosen=console.form.get("region", ""))


def _take_add_region(console: Console) -> Response:
    """Add a Region; the instance has no key that could encrypt it there."""
    region = console.form.get("region", "")
    if region not in DEFAULT_REGIONS:
        raise validation_error("Choose one Region.")
    arn = console.instance_arn
    console.call("sso-admin", "AddRegion", InstanceArn=arn, RegionName=region)
    return console.go(MANAGEMENT_PATH, "region-added", region)


def _show_remove_region(console: Console) -> Response:
    """Show what ends in a Region that is removed."""
    name = console.part("region")
    regions = console.items("sso-admin", "ListRegions", InstanceArn=console.instance_arn)
    region = next((one for one in regions if one["RegionName"] == name), None)
    if region is None:
        return console.go(MANAGEMENT_PATH)
    return show_form(console, "remove-region.html", _TAB, region=region)


def _take_remove_region(console: Console) -> Response:
    """Begin to remove a Region."""
    region = console.part("region")
    console.call("sso-admin", "RemoveRegion", InstanceArn=console.instance_arn, RegionName=region)
    return console.go(MANAGEMENT_PATH, "region-removed", region)


def _member_accounts(console: Console) -> list[dict[str, Any]]:
    management = console.organizations("DescribeOrganization")["Organization"]["MasterAccountId"]
    return [one for one in console.organization_items("Accounts") if one["Id"] != management]


MANAGEMENT_SCREENS = (
    Screen(MANAGEMENT_PATH, _show_management),
    Screen(f"{MANAGEMENT_PATH}/register", _show_register, _take_register),
    Screen(f"{MANAGEMENT_PATH}/deregister", _show_deregister, _take_deregister),
    Screen(f"{MANAGEMENT_PATH}/add-region", _show_add_region, _take_add_region),
    Screen(f"{MANAGEMENT_PATH}/regions/{{region}}/remove", _show_remove_region, _take_remove_region),
)
