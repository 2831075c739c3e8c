"""The IAM permissions that each notebook needs: as data, and checked for a caller.

Sources: https://docs.aws.amazon.com/singlesignon/latest/userguide/iam-auth-access-using-id-policies.html,
https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsiamidentitycenter.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from botocore.exceptions import BotoCoreError, ClientError

from idc_aws.calls import pages
from idc_aws.connection import Connection
from idc_aws.errors import KitError, NotFoundError
from idc_aws.identifiers import did_you_mean

_CONNECT = ("sts:GetCallerIdentity",)
_READ = (
    "sso:ListInstances",
    "sso:ListTagsForResource",
    "organizations:DescribeOrganization",
    "organizations:DescribeAccount",
)
_READ_ACCOUNTS = ("organizations:ListAccounts",)
_READ_PERMISSION_SETS = (
    "sso:ListPermissionSets",
    "sso:DescribePermissionSet",
    "sso:ListManagedPoliciesInPermissionSet",
    "sso:ListCustomerManagedPolicyReferencesInPermissionSet",
    "sso:GetInlinePolicyForPermissionSet",
    "sso:GetPermissionsBoundaryForPermissionSet",
    "sso:ListAccountsForProvisionedPermissionSet",
)
_READ_ASSIGNMENTS = ("sso:ListAccountAssignments", "sso:ListAccountAssignmentsForPrincipal")
_READ_GROUPS = ("identitystore:GetGroupId", "identitystore:DescribeGroup")
_READ_USERS = ("identitystore:GetUserId", "identitystore:DescribeUser")
_READ_MEMBERSHIPS = ("identitystore:IsMemberInGroups", "identitystore:GetGroupMembershipId")

_WRITE_PERMISSION_SETS = (
    "sso:CreatePermissionSet",
    "sso:UpdatePermissionSet",
    "sso:AttachManagedPolicyToPermissionSet",
    "sso:DetachManagedPolicyFromPermissionSet",
    "sso:AttachCustomerManagedPolicyReferenceToPermissionSet",
    "sso:DetachCustomerManagedPolicyReferenceFromPermissionSet",
    "sso:PutInlinePolicyToPermissionSet",
    "sso:DeleteInlinePolicyFromPermissionSet",
    "sso:PutPermissionsBoundaryToPermissionSet",
    "sso:DeletePermissionsBoundaryFromPermissionSet",
    "sso:ProvisionPermissionSet",
    "sso:DescribePermissionSetProvisioningStatus",
    "sso:TagResource",
    "sso:UntagResource",
)
_WRITE_ASSIGNMENTS = (
    "sso:CreateAccountAssignment",
    "sso:ListAccountAssignmentCreationStatus",
    "sso:DescribeAccountAssignmentCreationStatus",
)
_DELETE_ASSIGNMENTS = (
    "sso:DeleteAccountAssignment",
    "sso:ListAccountAssignmentDeletionStatus",
    "sso:DescribeAccountAssignmentDeletionStatus",
)
_ABAC = "InstanceAccessControlAttributeConfiguration"
MANAGEMENT_ACCOUNT_ACTIONS = (
    "iam:ListRoles",
    "iam:ListPolicies",
    "iam:CreateRole",
    "iam:DeleteRole",
    "iam:GetRole",
    "iam:UpdateRole",
    "iam:UpdateRoleDescription",
    "iam:AttachRolePolicy",
    "iam:DetachRolePolicy",
    "iam:PutRolePolicy",
    "iam:DeleteRolePolicy",
    "iam:ListRolePolicies",
    "iam:ListAttachedRolePolicies",
    "iam:GetSAMLProvider",
    "iam:UpdateSAMLProvider",
)
"""Also needed to assign a permission set in the management account itself."""


@dataclass(frozen=True)
class NotebookPermissions:
    """What one notebook calls."""

    notebook: str
    reads: tuple[str, ...]
    writes: tuple[str, ...] = ()
    console: tuple[str, ...] = ()


_NOTEBOOKS = (
    NotebookPermissions("00_start_here", (*_CONNECT, *_READ)),
    NotebookPermissions(
        "01_enable_identity_center",
        (*_CONNECT, *_READ),
        (
            "sso:CreateInstance",
            "sso:DescribeInstance",
            "sso:UpdateInstance",
            "sso:TagResource",
            "sso:UntagResource",
        ),
        ("sso:*", "organizations:EnableAWSServiceAccess", "iam:CreateServiceLinkedRole"),
    ),
    NotebookPermissions(
        "02_settings",
        (*_CONNECT, *_READ, f"sso:Describe{_ABAC}"),
        (f"sso:Create{_ABAC}", f"sso:Update{_ABAC}"),
        ("sso:DescribeDirectories", "sso:UpdateSSOConfiguration"),
    ),
    NotebookPermissions(
        "03_authentication",
        (*_CONNECT, *_READ),
        (),
        (
            "sso:UpdateSSOConfiguration",
            "sso:GetMfaDeviceManagementForDirectory",
            "sso:PutMfaDeviceManagementForDirectory",
        ),
    ),
    NotebookPermissions(
        "04_management",
        (*_CONNECT, *_READ, *_READ_ACCOUNTS, "organizations:ListDelegatedAdministrators"),
        ("organizations:RegisterDelegatedAdministrator",),
    ),
    NotebookPermissions(
        "05_permission_sets", (*_CONNECT, *_READ, *_READ_PERMISSION_SETS), _WRITE_PERMISSION_SETS
    ),
    NotebookPermissions(
        "06_groups",
        (*_CONNECT, *_READ, *_READ_GROUPS),
        ("identitystore:CreateGroup", "identitystore:UpdateGroup"),
    ),
    NotebookPermissions(
        "07_account_assignments",
        (
            *_CONNECT,
            *_READ,
            *_READ_ACCOUNTS,
            "sso:ListPermissionSets",
            "sso:DescribePermissionSet",
            *_READ_ASSIGNMENTS,
            "identitystore:GetGroupId",
            "identitystore:GetUserId",
        ),
        _WRITE_ASSIGNMENTS,
    ),
    NotebookPermissions(
        "08_users",
        (*_CONNECT, *_READ, *_READ_USERS, "identitystore:GetGroupId", *_READ_MEMBERSHIPS),
        ("identitystore:CreateUser", "identitystore:UpdateUser", "identitystore:CreateGroupMembership"),
    ),
    NotebookPermissions(
        "99_teardown",
        (
            *_CONNECT,
            *_READ,
            *_READ_ACCOUNTS,
            f"sso:Describe{_ABAC}",
            "organizations:ListDelegatedAdministrators",
            *_READ_PERMISSION_SETS,
            *_READ_ASSIGNMENTS,
            *_READ_GROUPS,
            *_READ_USERS,
            *_READ_MEMBERSHIPS,
            # Nothing is deleted that others use, and an instance only if it holds nothing.
            "identitystore:ListGroupMemberships",
            "identitystore:ListGroupMembershipsForMember",
            "identitystore:DescribeGroupMembership",
            "sso:ListApplicationAssignmentsForPrincipal",
            "sso:ListApplications",
            "identitystore:ListUsers",
            "identitystore:ListGroups",
        ),
        (
            *_DELETE_ASSIGNMENTS,
            *_WRITE_PERMISSION_SETS[1:],
            "sso:DeletePermissionSet",
            f"sso:Update{_ABAC}",
            f"sso:Delete{_ABAC}",
            "sso:UpdateInstance",
            "sso:DeleteInstance",
            "organizations:DeregisterDelegatedAdministrator",
            "identitystore:DeleteGroupMembership",
            "identitystore:DeleteUser",
            "identitystore:UpdateUser",
            "identitystore:DeleteGroup",
            "identitystore:UpdateGroup",
        ),
    ),
)

NOTEBOOK_PERMISSIONS: dict[str, NotebookPermissions] = {entry.notebook: entry for entry in _NOTEBOOKS}


def required_actions(notebook: str, *, mode: str = "apply") -> tuple[str, ...]:
    """Return the IAM actions that a notebook's calls need, sorted."""
    if notebook not in NOTEBOOK_PERMISSIONS:
        raise NotFoundError(
            f"there is no notebook {notebook!r}. {did_you_mean(notebook, NOTEBOOK_PERMISSIONS)}".rstrip(),
            remedy=f"One of: {', '.join(NOTEBOOK_PERMISSIONS)}.",
        )
    entry = NOTEBOOK_PERMISSIONS[notebook]
    return tuple(sorted({*entry.reads, *(entry.writes if mode == "apply" else ())}))


# Which permissions the caller lacks, as far as IAM tells.

Decision = Literal["allowed", "denied", "unknown"]
_ASSUMED_ROLE = re.compile(
    r"arn:(?P<partition>[^:]+):sts::(?P<account>\d{12}):assumed-role/(?P<role>[^/]+)/.+", re.ASCII
)
_MOST_ACTIONS_A_CALL = 100


def check_permissions(connection: Connection, actions: Iterable[str]) -> dict[str, Decision]:
    """Return for each IAM action whether the caller may do it; reads only.

    ``"unknown"`` where the caller may not ask IAM, or is not one that IAM can simulate (a root user, a
    federated user). Policies of the organization and of resources are not all seen: what is "allowed" may
    still be refused.
    """
    wanted = list(dict.fromkeys(actions))
    answers: dict[str, Decision] = dict.fromkeys(wanted, "unknown")
    # GetCallerIdentity needs no permission, and connecting has just called it.
    answers.update({action: "allowed" for action in wanted if action == "sts:GetCallerIdentity"})
    asked = [action for action in wanted if answers[action] == "unknown"]
    try:
        policy_source_arn = _policy_source_arn(connection)
        if policy_source_arn is not None:
            for start in range(0, len(asked), _MOST_ACTIONS_A_CALL):
                batch = asked[start : start + _MOST_ACTIONS_A_CALL]
                answers.update(_simulate(connection, policy_source_arn, batch))
    except (KitError, ClientError, BotoCoreError):
        pass  # What could not be asked stays unknown: that is an answer too.
    return answers


def _simulate(connection: Connection, policy_source_arn: str, actions: list[str]) -> dict[str, Decision]:
    results = pages(
        connection.client("iam"),
        "simulate_principal_policy",
        "EvaluationResults",
        PolicySourceArn=policy_source_arn,
        ActionNames=actions,
    )
    return {
        result["EvalActionName"]: "allowed" if result["EvalDecision"] == "allowed" else "denied"
        for result in results
    }


def _policy_source_arn(connection: Connection) -> str | None:
    principal_arn = connection.caller.principal_arn
    if ":user/" in principal_arn and ":iam:" in principal_arn:
        return principal_arn
    match = _ASSUMED_ROLE.fullmatch(principal_arn)
    if match is None:
        return None
    # A session's ARN lacks the role's path, which the simulation needs.
    role = connection.client("iam").get_role(RoleName=match["role"])["Role"]
    return str(role["Arn"])
