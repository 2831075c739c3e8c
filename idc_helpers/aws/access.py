"""Who has access to what: every account assignment of the instance, read with as few calls as can be.

By principal takes a call for each group and user, by pair one for each permission set in each account that
it is provisioned to. The cheaper way is chosen; reading by principal is the management account's alone.
"""

from __future__ import annotations

from itertools import islice
from typing import NamedTuple

from idc_helpers.aws.assignment_lists import (
    AssignmentTuple,
    list_assignments_of_pair,
    list_assignments_of_principal,
    list_provisioned_accounts,
)
from idc_helpers.aws.calls import in_threads, pages
from idc_helpers.aws.connected import Connection
from idc_helpers.aws.failures import failed_read
from idc_helpers.aws.identity_store import known_or_none
from idc_helpers.aws.organization import is_management_account, list_accounts
from idc_helpers.aws.permission_set_names import list_permission_sets
from idc_helpers.errors import AccessDeniedError

# principal type, principal id -> name
_Names = dict[tuple[str, str], str]


class AssignmentRow(NamedTuple):
    """One account assignment, with names that people know.

    Attributes
    ----------
    principal_type, principal_name
        ``"GROUP"`` or ``"USER"``, and its name; empty for a principal that was deleted and left its
        assignment behind.
    permission_set
        Its name.
    account_id, account_name
        The name is empty where nobody may tell it.
    principal_id
        In the identity store.
    """

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
