"""Enable, Dashboard, account instances of members, and the end of an instance."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import Response

from idc_sandbox.api.settings import SOURCE_LABELS
from idc_sandbox.api.sso_admin.regions import DEFAULT_REGIONS
from idc_sandbox.errors import ServiceError, validation_error
from idc_sandbox.pages.console.desk import ROOT, Console, Screen
from idc_sandbox.pages.console.directory import filled_rows, readable
from idc_sandbox.sign_in.people import issuer_url

# https://docs.aws.amazon.com/singlesignon/latest/userguide/enable-identity-center.html
_CUSTOM = "custom"
_KINDS = (
    ("single", "Single-Region instance", "An AWS owned key encrypts it, permission sets are on. No cost."),
    ("multi", "Multi-Region instance", "Needs a customer managed multi-Region key, which AWS bills."),
    (_CUSTOM, "Custom instance", "Choose the key, and whether permission sets are on."),
)
_KEYS = (
    ("aws", "Use AWS owned key"),
    ("new", "Create a new customer managed key"),
    ("existing", "Choose an existing customer managed key"),
)
_TAG_ROWS = 3
_REFRESH_S = "2"


def show_home(console: Console) -> Response:
    """Show the dashboard, or the page that enables Identity Center where there is none."""
    instance = console.found_instance
    if instance is None:
        return show_enable(console)
    if instance["Status"] != "ACTIVE":
        answer = console.show("creating.html")
        answer.headers["Refresh"] = _REFRESH_S
        return answer
    settings = console.settings()
    region = instance["PrimaryRegion"]
    return console.show(
        "dashboard.html",
        instance=instance,
        settings=settings,
        source=SOURCE_LABELS[settings["identity_source"]["type"]],
        region=f"{DEFAULT_REGIONS[region]} | {region}" if region in DEFAULT_REGIONS else region,
        organization_id=_organization_id(console),
        issuer_url=issuer_url(instance["InstanceArn"]),
        is_organizations=_is_organizations(console, instance),
    )


def take_home(console: Console) -> Response:
    """Give the instance its name."""
    instance = console.found_instance
    if instance is None:
        return console.go("")
    name = console.form.get("name", "").strip()
    if not name:
        raise validation_error("Type the instance name.")
    console.call_sso("UpdateInstance", Name=name)
    return console.go("", "instance-renamed", name)


def _organization_id(console: Console) -> str:
    try:
        return str(console.organizations("DescribeOrganization")["Organization"]["Id"])
    except ServiceError as error:
        return f"not shown: {error.message}"


def _is_organizations(console: Console, instance: dict[str, Any]) -> bool:
    return bool(instance["OwnerAccountId"] == console.context.double.management_account_id)


def show_enable(console: Console) -> Response:
    """Show what enabling asks for; a member account is offered an instance of its own."""
    if console.found_instance is not None and not console.problem:
        return console.go("")
    caller = console.context.caller
    values: dict[str, Any] = {"account_id": caller.account_id, "region": console.context.region}
    if caller.account_id == console.context.double.management_account_id:
        return console.show("enable.html", kinds=_KINDS, keys=_KEYS, regions=DEFAULT_REGIONS, **values)
    return console.show("enable-account.html", tag_rows=range(_TAG_ROWS), **values)


def take_enable(console: Console) -> Response:
    """Enable Identity Center: the organization's instance, or a member account's own."""
    if console.form.get("kind") == "account":
        console.call("sso-admin", "CreateInstance", Tags=_tags(console) or None)
        return console.go("", "enabled")
    kind = console.form.get("kind", "")
    if kind not in [name for name, *_ in _KINDS]:
        raise validation_error("Choose one of the three kinds of instance.")
    is_custom = kind == _CUSTOM
    if kind == "multi" or (is_custom and console.form.get("key", "aws") != "aws"):
        raise validation_error(
            "A customer managed key lives in AWS KMS, and this sandbox has none. Take the AWS owned key."
        )
    region = console.form.get("region", console.context.region)
    has_permission_sets = not is_custom or console.form.get("permission_sets") == "yes"
    console.do("POST", "instance", region=region, permission_sets_enabled=has_permission_sets)
    return console.go("", "enabled")


def _tags(console: Console) -> list[dict[str, str]]:
    rows = filled_rows(console, "tag_key", "tag_value")
    if not all(key for key, _ in rows):
        raise validation_error("Each tag needs a key.")
    return [{"Key": key, "Value": value} for key, value in rows]


# https://docs.aws.amazon.com/singlesignon/latest/userguide/control-account-instance.html
# The console shows the policy, and AWS Organizations attaches it. UNCONFIRMED: the policy's words.
_POLICY_NAME = "PreventAccountInstances"
_POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "DenyMemberAccountInstances",
                "Effect": "Deny",
                "Action": "sso:CreateInstance",
                "Resource": "*",
            }
        ],
    },
    indent=2,
)
_KIND = "SERVICE_CONTROL_POLICY"


def show_prevent(console: Console) -> Response:
    """Show the policy, and whether it is attached to the organization's root."""
    attached, unread = readable(lambda: _root(console)["Id"] in _find_policy(console)[1], None)
    return console.show("prevent.html", policy=_POLICY, name=_POLICY_NAME, attached=attached, unread=unread)


def take_prevent(console: Console) -> Response:
    """Attach the policy to the root, or detach and delete it: here, because there is no other console."""
    root, (policy_id, targets) = _root(console), _find_policy(console)
    if console.form.get("act") == "detach":
        for target_id in targets:
            console.organizations("DetachPolicy", PolicyId=policy_id, TargetId=target_id)
        if policy_id:
            console.organizations("DeletePolicy", PolicyId=policy_id)
        return console.go("/prevent-account-instances", "account-instances-allowed")
    if {"Type": _KIND, "Status": "ENABLED"} not in root["PolicyTypes"]:
        console.organizations("EnablePolicyType", RootId=root["Id"], PolicyType=_KIND)
    if not policy_id:
        about = "Member accounts create no instance of IAM Identity Center."
        made = console.organizations(
            "CreatePolicy", Name=_POLICY_NAME, Description=about, Type=_KIND, Content=_POLICY
        )
        policy_id = made["Policy"]["PolicySummary"]["Id"]
    if root["Id"] not in targets:
        console.organizations("AttachPolicy", PolicyId=policy_id, TargetId=root["Id"])
    return console.go("/prevent-account-instances", "account-instances-prevented")


def _root(console: Console) -> dict[str, Any]:
    root: dict[str, Any] = console.organizations("ListRoots")["Roots"][0]
    return root


def _find_policy(console: Console) -> tuple[str, list[str]]:
    """Return the policy's id and what it is attached to; one of this name with other words is not it."""
    for one in console.organization_items("ListPolicies", Filter=_KIND):
        if one["Name"] == _POLICY_NAME:
            named = {"PolicyId": one["Id"]}
            if console.organizations("DescribePolicy", **named)["Policy"]["Content"] == _POLICY:
                targets = console.organizations("ListTargetsForPolicy", **named)["Targets"]
                return one["Id"], [target["TargetId"] for target in targets]
    return "", []


def show_delete(console: Console) -> Response:
    """Show what deleting the instance takes along, and what is to be typed."""
    instance = console.instance
    return console.show(
        "delete.html",
        instance=instance,
        instance_id=_instance_id(instance),
        ticked=console.form.getlist("goes") if console.problem else (),
        crumbs=(("Settings", f"{ROOT}/settings"),),
    )


def take_delete(console: Console) -> Response:
    """Delete the instance, when all that goes along is ticked and its id is typed."""
    instance = console.instance
    ticked = set(console.form.getlist("goes"))
    if ticked != {"identities", "assignments", "permission-sets", "applications"}:
        raise validation_error("Tick all four: what they name is deleted along with the instance.")
    if console.form.get("typed", "").strip() != _instance_id(instance):
        raise validation_error(f"Type the instance ID {_instance_id(instance)} to confirm.")
    console.call_sso("DeleteInstance")
    return console.go("", "instance-deleted")


def _instance_id(instance: dict[str, str]) -> str:
    return instance["InstanceArn"].rpartition("/")[2]


INSTANCE_SCREENS = (
    Screen("", show_home, take_home, needs_instance=False),
    Screen("/enable", show_enable, take_enable, needs_instance=False),
    Screen("/prevent-account-instances", show_prevent, take_prevent),
    Screen("/delete", show_delete, take_delete),
)
