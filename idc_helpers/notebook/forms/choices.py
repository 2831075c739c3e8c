"""What can be chosen in a form: AWS's own lists, and what the target or the scenario holds."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TypeVar

from idc_aws.access import list_permission_sets
from idc_aws.connection import Connection
from idc_aws.errors import KitError
from idc_aws.identifiers import aws_managed_policies, format_duration
from idc_aws.identity_store import list_group_names, list_user_names
from idc_aws.organization import Account, list_accounts, list_accounts_with_paths
from idc_helpers.runbook.steps import Step

_COMMON, _JOB = "Common permissions", "Job function"

PREDEFINED_POLICIES: Mapping[str, tuple[str, str]] = {
    "AdministratorAccess": (
        f"AdministratorAccess ({_COMMON})",
        "Everything in every service, who may sign in and the bills included: for the few who set things up.",
    ),
    "PowerUserAccess": (
        f"PowerUserAccess ({_COMMON})",
        "Everything in every service, except managing users, groups and the organization: for developers.",
    ),
    "ReadOnlyAccess": (
        f"ReadOnlyAccess ({_COMMON})",
        "Look at everything, the content of data stores included, and change nothing.",
    ),
    "ViewOnlyAccess": (
        f"ViewOnlyAccess ({_COMMON})",
        "See which resources there are and how they are set up, but not the data in them.",
    ),
    "Billing": (f"Billing ({_JOB})", "See and manage bills, payments, budgets and costs."),
    "DatabaseAdministrator": (
        f"DatabaseAdministrator ({_JOB})",
        "Create, set up and maintain databases in AWS.",
    ),
    "DataScientist": (
        f"DataScientist ({_JOB})",
        "Run queries and data analysis, on clusters of Amazon EMR and their like.",
    ),
    "NetworkAdministrator": (
        f"NetworkAdministrator ({_JOB})",
        "Create and maintain networks: VPCs, routes, Direct Connect, Route 53, load balancing.",
    ),
    "SecurityAudit": (
        f"SecurityAudit ({_JOB})",
        "Read how resources and logs are configured, to look for what is against the rules.",
    ),
    "SupportUser": (
        f"SupportUser ({_JOB})",
        "Contact AWS Support, open cases, and look at resources to describe a problem.",
    ),
    "SystemAdministrator": (
        f"SystemAdministrator ({_JOB})",
        "Set up and maintain what applications and development run on, across many services.",
    ),
}

PASSWORD_DELIVERY: Mapping[str, tuple[str, str]] = {
    "email": (
        "Send an email to this user with password setup instructions",
        "Users that the API makes are sent a one-time password at their first attempt to sign in.",
    ),
    "one-time-password": (
        "Generate a one-time password that you can share with this user",
        "You make it in the console, and hand it over yourself.",
    ),
}


def _hours(*numbers: int) -> dict[str, str]:
    return {
        format_duration(timedelta(hours=number)): f"{number} hour{'s' if number > 1 else ''}"
        for number in numbers
    }


def _days(*numbers: int) -> dict[str, str]:
    return {
        format_duration(timedelta(days=number)): f"{number} day{'s' if number > 1 else ''}"
        for number in numbers
    }


ROLE_DURATIONS: Mapping[str, str] = _hours(*range(1, 13))
PORTAL_DURATIONS: Mapping[str, str] = {
    "PT15M": "15 minutes",
    **_hours(1, 4, 8, 12),
    **_days(1, 7, 30, 90),
}

CONSOLES: Mapping[str, tuple[str, bool]] = {
    "ec2/": ("Amazon EC2", True),
    "s3/": ("Amazon S3", True),
    "cloudwatch/": ("CloudWatch", True),
    "lambda/": ("AWS Lambda", True),
    "rds/": ("Amazon RDS", True),
    "vpc/": ("Amazon VPC", True),
    "cloudformation/": ("CloudFormation", True),
    "cloudtrail/": ("CloudTrail", True),
    "systems-manager/": ("Systems Manager", True),
    "iam/": ("IAM", False),
    "organizations/": ("AWS Organizations", False),
    "billing/": ("Billing", False),
    "costmanagement/": ("Cost Management", False),
}
"""Consoles by the path of their address: what people call each, and whether it shows one Region at a time."""

LOCALES: Mapping[str, str] = {
    "cs-CZ": "Czech (Czechia)",
    "da-DK": "Danish (Denmark)",
    "de-AT": "German (Austria)",
    "de-CH": "German (Switzerland)",
    "de-DE": "German (Germany)",
    "en-AU": "English (Australia)",
    "en-CA": "English (Canada)",
    "en-GB": "English (United Kingdom)",
    "en-IE": "English (Ireland)",
    "en-IN": "English (India)",
    "en-US": "English (United States)",
    "es-ES": "Spanish (Spain)",
    "es-MX": "Spanish (Mexico)",
    "fi-FI": "Finnish (Finland)",
    "fr-CA": "French (Canada)",
    "fr-FR": "French (France)",
    "he-IL": "Hebrew (Israel)",
    "hi-IN": "Hindi (India)",
    "id-ID": "Indonesian (Indonesia)",
    "it-IT": "Italian (Italy)",
    "ja-JP": "Japanese (Japan)",
    "ko-KR": "Korean (South Korea)",
    "nb-NO": "Norwegian (Norway)",
    "nl-NL": "Dutch (Netherlands)",
    "pl-PL": "Polish (Poland)",
    "pt-BR": "Portuguese (Brazil)",
    "pt-PT": "Portuguese (Portugal)",
    "sv-SE": "Swedish (Sweden)",
    "tr-TR": "Turkish (Türkiye)",
    "uk-UA": "Ukrainian (Ukraine)",
    "zh-CN": "Chinese (China)",
    "zh-TW": "Chinese (Taiwan)",
}


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
            "predefined": lambda: _listed(PREDEFINED_POLICIES),
            "role_durations": lambda: ChoiceList(_choices(ROLE_DURATIONS), is_open=True),
            "portal_durations": lambda: ChoiceList(_choices(PORTAL_DURATIONS), is_open=True),
            "password_delivery": lambda: _listed(PASSWORD_DELIVERY),
            "locales": lambda: ChoiceList(_choices(LOCALES), is_open=True),
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
        return _merged(wanted, self._found(lambda at: list_group_names(at, at_most=MOST_NAMES)))

    @cached_property
    def _users(self) -> list[str]:
        wanted = [user.user_name for user in self._step.scenario.users]
        return _merged(wanted, self._found(lambda at: list_user_names(at, at_most=MOST_NAMES)))

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


def _choices(table: Mapping[str, str]) -> tuple[Choice, ...]:
    return tuple(Choice(value, label) for value, label in table.items())


def _listed(table: Mapping[str, tuple[str, str]]) -> ChoiceList:
    return ChoiceList(tuple(Choice(value, label, text) for value, (label, text) in table.items()))


def _account(account: Account, is_unique: bool) -> Choice:
    state = "" if account.status == "ACTIVE" else f", {account.status}"
    path = tuple(part for part in account.path.split("/") if part)
    label = f"{account.name or account.account_id} ({account.account_id}{state})"
    if is_unique and account.name:
        return Choice(account.name, label, path=path, also=(account.account_id,))
    return Choice(account.account_id, label, path=path)
