"""Provisioning: bringing accounts up to date with a permission set, and which ones are."""

from __future__ import annotations

import sqlite3
from typing import Any

from idc_sandbox.api.instance_rules import require_permission_sets
from idc_sandbox.api.pagination import paginate
from idc_sandbox.api.registry import operation
from idc_sandbox.api.sso_admin.permission_set_rules import (
    find_manageable,
    find_permission_set,
    require_known_account,
    require_not_delegated,
)
from idc_sandbox.api.sso_admin.requests import (
    PROVISION,
    find_request,
    list_statuses,
    request_status,
    start_request,
)
from idc_sandbox.context import Context
from idc_sandbox.errors import validation_error

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
    rows = _provisioned(context, "permission_set_arn", permission_set["permission_set_arn"], request)
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
    rows = _provisioned(context, "account_id", request["AccountId"], request)
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


def _provisioned(context: Context, column: str, value: str, request: dict[str, Any]) -> list[sqlite3.Row]:
    rows = context.connection.execute(
        "SELECT permission_set_arn, account_id, revision = provisioned_revision AS is_latest"
        " FROM provisioned_permission_set JOIN permission_set USING (permission_set_arn)"
        " WHERE instance_arn = ?",
        (request["InstanceArn"],),
    ).fetchall()
    wanted = request.get("ProvisioningStatus")
    rows = [row for row in rows if row[column] == value]
    return [row for row in rows if wanted in (None, LATEST if row["is_latest"] else NOT_LATEST)]
