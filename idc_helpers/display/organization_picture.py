"""The organization as a tree, and on it who reaches which account with which permission set; reads only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from idc_helpers.aws.access import AssignmentRow, list_all_account_assignments
from idc_helpers.aws.connection import Connection
from idc_helpers.aws.organization import (
    Account,
    OrganizationalUnit,
    describe_organization,
    list_accounts,
    list_roots,
    management_account_id,
)
from idc_helpers.display.trees import Tree, TreeNode
from idc_helpers.errors import InstanceNotFoundError

_NO_INSTANCE = "There is no instance yet: applying notebook 01 enables it, and notebook 07 assigns."
Details = Mapping[str, Sequence[str]]


def organization_tree(connection: Connection, *, assignments: bool = False) -> Tree:
    """Return the organization: root, organizational units and accounts; outside of one, the account alone.

    Parameters
    ----------
    assignments
        Say below each account who reaches it with which permission set.

    Raises
    ------
    AccessDeniedError
        In a member account that is no delegated administrator.
    """
    rows = _assignments(connection) if assignments else []
    details = _by_account(rows or ())
    in_charge = ""
    if describe_organization(connection) is None:
        caption = "This account is in no organization"
        roots = [_account(account, "", details) for account in list_accounts(connection)]
    else:
        caption, in_charge = "The organization", management_account_id(connection)
        units = list_roots(connection)
        roots = [_unit(unit, in_charge, details) for unit in units]
        roots += _left(details, {account.account_id for unit in units for account in unit.all_accounts()})
    if not assignments:
        return Tree(caption, tuple(roots))
    if rows is None:
        return Tree(caption, tuple(roots), _NO_INSTANCE)
    return Tree(f"{caption}, with who reaches what: {_sum(rows)}", tuple(roots))


def principal_in_words(row: AssignmentRow) -> str:
    """Return such as ``"GROUP Auditors"``; a principal that was deleted goes by its id."""
    return f"{row.principal_type} {row.principal_name or f'(deleted) {row.principal_id}'}"


def _assignments(connection: Connection) -> list[AssignmentRow] | None:
    try:
        return list_all_account_assignments(connection)
    except InstanceNotFoundError:
        return None


def _sum(rows: Sequence[AssignmentRow]) -> str:
    accounts = len({row.account_id for row in rows})
    if not rows:
        return "no account assignments yet"
    return (
        f"{len(rows)} account assignment{'s' * (len(rows) > 1)} in {accounts} account{'s' * (accounts > 1)}"
    )


def _by_account(rows: Iterable[AssignmentRow]) -> dict[str, list[str]]:
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        found[row.account_id][row.permission_set].append(principal_in_words(row))
    return {
        account_id: [f"{name} ← {', '.join(sorted(who))}" for name, who in sorted(permission_sets.items())]
        for account_id, permission_sets in found.items()
    }


def _unit(unit: OrganizationalUnit, in_charge: str, details: Details) -> TreeNode:
    """Return the node of an organizational unit with what is below it: units first, then accounts."""
    units = tuple(_unit(below, in_charge, details) for below in unit.units)
    accounts = tuple(_account(account, in_charge, details) for account in unit.accounts)
    label = unit.name if units or accounts else f"{unit.name} (no accounts)"
    return TreeNode(label, units + accounts, is_group=True)


def _left(details: Details, there: Collection[str]) -> list[TreeNode]:
    """Return the accounts that assignments name and that are in the organization no more, under one node."""
    gone = [TreeNode(one, details=tuple(lines)) for one, lines in sorted(details.items()) if one not in there]
    return [TreeNode("Not in the organization any more", tuple(gone), is_group=True)] if gone else []


def _account(account: Account, in_charge: str, details: Details) -> TreeNode:
    marks = ["management account"] if account.account_id == in_charge else []
    marks += [account.status.lower()] if account.status != "ACTIVE" else []
    label = f"{account.name or 'this account'} · {account.account_id}" + (
        f" ({', '.join(marks)})" if marks else ""
    )
    return TreeNode(label, details=tuple(details.get(account.account_id, ())))
