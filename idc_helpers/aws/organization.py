"""The organization: its accounts by name, and which of them is in charge.

Source: https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListAccounts.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from idc_helpers.aws.calls import pages
from idc_helpers.aws.connected import Connection
from idc_helpers.aws.delegated_administrators import DelegatedAdministrators
from idc_helpers.aws.failures import error_code, failed_read
from idc_helpers.aws.instance_lookup import management_account_id
from idc_helpers.errors import AccessDeniedError, AmbiguousError, NotFoundError
from idc_helpers.identifiers import is_account_id
from idc_helpers.suggestions import did_you_mean

__all__ = [
    "Account",
    "DelegatedAdministrators",
    "Organization",
    "OrganizationalUnit",
    "closed_accounts",
    "describe_organization",
    "is_management_account",
    "list_accounts",
    "list_accounts_with_paths",
    "list_roots",
    "management_account_id",
    "resolve_account",
]


@dataclass(frozen=True)
class Account:
    """An AWS account.

    Attributes
    ----------
    account_id, name, email
        Name and e-mail are empty where nobody may tell them.
    status
        ``"ACTIVE"``, ``"SUSPENDED"``, ``"PENDING_CLOSURE"`` or another of AWS's states.
    path
        The organizational units above it, such as ``"Root/Workloads"``; empty unless asked for.
    """

    account_id: str
    name: str
    email: str = ""
    status: str = "ACTIVE"
    path: str = ""

    @property
    def is_active(self) -> bool:
        """Whether people can be given access to it: a closed account refuses."""
        return self.status == "ACTIVE"


@dataclass(frozen=True)
class OrganizationalUnit:
    """A root or an organizational unit: its name, the units in it, and the accounts right in it."""

    name: str
    units: tuple[OrganizationalUnit, ...] = ()
    accounts: tuple[Account, ...] = ()

    def all_accounts(self) -> Iterator[Account]:
        """Yield the accounts in it and in the units below it."""
        yield from self.accounts
        for unit in self.units:
            yield from unit.all_accounts()


@dataclass(frozen=True)
class Organization:
    """An organization: its id, the account in charge, and ``"ALL"`` or ``"CONSOLIDATED_BILLING"``."""

    organization_id: str
    management_account_id: str
    feature_set: str


def describe_organization(connection: Connection) -> Organization | None:
    """Return the caller's organization, or None where the account is in none; reads only.

    Notes
    -----
    Source: https://docs.aws.amazon.com/organizations/latest/APIReference/API_DescribeOrganization.html
    """
    with failed_read("the organization"):
        try:
            found = connection.client("organizations").describe_organization()["Organization"]
        except ClientError as error:
            if error_code(error) == "AWSOrganizationsNotInUseException":
                return None
            raise
    return Organization(found["Id"], found["MasterAccountId"], found.get("FeatureSet", ""))


def is_management_account(connection: Connection) -> bool:
    """Return whether the caller is in the organization's management account; reads only."""
    return management_account_id(connection) == connection.caller.account_id


def list_accounts(connection: Connection) -> list[Account]:
    """Return the organization's accounts, sorted by name; outside of one, the caller's alone; reads only.

    Raises
    ------
    AccessDeniedError
        In a member account that is no delegated administrator.
    """
    with failed_read("the organization's accounts"):
        try:
            listed = pages(connection.client("organizations"), "list_accounts", "Accounts")
            accounts = [_account(entry) for entry in listed]
        except ClientError as error:
            if error_code(error) != "AWSOrganizationsNotInUseException":
                raise
            accounts = [Account(connection.caller.account_id, connection.account_name)]
    return sorted(accounts, key=lambda account: (account.name, account.account_id))


def list_accounts_with_paths(connection: Connection) -> list[Account]:
    """Return the organization's accounts with the organizational units above them, sorted by path and name.

    Reads only; see `list_roots`.
    """
    found = [account for root in list_roots(connection) for account in root.all_accounts()]
    return sorted(found, key=lambda account: (account.path, account.name))


def list_roots(connection: Connection) -> list[OrganizationalUnit]:
    """Return the organization's roots (there is one) with everything below them, sorted by name.

    Reads only: two calls for the root, and two for each organizational unit.

    Raises
    ------
    AccessDeniedError
        In a member account that is no delegated administrator.

    Notes
    -----
    Source:
    https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListOrganizationalUnitsForParent.html
    """
    organizations = connection.client("organizations")
    with failed_read("the organizational units"):
        roots = list(pages(organizations, "list_roots", "Roots"))
        return [_unit(organizations, root, root["Name"]) for root in roots]


def _unit(organizations: Any, entry: dict[str, Any], path: str) -> OrganizationalUnit:
    accounts = pages(organizations, "list_accounts_for_parent", "Accounts", ParentId=entry["Id"])
    found = [_account(account, path) for account in accounts]
    units = pages(
        organizations, "list_organizational_units_for_parent", "OrganizationalUnits", ParentId=entry["Id"]
    )
    below = [_unit(organizations, unit, f"{path}/{unit['Name']}") for unit in units]
    return OrganizationalUnit(
        entry["Name"],
        tuple(sorted(below, key=lambda unit: unit.name)),
        tuple(sorted(found, key=lambda account: (account.name, account.account_id))),
    )


def _account(entry: dict[str, Any], path: str = "") -> Account:
    status = entry.get("State") or entry.get("Status", "ACTIVE")
    return Account(entry["Id"], entry.get("Name", ""), entry.get("Email", ""), status, path)


def resolve_account(connection: Connection, name_or_id: str) -> Account:
    """Return the account of a name or an id; reads only.

    Where the caller may not list accounts, an id is taken as it is.

    Raises
    ------
    NotFoundError
        When the organization has no such account; it offers the nearest name.
    AmbiguousError
        When several accounts have that name.
    AccessDeniedError
        When a name is given and the caller may not list accounts.
    """
    try:
        accounts = _accounts_once(connection)
    except AccessDeniedError:
        if is_account_id(name_or_id):
            return Account(name_or_id, "")
        raise
    found = [account for account in accounts if name_or_id in (account.account_id, account.name)]
    if len(found) > 1:  # A closed account keeps its name for 90 days.
        found = [account for account in found if account.is_active] or found
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(account.account_id for account in found)
        raise AmbiguousError(
            f"{len(found)} accounts have the name {name_or_id!r}: {listed}",
            remedy="Give the account id in quotes instead.",
        )
    connection.cache.pop("accounts", None)  # It may be made in a moment.
    names = [account.name or account.account_id for account in accounts]
    raise NotFoundError(
        f"the organization has no account {name_or_id!r}. {did_you_mean(name_or_id, names)}".rstrip(),
        remedy=f"There are: {', '.join(names[:20])}{' …' if len(names) > 20 else ''}.",
    )


def closed_accounts(connection: Connection, account_ids: Iterable[str]) -> set[str]:
    """Return those of some accounts that are known not to be ACTIVE; reads only, once a connection.

    None where the caller may not list accounts.

    Notes
    -----
    Source: https://docs.aws.amazon.com/organizations/latest/APIReference/API_Account.html
    """
    asked = set(account_ids)
    if not asked:
        return set()
    try:
        accounts = _accounts_once(connection)
    except AccessDeniedError:
        return set()
    return {account.account_id for account in accounts if not account.is_active} & asked


def _accounts_once(connection: Connection) -> list[Account]:
    # A step resolves many names in a row.
    if "accounts" not in connection.cache:
        connection.cache["accounts"] = list_accounts(connection)
    accounts: list[Account] = connection.cache["accounts"]
    return accounts
