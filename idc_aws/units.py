"""Which accounts a name, an organizational unit or tags stand for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from idc_aws.calls import by_key, found_or_none, once
from idc_aws.connection import Connection
from idc_aws.errors import AccessDeniedError, AmbiguousError, KitError, NotFoundError
from idc_aws.failures import failed_read
from idc_aws.identifiers import counted, cut_list, did_you_mean
from idc_aws.organization import (
    Account,
    describe_organization,
    find_account,
    forget_accounts,
    known_accounts,
    resolve_account,
)

_UNIT_ID = re.compile(r"r-[0-9a-z]{4,32}|ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}", re.ASCII)
_NO_SUCH_UNIT = ("ParentNotFoundException", "InvalidInputException")
_CACHE = "organizational_units"
_UNITS_OF, _ACCOUNTS_OF = "list_organizational_units_for_parent", "list_accounts_for_parent"
_MOST_NAMED = 20


class _Unit(NamedTuple):
    unit_id: str
    name: str
    path: str


@dataclass(frozen=True)
class AccountGroup:
    """The accounts that a unit or tags stand for; the management account is never one of them."""

    name: str  # the unit's path or id, or the tags: ``"Root/Workloads/Prod"``, ``"tags env=prod"``
    accounts: tuple[Account, ...]  # sorted by name, those of nested units and closed ones included
    without_management: bool = False  # whether it was left out: only its own name gives access to it

    def __str__(self) -> str:
        active = [account for account in self.accounts if account.is_active]
        closed = [account for account in self.accounts if not account.is_active]
        parts = [f"{self.name}: {counted(len(active), 'account')}{_listed(one.name for one in active)}"]
        if closed:
            states = (f"{one.name or one.account_id} is {one.status}" for one in closed)
            parts.append(f"{len(closed)} skipped{_listed(states)}")
        if self.without_management:
            parts.append("without the management account, which must be named itself")
        return "; ".join(parts)


def _listed(names: Iterable[str]) -> str:
    listed = cut_list(names, _MOST_NAMED)
    return f" ({listed})" if listed else ""


class AccountGroups:
    """The groups of a connection's organization; what was read once is kept with the connection.

    ListAccounts gives all accounts. Where it gives their paths too, the only other calls list the units on
    the way to the one that is asked for. Where it does not, each unit in question is asked for its accounts.
    Tags are read by one ListTagsForResource for each account: no list of Organizations has them.

    Source: https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListOrganizationalUnitsForParent.html
    https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListTagsForResource.html
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        # Plain data: a rehearsal copies what a connection has read.
        self._kept: dict[Any, Any] = connection.cache.setdefault(_CACHE, {})

    def of_unit(self, named: str) -> AccountGroup:
        """Return the accounts in a unit and in those below it, by the unit's path, name or id; reads only."""
        self._require_organization(f"the organizational unit {named!r}")
        with failed_read("the organizational units"):
            if _UNIT_ID.fullmatch(named):
                unit = next((one for one in self._units_read() if one.unit_id == named), None)
                unit_id, name = named, unit.path if unit else named
            else:
                unit_id, _, name = self._find(named)
            return self._group(name, self._accounts_below(unit_id, named))

    def with_tags(self, tags: Mapping[str, str]) -> AccountGroup:
        """Return the accounts that have all of these tags; reads only."""
        name = f"tags {', '.join(f'{key}={value}' for key, value in tags.items())}"
        self._require_organization(name)
        with failed_read("the accounts' tags"):
            found = self._tags()
        wanted = tags.items()
        return self._group(name, (one for one, present in found.items() if wanted <= present.items()))

    def _require_organization(self, what: str) -> None:
        organization = once(self._kept, "organization", lambda: describe_organization(self._connection))
        if organization is None:
            account_id = self._connection.caller.account_id
            raise NotFoundError(
                f"{what} stands for no account: account {account_id} is in no organization",
                remedy="Name the account itself in `accounts`.",
            )

    def _group(self, name: str, account_ids: Iterable[str]) -> AccountGroup:
        asked = set(account_ids)
        in_charge = self._kept["organization"].management_account_id
        found = (one for one in known_accounts(self._connection) if one.account_id in asked - {in_charge})
        return AccountGroup(name, tuple(found), in_charge in asked)

    def _find(self, named: str) -> _Unit:
        for root in self._roots():
            if named == root.path or named.startswith(f"{root.path}/"):
                found = self._below_on_the_way(root, named)
                if found:
                    return _the_only(found, named)
        every = list(self._every_unit())
        found = [unit for unit in every if unit.path == named or unit.path.endswith(f"/{named}")]
        if found:
            return _the_only(found, named)
        paths = [unit.path for unit in every]
        near = did_you_mean(named, paths) or did_you_mean(named, [unit.name for unit in every])
        raise NotFoundError(
            f"the organization has no organizational unit {named!r}. {near}".rstrip(),
            remedy=f"There are: {cut_list(paths, _MOST_NAMED)}.",
        )

    def _below_on_the_way(self, unit: _Unit, path: str) -> list[_Unit]:
        """Return the units with a path; only those on the way are asked for what is in them."""
        if unit.path == path:
            return [unit]
        # A unit's name may hold a slash, so a path is compared as a whole.
        return [
            found
            for child in self._children(unit)
            if f"{path}/".startswith(f"{child.path}/")
            for found in self._below_on_the_way(child, path)
        ]

    def _every_unit(self) -> Iterator[_Unit]:
        level = self._roots()
        while level:
            yield from level
            level = [child for below in by_key(self._children, level).values() for child in below]

    def _roots(self) -> list[_Unit]:
        roots = self._connection.items("organizations", "list_roots")
        return once(
            self._kept, "roots", lambda: [_Unit(root["Id"], root["Name"], root["Name"]) for root in roots]
        )

    def _children(self, unit: _Unit) -> list[_Unit]:
        below = self._units_in(unit.unit_id)
        return [_Unit(unit_id, name, f"{unit.path}/{name}") for name, unit_id in below]

    def _units_in(self, parent_id: str) -> list[tuple[str, str]]:
        """Return the name and the id of each unit right in another one, sorted by name."""
        listed = self._connection.items("organizations", _UNITS_OF, ParentId=parent_id)
        key = (_UNITS_OF, parent_id)
        return once(self._kept, key, lambda: sorted((unit["Name"], unit["Id"]) for unit in listed))

    def _units_read(self) -> Iterator[_Unit]:
        """Yield the units whose names were read already."""
        level: list[_Unit] = self._kept.get("roots", [])
        while level:
            yield from level
            read = [unit for unit in level if (_UNITS_OF, unit.unit_id) in self._kept]
            level = [child for unit in read for child in self._children(unit)]

    def _accounts_below(self, unit_id: str, named: str) -> set[str]:
        accounts = known_accounts(self._connection)
        if all(account.id_paths for account in accounts):
            found = {
                account.account_id
                for account in accounts
                if any(unit_id in path.split("/") for path in account.id_paths)
            }
            if found:
                return found
        # An empty unit, or none: its own list tells the two apart.
        return self._listed_below(unit_id, named)

    def _listed_below(self, unit_id: str, named: str) -> set[str]:
        def read() -> set[str]:
            listed = self._connection.items("organizations", _ACCOUNTS_OF, ParentId=unit_id)
            here = found_or_none(list[Any], listed, codes=_NO_SUCH_UNIT)
            if here is None:
                raise NotFoundError(
                    f"the organization has no organizational unit {named!r}",
                    remedy="AWS Organizations in the console shows each unit's id and path.",
                )
            ids = [below_id for _, below_id in self._units_in(unit_id)]
            below = by_key(lambda one: self._listed_below(one, named), ids)
            return {account["Id"] for account in here}.union(*below.values())

        return once(self._kept, (_ACCOUNTS_OF, unit_id), read)

    def _tags(self) -> dict[str, dict[str, str]]:
        accounts = [account.account_id for account in known_accounts(self._connection)]
        return once(self._kept, "tags", lambda: by_key(self._tags_of, accounts))

    def _tags_of(self, account_id: str) -> dict[str, str]:
        listed = self._connection.items("organizations", "list_tags_for_resource", ResourceId=account_id)
        return {tag["Key"]: tag["Value"] for tag in listed}


def _the_only(found: list[_Unit], named: str) -> _Unit:
    if len(found) == 1:
        return found[0]
    listed = ", ".join(f"{unit.path} ({unit.unit_id})" for unit in found)
    raise AmbiguousError(
        f"{len(found)} organizational units are called {named!r}: {listed}",
        remedy="Give the whole path, or the id, instead.",
    )


class NamedAccounts:
    """Finds the accounts that a scenario names, alone, by unit or by tags; each name is looked up once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._found: dict[Hashable, Any] = {}
        self.by_id: dict[str, Account] = {}
        self.groups: dict[str, AccountGroup] = {}
        """What units and tags stand for, in the order in which the scenario names them."""

    def __call__(self, named: str) -> Account:
        """Return the account of a name or an id; reads only."""
        account: Account = self._once(named, lambda: self._resolved(named))
        return self.by_id.setdefault(account.account_id, account)

    def in_unit(self, named: str) -> tuple[Account, ...]:
        """Return the accounts in a unit and in those below it; reads only."""
        groups = AccountGroups(self._connection)
        return self._noted(self._once(("unit", named), lambda: groups.of_unit(named)))

    def with_tags(self, tags: Mapping[str, str]) -> tuple[Account, ...]:
        """Return the accounts that have all of these tags; reads only."""
        groups = AccountGroups(self._connection)
        return self._noted(self._once(("tags", *sorted(tags.items())), lambda: groups.with_tags(tags)))

    def _once(self, key: Hashable, find: Callable[[], Any]) -> Any:
        """Return what is found, or raise why it is not, without another look."""
        if key not in self._found:
            try:
                self._found[key] = find()
            except (NotFoundError, AmbiguousError) as error:
                self._found[key] = error
        if isinstance(self._found[key], KitError):
            raise self._found[key]
        return self._found[key]

    def _resolved(self, named: str) -> Account:
        try:
            return find_account(known_accounts(self._connection), named)
        except AccessDeniedError:
            return resolve_account(self._connection, named)  # an id needs no list

    def _noted(self, group: AccountGroup) -> tuple[Account, ...]:
        self.groups.setdefault(group.name, group)
        self.by_id |= {account.account_id: account for account in group.accounts}
        return group.accounts


def unit_calls(connection: Connection) -> dict[str, int]:
    """Return how many calls it took to find what units and tags stand for, by operation; calls nothing."""
    kept: dict[Any, Any] = connection.cache.get(_CACHE, {})
    lists = Counter(key[0] for key in kept if isinstance(key, tuple))
    calls = {
        "DescribeOrganization": int("organization" in kept),
        "ListRoots": int("roots" in kept),
        "ListOrganizationalUnitsForParent": lists[_UNITS_OF],
        "ListAccountsForParent": lists[_ACCOUNTS_OF],
        "ListTagsForResource": len(kept.get("tags", ())),
    }
    return {f"organizations:{operation}": number for operation, number in calls.items() if number}


def forget_units(connection: Connection) -> None:
    """Let the next look read the organization again: accounts and units may have come since."""
    connection.cache.pop(_CACHE, None)
    forget_accounts(connection)
