"""Account assignments: created, deleted and listed."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from idc_sandbox.api.instance_rules import require_permission_sets
from idc_sandbox.api.sso_admin.rules import (
    CREATE_ASSIGNMENT,
    DELETE_ASSIGNMENT,
    assignment_key,
    find_permission_set,
    principal_exists,
    requests_in_progress,
    require_known_account,
    require_not_delegated,
    start_request,
)
from idc_sandbox.context import Context
from idc_sandbox.errors import access_denied, not_found, quota_exceeded
from idc_sandbox.wire.registry import Listing, operation

MAXIMUM_GROUPS = 100
MAXIMUM_PERMISSION_SETS_IN_ACCOUNT = 500

_DETAIL_MEMBERS = ("TargetId", "TargetType", "PermissionSetArn", "PrincipalType", "PrincipalId")


@operation("sso-admin", "CreateAccountAssignment")
def create_account_assignment(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Start giving a principal access to an account; one that exists already succeeds as a no-op."""
    permission_set = find_permission_set(context, request, for_change=True)
    instance_arn = request["InstanceArn"]
    require_not_delegated(context, request["TargetId"])
    require_known_account(context, request["TargetId"])
    if not principal_exists(context, instance_arn, request):
        raise not_found(
            f"No {request['PrincipalType']} {request['PrincipalId']!r} exists in the identity store "
            f"of {instance_arn!r}."
        )
    _require_room(context, permission_set, request)
    return start_request(context, instance_arn, CREATE_ASSIGNMENT, _detail(request))


@operation("sso-admin", "DeleteAccountAssignment")
def delete_account_assignment(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Start taking a principal's access away; neither the principal nor the account need exist any more."""
    permission_set = find_permission_set(context, request, for_change=True)
    require_not_delegated(context, request["TargetId"])
    # First, so that what is still being created is a conflict, which a client retries, and not missing.
    status = start_request(context, request["InstanceArn"], DELETE_ASSIGNMENT, _detail(request))
    if context.find("account_assignment", **assignment_key(request)) is None:
        # That the call is refused, and not the request, is UNCONFIRMED at AWS.
        raise not_found(
            f"Assignment not found. {request['PrincipalType']} {request['PrincipalId']!r} has no "
            f"assignment of {permission_set['name']!r} in account {request['TargetId']!r}."
        )
    return status


def _detail(request: dict[str, Any]) -> dict[str, str]:
    return {name: request[name] for name in _DETAIL_MEMBERS}


def _require_room(context: Context, permission_set: sqlite3.Row, request: dict[str, Any]) -> None:
    """Hold the quotas of groups and permission sets in an account; what is being created counts."""
    account_id, permission_set_arn = request["TargetId"], permission_set["permission_set_arn"]
    pending = [
        json.loads(row["detail_json"])
        for row in requests_in_progress(context, permission_set["instance_arn"])
        if row["kind"] == CREATE_ASSIGNMENT
    ]
    pending = [detail for detail in pending if detail["TargetId"] == account_id]
    key = {"permission_set_arn": permission_set_arn, "account_id": account_id, "principal_type": "GROUP"}
    assigned = context.find_all("account_assignment", **key)
    groups = {row["principal_id"] for row in assigned} | {
        detail["PrincipalId"]
        for detail in pending
        if detail["PermissionSetArn"] == permission_set_arn and detail["PrincipalType"] == "GROUP"
    }
    if request["PrincipalType"] == "GROUP" and len(groups | {request["PrincipalId"]}) > MAXIMUM_GROUPS:
        raise quota_exceeded(
            f"The permission set {permission_set['name']!r} has its {MAXIMUM_GROUPS} groups in "
            f"account {account_id!r} already."
        )
    provisioned = context.find_all("provisioned_permission_set", account_id=account_id)
    sets = {row["permission_set_arn"] for row in provisioned}
    sets |= {detail["PermissionSetArn"] for detail in pending}
    if len(sets | {permission_set_arn}) > MAXIMUM_PERMISSION_SETS_IN_ACCOUNT:
        raise quota_exceeded(
            f"Account {account_id!r} has its {MAXIMUM_PERMISSION_SETS_IN_ACCOUNT} permission sets already."
        )


@operation("sso-admin", "ListAccountAssignments")
def list_account_assignments(context: Context, request: dict[str, Any]) -> Listing:
    """List the principals that have a permission set in an account, deleted ones included."""
    find_permission_set(context, request)
    key = {"permission_set_arn": request["PermissionSetArn"], "account_id": request["AccountId"]}
    rows = context.find_all("account_assignment", **key)
    if not rows:
        require_known_account(context, request["AccountId"])
    return Listing(rows, _order, _shown)


@operation("sso-admin", "ListAccountAssignmentsForPrincipal")
def list_account_assignments_for_principal(context: Context, request: dict[str, Any]) -> Listing:
    """List what a principal has access to: for a user, also what its groups give, under their names."""
    require_permission_sets(context, request["InstanceArn"])
    management_account_id = context.double.management_account_id
    if context.caller.account_id != management_account_id:
        raise access_denied(
            "ListAccountAssignmentsForPrincipal must be called from the management account "
            f"{management_account_id!r}, not from {context.caller.account_id!r}. ListAccountAssignments "
            "works for a delegated administrator."
        )
    rows = context.rows(
        "SELECT * FROM account_assignment WHERE instance_arn = :InstanceArn AND ("
        " (principal_type = :PrincipalType AND principal_id = :PrincipalId)"
        " OR (:PrincipalType = 'USER' AND principal_type = 'GROUP' AND principal_id IN"
        " (SELECT group_id FROM group_membership WHERE user_id = :PrincipalId)))",
        **{name: request[name] for name in ("InstanceArn", "PrincipalType", "PrincipalId")},
    )
    if not rows and not principal_exists(context, request["InstanceArn"], request):
        raise not_found(
            f"No {request['PrincipalType']} {request['PrincipalId']!r} exists in {request['InstanceArn']!r}."
        )
    account_id = (request.get("Filter") or {}).get("AccountId")
    return Listing([row for row in rows if account_id in (None, "", row["account_id"])], _order, _shown)


def _order(row: sqlite3.Row) -> str:
    return " ".join(
        (row["account_id"], row["permission_set_arn"], row["principal_type"], row["principal_id"])
    )


def _shown(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "AccountId": row["account_id"],
        "PermissionSetArn": row["permission_set_arn"],
        "PrincipalType": row["principal_type"],
        "PrincipalId": row["principal_id"],
    }
