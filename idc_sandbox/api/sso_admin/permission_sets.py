"""Permission sets themselves: created, described, changed, deleted, listed."""

from __future__ import annotations

import json
from typing import Any

from idc_sandbox.api.instance_rules import require_permission_sets
from idc_sandbox.api.sso_admin.rules import (
    delete_tags,
    find_permission_set,
    mark_changed,
    put_tags,
    requests_in_progress,
    require_session_duration,
)
from idc_sandbox.context import Context
from idc_sandbox.errors import conflict, quota_exceeded
from idc_sandbox.wire.registry import Listing, operation

MAXIMUM_PERMISSION_SETS = 3500
DEFAULT_SESSION_DURATION = "PT1H"


@operation("sso-admin", "CreatePermissionSet")
def create_permission_set(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Create a permission set; its name is unique in the instance and cannot be changed later."""
    instance_arn, name = request["InstanceArn"], request["Name"]
    require_permission_sets(context, instance_arn)
    session_duration = request.get("SessionDuration") or DEFAULT_SESSION_DURATION
    require_session_duration(session_duration)
    if context.find("permission_set", instance_arn=instance_arn, name=name):
        raise conflict(f"PermissionSet with name {name} already exists.")
    count = context.value("SELECT count(*) FROM permission_set WHERE instance_arn = ?", instance_arn)
    if count >= MAXIMUM_PERMISSION_SETS:
        raise quota_exceeded(
            f"The instance {instance_arn!r} has its {MAXIMUM_PERMISSION_SETS} permission sets already."
        )
    permission_set_arn = context.ids.permission_set_arn(instance_arn)
    context.insert(
        "permission_set",
        permission_set_arn=permission_set_arn,
        instance_arn=instance_arn,
        name=name,
        description=request.get("Description"),
        session_duration=session_duration,
        relay_state=request.get("RelayState"),
        created_at=context.now,
    )
    put_tags(context, permission_set_arn, request.get("Tags") or [])
    return describe_permission_set(context, request | {"PermissionSetArn": permission_set_arn})


@operation("sso-admin", "DescribePermissionSet")
def describe_permission_set(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Return a permission set without its policies, which have operations of their own."""
    row = find_permission_set(context, request)
    shown = {
        "Name": row["name"],
        "PermissionSetArn": row["permission_set_arn"],
        "Description": row["description"],
        "CreatedDate": row["created_at"],
        "SessionDuration": row["session_duration"],
        "RelayState": row["relay_state"],
    }
    return {"PermissionSet": shown}


@operation("sso-admin", "UpdatePermissionSet")
def update_permission_set(context: Context, request: dict[str, Any]) -> None:
    """Change description, session duration or relay state."""
    row = find_permission_set(context, request, for_change=True)
    session_duration = request.get("SessionDuration") or row["session_duration"]
    require_session_duration(session_duration)
    context.update(
        "permission_set",
        row,
        description=request.get("Description") or row["description"],
        session_duration=session_duration,
        # One that is not given is cleared, as users of AWS report (UNCONFIRMED):
        # https://github.com/hashicorp/terraform-provider-aws/issues/17411
        relay_state=request.get("RelayState"),
    )
    if session_duration != row["session_duration"]:
        mark_changed(context, row)


@operation("sso-admin", "DeletePermissionSet")
def delete_permission_set(context: Context, request: dict[str, Any]) -> None:
    """Delete a permission set that no account uses."""
    row = find_permission_set(context, request, for_change=True)
    permission_set_arn = row["permission_set_arn"]
    accounts = context.rows(
        "SELECT account_id FROM account_assignment WHERE permission_set_arn = :arn"
        " UNION SELECT account_id FROM provisioned_permission_set WHERE permission_set_arn = :arn"
        " ORDER BY account_id",
        arn=permission_set_arn,
    )
    in_progress = requests_in_progress(context, row["instance_arn"])
    named = (json.loads(request["detail_json"])["PermissionSetArn"] for request in in_progress)
    if accounts or permission_set_arn in named:
        used_in = f"in {', '.join(account['account_id'] for account in accounts)}"
        where = used_in if accounts else "by a request that is still in progress"
        raise conflict(
            "Could not delete because PermissionSet has ApplicationProfile associated with it: "
            f"{row['name']!r} is used {where}. Delete its account assignments, wait until they are "
            "gone, then try again."
        )
    delete_tags(context, permission_set_arn)
    context.delete("permission_set", permission_set_arn=permission_set_arn)


@operation("sso-admin", "ListPermissionSets")
def list_permission_sets(context: Context, request: dict[str, Any]) -> Listing:
    """List the ARNs of an instance's permission sets."""
    require_permission_sets(context, request["InstanceArn"])
    rows = context.find_all("permission_set", instance_arn=request["InstanceArn"])
    return Listing([row["permission_set_arn"] for row in rows])
