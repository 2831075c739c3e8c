"""What can be chosen in a form: AWS's own lists, and what the target or the scenario holds."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from idc_aws.access import list_permission_sets
from idc_aws.connection import Connection
from idc_aws.errors import KitError
from idc_aws.identifiers import aws_managed_policies, describe_length
from idc_aws.identity_store import list_principal_names
from idc_aws.organization import Account, list_accounts, list_accounts_with_paths
from idc_helpers.runbook.steps import Step
from idc_helpers.runbook.words import forms_table

ROLE_DURATIONS = tuple(f"PT{hours}H" for hours in range(1, 13))
PORTAL_DURATIONS = ("PT15M", "PT1H", "PT4H", "PT8H", "PT12H", "P1D", "P7D", "P30D", "P90D")
_T = TypeVar("_T")
MOST_NAMES = 200
"""More names than these are typed, with the first ones as suggestions."""


@dataclass(frozen=True)
class Choice:
    """One thing to choose."""

    value: str
    label: str
    help: str = ""
    path: tuple[str, ...] = ()
    also: tuple[str, ...] = ()

    def means(self, value: str) -> bool:
        """Return whether a value of a scenario is this choice."""
        return value == self.value or value in self.also


@dataclass(frozen=True)
class ChoiceList:
    """What a field offers."""

    choices: tuple[Choice, ...]
    is_open: bool = False


class Choices:
    """The choices of a run's forms; the target is read when a form first asks."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._sources: Mapping[str, Callable[[], ChoiceList]] = {
            "predefined": lambda: _listed("predefined"),
            "role_durations": lambda: _lengths(ROLE_DURATIONS),
            "portal_durations": lambda: _lengths(PORTAL_DURATIONS),
            "password_delivery": lambda: _listed("password_delivery"),
            "locales": lambda: _listed("locales", is_open=True),
            "time_zones": lambda: ChoiceList(_named(sorted(zoneinfo.available_timezones())), is_open=True),
            "managed_policies": lambda: ChoiceList(_named(sorted(aws_managed_policies())), is_open=True),
            "managed_policy": lambda: ChoiceList(_named(sorted(aws_managed_policies())), is_open=True),
            "account": lambda: ChoiceList(self._accounts),
            "accounts": lambda: ChoiceList(self._accounts),
            "group": lambda: _names(self._groups),
            "groups": lambda: _names(self._groups),
            "user": lambda: _names(self._users),
            "permission_set": lambda: _names(self._permission_sets),
        }

    def of(self, source: str) -> ChoiceList | None:
        """Return the choices of a source that a form names, or None where there are none; may read."""
        read = self._sources.get(source)
        return read() if read else None

    @cached_property
    def _accounts(self) -> tuple[Choice, ...]:
        connection = self._step.context.connection
        try:
            accounts = list_accounts_with_paths(connection)
        except KitError:
            accounts = _or_nothing(lambda: list_accounts(connection))
        names = [account.name for account in accounts]
        return tuple(_account(account, names.count(account.name) == 1) for account in accounts)

    @cached_property
    def _groups(self) -> list[str]:
        wanted = [group.display_name for group in self._step.scenario.groups]
        return _merged(wanted, self._found(lambda at: list_principal_names(at, "GROUP", at_most=MOST_NAMES)))

    @cached_property
    def _users(self) -> list[str]:
        wanted = [user.user_name for user in self._step.scenario.users]
        return _merged(wanted, self._found(lambda at: list_principal_names(at, "USER", at_most=MOST_NAMES)))

    @cached_property
    def _permission_sets(self) -> list[str]:
        wanted = [permission_set.name for permission_set in self._step.scenario.permission_sets]
        return _merged(wanted, self._found(lambda at: list(list_permission_sets(at))))

    def _found(self, read: Callable[[Connection], list[str]]) -> list[str]:
        connection = self._step.context.connection
        return _or_nothing(lambda: read(connection) if connection.instance_or_none() else [])


def _or_nothing(read: Callable[[], list[_T]]) -> list[_T]:
    try:
        return read()
    except KitError:
        return []


def _merged(wanted: list[str], found: list[str]) -> list[str]:
    return list(dict.fromkeys([*wanted, *sorted(found)]))


def _names(names: list[str]) -> ChoiceList:
    return ChoiceList(_named(names), is_open=len(names) >= MOST_NAMES)


def _named(names: Iterable[str]) -> tuple[Choice, ...]:
    return tuple(Choice(name, name) for name in names)


def _lengths(durations: Iterable[str]) -> ChoiceList:
    return ChoiceList(tuple(Choice(one, describe_length(one)) for one in durations), is_open=True)


def _listed(name: str, *, is_open: bool = False) -> ChoiceList:
    table = forms_table()["choices"][name]
    return ChoiceList(tuple(Choice(value, *words) for value, words in table.items()), is_open)


def _account(account: Account, is_unique: bool) -> Choice:
    state = "" if account.status == "ACTIVE" else f", {account.status}"
    path = tuple(part for part in account.path.split("/") if part)
    label = f"{account.name or account.account_id} ({account.account_id}{state})"
    if is_unique and account.name:
        return Choice(account.name, label, path=path, also=(account.account_id,))
    return Choice(account.account_id, label, path=path)
