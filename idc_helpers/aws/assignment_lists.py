"""Reading account assignments the two ways that AWS has: by permission set and account, and by principal."""

from __future__ import annotations

from botocore.exceptions import ClientError

from idc_helpers.aws.calls import pages
from idc_helpers.aws.connected import Connection
from idc_helpers.aws.failures import error_code

# principal type, principal id, permission set ARN, account id
AssignmentTuple = tuple[str, str, str, str]


def list_assignments_of_pair(
    connection: Connection, permission_set_arn: str, account_id: str
) -> list[AssignmentTuple]:
    """Return the assignments of a permission set in an account; reads only; for delegates as well.

    Notes
    -----
    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_ListAccountAssignments.html
    """
    try:
        return [
            (row["PrincipalType"], row["PrincipalId"], permission_set_arn, account_id)
            for row in pages(
                connection.client("sso-admin"),
                "list_account_assignments",
                "AccountAssignments",
                InstanceArn=connection.instance.instance_arn,
                AccountId=account_id,
                PermissionSetArn=permission_set_arn,
            )
        ]
    except ClientError as error:
        # An account or a permission set that is not there has no assignments.
        if error_code(error) == "ResourceNotFoundException":
            return []
        raise


def list_assignments_of_principal(
    connection: Connection, principal_type: str, principal_id: str
) -> list[AssignmentTuple]:
    """Return a principal's own assignments; reads only.

    What a user has through groups is not in it. Works in the management account alone.

    Notes ----- Source:
    https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_ListAccountAssignmentsForPrincipal.html
    """
    rows = pages(
        connection.client("sso-admin"),
        "list_account_assignments_for_principal",
        "AccountAssignments",
        InstanceArn=connection.instance.instance_arn,
        PrincipalId=principal_id,
        PrincipalType=principal_type,
    )
    return [
        (principal_type, principal_id, row["PermissionSetArn"], row["AccountId"])
        for row in rows
        if row.get("PrincipalId", principal_id) == principal_id
    ]


def list_provisioned_accounts(
    connection: Connection, permission_set_arn: str, provisioning_status: str | None = None
) -> list[str]:
    """Return the ids of the accounts that a permission set is provisioned to, sorted; reads only.

    Parameters
    ----------
    provisioning_status
        ``"LATEST_PERMISSION_SET_PROVISIONED"`` or ``"LATEST_PERMISSION_SET_NOT_PROVISIONED"``; None: both.

    Notes ----- Source:
    https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_ListAccountsForProvisionedPermissionSet.html
    """
    request = {"InstanceArn": connection.instance.instance_arn, "PermissionSetArn": permission_set_arn}
    if provisioning_status:
        request["ProvisioningStatus"] = provisioning_status
    sso_admin = connection.client("sso-admin")
    found = pages(sso_admin, "list_accounts_for_provisioned_permission_set", "AccountIds", **request)
    return sorted(set(found))
