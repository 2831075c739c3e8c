"""Tags of instances and permission sets."""

from __future__ import annotations

from typing import Any

from idc_sandbox.api.instance_rules import require_instance
from idc_sandbox.api.pagination import paginate
from idc_sandbox.api.registry import operation
from idc_sandbox.api.sso_admin.permission_set_rules import (
    find_permission_set,
    instance_arn_of,
    require_manageable,
)
from idc_sandbox.context import Context
from idc_sandbox.errors import not_found, quota_exceeded, validation_error

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
    """Write tags of a resource, replacing values of the same keys.

    Raises
    ------
    ServiceError
        ``ValidationException`` for a repeated or reserved key, ``ServiceQuotaExceededException`` over 75
        tags.
    """
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
