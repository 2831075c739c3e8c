"""The organization: its accounts by name, who is in charge of it, and delegated administrators."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from typing_extensions import override

from idc_aws.calls import NOT_IN_ORGANIZATION, found_or_none, once
from idc_aws.changes import State
from idc_aws.connection import Connection, management_account_id
from idc_aws.errors import AccessDeniedError, AmbiguousError, KitError, NotFoundError
from idc_aws.failures import failed_read
from idc_aws.identifiers import cut_list, is_account_id, no_such
from idc_aws.resource import OneByOne, Writer

SERVICE_PRINCIPAL = "sso.amazonaws.com"
_MOST_NAMED = 20
_AS_WANTED_ALREADY = ("AccountAlreadyRegisteredException", "AccountNotRegisteredException")


class DelegatedAdministrators(OneByOne):
    """The delegated administrators of Identity Center, by account id.

    A state has ``service_principal``. Only the management account may write.

    Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/delegated-admin.html
    """

    kind: ClassVar[str] = "delegated_administrator"
    is_in_instance: ClassVar[bool] = False

    @override
    def _read(self, keys: Collection[str]) -> dict[str, State]:
        found = self._read_all()
        return {key: found[key] for key in keys if key in found}

    @override
    def _read_all(self) -> dict[str, State]:
        found = list_delegates(self._connection)
        return {account.account_id: {"service_principal": SERVICE_PRINCIPAL} for account in found}

    @override
    def _identifier(self, key: str) -> str | None:
        return key if key in self._read([key]) else None

    @override
    def _create(self, key: str, state: State, writer: Writer) -> str:
        self._send("register_delegated_administrator", key, writer)
        return key

    @override
    def _update(self, key: str, before: State, after: State, writer: Writer) -> str:
        # The service principal is the only field, and there is one of Identity Center.
        return key

    @override
    def _delete(self, key: str, identifier: str, writer: Writer) -> None:
        self._send("deregister_delegated_administrator", identifier, writer)

    def _send(self, method_name: str, account_id: str, writer: Writer) -> None:
        request = {"AccountId": account_id, "ServicePrincipal": SERVICE_PRINCIPAL}
        found_or_none(writer.send, "organizations", method_name, codes=_AS_WANTED_ALREADY, **request)


@dataclass(frozen=True)
class Account:
    """An AWS account."""

    account_id: str
    name: str
    email: str = ""
    status: str = "ACTIVE"
    path: str = ""
    id_paths: tuple[str, ...] = ()
    """Where it is, in ids, as AWS may say it: ``"o-1/r-1/ou-1/111122223333/"``."""

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
    """An organization: its id, and the account in charge."""

    organization_id: str
    management_account_id: str


def describe_organization(connection: Connection) -> Organization | None:
    """Return the caller's organization, or None where the account is in none; reads only."""
    with failed_read("the organization"):
        answer = found_or_none(
            connection.call, "organizations", "describe_organization", codes=NOT_IN_ORGANIZATION
        )
    if answer is None:
        return None
    found = answer["Organization"]
    return Organization(found["Id"], found["MasterAccountId"])


def is_management_account(connection: Connection) -> bool:
    """Return whether the caller is in the organization's management account; reads only."""
    return management_account_id(connection) == connection.caller.account_id


def list_accounts(connection: Connection) -> list[Account]:
    """Return the organization's accounts, sorted by name; outside of one, the caller's alone; reads only.

    Parameters
    ----------
    connection
        Its caller is in the management account, or a delegated administrator.

    Raises
    ------
    AccessDeniedError
        When the caller is in another account.

    Source: https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListAccounts.html
    """
    with failed_read("the organization's accounts"):
        listed = connection.items("organizations", "list_accounts")
        found = found_or_none(list[Any], listed, codes=NOT_IN_ORGANIZATION)
    if found is None:
        return [Account(connection.caller.account_id, connection.account_name)]
    return _sorted(_account(entry) for entry in found)


def _sorted(accounts: Iterable[Account]) -> list[Account]:
    return sorted(accounts, key=lambda account: (account.name, account.account_id))


def list_accounts_with_paths(connection: Connection) -> list[Account]:
    """Return the organization's accounts with the units above them, sorted by path and name."""
    found = [account for root in list_roots(connection) for account in root.all_accounts()]
    return sorted(found, key=lambda account: (account.path, account.name))


def list_roots(connection: Connection) -> list[OrganizationalUnit]:
    """Return the organization's roots (there is one) with everything below them, sorted by name."""
    with failed_read("the organizational units"):
        roots = list(connection.items("organizations", "list_roots"))
        return [_unit(connection, root, root["Name"]) for root in roots]


def _unit(connection: Connection, entry: dict[str, Any], path: str) -> OrganizationalUnit:
    parent = {"ParentId": entry["Id"]}
    accounts = connection.items("organizations", "list_accounts_for_parent", **parent)
    found = _sorted(_account(account, path) for account in accounts)
    units = connection.items("organizations", "list_organizational_units_for_parent", **parent)
    below = [_unit(connection, unit, f"{path}/{unit['Name']}") for unit in units]
    return OrganizationalUnit(entry["Name"], tuple(sorted(below, key=lambda unit: unit.name)), tuple(found))


def _account(entry: dict[str, Any], path: str = "") -> Account:
    status = entry.get("State") or entry.get("Status", "ACTIVE")
    paths = tuple(entry.get("Paths", ()))
    return Account(entry["Id"], entry.get("Name", ""), entry.get("Email", ""), status, path, paths)


def resolve_account(connection: Connection, name_or_id: str) -> Account:
    """Return the account of a name or an id; reads only."""
    try:
        accounts = known_accounts(connection)
    except AccessDeniedError:
        if is_account_id(name_or_id):
            return Account(name_or_id, "")
        raise
    try:
        return find_account(accounts, name_or_id)
    except NotFoundError:
        connection.cache.pop("accounts", None)  # It may be made in a moment.
        raise


def find_account(accounts: Sequence[Account], name_or_id: str) -> Account:
    """Return the one account of a name or an id."""
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
    names = [account.name or account.account_id for account in accounts]
    there = f"There are: {cut_list(names, _MOST_NAMED)}."
    raise no_such("the organization has no account", name_or_id, names, there)


def closed_accounts(connection: Connection, account_ids: Iterable[str]) -> set[str]:
    """Return those of some accounts that are known not to be ACTIVE; reads only, once a connection."""
    asked = set(account_ids)
    if not asked:
        return set()
    try:
        accounts = known_accounts(connection)
    except AccessDeniedError:
        return set()
    return {account.account_id for account in accounts if not account.is_active} & asked


def list_delegates(connection: Connection) -> list[Account]:
    """Return the delegated administrators of Identity Center, sorted by name; reads only."""
    with failed_read("the delegated administrators"):
        listed = connection.items(
            "organizations", "list_delegated_administrators", ServicePrincipal=SERVICE_PRINCIPAL
        )
        found = found_or_none(list[Any], listed, codes=NOT_IN_ORGANIZATION) or ()
    return _sorted(_account(entry) for entry in found)


def account_names(connection: Connection) -> dict[str, str]:
    """Return the names of accounts by id, as far as the caller may know them; reads only, once."""

    def read() -> dict[str, str]:
        try:
            accounts = known_accounts(connection)
        except KitError:
            accounts = [Account(connection.caller.account_id, connection.account_name)]
        return {one.account_id: one.name for one in accounts if one.name}

    return once(connection.cache, "account_names", read)


def known_accounts(connection: Connection) -> list[Account]:
    """Return the organization's accounts as `list_accounts` does, read once a connection."""
    # A step resolves many names in a row.
    return once(connection.cache, "accounts", lambda: list_accounts(connection))


def forget_accounts(connection: Connection) -> None:
    """Let the next look read the accounts again."""
    for name in ("accounts", "account_names"):
        connection.cache.pop(name, None)
