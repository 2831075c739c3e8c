"""Who has access where: account assignments by account and permission set, and by principal."""

from __future__ import annotations

import sqlite3
from typing import Any

from idc_sandbox.api.instance_rules import require_permission_sets
from idc_sandbox.api.pagination import paginate
from idc_sandbox.api.registry import operation
from idc_sandbox.api.sso_admin.permission_set_rules import find_permission_set, require_known_account
from idc_sandbox.api.sso_admin.principals import principal_exists
from idc_sandbox.context import Context
from idc_sandbox.errors import access_denied, not_found


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
