"""The application of account access manager, its states by the sandbox's clock, and its tags."""

# Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/account-access-manager-getting-started.html
from __future__ import annotations

import datetime
import sqlite3
from typing import Any

from idc_sandbox.api.instance_rules import require_instance
from idc_sandbox.api.sso_admin.applications import delete_application_row, insert_application
from idc_sandbox.context import ACCOUNT_ACCESS_SERVICE, Context
from idc_sandbox.errors import ServiceError, access_denied, conflict, not_found, validation_error
from idc_sandbox.switches import read_switch
from idc_sandbox.wire.registry import Listing, operation

PROVIDER_ARN = "arn:aws:sso::aws:applicationProvider/account-access"  # UNCONFIRMED
_NAME = "AWS Account Access"
_MOST_TAGS = 50
_TAG_SIGNS = "_.:/=+-@"


@operation("account-access", "CreateApplication")
def create_access_application(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Begin to create the application of an instance; it is active a moment later, and the only one."""
    _require_management_account(context, "CreateApplication")
    instance_arn = request["identitySource"]["identityCenter"]["instanceArn"]
    instance = require_instance(context, instance_arn)
    if instance["kind"] != "ORGANIZATION":
        raise validation_error(f"{instance_arn!r} is not an organization instance of IAM Identity Center.")
    # Which error AWS has for this is UNCONFIRMED.
    if not context.double.has_trusted_access(ACCOUNT_ACCESS_SERVICE):
        raise access_denied(
            f"Trusted access for {ACCOUNT_ACCESS_SERVICE} is not enabled. Enable it first: "
            f"aws organizations enable-aws-service-access --service-principal {ACCOUNT_ACCESS_SERVICE}"
        )
    tags = _checked_tags(request.get("tags") or {})
    settle_access_applications(context)
    if existing := context.find("access_application", instance_arn=instance_arn):
        raise ServiceError(
            "AlreadyCreatedException",
            f"The instance {instance_arn!r} has the application {existing['application_arn']!r} already.",
        )
    account_id, now = context.caller.account_id, context.now
    digest = context.ids.digest("access_application")
    arn = f"arn:aws:account-access:{context.region}:{account_id}:application/{digest[:16]}"
    managed_arn = insert_application(context, instance, provider_arn=PROVIDER_ARN, name=_NAME)
    context.insert(
        "access_application",
        application_arn=arn,
        instance_arn=instance_arn,
        managed_application_arn=managed_arn,
        account_id=account_id,
        region=context.region,
        tenant_id=f"aa-{digest[16:25]}",
        created_at=now,
        updated_at=now,
        due_at=now + read_switch(context.connection, "asynchronous_duration_s"),
    )
    _put_tags(context, arn, tags)
    return {"applicationArn": arn}


@operation("account-access", "GetApplication")
def get_access_application(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Describe an application and its state."""
    row = require_access_application(context, request["applicationArn"])
    identity_center = {
        "instanceArn": row["instance_arn"],
        "applicationArn": row["managed_application_arn"],
    }
    return {
        "identitySource": {"identityCenter": identity_center},
        "status": _status(context, row),
        "tenantId": row["tenant_id"],
        "createdAt": moment(row["created_at"]),
        "updatedAt": moment(row["updated_at"]),
        "tags": _tags(context, row["application_arn"]),
    }


@operation("account-access", "DeleteApplication")
def delete_access_application(context: Context, request: dict[str, Any]) -> None:
    """Begin to delete an application, with its entitlements; keys that are out live on."""
    _require_management_account(context, "DeleteApplication")
    settle_access_applications(context)
    row = context.find("access_application", application_arn=request["applicationArn"])
    if row is None or row["is_deleting"]:  # gone already
        return
    _require_administrator(context, row)
    if _status(context, row) != "ACTIVE":
        raise conflict(
            f"The application {row['application_arn']!r} is being created. Wait until it is ACTIVE."
        )
    now, duration_s = context.now, read_switch(context.connection, "asynchronous_duration_s")
    context.update("access_application", row, is_deleting=1, updated_at=now, due_at=now + duration_s)
    settle_access_applications(context)


@operation("account-access", "ListApplications")
def list_access_applications(context: Context, request: dict[str, Any]) -> Listing:  # noqa: ARG001
    """List the applications of the caller's account and Region."""
    settle_access_applications(context)
    if not is_access_administrator(context):
        return Listing([])
    rows = context.find_all("access_application", region=context.region)
    return Listing(
        rows,
        lambda row: str(row["application_arn"]),
        lambda row: {
            "applicationArn": row["application_arn"],
            "tenantId": row["tenant_id"],
            "createdAt": moment(row["created_at"]),
            "updatedAt": moment(row["updated_at"]),
        },
    )


@operation("account-access", "TagResource")
def tag_access_application(context: Context, request: dict[str, Any]) -> None:
    """Add tags to an application."""
    row = require_access_application(context, request["resourceArn"])
    tags = _checked_tags(request["tags"])
    if len(_tags(context, row["application_arn"]) | tags) > _MOST_TAGS:
        raise validation_error(f"An application has at most {_MOST_TAGS} tags.")
    _put_tags(context, row["application_arn"], tags)


@operation("account-access", "UntagResource")
def untag_access_application(context: Context, request: dict[str, Any]) -> None:
    """Take tags away from an application."""
    row = require_access_application(context, request["resourceArn"])
    for key in request["tagKeys"]:
        context.delete("tag", resource_arn=row["application_arn"], tag_key=key)


@operation("account-access", "ListTagsForResource")
def list_access_application_tags(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Return the tags of an application."""
    row = require_access_application(context, request["resourceArn"])
    return {"tags": _tags(context, row["application_arn"])}


def require_access_application(
    context: Context, application_arn: str, *, is_active: bool = False
) -> sqlite3.Row:
    """Return an application that the caller administers, in the Region that the request went to."""
    settle_access_applications(context)
    row = context.find("access_application", application_arn=application_arn, region=context.region)
    if row is None:
        raise not_found(
            f"No application {application_arn!r} exists in Region {context.region!r}. "
            "ListApplications shows yours."
        )
    _require_administrator(context, row)
    if is_active and _status(context, row) != "ACTIVE":
        raise conflict(
            f"The application {application_arn!r} is {_status(context, row)}. "
            "Wait until GetApplication says ACTIVE."
        )
    return row


def settle_access_applications(context: Context) -> None:
    """Delete what is due to be gone. Writes."""
    for row in context.rows(
        "SELECT * FROM access_application WHERE is_deleting AND due_at <= ?", context.now
    ):
        context.delete("tag", resource_arn=row["application_arn"])
        delete_application_row(context, row["managed_application_arn"])
        context.delete("access_application", application_arn=row["application_arn"])


def is_access_administrator(context: Context) -> bool:
    """Tell whether the caller's account manages entitlements: management, or a delegated administrator."""
    delegates = context.double.delegated_administrators(ACCOUNT_ACCESS_SERVICE)
    return context.caller.account_id in {context.double.management_account_id, *delegates}


def moment(epoch_s: float) -> str:
    """Return a time as this service writes it."""
    return datetime.datetime.fromtimestamp(epoch_s, datetime.UTC).isoformat(timespec="seconds")


def _status(context: Context, row: sqlite3.Row) -> str:
    if row["is_deleting"]:
        return "DELETE_IN_PROGRESS"
    return "ACTIVE" if row["due_at"] <= context.now else "CREATE_IN_PROGRESS"


def _require_management_account(context: Context, name: str) -> None:
    if context.caller.account_id != context.double.management_account_id:
        raise access_denied(
            f"{name} is for the organization's management account "
            f"{context.double.management_account_id!r}, not for {context.caller.account_id!r}."
        )


def _require_administrator(context: Context, row: sqlite3.Row) -> None:
    if not is_access_administrator(context):
        raise access_denied(
            f"Account {context.caller.account_id!r} does not manage {row['application_arn']!r}; the "
            "management account or a delegated administrator does."
        )


def _checked_tags(tags: dict[str, str]) -> dict[str, str]:
    """Return tags that AWS takes; the model leaves it open."""
    # https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
    for key, value in tags.items():
        is_fit = 0 < len(key) <= 128 and len(value) <= 256 and _is_tag_text(key + value)
        if not is_fit or key.lower().startswith("aws:"):
            raise validation_error(
                f"The tag {key[:128]!r} is not one: a key has 1 to 128 and a value up to 256 letters, "
                "digits, spaces and _.:/=+-@, and no key begins with aws:."
            )
    if len(tags) > _MOST_TAGS:
        raise validation_error(f"An application has at most {_MOST_TAGS} tags, found {len(tags)}.")
    return tags


def _is_tag_text(text: str) -> bool:
    return all(one.isalnum() or one.isspace() or one in _TAG_SIGNS for one in text)


def _put_tags(context: Context, arn: str, tags: dict[str, str]) -> None:
    for key, value in tags.items():
        context.replace("tag", resource_arn=arn, tag_key=key, tag_value=value)


def _tags(context: Context, arn: str) -> dict[str, str]:
    rows = context.rows("SELECT * FROM tag WHERE resource_arn = ? ORDER BY tag_key", arn)
    return {row["tag_key"]: row["tag_value"] for row in rows}
