"""The organization as a tree, and who reaches which of its accounts as a matrix; reads only."""

from __future__ import annotations

from idc_helpers.aws.connection import Connection
from idc_helpers.aws.organization import (
    Account,
    describe_organization,
    list_accounts,
    list_accounts_with_paths,
    management_account_id,
)
from idc_helpers.display.pictures import Tree, TreeNode


def organization_tree(connection: Connection) -> Tree:
    """Return the organization: root, organizational units and accounts; outside of one, the account alone.

    Raises
    ------
    AccessDeniedError
        In a member account that is no delegated administrator.
    """
    if describe_organization(connection) is None:
        (alone,) = list_accounts(connection)
        return Tree("This account is in no organization", TreeNode(_label(alone, "")))
    accounts = list_accounts_with_paths(connection)
    return Tree("The organization", _unit("", accounts, management_account_id(connection)).children[0])


def _unit(path: str, accounts: list[Account], in_charge: str) -> TreeNode:
    """Return the node of an organizational unit with what is below it: units first, then accounts."""
    below = [
        account
        for account in accounts
        if account.path == path or account.path.startswith(f"{path}/" if path else "")
    ]
    depth = len(path.split("/")) if path else 0
    names = sorted({account.path.split("/")[depth] for account in below if account.path != path})
    units = tuple(_unit(f"{path}/{name}" if path else name, below, in_charge) for name in names)
    leaves = tuple(TreeNode(_label(account, in_charge)) for account in below if account.path == path)
    return TreeNode(path.rpartition("/")[2], units + leaves)


def _label(account: Account, in_charge: str) -> str:
    marks = ["management account"] if account.account_id == in_charge else []
    marks += [account.status.lower()] if account.status != "ACTIVE" else []
    return f"{account.name or 'this account'} · {account.account_id}" + (
        f" ({', '.join(marks)})" if marks else ""
    )
