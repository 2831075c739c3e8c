"""A scenario: everything that a run should make true, and where; nothing in it twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from idc_aws.identifiers import did_you_mean
from idc_aws.scenario.access import AccountAssignment, PermissionSet
from idc_aws.scenario.people import Group, Person, User
from idc_aws.scenario.settings import (
    AccessControlAttributes,
    AccessPortal,
    Attestation,
    Authentication,
    IdentitySource,
    Instance,
    Management,
)
from idc_aws.scenario.values import AccountId, Model, ProfileName, Refusal, Region, optional, refuse
from idc_aws.scenario.yaml_lines import Location

# What may be there once only in a scenario: names, e-mail addresses and account assignments.


def repeated_values(scenario: Mapping[str, Any]) -> list[Refusal]:
    """Return a refusal for each value that is there a second time."""
    # AWS refuses ``ANA`` beside ``ana``; permission sets that differ in case alone are a trap for readers.
    refusals = []
    for list_name, keys in _UNIQUE:
        for key in keys:
            refusals += _repeated(
                _texts(scenario, list_name, key), f"{list_name[:-1].replace('_', ' ')} with {key}"
            )
    return refusals + _repeated_assignments(scenario)


_UNIQUE = (
    ("permission_sets", ("name",)),
    ("groups", ("display_name",)),
    ("users", ("user_name", "email")),
)


def _entries(scenario: Mapping[str, Any], list_name: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    entries = scenario.get(list_name)
    if isinstance(entries, list):
        yield from ((position, entry) for position, entry in enumerate(entries) if isinstance(entry, Mapping))


def _texts(scenario: Mapping[str, Any], list_name: str, key: str) -> Iterator[tuple[Location, str]]:
    for position, entry in _entries(scenario, list_name):
        # A predefined permission set without a name of its own has the policy's.
        given = key if entry.get(key) or list_name != "permission_sets" else "predefined"
        value = entry.get(given)
        if isinstance(value, str) and value:
            yield (list_name, position, given), value


def _repeated(values: Iterator[tuple[Location, str]], what: str) -> list[Refusal]:
    first: dict[str, Location] = {}
    refusals = []
    for location, value in values:
        earlier = first.setdefault(value.casefold(), location)
        if earlier is not location:
            message = f"{value!r} is there already: a {what} {value!r} is at {earlier[0]}[{earlier[1]}]"
            refusals.append(Refusal(location, message, "Change one of the two, or remove it.", value))
    return refusals


def _repeated_assignments(scenario: Mapping[str, Any]) -> list[Refusal]:
    first: dict[tuple[object, ...], int] = {}
    refusals = []
    for position, entry in _entries(scenario, "account_assignments"):
        principal = (
            ("GROUP", entry["group"]) if isinstance(entry.get("group"), str) else ("USER", entry.get("user"))
        )
        accounts = entry.get("accounts")
        for place, account in enumerate(accounts if isinstance(accounts, list) else []):
            assignment = (entry.get("permission_set"), *principal, account)
            if not all(isinstance(part, str) for part in assignment):
                continue
            if assignment in first:
                message = (
                    f"{account!r} is assigned already: account_assignments[{first[assignment]}] gives "
                    f"{entry.get('permission_set')!r} to {principal[1]!r} in this account"
                )
                location = ("account_assignments", position, "accounts", place)
                refusals.append(Refusal(location, message, "Remove it here.", account))
            first.setdefault(assignment, position)
    return refusals


def unknown_person(scenario: Mapping[str, Any]) -> list[Refusal]:
    """Return a refusal when the person is none of the users that the scenario names, if it names any."""
    person, users = scenario.get("person"), scenario.get("users")
    user_name = person.get("user_name") if isinstance(person, Mapping) else None
    if not isinstance(user_name, str) or not user_name or not isinstance(users, list):
        return []
    entries = [user for user in users if isinstance(user, Mapping)]
    names = [name for user in entries if isinstance(name := user.get("user_name"), str)]
    if not names or user_name in names:
        return []
    choices = f"The scenario's users are: {', '.join(names[:20])}{' …' if len(names) > 20 else ''}."
    remedy = did_you_mean(user_name, names) or choices
    message = f"{user_name!r} is not a user of this scenario"
    return [Refusal(("person", "user_name"), message, remedy, user_name)]


class Scenario(Model):
    """The desired state that drives all notebooks; each key is also a parameter of papermill's."""

    model_config = ConfigDict(title="Scenario of the Identity Center Runbook Kit")

    target: Literal["sandbox", "aws"] = Field(
        default="sandbox", description="Where the run happens: in the local sandbox, or on AWS."
    )
    mode: Literal["plan", "apply"] | None = optional(
        "'plan' shows what would change, 'apply' changes it. Empty: apply in the sandbox, plan on AWS."
    )
    region: Region = Field(
        default="us-east-1", description="The Region of the instance; Identity Center is regional."
    )
    expected_account: AccountId | None = optional(
        "The id of the account that the run is meant for, in quotes. On AWS nothing is applied "
        "unless it is the caller's."
    )
    profile: ProfileName | None = optional(
        "The name of the AWS profile to use. Empty: the credentials of the environment."
    )
    instance: Instance = Field(default_factory=Instance, description="The instance of Identity Center.")
    access_control_attributes: AccessControlAttributes | None = optional(
        "Attributes for access control (ABAC). Empty: leave them as they are."
    )
    identity_source: IdentitySource = Field(
        default_factory=IdentitySource, description="Where users come from; checked and never changed."
    )
    access_portal: AccessPortal = Field(
        default_factory=AccessPortal, description="The page on which people sign in."
    )
    authentication: Authentication = Field(default_factory=Authentication, description="How people sign in.")
    management: Management = Field(default_factory=Management, description="Who administers Identity Center.")
    permission_sets: list[PermissionSet] = Field(
        default_factory=list, description="What people may do in an account, and for how long."
    )
    groups: list[Group] = Field(default_factory=list, description="Groups of users.")
    account_assignments: list[AccountAssignment] = Field(
        default_factory=list, description="Who may use which permission set in which accounts."
    )
    users: list[User] = Field(default_factory=list, description="People who sign in.")
    person: Person = Field(
        default_factory=Person, description="Whose half of the lesson it is, and with which profile."
    )
    attestations: list[Attestation] = Field(
        default_factory=list,
        description="Records that settings were made in the console, where no API can show them.",
    )

    @property
    def mode_or_default(self) -> str:
        """The mode that is given, or the target's usual one."""
        return self.mode or ("apply" if self.target == "sandbox" else "plan")

    @model_validator(mode="after")
    def _each_thing_once(self) -> Self:
        refuse(
            repeated_values(
                self.model_dump(include={"permission_sets", "groups", "account_assignments", "users"})
            )
        )
        return self
