"""Permission sets themselves and their tags."""

from __future__ import annotations

import sqlite3
from typing import Any

from idc_sandbox.api.instance_rules import require_instance, require_permission_sets
from idc_sandbox.api.sso_admin.rules import (
    find_manageable,
    find_permission_set,
    instance_arn_of,
    is_in_progress,
    mark_changed,
    require_manageable,
    require_session_duration,
)
from idc_sandbox.context import Context
from idc_sandbox.errors import conflict, not_found, quota_exceeded, validation_error
from idc_sandbox.wire.registry import operation, paginate

# Tags of instances and permission sets.

MAXIMUM_TAGS = 75


@operation("sso-admin", "TagResource")
def tag_resource(context: Context, request: dict[str, Any]) -> None:
    """Add tags to an instance or a permission set, or change the values of those it has.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_TagResource.html
    """
    _require_taggable(context, request, write=True)
    put_tags(context, request["ResourceArn"], request["Tags"])


@operation("sso-admin", "UntagResource")
def untag_resource(context: Context, request: dict[str, Any]) -> None:
    """Remove tags by their keys; a key that is not there is no error.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_UntagResource.html
    """
    _require_taggable(context, request, write=True)
    context.connection.executemany(
        "DELETE FROM tag WHERE resource_arn = ? AND tag_key = ?",
        [(request["ResourceArn"], tag_key) for tag_key in request["TagKeys"]],
    )


@operation("sso-admin", "ListTagsForResource")
def list_tags_for_resource(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """List the tags of an instance or a permission set.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_ListTagsForResource.html
    """
    _require_taggable(context, request, write=False)
    rows = context.connection.execute("SELECT * FROM tag WHERE resource_arn = ?", (request["ResourceArn"],))
    page, token = paginate(
        rows, operation_name="ListTagsForResource", key=lambda row: row["tag_key"], request=request
    )
    return {"Tags": [{"Key": row["tag_key"], "Value": row["tag_value"]} for row in page], "NextToken": token}


def put_tags(context: Context, resource_arn: str, tags: list[dict[str, str]]) -> None:
    """Write tags of a resource, replacing values of the same keys."""
    keys = [tag["Key"] for tag in tags]
    if len(set(keys)) != len(keys):
        raise validation_error(f"Each tag key may be given once; found {keys!r}.")
    reserved = [key for key in keys if key.lower().startswith("aws:")]
    if reserved:
        raise validation_error(
            f"Tag keys that begin with 'aws:' are reserved for AWS; found {reserved[0]!r}."
        )
    context.connection.executemany(
        "INSERT INTO tag VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET tag_value = excluded.tag_value",
        [(resource_arn, tag["Key"], tag["Value"]) for tag in tags],
    )
    count = context.connection.execute(
        "SELECT count(*) FROM tag WHERE resource_arn = ?", (resource_arn,)
    ).fetchone()[0]
    if count > MAXIMUM_TAGS:
        raise quota_exceeded(f"{resource_arn!r} would have {count} tags; at most {MAXIMUM_TAGS} are allowed.")


def delete_tags(context: Context, resource_arn: str) -> None:
    """Forget the tags of a resource that is being deleted."""
    context.connection.execute("DELETE FROM tag WHERE resource_arn = ?", (resource_arn,))


def delete_tags_of_instance(context: Context, instance_arn: str) -> None:
    """Forget the tags of an instance and of its permission sets."""
    delete_tags(context, instance_arn)
    context.connection.execute(
        "DELETE FROM tag WHERE resource_arn IN (SELECT permission_set_arn FROM permission_set WHERE"
        " instance_arn = ?)",
        (instance_arn,),
    )


def _require_taggable(context: Context, request: dict[str, Any], *, write: bool) -> None:
    resource_arn = request["ResourceArn"]
    instance_arn = instance_arn_of(resource_arn)
    if request.get("InstanceArn", instance_arn) != instance_arn:
        raise validation_error(
            f"{resource_arn!r} does not belong to the instance {request['InstanceArn']!r}."
        )
    if ":permissionSet/" in resource_arn:
        permission_set = find_permission_set(context, instance_arn, resource_arn)
        if write:
            require_manageable(context, permission_set)
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
    """Create a permission set; its name is unique in the instance and cannot be changed later.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_CreatePermissionSet.html
    """
    instance_arn = require_permission_sets(context, request["InstanceArn"])["instance_arn"]
    session_duration = request.get("SessionDuration") or DEFAULT_SESSION_DURATION
    require_session_duration(session_duration)
    _require_room(context, instance_arn, request["Name"])
    permission_set_arn = context.ids.permission_set_arn(instance_arn)
    context.connection.execute(
        "INSERT INTO permission_set (permission_set_arn, instance_arn, name, description, session_duration,"
        " relay_state, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            permission_set_arn,
            instance_arn,
            request["Name"],
            request.get("Description"),
            session_duration,
            request.get("RelayState"),
            context.now,
        ),
    )
    put_tags(context, permission_set_arn, request.get("Tags") or [])
    return {"PermissionSet": _description(find_permission_set(context, instance_arn, permission_set_arn))}


@operation("sso-admin", "DescribePermissionSet")
def describe_permission_set(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Return a permission set without its policies, which have operations of their own.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_DescribePermissionSet.html
    """
    row = find_permission_set(context, request["InstanceArn"], request["PermissionSetArn"])
    return {"PermissionSet": _description(row)}


@operation("sso-admin", "UpdatePermissionSet")
def update_permission_set(context: Context, request: dict[str, Any]) -> None:
    """Change description, session duration or relay state.

    A description or session duration that is not given stays; a relay state that is not given is cleared, as
    users of AWS report (https://github.com/hashicorp/terraform-provider-aws/issues/17411): UNCONFIRMED.

    A new session duration reaches accounts only when the set is provisioned again.
    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_UpdatePermissionSet.html
    """
    row = find_manageable(context, request)
    session_duration = request.get("SessionDuration") or row["session_duration"]
    require_session_duration(session_duration)
    context.connection.execute(
        "UPDATE permission_set SET description = ?, session_duration = ?, relay_state = ? WHERE"
        " permission_set_arn = ?",
        (
            request.get("Description") or row["description"],
            session_duration,
            request.get("RelayState"),
            row["permission_set_arn"],
        ),
    )
    if session_duration != row["session_duration"]:
        mark_changed(context, row)


@operation("sso-admin", "DeletePermissionSet")
def delete_permission_set(context: Context, request: dict[str, Any]) -> None:
    """Delete a permission set that no account uses.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_DeletePermissionSet.html
    """
    row = find_manageable(context, request)
    permission_set_arn = row["permission_set_arn"]
    accounts = _accounts_in_use(context, permission_set_arn)
    if accounts or is_in_progress(context, row["instance_arn"], permission_set_arn):
        where = f"in {', '.join(accounts)}" if accounts else "by a request that is still in progress"
        raise conflict(
            "Could not delete because PermissionSet has ApplicationProfile associated with it: "
            f"{row['name']!r} is used {where}. Delete its account assignments, wait until they are "
            "gone, then try again."
        )
    delete_tags(context, permission_set_arn)
    context.connection.execute(
        "DELETE FROM permission_set WHERE permission_set_arn = ?", (permission_set_arn,)
    )


@operation("sso-admin", "ListPermissionSets")
def list_permission_sets(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """List the ARNs of an instance's permission sets.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_ListPermissionSets.html
    """
    instance_arn = require_permission_sets(context, request["InstanceArn"])["instance_arn"]
    rows = context.connection.execute(
        "SELECT permission_set_arn FROM permission_set WHERE instance_arn = ?", (instance_arn,)
    )
    page, token = paginate(
        [row[0] for row in rows], operation_name="ListPermissionSets", key=lambda arn: arn, request=request
    )
    return {"PermissionSets": page, "NextToken": token}


def _require_room(context: Context, instance_arn: str, name: str) -> None:
    connection = context.connection
    if connection.execute(
        "SELECT 1 FROM permission_set WHERE instance_arn = ? AND name = ?", (instance_arn, name)
    ).fetchone():
        raise conflict(f"PermissionSet with name {name} already exists.")
    count = connection.execute(
        "SELECT count(*) FROM permission_set WHERE instance_arn = ?", (instance_arn,)
    ).fetchone()
    if count[0] >= MAXIMUM_PERMISSION_SETS:
        raise quota_exceeded(
            f"The instance {instance_arn!r} has its {MAXIMUM_PERMISSION_SETS} permission sets already."
        )


def _accounts_in_use(context: Context, permission_set_arn: str) -> list[str]:
    rows = context.connection.execute(
        "SELECT account_id FROM account_assignment WHERE permission_set_arn = :arn"
        " UNION SELECT account_id FROM provisioned_permission_set WHERE permission_set_arn = :arn"
        " ORDER BY account_id",
        {"arn": permission_set_arn},
    )
    return [row[0] for row in rows]


def _description(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "Name": row["name"],
        "PermissionSetArn": row["permission_set_arn"],
        "Description": row["description"],
        "CreatedDate": row["created_at"],
        "SessionDuration": row["session_duration"],
        "RelayState": row["relay_state"],
    }
