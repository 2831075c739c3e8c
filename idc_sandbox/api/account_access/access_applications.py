"""Account access manager's application, its states by the sandbox's clock, its tags, and entitlements."""

# What each operation does: https://docs.aws.amazon.com/account-access/latest/APIReference/API_Operations.html
# Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/account-access-manager-getting-started.html
from __future__ import annotations

import datetime
import sqlite3
from typing import Any

from idc_sandbox.api.instance_rules import require_instance
from idc_sandbox.api.sso_admin.applications import delete_application_row, insert_application
from idc_sandbox.context import ACCOUNT_ACCESS_SERVICE, Context
from idc_sandbox.errors import (
    ServiceError,
    access_denied,
    conflict,
    not_found,
    quota_exceeded,
    validation_error,
)
from idc_sandbox.switches import read_switch
from idc_sandbox.wire.permissions import trusts_service
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


MOST_GROUPS_OF_A_ROLE = 20
_ACTIONS = ("sts:AssumeRole", "sts:SetContext")


# Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/account-access-manager-prepare-roles.html
@operation("account-access", "CreateEntitlement")
def create_entitlement(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Let a user or group have a role; the same once more is the same entitlement."""
    application = require_access_application(context, request["applicationArn"], is_active=True)
    wanted = request["entitlement"]["principalRole"]
    kind, principal_id = _principal(wanted["principal"])
    _require_principal(context, application, kind, principal_id)
    role_arn = wanted["roleArn"]
    _require_trusting_role(context, application, role_arn)
    key = {
        "application_arn": application["application_arn"],
        "principal_type": kind,
        "principal_id": principal_id,
        "role_arn": role_arn,
    }
    if existing := context.find("entitlement", **key):
        return {"entitlementId": existing["entitlement_id"]}
    if kind == "GROUP":
        _require_room(context, application, role_arn)
    entitlement_id = context.ids.uuid("entitlement")  # its form is UNCONFIRMED
    context.insert("entitlement", entitlement_id=entitlement_id, created_at=context.now, **key)
    return {"entitlementId": entitlement_id}


@operation("account-access", "GetEntitlement")
def get_entitlement(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Describe an entitlement."""
    application = require_access_application(context, request["applicationArn"])
    row = _find(context, application, request["entitlementId"])
    if row is None:
        raise validation_error("Entitlement not found")  # as users of Terraform see it
    return {"applicationArn": application["application_arn"], **_listed(context, row)}


@operation("account-access", "DeleteEntitlement")
def delete_entitlement(context: Context, request: dict[str, Any]) -> None:
    """Delete an entitlement, if it is there; keys that are out live on."""
    application = require_access_application(context, request["applicationArn"])
    row = _find(context, application, request["entitlementId"])
    if row is not None:
        context.delete("entitlement", entitlement_id=row["entitlement_id"])


@operation("account-access", "ListEntitlements")
def list_entitlements(context: Context, request: dict[str, Any]) -> Listing:
    """List an application's entitlements that fit the filter."""
    application = require_access_application(context, request["applicationArn"])
    wanted = request["filter"].get("principalRole") or {}
    principal = _principal(wanted["principal"]) if wanted.get("principal") else None
    rows = [
        row
        for row in context.find_all("entitlement", application_arn=application["application_arn"])
        if principal in (None, (row["principal_type"], row["principal_id"]))
        and wanted.get("roleArn") in (None, row["role_arn"])
        and wanted.get("account") in (None, account_of(row["role_arn"]))
    ]
    return Listing(rows, lambda row: str(row["entitlement_id"]), lambda row: _listed(context, row))


def account_of(role_arn: str) -> str:
    """Return the account of a role."""
    return role_arn.split(":")[4]


def account_name_of(context: Context, account_id: str) -> str | None:
    """Return an account's name, where it is one of the organization's."""
    described = context.double.describe_account(account_id)
    return described[1] if described else None


def is_trusting(context: Context, application: sqlite3.Row, role_arn: str) -> bool:
    """Tell whether a role is there, in an active account, and lets the service begin sessions for people."""
    if account_of(role_arn) not in context.double.account_ids():
        return False
    document = context.double.trust_document(role_arn)
    keys = {
        "aws:sourceaccount": application["account_id"],
        "aws:sourcearn": application["application_arn"],
    }
    return document is not None and all(
        trusts_service(document, ACCOUNT_ACCESS_SERVICE, action, role_arn, keys) for action in _ACTIONS
    )


def _principal(principal: dict[str, Any]) -> tuple[str, str]:
    named = principal["identityCenter"]
    return ("USER", named["userId"]) if named.get("userId") else ("GROUP", named["groupId"])


def _require_principal(context: Context, application: sqlite3.Row, kind: str, principal_id: str) -> None:
    table, key = ("identity_user", "user_id") if kind == "USER" else ("identity_group", "group_id")
    store_id = context.value(
        "SELECT identity_store_id FROM instance WHERE instance_arn = ?", application["instance_arn"]
    )
    if context.find(table, identity_store_id=store_id, **{key: principal_id}) is None:
        raise not_found(f"No {kind.lower()} {principal_id!r} exists in the identity store {store_id!r}.")


def _require_trusting_role(context: Context, application: sqlite3.Row, role_arn: str) -> None:
    if not is_trusting(context, application, role_arn):
        # Terraform's provider tries again where it reads "verifying role".
        raise validation_error(
            f"There was an error verifying role {role_arn!r}: it must exist in an active account of the "
            f"organization, and its trust policy must allow the service {ACCOUNT_ACCESS_SERVICE} "
            f"{' and '.join(_ACTIONS)}, for this application."
        )


def _require_room(context: Context, application: sqlite3.Row, role_arn: str) -> None:
    count = context.value(
        "SELECT count(*) FROM entitlement WHERE principal_type = 'GROUP' AND application_arn = ?"
        " AND role_arn = ?",
        application["application_arn"],
        role_arn,
    )
    if count >= MOST_GROUPS_OF_A_ROLE:
        raise quota_exceeded(f"The role {role_arn!r} has its {MOST_GROUPS_OF_A_ROLE} groups already.")


def _find(context: Context, application: sqlite3.Row, entitlement_id: str) -> sqlite3.Row | None:
    key = {"entitlement_id": entitlement_id, "application_arn": application["application_arn"]}
    return context.find("entitlement", **key)


def _listed(context: Context, row: sqlite3.Row) -> dict[str, Any]:
    member = "userId" if row["principal_type"] == "USER" else "groupId"
    account_id = account_of(row["role_arn"])
    details = {
        "principal": {"identityCenter": {member: row["principal_id"]}},
        "roleArn": row["role_arn"],
        "account": account_id,
        "accountName": account_name_of(context, account_id),
    }
    return {
        "entitlementId": row["entitlement_id"],
        "entitlement": {"principalRole": details},
        "createdAt": moment(row["created_at"]),
    }
