"""What the scenario wants, as states by key: the only place that knows both vocabularies."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from typing_extensions import override

from idc_aws.access import assignment_key
from idc_aws.changes import State
from idc_aws.connection import Connection, management_account_id
from idc_aws.errors import AmbiguousError, NotFoundError
from idc_aws.groups import Groups, membership_key
from idc_aws.identifiers import did_you_mean, format_duration, managed_policy_arn, parse_duration
from idc_aws.organization import (
    SERVICE_PRINCIPAL,
    Account,
)
from idc_aws.permission_sets import PermissionSets
from idc_aws.resource import Resource
from idc_aws.scenario.access import AccountAssignment, PermissionSet
from idc_aws.scenario.people import User
from idc_aws.scenario.scenario import PeopleKind, Scenario
from idc_aws.scenario.values import Refusal
from idc_aws.scenario.yaml_lines import Location
from idc_aws.settings import KEY
from idc_aws.units import NamedAccounts, forget_units
from idc_aws.users import Users

States = dict[str, State]
AccountOf = Callable[[str], Account]
"""Finds an account by its name or id."""


@dataclass(frozen=True)
class Desired:
    """What one resource of a step should hold: states by key."""

    resource: Resource
    states: Mapping[str, State]
    out_of_reach: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    refusals: Sequence[Refusal] = ()
    """What the scenario names and the target does not have."""


@dataclass(frozen=True)
class Want:
    """Which resource a step writes, and what the scenario wants of it."""

    resource: Callable[[Connection], Resource]
    states: Callable[..., States]

    def desired(self, connection: Connection, scenario: Scenario) -> Desired:
        """Return it, bound to a connection."""
        return Desired(self.resource(connection), self.states(scenario))

    def missing(self, connection: Connection, scenario: Scenario) -> list[Refusal]:  # noqa: ARG002 - most name nothing
        """Return a refusal for each name that nobody makes and that is not there; reads only."""
        return []

    def look_again(self, connection: Connection) -> None:
        """Forget what was read for an earlier plan."""


_LEFT_TO_SCIM = (
    "users, groups and memberships come from the identity provider (SCIM); "
    "identity_source.kit_writes says what the kit may write all the same"
)


@dataclass(frozen=True)
class WantOfPeople(Want):
    """A want of users, groups or memberships: left alone where an identity provider owns them."""

    what: PeopleKind

    @override
    def desired(self, connection: Connection, scenario: Scenario) -> Desired:
        desired = super().desired(connection, scenario)
        is_ours = self.what in scenario.identity_source.writable
        left = dict.fromkeys(desired.states, _LEFT_TO_SCIM)
        if is_ours:
            is_membership = self.what == "memberships"
            left = _of_people_to_come(connection, scenario, desired.states) if is_membership else {}
        return replace(desired, out_of_reach=left)

    @override
    def missing(self, connection: Connection, scenario: Scenario) -> list[Refusal]:
        if self.what != "memberships":
            return []
        members: dict[Location, str] = {
            ("groups", number, "members", place): member
            for number, group in enumerate(scenario.groups)
            for place, member in enumerate(group.members or ())
        }
        groups: dict[Location, str] = {
            ("users", number, "groups", place): group
            for number, user in enumerate(scenario.users)
            for place, group in enumerate(user.groups)
        }
        return _missing(Users, connection, scenario, members) + _missing(Groups, connection, scenario, groups)


_NOT_THERE = {
    "user": "Correct the name, have the person provisioned first, or list the person under users.",
    "group": "Correct the name, have the group provisioned first, or list it under groups.",
    "permission_set": "Correct the name, or describe it under permission_sets.",
}


def _missing(
    kind: type[Resource], connection: Connection, scenario: Scenario, named: Mapping[Location, str]
) -> list[Refusal]:
    """Return a refusal for each name that the scenario does not make and the target does not have."""
    listed = {
        "user": {user.user_name for user in scenario.users},
        "group": {group.display_name for group in scenario.groups},
        "permission_set": {one.name for one in scenario.permission_sets},
    }
    others = {location: name for location, name in named.items() if name not in listed[kind.kind]}
    if not others or connection.instance_or_none() is None:
        return []
    there = kind(connection).identifiers(sorted(set(others.values())))
    what = kind.kind.replace("_", " ")
    return [
        Refusal(
            location,
            f"there is no {what} {name!r} on the target",
            f"{_nearest(name, listed[kind.kind])} {_NOT_THERE[kind.kind]}".lstrip(),
            name,
        )
        for location, name in others.items()
        if name not in there
    ]


def _nearest(name: str, listed: Collection[str]) -> str:
    """Return a sentence on the listed name that is probably meant, or nothing."""
    stored = unicodedata.normalize("NFC", name)
    if any(unicodedata.normalize("NFC", one) == stored for one in listed):
        how = "looks the same, and differs in how accents are stored: copy that one"
        return f"The scenario has a name that {how}."
    return did_you_mean(name, listed)


class WantInAccounts(Want):
    """A want that names accounts: their ids are asked for, and access to closed ones is out of reach."""

    @override
    def desired(self, connection: Connection, scenario: Scenario) -> Desired:
        accounts = NamedAccounts(connection)
        try:
            states = self.states(scenario, accounts)
        except AccountsNotFoundError as error:
            forget_units(connection)  # what is missing may be made in a moment
            return Desired(self.resource(connection), {}, refusals=error.refusals)
        closed = {
            key: f"account {account.name or account.account_id!r} is {account.status}: "
            "AWS gives no access to it"
            for key, state in states.items()
            if (account := accounts.by_id.get(state.get("account_id", ""))) and not account.is_active
        }
        later = _of_people_to_come(connection, scenario, states)
        notes = tuple(map(str, accounts.groups.values()))
        out_of_reach = later | _beyond_a_delegate(connection, states) | closed
        return Desired(self.resource(connection), states, out_of_reach, notes)

    @override
    def look_again(self, connection: Connection) -> None:
        forget_units(connection)  # accounts may have come since


class WantOfAssignments(WantInAccounts):
    """A want of account assignments: what they name has to be there, or to be made by the same scenario."""

    @override
    def missing(self, connection: Connection, scenario: Scenario) -> list[Refusal]:
        return [
            refusal
            for kind in (PermissionSets, Groups, Users)
            for refusal in _missing(kind, connection, scenario, _named_in_assignments(scenario, kind.kind))
        ]


def _named_in_assignments(scenario: Scenario, kind: str) -> dict[Location, str]:
    return {
        ("account_assignments", number, kind): name
        for number, assignment in enumerate(scenario.account_assignments)
        if (name := getattr(assignment, kind)) is not None
    }


USERS_FIRST = "does not exist yet: apply notebook 08, then this step again"
"""Ends the reason why the access of a user has to wait; a plan of both steps makes the user first."""


_PROVISIONED_FIRST = (
    "does not exist yet and comes from the identity provider (SCIM): have it provisioned, then plan again"
)


def _of_people_to_come(
    connection: Connection, scenario: Scenario, states: Mapping[str, State]
) -> dict[str, str]:
    """Return access and memberships of whom the scenario lists and nobody has made: why they wait, by key."""
    found: dict[str, str] = {}
    writable = scenario.identity_source.writable
    is_access = any("principal_type" in state for state in states.values())
    users = {user.user_name for user in scenario.users}
    groups = {group.display_name for group in scenario.groups}
    kinds: tuple[tuple[type[Users] | type[Groups], str, set[str]], ...] = (
        (Users, "users", users),
        (Groups, "groups", groups),
    )
    for kind, what, listed in kinds:
        named = {key: name for key, state in states.items() if (name := _principal_in(state, kind))}
        is_made = what in writable
        if is_made and not (is_access and kind is Users):
            continue  # it is made in the same step, or in one before
        missing = set(named.values()) & listed
        missing -= set(kind(connection).identifiers(sorted(missing)))
        why = USERS_FIRST if is_made else _PROVISIONED_FIRST
        found |= {key: f"{kind.kind} {name!r} {why}" for key, name in named.items() if name in missing}
    return found


def _principal_in(state: State, kind: type[Users] | type[Groups]) -> str | None:
    """Return the name of the user or the group in the state of an assignment or of a membership."""
    if state.get("principal_type") == kind.principal_type:
        return str(state["principal_name"])
    name = state.get("user_name" if kind is Users else "group")
    return None if name is None else str(name)


def _beyond_a_delegate(connection: Connection, states: States) -> dict[str, str]:
    """Return the access to the management account, where the caller is in another one: why, by key."""
    # https://docs.aws.amazon.com/singlesignon/latest/userguide/delegated-admin.html
    in_charge = management_account_id(connection) if states else ""
    if in_charge in ("", connection.caller.account_id):
        return {}
    why = (
        f"only account {in_charge} itself, the management account, gives access to it: apply this from there"
    )
    return {
        key: why
        for key, state in states.items()
        if "principal_type" in state and state["account_id"] == in_charge
    }


class AccountsNotFoundError(NotFoundError):
    """Places of a scenario that lead to no account; `refusals` has each of them."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        super().__init__(f"{len(refusals)} places of the scenario lead to no account")
        self.refusals = tuple(refusals)


def instance_states(scenario: Scenario) -> States:
    """Return ``{kind: {"name", "tags"}}`` of the wanted instance."""
    instance = scenario.instance
    state: State = {"tags": dict(instance.tags)} if instance.tags else {}
    if instance.name is not None:
        state["name"] = instance.name
    return {instance.kind: state}


def access_control_attribute_states(scenario: Scenario) -> States:
    """Return the wanted attribute mappings, or nothing when the scenario does not ask for any."""
    wanted = scenario.access_control_attributes
    return {KEY: {"attributes": dict(wanted.attributes)}} if wanted else {}


def identity_source_states(scenario: Scenario) -> States:
    """Return the expected identity source."""
    return {"identity_source": scenario.identity_source.model_dump(mode="json", exclude={"kit_writes"})}


def access_portal_states(scenario: Scenario) -> States:
    """Return the wanted address of the access portal, or nothing where the scenario leaves it."""
    subdomain = scenario.access_portal.subdomain
    return {"access_portal": {"subdomain": subdomain}} if subdomain else {}


def standard_authentication_states(scenario: Scenario) -> States:
    """Return whether users are wanted to get one-time passwords by e-mail."""
    return {"standard_authentication": {"send_email_otp": scenario.authentication.send_email_otp}}


def multi_factor_authentication_states(scenario: Scenario) -> States:
    """Return the wanted settings of MFA."""
    mfa = scenario.authentication.mfa
    return {
        "multi_factor_authentication": {
            "prompt": mfa.prompt,
            "allowed_types": sorted(mfa.allowed_types),
            "user_without_device": mfa.user_without_device,
            "users_manage_own_devices": mfa.users_manage_own_devices,
        }
    }


def session_states(scenario: Scenario) -> States:
    """Return the wanted lengths of sessions."""
    return {"sessions": scenario.authentication.sessions.model_dump(mode="json")}


def delegated_administrator_states(scenario: Scenario, account_of: AccountOf) -> States:
    """Return the wanted delegated administrator, a member account's id, or nothing."""
    named = scenario.management.delegated_administrator
    if not named:
        return {}
    try:
        return {account_of(named).account_id: {"service_principal": SERVICE_PRINCIPAL}}
    except (NotFoundError, AmbiguousError) as error:
        location = ("management", "delegated_administrator")
        raise AccountsNotFoundError([Refusal(location, error.message, error.remedy)]) from error


def permission_set_states(scenario: Scenario) -> States:
    """Return the wanted permission sets; each also wants no account left on an older version of it."""
    return {
        permission_set.name: _permission_set_state(permission_set)
        for permission_set in scenario.permission_sets
    }


def _permission_set_state(permission_set: PermissionSet) -> State:
    state: State = {
        "session_duration": format_duration(parse_duration(permission_set.session_duration)),
        "managed_policies": sorted(managed_policy_arn(policy) for policy in permission_set.managed_policies),
        "customer_managed_policies": sorted(
            (policy.model_dump(mode="json") for policy in permission_set.customer_managed_policies),
            key=lambda policy: (policy["path"], policy["name"]),
        ),
        "inline_policy": permission_set.inline_policy,
        "permissions_boundary": _permissions_boundary(permission_set),
        "accounts_to_provision": [],
    }
    optional = {"description": permission_set.description, "relay_state": permission_set.relay_state}
    state.update({name: value for name, value in optional.items() if value is not None})
    if permission_set.tags:
        state["tags"] = dict(permission_set.tags)
    return state


def _permissions_boundary(permission_set: PermissionSet) -> State | None:
    boundary = permission_set.permissions_boundary
    if boundary is None:
        return None
    if boundary.managed_policy is not None:
        return {"managed_policy": managed_policy_arn(boundary.managed_policy)}
    if boundary.customer_managed_policy is None:
        return None
    return {"customer_managed_policy": boundary.customer_managed_policy.model_dump(mode="json")}


def group_states(scenario: Scenario) -> States:
    """Return the wanted groups."""
    return {
        group.display_name: {"description": group.description} if group.description is not None else {}
        for group in scenario.groups
    }


def account_assignment_states(scenario: Scenario, accounts: AccountOf) -> States:
    """Return the wanted account assignments, one for each account; a `NamedAccounts` knows units and tags."""
    states: States = {}
    refusals = []
    for number, assignment in enumerate(scenario.account_assignments):
        for place, find in _places(assignment, accounts):
            try:
                for account in find():
                    state = _assignment_state(assignment, account)
                    states[assignment_key(**state)] = state
            except (NotFoundError, AmbiguousError) as error:
                location = ("account_assignments", number, *place)
                refusals.append(Refusal(location, error.message, error.remedy))
    if refusals:
        raise AccountsNotFoundError(refusals)
    return states


def _places(
    assignment: AccountAssignment, accounts: Any
) -> Iterator[tuple[Location, Callable[[], Iterable[Account]]]]:
    """Yield each place of an assignment that names accounts, with what finds them."""
    for number, named in enumerate(assignment.accounts):
        yield ("accounts", number), lambda named=named: [accounts(named)]  # type: ignore[misc]
    for number, named in enumerate(assignment.organizational_units):
        yield ("organizational_units", number), partial(accounts.in_unit, named)
    if assignment.account_tags:
        yield ("account_tags",), partial(accounts.with_tags, assignment.account_tags)


def _assignment_state(assignment: AccountAssignment, account: Account) -> State:
    return {
        "principal_type": "GROUP" if assignment.group is not None else "USER",
        "principal_name": str(assignment.group if assignment.group is not None else assignment.user),
        "permission_set": assignment.permission_set,
        "account_id": account.account_id,
    }


_NOT_ATTRIBUTES = {"groups", "password_delivery"}


def user_states(scenario: Scenario) -> States:
    """Return the wanted users with every profile field that the scenario gives."""
    return {user.user_name: _user_state(user) for user in scenario.users}


def _user_state(user: User) -> State:
    # Without an address there is nothing that a type could be of.
    left_out = {*_NOT_ATTRIBUTES, "user_name"} | ({"email_type"} if user.email is None else set())
    values = user.model_dump(mode="json", exclude_none=True)
    return {name: value for name, value in values.items() if name not in left_out and value != {}}


def membership_states(scenario: Scenario) -> States:
    """Return the wanted group memberships: those of the wanted users, and of people who exist already."""
    pairs = [(user.user_name, group) for user in scenario.users for group in user.groups]
    pairs += [(member, group.display_name) for group in scenario.groups for member in group.members or ()]
    return {
        membership_key(user_name, group): {"user_name": user_name, "group": group}
        for user_name, group in pairs
    }
