"""What happens a moment after a request was accepted: assignments come and go, and roles follow them.

The sandbox has no background worker. Each request first settles what has come due by the sandbox's clock, so
that a client sees IN_PROGRESS and then the outcome, and a restart loses nothing.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from typing import Any

from idc_sandbox.api.sso_admin.principals import principal_exists
from idc_sandbox.api.sso_admin.requests import CREATE_ASSIGNMENT, DELETE_ASSIGNMENT, PROVISION
from idc_sandbox.api.sso_admin.reserved_roles import (
    ProvisioningError,
    delete_role,
    delete_roles_of_instance,
    provision_role,
)
from idc_sandbox.context import Context
from idc_sandbox.errors import ServiceError, is_disk_full
from idc_sandbox.switches import asynchronous_duration_s, next_assignment_failure

__all__ = ["delete_roles_of_instance", "settle_due_requests"]

_NOT_ASSIGNED = "Received a 404 status error: Assignment not found."
logger = logging.getLogger(__name__)


def settle_due_requests(context: Context) -> None:
    """Complete every asynchronous request that is due, oldest first; writes.

    Each ends SUCCEEDED, or FAILED with a reason; none can hold up the others. A request that was made later
    than the sandbox's clock says now is due as well: the clock has been put back since.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_CreateAccountAssignment.html
    """
    _finish_creating_instances(context)
    now = context.now
    due = context.connection.execute(
        "SELECT * FROM asynchronous_request WHERE status = 'IN_PROGRESS' AND (due_at <= ? OR created_at > ?)"
        " ORDER BY due_at, created_at, rowid",
        (now, now),
    ).fetchall()
    for row in due:
        failure_reason = _settle(context, row)
        context.connection.execute(
            "UPDATE asynchronous_request SET status = ?, failure_reason = ? WHERE request_id = ?",
            ("FAILED" if failure_reason else "SUCCEEDED", failure_reason, row["request_id"]),
        )


def _finish_creating_instances(context: Context) -> None:
    now = context.now
    context.connection.execute(
        "UPDATE instance SET status = 'ACTIVE' WHERE status = 'CREATE_IN_PROGRESS'"
        " AND (created_at <= ? OR created_at > ?)",
        (now - asynchronous_duration_s(context.connection), now),
    )


def _settle(context: Context, request: sqlite3.Row) -> str | None:
    """Return why a request failed, or None."""
    context.connection.execute("SAVEPOINT settling")
    try:
        detail = {**json.loads(request["detail_json"]), "begun_at": request["created_at"]}
        _SETTLE_OF_KIND[request["kind"]](context, request["instance_arn"], detail)
    except ProvisioningError as error:
        return str(error)
    except ServiceError as error:
        context.connection.execute("ROLLBACK TO settling")
        return f"Received a {error.status} status error: {error.message}"
    except Exception as error:
        if is_disk_full(error):
            raise  # the request goes on when there is room again
        # A defect must not make every later request fail with it: AWS's own words for this, and the log
        # says more.
        logger.exception("defect while settling %s %s", request["kind"], request["request_id"])
        context.connection.execute("ROLLBACK TO settling")
        return "An unexpected internal service exception was encountered"
    finally:
        context.connection.execute("RELEASE settling")
    return None


def _create_assignment(context: Context, instance_arn: str, detail: dict[str, Any]) -> None:
    reason = next_assignment_failure(context.connection)
    if reason:
        raise ProvisioningError(reason)
    principal_type, principal_id = detail["PrincipalType"], detail["PrincipalId"]
    if not principal_exists(context, instance_arn, principal_type, principal_id):
        raise ProvisioningError(f"Received a 404 status error: {principal_type} {principal_id} not found.")
    provision_role(context, detail["PermissionSetArn"], detail["TargetId"], even_if_latest=False)
    context.connection.execute(
        "INSERT OR IGNORE INTO account_assignment VALUES (?, ?, ?, ?, ?, ?)",
        (
            instance_arn,
            detail["PermissionSetArn"],
            detail["TargetId"],
            principal_type,
            principal_id,
            context.now,
        ),
    )


def _delete_assignment(context: Context, instance_arn: str, detail: dict[str, Any]) -> None:
    """Delete an assignment; AWS fails the request when the principal is gone.

    That the assignment is gone all the same is UNCONFIRMED.
    """
    context.connection.execute(
        "DELETE FROM account_assignment WHERE permission_set_arn = :PermissionSetArn AND account_id"
        " = :TargetId"
        " AND principal_type = :PrincipalType AND principal_id = :PrincipalId",
        detail,
    )
    remaining = context.connection.execute(
        "SELECT count(*) FROM account_assignment"
        " WHERE permission_set_arn = :PermissionSetArn AND account_id = :TargetId",
        detail,
    ).fetchone()[0]
    if not remaining:
        delete_role(context, detail["PermissionSetArn"], detail["TargetId"])
    principal_type, principal_id = detail["PrincipalType"], detail["PrincipalId"]
    if not principal_exists(context, instance_arn, principal_type, principal_id):
        store_id = context.connection.execute(
            "SELECT identity_store_id FROM instance WHERE instance_arn = ?", (instance_arn,)
        ).fetchone()[0]
        raise ProvisioningError(
            f"Received a 404 status error: the {principal_type} assignee {principal_id} was not found in "
            f"directory {store_id}"
        )


def _provision(context: Context, instance_arn: str, detail: dict[str, Any]) -> None:
    permission_set_arn, wanted = detail["PermissionSetArn"], detail["AccountId"]
    provisioned = _provisioned_accounts(context, permission_set_arn)
    gone = _accounts_just_left(context, instance_arn, detail) - set(provisioned)
    if wanted in gone:
        raise ProvisioningError(_NOT_ASSIGNED)
    failures = [] if wanted else [f"{account_id}: {_NOT_ASSIGNED}" for account_id in sorted(gone)]
    for account_id in [wanted] if wanted else provisioned:
        try:
            provision_role(context, permission_set_arn, account_id, even_if_latest=True)
        except ProvisioningError as error:
            failures.append(f"{account_id}: {error}")
    if failures:
        # The accounts that could be provisioned are; the reason names those that could not.
        raise ProvisioningError(" ".join(failures))


def _accounts_just_left(context: Context, instance_arn: str, detail: dict[str, Any]) -> set[str]:
    """Return the accounts of which an assignment of the set was being deleted when a provisioning began."""
    rows = context.connection.execute(
        "SELECT detail_json FROM asynchronous_request WHERE instance_arn = ? AND kind = ?"
        " AND status <> 'IN_PROGRESS' AND created_at <= ? AND due_at > ?",
        (instance_arn, DELETE_ASSIGNMENT, detail["begun_at"], detail["begun_at"]),
    )
    details = [json.loads(row[0]) for row in rows]
    return {each["TargetId"] for each in details if each["PermissionSetArn"] == detail["PermissionSetArn"]}


def _provisioned_accounts(context: Context, permission_set_arn: str) -> list[str]:
    rows = context.connection.execute(
        "SELECT account_id FROM provisioned_permission_set WHERE permission_set_arn = ? ORDER BY account_id",
        (permission_set_arn,),
    )
    return [row[0] for row in rows.fetchall()]


_SETTLE_OF_KIND = {
    CREATE_ASSIGNMENT: _create_assignment,
    DELETE_ASSIGNMENT: _delete_assignment,
    PROVISION: _provision,
}
