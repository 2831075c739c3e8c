"""Who has access to what: account assignments, their names, and what each person reaches.

By principal takes a call for each group and user, by pair one for each permission set in each account that
it is provisioned to. The cheaper way is chosen; reading by principal is the management account's alone.
"""

from __future__ import annotations

from itertools import islice
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from idc_aws.calls import in_threads, known_or_none, pages
from idc_aws.changes import State
from idc_aws.connection import Connection
from idc_aws.errors import AccessDeniedError, InvalidValueError, NotFoundError
from idc_aws.failures import error_code, failed_read
from idc_aws.identifiers import did_you_mean, is_account_id
from idc_aws.organization import is_management_account, list_accounts

# Permission sets by name: no API looks a name up, so all are listed, and each name is read once.


def list_permission_sets(connection: Connection) -> dict[str, str]:
    """Return the ARNs of the instance's permission sets by name, sorted; reads only.

    A permission set can never be renamed, so a name that was read once is not read again. One whose name may
    not be read, such as one of the management account for a delegated administrator, goes by its ARN.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_ListPermissionSets.html
    """
    instance_arn = connection.instance.instance_arn
    sso_admin = connection.client("sso-admin")
    names: dict[str, str] = connection.cache.setdefault("permission_set_names", {})
    listed = list(pages(sso_admin, "list_permission_sets", "PermissionSets", InstanceArn=instance_arn))
    new = [permission_set_arn for permission_set_arn in listed if permission_set_arn not in names]

    def describe(permission_set_arn: str) -> dict[str, Any]:
        request = {"InstanceArn": instance_arn, "PermissionSetArn": permission_set_arn}
        return dict(sso_admin.describe_permission_set(**request)["PermissionSet"])

    def name_of(permission_set_arn: str) -> str | None:
        described = known_or_none(lambda: describe(permission_set_arn))
        return described.get("Name") if described else None

    read = zip(new, in_threads(name_of, new), strict=True)
    names.update({permission_set_arn: name for permission_set_arn, name in read if name})
    if new and not names:
        describe(new[0])  # None may be read: the caller lacks the permission, and is told so.
    return dict(sorted((names.get(arn, arn), arn) for arn in listed))


def find_permission_set(connection: Connection, name: str) -> str:
    """Return a permission set's ARN; reads only."""
    known = list_permission_sets(connection)
    if name not in known:
        raise NotFoundError(
            f"there is no permission set {name!r} in {connection.instance.instance_arn}."
            f" {did_you_mean(name, known)}".rstrip(),
            remedy="Create it in notebook 05, or correct the name.",
        )
    return known[name]


# Reading account assignments the two ways that AWS has: by permission set and account, and by principal.

# principal type, principal id, permission set ARN, account id
AssignmentTuple = tuple[str, str, str, str]


def list_assignments_of_pair(
    connection: Connection, permission_set_arn: str, account_id: str
) -> list[AssignmentTuple]:
    """Return the assignments of a permission set in an account; reads only; for delegates as well.

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
    """Return the ids of the accounts that a permission set is provisioned to, sorted; reads only."""
    request = {"InstanceArn": connection.instance.instance_arn, "PermissionSetArn": permission_set_arn}
    if provisioning_status:
        request["ProvisioningStatus"] = provisioning_status
    sso_admin = connection.client("sso-admin")
    found = pages(sso_admin, "list_accounts_for_provisioned_permission_set", "AccountIds", **request)
    return sorted(set(found))


# principal type, principal id -> name
_Names = dict[tuple[str, str], str]


class AssignmentRow(NamedTuple):
    """One account assignment, with names that people know."""

    principal_type: str
    principal_name: str
    permission_set: str
    account_id: str
    account_name: str
    principal_id: str


def list_all_account_assignments(connection: Connection) -> list[AssignmentRow]:
    """Return every account assignment, sorted by account, permission set and principal; reads only.

    Reading by principal does not see what deleted principals left behind; it gives no access.

    Raises
    ------
    KitError
        When AWS refuses.
    """
    with failed_read("the account assignments"):
        permission_sets = list_permission_sets(connection)
        pairs = _provisioned_pairs(connection, list(permission_sets.values()))
        names = _principals_if_fewer(connection, len(pairs)) if is_management_account(connection) else None
        if names is not None:
            rows = _by_principal(connection, names)
        else:
            lists = in_threads(lambda pair: list_assignments_of_pair(connection, *pair), pairs)
            rows = [row for found in lists for row in found]
            names = _names_of(connection, rows)
    accounts = _account_names(connection)
    name_of = {arn: name for name, arn in permission_sets.items()}
    found = [
        AssignmentRow(
            kind, names.get((kind, one), ""), name_of.get(arn, arn), account, accounts.get(account, ""), one
        )
        for kind, one, arn, account in rows
    ]
    return sorted(found, key=lambda row: (row.account_name, row.account_id, row.permission_set, *row[:2]))


def _provisioned_pairs(connection: Connection, permission_set_arns: list[str]) -> list[tuple[str, str]]:
    accounts = in_threads(lambda arn: list_provisioned_accounts(connection, arn), permission_set_arns)
    return [
        (arn, account_id)
        for arn, listed in zip(permission_set_arns, accounts, strict=True)
        for account_id in listed
    ]


def _principals_if_fewer(connection: Connection, most: int) -> _Names | None:
    # Listing stops as soon as there are too many: a directory may hold 200,000 users.
    names: _Names = {}
    for kind, operation, name_field in (
        ("GROUP", "list_groups", "DisplayName"),
        ("USER", "list_users", "UserName"),
    ):
        listed = pages(
            connection.client("identitystore"),
            operation,
            f"{kind.capitalize()}s",
            IdentityStoreId=connection.instance.identity_store_id,
        )
        for entry in islice(listed, most - len(names)):
            names[kind, entry[f"{kind.capitalize()}Id"]] = entry.get(name_field, "")
        if len(names) >= most:
            return None
    return names


def _by_principal(connection: Connection, names: _Names) -> list[AssignmentTuple]:
    lists = in_threads(lambda principal: list_assignments_of_principal(connection, *principal), names)
    return [row for rows in lists for row in rows]


def _names_of(connection: Connection, rows: list[AssignmentTuple]) -> _Names:
    principals = sorted({(kind, principal_id) for kind, principal_id, _, _ in rows})
    found = in_threads(lambda principal: _name_of(connection, *principal), principals)
    return dict(zip(principals, found, strict=True))


def _name_of(connection: Connection, kind: str, principal_id: str) -> str:
    identity_store = connection.client("identitystore")
    store = {"IdentityStoreId": connection.instance.identity_store_id}
    if kind == "GROUP":
        answer = known_or_none(lambda: identity_store.describe_group(GroupId=principal_id, **store))
        return str(answer.get("DisplayName", "")) if answer else ""
    answer = known_or_none(lambda: identity_store.describe_user(UserId=principal_id, **store))
    return str(answer.get("UserName", "")) if answer else ""


def _account_names(connection: Connection) -> dict[str, str]:
    try:
        return {account.account_id: account.name for account in list_accounts(connection)}
    except AccessDeniedError:
        return {}


# Account assignments with their groups unfolded: what people ask, and what no call of the API answers.


def list_people_access(connection: Connection) -> list[AssignmentRow]:
    """Return what each user reaches, directly or by a group; all rows are of type ``"USER"``; reads only.

    A user who reaches the same permission set in the same account in two ways has one row. Sorted by user
    name, account and permission set. Empty groups and deleted principals reach nothing.

    Raises
    ------
    KitError
        When AWS refuses.

    Notes
    -----
    Source: https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_ListGroupMemberships.html
    """
    rows = list_all_account_assignments(connection)
    group_ids = sorted(
        {row.principal_id for row in rows if row.principal_type == "GROUP" and row.principal_name}
    )
    with failed_read("the members of the assigned groups"):
        members = dict(
            zip(group_ids, in_threads(lambda one: _member_ids(connection, one), group_ids), strict=True)
        )
        named = {
            row.principal_id: row.principal_name
            for row in rows
            if row.principal_type == "USER" and row.principal_name
        }
        unnamed = sorted({user for users in members.values() for user in users} - set(named))
        named |= dict(zip(unnamed, in_threads(lambda one: _user_name(connection, one), unnamed), strict=True))
    people = {
        row._replace(principal_type="USER", principal_name=named[user_id], principal_id=user_id)
        for row in rows
        for user_id in (
            members.get(row.principal_id, []) if row.principal_type == "GROUP" else [row.principal_id]
        )
        if named.get(user_id)
    }
    return sorted(
        people, key=lambda row: (row.principal_name, row.account_name, row.account_id, row.permission_set)
    )


def _member_ids(connection: Connection, group_id: str) -> list[str]:
    memberships = pages(
        connection.client("identitystore"),
        "list_group_memberships",
        "GroupMemberships",
        IdentityStoreId=connection.instance.identity_store_id,
        GroupId=group_id,
    )
    members = (membership.get("MemberId", {}).get("UserId") for membership in memberships)
    return [user_id for user_id in members if user_id]


def _user_name(connection: Connection, user_id: str) -> str:
    client, store_id = connection.client("identitystore"), connection.instance.identity_store_id
    user = known_or_none(lambda: client.describe_user(IdentityStoreId=store_id, UserId=user_id))
    return str(user.get("UserName", "")) if user else ""


# What an account assignment is called: AWS gives it neither an id nor an ARN.

_SEPARATOR = " · "


def assignment_key(principal_type: str, principal_name: str, permission_set: str, account_id: str) -> str:
    """Return what an assignment is called, such as ``"GROUP Auditors · ReadOnlyAccess · 111122223333"``."""
    return _SEPARATOR.join((f"{principal_type} {principal_name}", permission_set, account_id))


def assignment_state(key: str) -> State:
    """Return ``principal_type``, ``principal_name``, ``permission_set`` and ``account_id`` of a key."""
    # A group's name may hold the separator; a permission set's and an account's id cannot.
    parts = key.rsplit(_SEPARATOR, 2)
    principal_type, _, principal_name = parts[0].partition(" ")
    is_principal = principal_type in ("USER", "GROUP") and bool(principal_name)
    if len(parts) != 3 or not is_principal or not is_account_id(parts[2]):
        raise InvalidValueError(
            f"{key!r} is not the key of an account assignment",
            remedy="Write 'GROUP NAME · PERMISSION SET · ACCOUNT ID'.",
        )
    return {
        "principal_type": principal_type,
        "principal_name": principal_name,
        "permission_set": parts[1],
        "account_id": parts[2],
    }


def assignment_identifier(principal_id: str, permission_set_arn: str, account_id: str) -> str:
    """Return what tells an assignment from any other one, whatever its names lead to: its three ids."""
    return f"{principal_id} {permission_set_arn} {account_id}"


def assignment_parts(identifier: str) -> tuple[str, str]:
    """Return the principal's id and the permission set's ARN of an `assignment_identifier`."""
    principal_id, _, rest = identifier.partition(" ")
    return principal_id, rest.partition(" ")[0]


def whole_assignment_identifier(identifier: str, key: str) -> str:
    """Return an `assignment_identifier`, also where an earlier receipt left the account to the key."""
    is_earlier = len(identifier.split(" ")) == 2
    return f"{identifier} {key.rpartition(_SEPARATOR)[2]}" if is_earlier else identifier
