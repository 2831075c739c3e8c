"""Assignments, and which permission sets are in which accounts, with the roles that they become."""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
from typing import Any

from idc_sandbox.api.instance_rules import require_permission_sets
from idc_sandbox.api.sso_admin.permission_sets import (
    customer_managed_policies,
    managed_policy_arns,
    reference_key,
)
from idc_sandbox.api.sso_admin.regions import settle_due_regions
from idc_sandbox.api.sso_admin.rules import (
    CREATE_ASSIGNMENT,
    DELETE_ASSIGNMENT,
    OF_PRINCIPAL,
    PROVISION,
    assignment_key,
    find_permission_set,
    principal_exists,
    principal_in,
    requests_in_progress,
    require_known_account,
    require_not_delegated,
    require_principal,
    start_request,
)
from idc_sandbox.context import Context
from idc_sandbox.errors import (
    ServiceError,
    access_denied,
    is_disk_full,
    not_found,
    quota_exceeded,
    validation_error,
)
from idc_sandbox.switches import next_assignment_failure, read_switch
from idc_sandbox.wire.registry import Listing, operation

# The role allows IAM's longest session; how long one really lasts is the permission set's to say, at sign-in.
MAXIMUM_ROLE_SESSION_S = 43_200


class ProvisioningError(Exception):
    """A permission set cannot be provisioned in an account; the message is the request's failure reason."""


def provision_role(
    context: Context, permission_set_arn: str, account_id: str, *, even_if_latest: bool
) -> None:
    """Bring an account's role in line with its permission set; writes to the account's IAM."""
    if account_id in context.double.closed_account_ids():
        # AWS's words, as seen in public bug reports: it tries for a while, and then fails the request.
        raise ProvisioningError(
            "AWS SSO is unable to complete your request at this time. Obtaining permissions to manage your "
            f"AWS account '{account_id}' is taking longer than usual. Please try again in a few minutes. "
            "If this problem continues, contact AWS Support."
        )
    (permission_set,) = context.rows(
        "SELECT permission_set.*, region FROM permission_set JOIN instance USING (instance_arn)"
        " WHERE permission_set_arn = ?",
        permission_set_arn,
    )
    key = {"permission_set_arn": permission_set_arn, "account_id": account_id}
    provisioned = context.find("provisioned_permission_set", **key)
    revision = permission_set["revision"]
    if provisioned and provisioned["provisioned_revision"] == revision and not even_if_latest:
        return
    _require_account_ready(context, permission_set, account_id)
    if provisioned:
        role_name = provisioned["role_name"]
    else:
        role_name = f"AWSReservedSSO_{permission_set['name']}_{context.ids.digest('role')[:16]}"
    context.double.put_reserved_role(account_id, **_role(context, permission_set, account_id, role_name))
    context.replace(
        "provisioned_permission_set",
        permission_set_arn=permission_set_arn,
        account_id=account_id,
        provisioned_revision=revision,
        role_name=role_name,
        provisioned_at=context.now,
    )


def delete_role(context: Context, permission_set_arn: str, account_id: str) -> None:
    """Delete an account's role of a permission set, if it has one; the next one will have another suffix."""
    key = {"permission_set_arn": permission_set_arn, "account_id": account_id}
    provisioned = context.find("provisioned_permission_set", **key)
    if provisioned is None:
        return
    if account_id in context.double.account_ids():
        context.double.delete_reserved_role(account_id, provisioned["role_name"])
    context.delete("provisioned_permission_set", **key)


def delete_roles_of_instance(context: Context, instance_arn: str) -> None:
    """Delete every role that an instance made, in all accounts."""
    rows = context.rows(
        "SELECT permission_set_arn, account_id FROM provisioned_permission_set"
        " JOIN permission_set USING (permission_set_arn) WHERE instance_arn = ?",
        instance_arn,
    )
    for row in rows:
        delete_role(context, row["permission_set_arn"], row["account_id"])


def _boundary(permission_set: sqlite3.Row) -> dict[str, Any]:
    boundary: dict[str, Any] = json.loads(permission_set["permissions_boundary_json"] or "{}")
    return boundary


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


def saml_provider_arn(account_id: str, instance_arn: str) -> str:
    """Return the ARN of the provider that an account's reserved roles trust."""
    trusted = hashlib.sha256(f"{instance_arn} {account_id}".encode()).hexdigest()[:16]
    return f"arn:aws:iam::{account_id}:saml-provider/AWSSSO_{trusted}_DO_NOT_DELETE"


def _role(context: Context, permission_set: sqlite3.Row, account_id: str, role_name: str) -> dict[str, Any]:
    permission_set_arn = permission_set["permission_set_arn"]
    boundary = _boundary(permission_set)
    boundary_arn = boundary.get("ManagedPolicyArn")
    if "CustomerManagedPolicyReference" in boundary:
        boundary_arn = _policy_arn(account_id, *reference_key(boundary["CustomerManagedPolicyReference"]))
    # The home Region is in the path, unless it is us-east-1.
    region = permission_set["region"]
    path = "/aws-reserved/sso.amazonaws.com/" + ("" if region == "us-east-1" else f"{region}/")
    return {
        "role_name": role_name,
        "path": path,
        "description": permission_set["description"] or "",
        "max_session_duration_s": MAXIMUM_ROLE_SESSION_S,
        "saml_provider_arn": saml_provider_arn(account_id, permission_set["instance_arn"]),
        "managed_policy_arns": managed_policy_arns(context, permission_set_arn),
        "customer_managed": customer_managed_policies(context, permission_set_arn),
        "inline_policy": permission_set["inline_policy"],
        "permissions_boundary_arn": boundary_arn,
    }


_NOT_ASSIGNED = "Received a 404 status error: Assignment not found."
logger = logging.getLogger(__name__)


def settle_due_requests(context: Context) -> None:
    """Complete every asynchronous request that is due, oldest first, each on its own; writes."""
    now = context.now
    context.execute(
        "UPDATE instance SET status = 'ACTIVE' WHERE status = 'CREATE_IN_PROGRESS'"
        " AND (created_at <= ? OR created_at > ?)",
        now - read_switch(context.connection, "asynchronous_duration_s"),
        now,
    )
    # One that was made later than now is due as well: the clock has been put back since.
    settle_due_regions(context)
    due = context.rows(
        "SELECT * FROM asynchronous_request WHERE status = 'IN_PROGRESS' AND (due_at <= ? OR created_at > ?)"
        " ORDER BY due_at, created_at, rowid",
        now,
        now,
    )
    for row in due:
        reason = _settle(context, row)
        status = "FAILED" if reason else "SUCCEEDED"
        context.update("asynchronous_request", row, status=status, failure_reason=reason)


def _settle(context: Context, request: sqlite3.Row) -> str | None:
    """Return why a request failed, or None."""
    context.execute("SAVEPOINT settling")
    try:
        detail = {**json.loads(request["detail_json"]), "begun_at": request["created_at"]}
        _SETTLE_OF_KIND[request["kind"]](context, request["instance_arn"], detail)
    except ProvisioningError as error:
        return str(error)
    except ServiceError as error:
        context.execute("ROLLBACK TO settling")
        return f"Received a {error.status} status error: {error.message}"
    except Exception as error:
        if is_disk_full(error):
            raise  # the request goes on when there is room again
        # A defect must not make every later request fail with it: AWS's own words, and the log says more.
        logger.exception("defect while settling %s %s", request["kind"], request["request_id"])
        context.execute("ROLLBACK TO settling")
        return "An unexpected internal service exception was encountered"
    finally:
        context.execute("RELEASE settling")
    return None


def _create_assignment(context: Context, instance_arn: str, detail: dict[str, Any]) -> None:
    reason = next_assignment_failure(context.connection)
    if reason:
        raise ProvisioningError(reason)
    if not principal_exists(context, instance_arn, detail):
        raise ProvisioningError(
            f"Received a 404 status error: {detail['PrincipalType']} {detail['PrincipalId']} not found."
        )
    provision_role(context, detail["PermissionSetArn"], detail["TargetId"], even_if_latest=False)
    key = assignment_key(detail)
    if context.find("account_assignment", **key) is None:
        context.insert("account_assignment", instance_arn=instance_arn, **key, created_at=context.now)


def _delete_assignment(context: Context, instance_arn: str, detail: dict[str, Any]) -> None:
    """Delete an assignment; AWS fails the request when the principal is gone."""
    permission_set_arn, account_id = detail["PermissionSetArn"], detail["TargetId"]
    context.delete("account_assignment", **assignment_key(detail))
    if not context.find("account_assignment", permission_set_arn=permission_set_arn, account_id=account_id):
        delete_role(context, permission_set_arn, account_id)
    if not principal_exists(context, instance_arn, detail):
        # That the assignment is gone all the same is UNCONFIRMED.
        (instance,) = context.find_all("instance", instance_arn=instance_arn)
        raise ProvisioningError(
            f"Received a 404 status error: the {detail['PrincipalType']} assignee {detail['PrincipalId']} "
            f"was not found in directory {instance['identity_store_id']}"
        )


def _provision(context: Context, instance_arn: str, detail: dict[str, Any]) -> None:
    permission_set_arn, wanted = detail["PermissionSetArn"], detail["AccountId"]
    rows = context.rows(
        "SELECT account_id FROM provisioned_permission_set WHERE permission_set_arn = ? ORDER BY account_id",
        permission_set_arn,
    )
    provisioned = [row["account_id"] for row in rows]
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
    rows = context.rows(
        "SELECT detail_json FROM asynchronous_request WHERE instance_arn = ? AND kind = ?"
        " AND status <> 'IN_PROGRESS' AND created_at <= ? AND due_at > ?",
        instance_arn,
        DELETE_ASSIGNMENT,
        detail["begun_at"],
        detail["begun_at"],
    )
    details = [json.loads(row["detail_json"]) for row in rows]
    return {each["TargetId"] for each in details if each["PermissionSetArn"] == detail["PermissionSetArn"]}


_SETTLE_OF_KIND = {
    CREATE_ASSIGNMENT: _create_assignment,
    DELETE_ASSIGNMENT: _delete_assignment,
    PROVISION: _provision,
}

LATEST = "LATEST_PERMISSION_SET_PROVISIONED"
NOT_LATEST = "LATEST_PERMISSION_SET_NOT_PROVISIONED"


@operation("sso-admin", "ProvisionPermissionSet")
def provision_permission_set(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Start bringing one account, or all that have the set, up to date; one account need not have it yet."""
    find_permission_set(context, request, for_change=True)
    account_id = request.get("TargetId")
    wants_account = request["TargetType"] == "AWS_ACCOUNT"
    if wants_account != (account_id is not None):
        raise validation_error(
            "TargetId must be given with the TargetType AWS_ACCOUNT and only then; "
            f"found TargetType {request['TargetType']!r} and TargetId {account_id!r}."
        )
    if account_id is not None:
        require_not_delegated(context, account_id)
        require_known_account(context, account_id)
    detail = {"PermissionSetArn": request["PermissionSetArn"], "AccountId": account_id}
    return start_request(context, request["InstanceArn"], PROVISION, detail)


@operation("sso-admin", "ListAccountsForProvisionedPermissionSet")
def list_accounts_for_provisioned_permission_set(context: Context, request: dict[str, Any]) -> Listing:
    """List the accounts that have a permission set: all, the up-to-date ones, or those that lag behind."""
    find_permission_set(context, request)
    rows = _provisioned(context, request, "permission_set_arn", request["PermissionSetArn"])
    return Listing([row["account_id"] for row in rows])


@operation("sso-admin", "ListPermissionSetsProvisionedToAccount")
def list_permission_sets_provisioned_to_account(context: Context, request: dict[str, Any]) -> Listing:
    """List the permission sets that an account has: all, the up-to-date ones, or those that lag behind."""
    require_permission_sets(context, request["InstanceArn"])
    rows = _provisioned(context, request, "account_id", request["AccountId"])
    if not rows:
        require_known_account(context, request["AccountId"])
    return Listing([row["permission_set_arn"] for row in rows])


def _provisioned(context: Context, request: dict[str, Any], column: str, value: str) -> list[sqlite3.Row]:
    rows = context.rows(
        "SELECT permission_set_arn, account_id, revision = provisioned_revision AS is_latest"  # noqa: S608  ours
        " FROM provisioned_permission_set JOIN permission_set USING (permission_set_arn)"
        f" WHERE provisioned_permission_set.{column} = ? AND instance_arn = ?",
        value,
        request["InstanceArn"],
    )
    wanted = request.get("ProvisioningStatus")
    return [row for row in rows if wanted in (None, LATEST if row["is_latest"] else NOT_LATEST)]


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
    require_principal(context, instance_arn, request)
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
    rows = context.rows(f"SELECT * FROM account_assignment WHERE {OF_PRINCIPAL}", **principal_in(request))  # noqa: S608
    if not rows:
        require_principal(context, request["InstanceArn"], request)
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
