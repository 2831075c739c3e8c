"""Provisioning: which permission sets are in which accounts, and the roles that they become there.

Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/referencingpermissionsets.html
"""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
from typing import Any

from idc_sandbox.api.instance_rules import require_permission_sets
from idc_sandbox.api.sso_admin.policies import customer_managed_policies, managed_policy_arns, reference_key
from idc_sandbox.api.sso_admin.rules import (
    CREATE_ASSIGNMENT,
    DELETE_ASSIGNMENT,
    PROVISION,
    find_manageable,
    find_permission_set,
    find_request,
    list_statuses,
    principal_exists,
    request_status,
    require_known_account,
    require_not_delegated,
    start_request,
)
from idc_sandbox.context import Context
from idc_sandbox.errors import ServiceError, is_disk_full, validation_error
from idc_sandbox.switches import asynchronous_duration_s, next_assignment_failure
from idc_sandbox.wire.registry import operation, paginate

# The role allows IAM's longest session; how long one really lasts is the permission set's to say, at sign-in.
MAXIMUM_ROLE_SESSION_S = 43_200


class ProvisioningError(Exception):
    """A permission set cannot be provisioned in an account; the message is the request's failure reason."""


def provision_role(
    context: Context, permission_set_arn: str, account_id: str, *, even_if_latest: bool
) -> None:
    """Bring an account's role in line with its permission set; writes to the account's IAM."""
    _require_open_account(context, account_id)
    permission_set = _permission_set(context, permission_set_arn)
    provisioned = _provisioned(context, permission_set_arn, account_id)
    revision = permission_set["revision"]
    if provisioned and provisioned["provisioned_revision"] == revision and not even_if_latest:
        return
    _require_account_ready(context, permission_set, account_id)
    if provisioned:
        role_name = provisioned["role_name"]
        context.double.update_reserved_role(
            account_id, **_role(context, permission_set, account_id, role_name)
        )
    else:
        role_name = f"AWSReservedSSO_{permission_set['name']}_{context.ids.role_suffix()}"
        context.double.create_reserved_role(
            account_id, **_role(context, permission_set, account_id, role_name)
        )
    context.connection.execute(
        "INSERT OR REPLACE INTO provisioned_permission_set VALUES (?, ?, ?, ?, ?)",
        (permission_set_arn, account_id, revision, role_name, context.now),
    )


def delete_role(context: Context, permission_set_arn: str, account_id: str) -> None:
    """Delete an account's role of a permission set, if it has one; the next one will have another suffix."""
    provisioned = _provisioned(context, permission_set_arn, account_id)
    if provisioned is None:
        return
    if account_id in context.double.account_ids():
        context.double.delete_reserved_role(account_id, provisioned["role_name"])
    context.connection.execute(
        "DELETE FROM provisioned_permission_set WHERE permission_set_arn = ? AND account_id = ?",
        (permission_set_arn, account_id),
    )


def delete_roles_of_instance(context: Context, instance_arn: str) -> None:
    """Delete every role that an instance made, in all accounts."""
    rows = context.connection.execute(
        "SELECT permission_set_arn, account_id FROM provisioned_permission_set"
        " JOIN permission_set USING (permission_set_arn) WHERE instance_arn = ?",
        (instance_arn,),
    ).fetchall()
    for row in rows:
        delete_role(context, row["permission_set_arn"], row["account_id"])


def role_path(region: str) -> str:
    """Return the path of the roles; the Region is left out when the home Region is us-east-1."""
    return "/aws-reserved/sso.amazonaws.com/" + ("" if region == "us-east-1" else f"{region}/")


def saml_provider_arn(instance_arn: str, account_id: str) -> str:
    """Return the ARN of the SAML provider that an account's roles trust; the same each time."""
    digits = hashlib.sha256(f"{instance_arn} {account_id}".encode()).hexdigest()[:16]
    return f"arn:aws:iam::{account_id}:saml-provider/AWSSSO_{digits}_DO_NOT_DELETE"


def _permission_set(context: Context, permission_set_arn: str) -> sqlite3.Row:
    row: sqlite3.Row = context.connection.execute(
        "SELECT permission_set.*, region FROM permission_set JOIN instance USING (instance_arn)"
        " WHERE permission_set_arn = ?",
        (permission_set_arn,),
    ).fetchone()
    return row


def _provisioned(context: Context, permission_set_arn: str, account_id: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = context.connection.execute(
        "SELECT * FROM provisioned_permission_set WHERE permission_set_arn = ? AND account_id = ?",
        (permission_set_arn, account_id),
    ).fetchone()
    return row


def _boundary(permission_set: sqlite3.Row) -> dict[str, Any]:
    boundary: dict[str, Any] = json.loads(permission_set["permissions_boundary_json"] or "{}")
    return boundary


def _require_open_account(context: Context, account_id: str) -> None:
    if account_id in context.double.closed_account_ids():
        # AWS's words, as seen in public bug reports: it tries for a while, and then fails the request.
        raise ProvisioningError(
            "AWS SSO is unable to complete your request at this time. Obtaining permissions to manage your "
            f"AWS account '{account_id}' is taking longer than usual. Please try again in a few minutes. "
            "If this problem continues, contact AWS Support."
        )


def _require_account_ready(context: Context, permission_set: sqlite3.Row, account_id: str) -> None:
    if account_id not in context.double.account_ids():
        raise ProvisioningError(
            f"Received a 404 status error: Account {account_id} is not active in the organization."
        )
    needed = customer_managed_policies(context, permission_set["permission_set_arn"])
    reference = _boundary(permission_set).get("CustomerManagedPolicyReference")
    for path, name in [*needed, *([reference_key(reference)] if reference else [])]:
        if not context.double.customer_managed_policy_exists(account_id, path, name):
            # AWS's words, as seen in public bug reports; what to do comes after them.
            raise ProvisioningError(
                f"Received a 404 status error: Not supported policy {_policy_arn(account_id, path, name)}. "
                f"Create the policy in account {account_id} first, with this name and path."
            )


def _policy_arn(account_id: str, path: str, name: str) -> str:
    return f"arn:aws:iam::{account_id}:policy{path}{name}"


def _role(context: Context, permission_set: sqlite3.Row, account_id: str, role_name: str) -> dict[str, Any]:
    permission_set_arn = permission_set["permission_set_arn"]
    boundary = _boundary(permission_set)
    boundary_arn = boundary.get("ManagedPolicyArn")
    if "CustomerManagedPolicyReference" in boundary:
        boundary_arn = _policy_arn(account_id, *reference_key(boundary["CustomerManagedPolicyReference"]))
    return {
        "role_name": role_name,
        "path": role_path(permission_set["region"]),
        "description": permission_set["description"] or "",
        "max_session_duration_s": MAXIMUM_ROLE_SESSION_S,
        "saml_provider_arn": saml_provider_arn(permission_set["instance_arn"], account_id),
        "managed_policy_arns": managed_policy_arns(context, permission_set_arn),
        "customer_managed": customer_managed_policies(context, permission_set_arn),
        "inline_policy": permission_set["inline_policy"],
        "permissions_boundary_arn": boundary_arn,
        "tags": {},
    }


# What happens a moment after a request was accepted: assignments come and go, and roles follow them.

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


# Provisioning: bringing accounts up to date with a permission set, and which ones are.

LATEST = "LATEST_PERMISSION_SET_PROVISIONED"
NOT_LATEST = "LATEST_PERMISSION_SET_NOT_PROVISIONED"


@operation("sso-admin", "ProvisionPermissionSet")
def provision_permission_set(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Start bringing one account, or all that have the set, up to date; one account need not have it yet.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_ProvisionPermissionSet.html
    """
    permission_set = find_manageable(context, request)
    account_id = _target_account_id(request)
    if account_id is not None:
        require_not_delegated(context, account_id)
        require_known_account(context, account_id)
    detail = {"PermissionSetArn": permission_set["permission_set_arn"], "AccountId": account_id}
    row = start_request(context, permission_set["instance_arn"], PROVISION, detail)
    return {"PermissionSetProvisioningStatus": request_status(row, with_detail=True)}


@operation("sso-admin", "DescribePermissionSetProvisioningStatus")
def describe_provisioning_status(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Return how far a provisioning has come.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_DescribePermissionSetProvisioningStatus.html
    """
    instance_arn = require_permission_sets(context, request["InstanceArn"])["instance_arn"]
    row = find_request(context, instance_arn, PROVISION, request["ProvisionPermissionSetRequestId"])
    return {"PermissionSetProvisioningStatus": request_status(row, with_detail=True)}


@operation("sso-admin", "ListPermissionSetProvisioningStatus")
def list_provisioning_statuses(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """List all provisionings with their status.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_ListPermissionSetProvisioningStatus.html
    """
    statuses, token = list_statuses(
        context, request, kind=PROVISION, operation_name="ListPermissionSetProvisioningStatus"
    )
    return {"PermissionSetsProvisioningStatus": statuses, "NextToken": token}


@operation("sso-admin", "ListAccountsForProvisionedPermissionSet")
def list_accounts_for_provisioned_permission_set(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """List the accounts that have a permission set: all, the up-to-date ones, or those that lag behind.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_ListAccountsForProvisionedPermissionSet.html
    """
    permission_set = find_permission_set(context, request["InstanceArn"], request["PermissionSetArn"])
    rows = _provisioned_provisioned(
        context, "permission_set_arn", permission_set["permission_set_arn"], request
    )
    page, token = paginate(
        [row["account_id"] for row in rows],
        operation_name="ListAccountsForProvisionedPermissionSet",
        key=lambda account_id: account_id,
        request=request,
    )
    return {"AccountIds": page, "NextToken": token}


@operation("sso-admin", "ListPermissionSetsProvisionedToAccount")
def list_permission_sets_provisioned_to_account(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """List the permission sets that an account has: all, the up-to-date ones, or those that lag behind.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_ListPermissionSetsProvisionedToAccount.html
    """
    require_permission_sets(context, request["InstanceArn"])
    rows = _provisioned_provisioned(context, "account_id", request["AccountId"], request)
    if not rows:
        require_known_account(context, request["AccountId"])
    page, token = paginate(
        [row["permission_set_arn"] for row in rows],
        operation_name="ListPermissionSetsProvisionedToAccount",
        key=lambda permission_set_arn: permission_set_arn,
        request=request,
    )
    return {"PermissionSets": page, "NextToken": token}


def _target_account_id(request: dict[str, Any]) -> str | None:
    account_id = request.get("TargetId")
    wants_account = request["TargetType"] == "AWS_ACCOUNT"
    if wants_account != (account_id is not None):
        raise validation_error(
            "TargetId must be given with the TargetType AWS_ACCOUNT and only then; "
            f"found TargetType {request['TargetType']!r} and TargetId {account_id!r}."
        )
    return account_id


def _provisioned_provisioned(
    context: Context, column: str, value: str, request: dict[str, Any]
) -> list[sqlite3.Row]:
    rows = context.connection.execute(
        "SELECT permission_set_arn, account_id, revision = provisioned_revision AS is_latest"
        " FROM provisioned_permission_set JOIN permission_set USING (permission_set_arn)"
        " WHERE instance_arn = ?",
        (request["InstanceArn"],),
    ).fetchall()
    wanted = request.get("ProvisioningStatus")
    rows = [row for row in rows if row[column] == value]
    return [row for row in rows if wanted in (None, LATEST if row["is_latest"] else NOT_LATEST)]
