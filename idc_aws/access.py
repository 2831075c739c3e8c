"""Who has access to what: account assignments, their names, and what each person reaches."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from typing import Any, NamedTuple

from idc_aws.calls import both, by_key, found_or_none, in_threads, known_or_none
from idc_aws.changes import State
from idc_aws.connection import Connection
from idc_aws.errors import AccessDeniedError, InvalidValueError, NotFoundError
from idc_aws.failures import failed_read
from idc_aws.identifiers import did_you_mean, is_account_id
from idc_aws.identity_store import (
    NAME_FIELDS,
    find_principal_names,
    id_field,
    list_memberships,
    list_principals,
)
from idc_aws.organization import account_names, is_management_account

# Not in an ARN, an address or a policy, and not where the name is there already.
LONE_ACCOUNT_ID = re.compile(r"(?<![\w:/(\".-])\d{12}(?![\w:/)\"-])", re.ASCII)


def list_permission_sets(connection: Connection) -> dict[str, str]:
    """Return the ARNs of the instance's permission sets by name, sorted; reads only."""
    listed = list(connection.items("sso-admin", "list_permission_sets"))
    return _named(connection, listed)


def _named(connection: Connection, permission_set_arns: Sequence[str]) -> dict[str, str]:
    # A permission set can never be renamed: its name is read once. One of the management account may have no
    # name that a delegated administrator may read, and goes by its ARN.
    names: dict[str, str] = connection.cache.setdefault("permission_set_names", {})
    new = [arn for arn in permission_set_arns if arn not in names]

    def name_of(arn: str) -> str:
        described = connection.call("sso-admin", "describe_permission_set", PermissionSetArn=arn)
        return str(described["PermissionSet"].get("Name", ""))

    read = by_key(lambda arn: known_or_none(name_of, arn), new)
    names.update({arn: name for arn, name in read.items() if name})
    if new and not names:
        name_of(new[0])  # None may be read: the caller lacks the permission, and is told so.
    return dict(sorted((names.get(arn, arn), arn) for arn in permission_set_arns))


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


def list_provisioned_accounts(
    connection: Connection, permission_set_arn: str, provisioning_status: str | None = None
) -> list[str]:
    """Return the ids of the accounts that a permission set is provisioned to, sorted; reads only."""
    request = {"PermissionSetArn": permission_set_arn}
    if provisioning_status:
        request["ProvisioningStatus"] = provisioning_status
    return sorted(
        set(connection.items("sso-admin", "list_accounts_for_provisioned_permission_set", **request))
    )


class Assignment(NamedTuple):
    """One account assignment, by ids."""

    principal_type: str
    principal_id: str
    permission_set_arn: str
    account_id: str


Pair = tuple[str, str]
"""A permission set's ARN and an account's id, or a principal's type and id."""


def provisioned_pairs(connection: Connection, permission_set_arns: Iterable[str]) -> list[Pair]:
    """Return permission sets with each account that they are provisioned to; reads only."""

    def pairs_of(arn: str) -> list[Pair]:
        accounts = found_or_none(list_provisioned_accounts, connection, arn)
        return [(arn, account_id) for account_id in accounts or ()]

    return [*chain.from_iterable(in_threads(pairs_of, permission_set_arns))]


def list_assignments_of_pairs(connection: Connection, pairs: Iterable[Pair]) -> list[Assignment]:
    """Return the assignments of permission sets in accounts; reads only; for delegates as well."""
    return [*chain.from_iterable(in_threads(lambda pair: assignments_of_pair(connection, *pair), pairs))]


def assignments_of_pair(connection: Connection, arn: str, account_id: str) -> list[Assignment]:
    """Return the assignments of one permission set in one account; none where either is gone."""
    listed = connection.items(
        "sso-admin", "list_account_assignments", PermissionSetArn=arn, AccountId=account_id
    )
    rows = found_or_none(list[Any], listed) or ()
    return [Assignment(row["PrincipalType"], row["PrincipalId"], arn, account_id) for row in rows]


def list_assignments_of_principals(connection: Connection, principals: Iterable[Pair]) -> list[Assignment]:
    """Return principals' own assignments, without those of groups; reads only, in the management account."""

    def own(principal_type: str, principal_id: str) -> list[Assignment]:
        whose = {"PrincipalType": principal_type, "PrincipalId": principal_id}
        listed = connection.items("sso-admin", "list_account_assignments_for_principal", **whose)
        return [
            Assignment(principal_type, principal_id, row["PermissionSetArn"], row["AccountId"])
            for row in found_or_none(list[Any], listed) or ()
            if row.get("PrincipalId", principal_id) == principal_id
        ]

    return [*chain.from_iterable(in_threads(lambda principal: own(*principal), principals))]


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

    Parameters
    ----------
    connection
        Its instance is read, by principal or by permission set and account, whichever takes fewer calls.

    Raises
    ------
    KitError
        When AWS refuses.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_ListAccountAssignments.html
    """
    with failed_read("the account assignments"):
        rows, accounts = both(lambda: list_assignment_rows(connection), lambda: account_names(connection))
    named = [row._replace(account_name=accounts.get(row.account_id, "")) for row in rows]
    return sorted(named, key=lambda row: (row.account_name, row.account_id, row.permission_set, *row[:2]))


def list_assignment_rows(connection: Connection) -> list[AssignmentRow]:
    """Return every account assignment with the names of its principal and permission set; reads only."""
    arns = list(connection.items("sso-admin", "list_permission_sets"))
    permission_sets, pairs = both(
        lambda: _named(connection, arns), lambda: provisioned_pairs(connection, arns)
    )
    try:
        names = _principals_if_fewer(connection, len(pairs)) if is_management_account(connection) else None
        rows = list_assignments_of_principals(connection, names or ())
    except AccessDeniedError:
        names = None  # reading by pair needs other permissions
    if names is None:
        rows = list_assignments_of_pairs(connection, pairs)
        names = find_principal_names(connection, sorted({row[:2] for row in rows}))
    name_of = {arn: name for name, arn in permission_sets.items()}
    return [
        AssignmentRow(kind, names.get((kind, one), ""), name_of.get(arn, arn), account, "", one)
        for kind, one, arn, account in rows
    ]


def _principals_if_fewer(connection: Connection, most: int) -> dict[Pair, str] | None:
    # Listing stops as soon as there are too many: a directory may hold 200,000 users.
    names: dict[Pair, str] = {}
    for kind in ("GROUP", "USER"):
        for entry in islice(list_principals(connection, kind), most - len(names)):
            names[kind, entry[id_field(kind)]] = entry.get(NAME_FIELDS[kind], "")
        if len(names) >= most:
            return None
    return names


def list_people_access(connection: Connection) -> list[AssignmentRow]:
    """Return what each user reaches, directly or by a group; all rows are of type ``"USER"``; reads only.

    A user who reaches the same permission set in the same account in two ways has one row. Sorted by user
    name, account and permission set. Empty groups and deleted principals reach nothing.

    Parameters
    ----------
    connection
        Its instance is read.

    Raises
    ------
    KitError
        When AWS refuses.

    Source: https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_ListGroupMemberships.html
    """
    rows = [row for row in list_all_account_assignments(connection) if row.principal_name]
    group_ids = sorted({row.principal_id for row in rows if row.principal_type == "GROUP"})
    with failed_read("the members of the assigned groups"):
        members = by_key(lambda group_id: _member_ids(connection, group_id), group_ids)
        named = {("USER", row.principal_id): row.principal_name for row in rows if row[0] == "USER"}
        users = {("USER", user_id) for user_ids in members.values() for user_id in user_ids}
        named |= find_principal_names(connection, sorted(users - set(named)))
    people = {
        row._replace(principal_type="USER", principal_name=named["USER", user_id], principal_id=user_id)
        for row in rows
        for user_id in members.get(row.principal_id, [row.principal_id])
        if named.get(("USER", user_id))
    }
    return sorted(
        people, key=lambda row: (row.principal_name, row.account_name, row.account_id, row.permission_set)
    )


def _member_ids(connection: Connection, group_id: str) -> list[str]:
    memberships = list_memberships(connection, group_id)
    members = (membership.get("MemberId", {}).get("UserId") for membership in memberships)
    return [user_id for user_id in members if user_id]


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


def name_accounts(connection: Connection, text: str) -> str:
    """Return a text with each account's name beside its id, where the caller may know it; may read, once."""
    if not LONE_ACCOUNT_ID.search(text):
        return text
    names = account_names(connection)
    return LONE_ACCOUNT_ID.sub(lambda at: f"{names[at[0]]} ({at[0]})" if at[0] in names else at[0], text)
