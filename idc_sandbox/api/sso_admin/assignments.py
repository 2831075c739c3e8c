"""Account assignments: created, deleted, their requests followed, and listed."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from idc_sandbox.api.instance_rules import require_permission_sets
from idc_sandbox.api.sso_admin.rules import (
    CREATE_ASSIGNMENT,
    DELETE_ASSIGNMENT,
    find_manageable,
    find_permission_set,
    find_request,
    list_statuses,
    principal_exists,
    request_status,
    requests_in_progress,
    require_known_account,
    require_not_delegated,
    start_request,
)
from idc_sandbox.context import Context
from idc_sandbox.errors import access_denied, not_found, quota_exceeded
from idc_sandbox.wire.registry import operation, paginate

MAXIMUM_GROUPS = 100
MAXIMUM_PERMISSION_SETS_IN_ACCOUNT = 500

_DETAIL_MEMBERS = ("TargetId", "TargetType", "PermissionSetArn", "PrincipalType", "PrincipalId")


@operation("sso-admin", "CreateAccountAssignment")
def create_account_assignment(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Start giving a principal access to an account; an assignment that exists already succeeds as a no-op.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_CreateAccountAssignment.html
    """
    permission_set = find_manageable(context, request)
    require_not_delegated(context, request["TargetId"])
    require_known_account(context, request["TargetId"])
    _require_principal(context, permission_set["instance_arn"], request)
    _require_room(context, permission_set, request)
    row = start_request(context, permission_set["instance_arn"], CREATE_ASSIGNMENT, _detail(request))
    return {"AccountAssignmentCreationStatus": request_status(row, with_detail=True)}


@operation("sso-admin", "DeleteAccountAssignment")
def delete_account_assignment(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Start taking a principal's access away; neither the principal nor the account need exist any more.

    An assignment that does not exist is a ResourceNotFoundException on the call (UNCONFIRMED at AWS).
    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_DeleteAccountAssignment.html
    """
    permission_set = find_manageable(context, request)
    require_not_delegated(context, request["TargetId"])
    # Started first, so that what is still being created is a conflict, which a client retries, and not
    # missing.
    row = start_request(context, permission_set["instance_arn"], DELETE_ASSIGNMENT, _detail(request))
    if not _exists(context, request):
        raise not_found(
            f"Assignment not found. {request['PrincipalType']} {request['PrincipalId']!r} has no "
            "assignment of "
            f"{permission_set['name']!r} in account {request['TargetId']!r}."
        )
    return {"AccountAssignmentDeletionStatus": request_status(row, with_detail=True)}


@operation("sso-admin", "DescribeAccountAssignmentCreationStatus")
def describe_creation_status(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Return how far a creation has come.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_DescribeAccountAssignmentCreationStatus.html
    """
    instance_arn = require_permission_sets(context, request["InstanceArn"])["instance_arn"]
    row = find_request(
        context, instance_arn, CREATE_ASSIGNMENT, request["AccountAssignmentCreationRequestId"]
    )
    return {"AccountAssignmentCreationStatus": request_status(row, with_detail=True)}


@operation("sso-admin", "DescribeAccountAssignmentDeletionStatus")
def describe_deletion_status(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Return how far a deletion has come.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_DescribeAccountAssignmentDeletionStatus.html
    """
    instance_arn = require_permission_sets(context, request["InstanceArn"])["instance_arn"]
    row = find_request(
        context, instance_arn, DELETE_ASSIGNMENT, request["AccountAssignmentDeletionRequestId"]
    )
    return {"AccountAssignmentDeletionStatus": request_status(row, with_detail=True)}


@operation("sso-admin", "ListAccountAssignmentCreationStatus")
def list_creation_statuses(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """List all creations with their status: one call watches many.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_ListAccountAssignmentCreationStatus.html
    """
    statuses, token = list_statuses(
        context, request, kind=CREATE_ASSIGNMENT, operation_name="ListAccountAssignmentCreationStatus"
    )
    return {"AccountAssignmentsCreationStatus": statuses, "NextToken": token}


@operation("sso-admin", "ListAccountAssignmentDeletionStatus")
def list_deletion_statuses(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """List all deletions with their status.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_ListAccountAssignmentDeletionStatus.html
    """
    statuses, token = list_statuses(
        context, request, kind=DELETE_ASSIGNMENT, operation_name="ListAccountAssignmentDeletionStatus"
    )
    return {"AccountAssignmentsDeletionStatus": statuses, "NextToken": token}


def _detail(request: dict[str, Any]) -> dict[str, str]:
    return {name: request[name] for name in _DETAIL_MEMBERS}


def _exists(context: Context, request: dict[str, Any]) -> bool:
    return (
        context.connection.execute(
            "SELECT 1 FROM account_assignment WHERE permission_set_arn = :PermissionSetArn AND"
            " account_id = :TargetId"
            " AND principal_type = :PrincipalType AND principal_id = :PrincipalId",
            _detail(request),
        ).fetchone()
        is not None
    )


def _require_principal(context: Context, instance_arn: str, request: dict[str, Any]) -> None:
    if not principal_exists(context, instance_arn, request["PrincipalType"], request["PrincipalId"]):
        raise not_found(
            f"No {request['PrincipalType']} {request['PrincipalId']!r} exists in the identity store "
            f"of {instance_arn!r}."
        )


def _require_room(context: Context, permission_set: sqlite3.Row, request: dict[str, Any]) -> None:
    """Hold the quotas of groups and permission sets in an account; what is being created counts."""
    account_id, permission_set_arn = request["TargetId"], permission_set["permission_set_arn"]
    pending = [
        json.loads(row["detail_json"])
        for row in requests_in_progress(context, permission_set["instance_arn"])
        if row["kind"] == CREATE_ASSIGNMENT
    ]
    pending = [detail for detail in pending if detail["TargetId"] == account_id]
    groups = _group_ids(context, permission_set_arn, account_id) | {
        detail["PrincipalId"]
        for detail in pending
        if detail["PermissionSetArn"] == permission_set_arn and detail["PrincipalType"] == "GROUP"
    }
    if request["PrincipalType"] == "GROUP" and len(groups | {request["PrincipalId"]}) > MAXIMUM_GROUPS:
        raise quota_exceeded(
            f"The permission set {permission_set['name']!r} has its {MAXIMUM_GROUPS} groups in "
            f"account {account_id!r} already."
        )
    sets = _provisioned_sets(context, account_id) | {detail["PermissionSetArn"] for detail in pending}
    if len(sets | {permission_set_arn}) > MAXIMUM_PERMISSION_SETS_IN_ACCOUNT:
        raise quota_exceeded(
            f"Account {account_id!r} has its {MAXIMUM_PERMISSION_SETS_IN_ACCOUNT} permission sets already."
        )


def _group_ids(context: Context, permission_set_arn: str, account_id: str) -> set[str]:
    rows = context.connection.execute(
        "SELECT principal_id FROM account_assignment"
        " WHERE permission_set_arn = ? AND account_id = ? AND principal_type = 'GROUP'",
        (permission_set_arn, account_id),
    )
    return {row[0] for row in rows}


def _provisioned_sets(context: Context, account_id: str) -> set[str]:
    rows = context.connection.execute(
        "SELECT permission_set_arn FROM provisioned_permission_set WHERE account_id = ?", (account_id,)
    )
    return {row[0] for row in rows}


# Who has access where: account assignments by account and permission set, and by principal.


@operation("sso-admin", "ListAccountAssignments")
def list_account_assignments(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """List the principals that have a permission set in an account, deleted ones included.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_ListAccountAssignments.html
    """
    permission_set = find_permission_set(context, request["InstanceArn"], request["PermissionSetArn"])
    rows = context.connection.execute(
        "SELECT * FROM account_assignment WHERE permission_set_arn = ? AND account_id = ?",
        (permission_set["permission_set_arn"], request["AccountId"]),
    ).fetchall()
    if not rows:
        require_known_account(context, request["AccountId"])
    return _page(rows, request, "ListAccountAssignments")


@operation("sso-admin", "ListAccountAssignmentsForPrincipal")
def list_account_assignments_for_principal(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """List what a principal has access to: for a user, what its groups give as well.

    Each row names the principal that holds the assignment. Only the management account may ask.
    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_ListAccountAssignmentsForPrincipal.html
    """
    instance_arn = require_permission_sets(context, request["InstanceArn"])["instance_arn"]
    management_account_id = context.double.management_account_id
    if context.caller.account_id != management_account_id:
        raise access_denied(
            "ListAccountAssignmentsForPrincipal must be called from the management account "
            f"{management_account_id!r}, "
            f"not from {context.caller.account_id!r}. ListAccountAssignments works for a delegated "
            "administrator."
        )
    rows = _rows_of_principal(context, instance_arn, request["PrincipalType"], request["PrincipalId"])
    if not rows and not principal_exists(
        context, instance_arn, request["PrincipalType"], request["PrincipalId"]
    ):
        raise not_found(
            f"No {request['PrincipalType']} {request['PrincipalId']!r} exists in {instance_arn!r}."
        )
    account_id = (request.get("Filter") or {}).get("AccountId")
    if account_id:
        rows = [row for row in rows if row["account_id"] == account_id]
    return _page(rows, request, "ListAccountAssignmentsForPrincipal")


def _rows_of_principal(
    context: Context, instance_arn: str, principal_type: str, principal_id: str
) -> list[sqlite3.Row]:
    return context.connection.execute(
        "SELECT * FROM account_assignment WHERE instance_arn = :instance AND ("
        " (principal_type = :type AND principal_id = :id) OR (:type = 'USER' AND principal_type = 'GROUP'"
        " AND principal_id IN (SELECT group_id FROM group_membership WHERE user_id = :id)))",
        {"instance": instance_arn, "type": principal_type, "id": principal_id},
    ).fetchall()


def _page(rows: list[sqlite3.Row], request: dict[str, Any], operation_name: str) -> dict[str, Any]:
    page, token = paginate(
        rows,
        operation_name=operation_name,
        key=lambda row: " ".join(
            (row["account_id"], row["permission_set_arn"], row["principal_type"], row["principal_id"])
        ),
        request=request,
    )
    assignments = [
        {
            "AccountId": row["account_id"],
            "PermissionSetArn": row["permission_set_arn"],
            "PrincipalType": row["principal_type"],
            "PrincipalId": row["principal_id"],
        }
        for row in page
    ]
    return {"AccountAssignments": assignments, "NextToken": token}
