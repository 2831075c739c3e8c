"""Permission sets themselves, and the tags of permission sets and instances."""

from __future__ import annotations

import json
from operator import itemgetter
from typing import Any

from idc_sandbox.api.instance_rules import require_instance, require_permission_sets
from idc_sandbox.api.sso_admin.rules import (
    find_permission_set,
    mark_changed,
    requests_in_progress,
    require_session_duration,
)
from idc_sandbox.context import Context
from idc_sandbox.errors import conflict, not_found, quota_exceeded, validation_error
from idc_sandbox.wire.registry import Listing, operation

MAXIMUM_TAGS = 75


@operation("sso-admin", "TagResource")
def tag_resource(context: Context, request: dict[str, Any]) -> None:
    """Add tags to an instance or a permission set, or change the values of those it has."""
    _require_taggable(context, request, write=True)
    put_tags(context, request["ResourceArn"], request["Tags"])


@operation("sso-admin", "UntagResource")
def untag_resource(context: Context, request: dict[str, Any]) -> None:
    """Remove tags by their keys; a key that is not there is no error."""
    _require_taggable(context, request, write=True)
    for tag_key in request["TagKeys"]:
        context.delete("tag", resource_arn=request["ResourceArn"], tag_key=tag_key)


@operation("sso-admin", "ListTagsForResource")
def list_tags_for_resource(context: Context, request: dict[str, Any]) -> Listing:
    """List the tags of an instance or a permission set."""
    _require_taggable(context, request, write=False)
    rows = context.find_all("tag", resource_arn=request["ResourceArn"])
    return Listing(
        rows, itemgetter("tag_key"), lambda row: {"Key": row["tag_key"], "Value": row["tag_value"]}
    )


def put_tags(context: Context, resource_arn: str, tags: list[dict[str, str]]) -> None:
    """Write tags of a resource, replacing values of the same keys."""
    require_tags(tags)
    for tag in tags:
        value = tag["Value"]
        context.replace("tag", resource_arn=resource_arn, tag_key=tag["Key"], tag_value=value)
    count = len(context.find_all("tag", resource_arn=resource_arn))
    if count > MAXIMUM_TAGS:
        raise quota_exceeded(f"{resource_arn!r} would have {count} tags; at most {MAXIMUM_TAGS} are allowed.")


def require_tags(tags: list[dict[str, str]]) -> None:
    """Refuse tags with one key twice, or with a key that is AWS's."""
    keys = [tag["Key"] for tag in tags]
    if len(set(keys)) != len(keys):
        raise validation_error(f"Each tag key may be given once; found {keys!r}.")
    reserved = [key for key in keys if key.lower().startswith("aws:")]
    if reserved:
        raise validation_error(
            f"Tag keys that begin with 'aws:' are reserved for AWS; found {reserved[0]!r}."
        )


def delete_tags(context: Context, resource_arn: str) -> None:
    """Forget the tags of a permission set, or of an instance and its permission sets."""
    context.execute(
        "DELETE FROM tag WHERE resource_arn = :arn"
        " OR resource_arn IN (SELECT permission_set_arn FROM permission_set WHERE instance_arn = :arn)",
        arn=resource_arn,
    )


def _require_taggable(context: Context, request: dict[str, Any], *, write: bool) -> None:
    resource_arn = request["ResourceArn"]
    instance_arn = f"arn:aws:sso:::instance/{resource_arn.rpartition(':')[2].split('/')[1]}"
    if request.get("InstanceArn", instance_arn) != instance_arn:
        raise validation_error(
            f"{resource_arn!r} does not belong to the instance {request['InstanceArn']!r}."
        )
    if ":permissionSet/" in resource_arn:
        named = {"InstanceArn": instance_arn, "PermissionSetArn": resource_arn}
        find_permission_set(context, named, for_change=write)
        return
    require_instance(context, instance_arn)
    if resource_arn != instance_arn:
        raise not_found(
            f"No resource {resource_arn!r} exists: the sandbox has no applications or trusted token issuers."
        )


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
