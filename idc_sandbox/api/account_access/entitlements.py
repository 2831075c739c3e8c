"""Entitlements: which user or group may have which IAM role; the role must trust the service."""

# Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/account-access-manager-prepare-roles.html
from __future__ import annotations

import sqlite3
from typing import Any

from idc_sandbox.api.account_access.access_applications import moment, require_access_application
from idc_sandbox.context import ACCOUNT_ACCESS_SERVICE, Context
from idc_sandbox.errors import not_found, quota_exceeded, validation_error
from idc_sandbox.wire.permissions import trusts_service
from idc_sandbox.wire.registry import Listing, operation

MOST_GROUPS_OF_A_ROLE = 20
_ACTIONS = ("sts:AssumeRole", "sts:SetContext")


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
