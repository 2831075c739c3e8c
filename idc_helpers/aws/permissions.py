"""The IAM permissions that each notebook needs on AWS: as data.

Sources: https://docs.aws.amazon.com/singlesignon/latest/userguide/iam-auth-access-using-id-policies.html,
https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsiamidentitycenter.html
"""

from __future__ import annotations

from dataclasses import dataclass

from idc_helpers.errors import NotFoundError
from idc_helpers.suggestions import did_you_mean

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
"""Besides, for whoever assigns a permission set in the management account itself."""


@dataclass(frozen=True)
class NotebookPermissions:
    """What one notebook calls.

    Attributes
    ----------
    notebook
        Such as ``"05_permission_sets"``.
    reads
        Actions that mode ``plan`` and the checks need.
    writes
        Actions that mode ``apply`` needs besides.
    console
        Actions that a person needs in the console, for what no API does.
    """

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
    """Return the IAM actions that a notebook's calls need, sorted.

    Parameters
    ----------
    notebook
        Such as ``"05_permission_sets"``.
    mode
        ``"plan"`` needs the reading ones only.

    Raises
    ------
    NotFoundError
        When there is no such notebook.
    """
    if notebook not in NOTEBOOK_PERMISSIONS:
        raise NotFoundError(
            f"there is no notebook {notebook!r}. {did_you_mean(notebook, NOTEBOOK_PERMISSIONS)}".rstrip(),
            remedy=f"One of: {', '.join(NOTEBOOK_PERMISSIONS)}.",
        )
    entry = NOTEBOOK_PERMISSIONS[notebook]
    return tuple(sorted({*entry.reads, *(entry.writes if mode == "apply" else ())}))
