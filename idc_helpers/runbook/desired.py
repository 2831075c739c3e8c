"""What the scenario wants, as states by key: pure, and the only place that knows both vocabularies."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NoReturn

from idc_aws.access import assignment_key
from idc_aws.changes import Change, Resource, State, Use
from idc_aws.errors import WriteFailedError
from idc_aws.groups import membership_key
from idc_aws.identifiers import format_duration, managed_policy_arn, parse_duration
from idc_aws.scenario.access import AccountAssignment, PermissionSet
from idc_aws.scenario.people import Group, User
from idc_aws.scenario.scenario import Scenario

States = dict[str, State]


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
    return {"access control attributes": {"attributes": dict(wanted.attributes)}} if wanted else {}


def console_setting_states(scenario: Scenario, setting: str) -> States:
    """Return one console-only setting as the console's service names its values."""
    state = _CONSOLE_SETTINGS[setting](scenario)
    return {setting: state} if state else {}


def _access_portal(scenario: Scenario) -> State:
    subdomain = scenario.access_portal.subdomain
    return {"subdomain": subdomain} if subdomain else {}


def _multi_factor_authentication(scenario: Scenario) -> State:
    mfa = scenario.authentication.mfa
    return {
        "prompt": mfa.prompt,
        "allowed_types": sorted(mfa.allowed_types),
        "user_without_device": mfa.user_without_device,
        "users_manage_own_devices": mfa.users_manage_own_devices,
    }


_CONSOLE_SETTINGS: Mapping[str, Callable[[Scenario], State]] = {
    "access_portal": _access_portal,
    "identity_source": lambda scenario: scenario.identity_source.model_dump(mode="json"),
    "standard_authentication": lambda scenario: {"send_email_otp": scenario.authentication.send_email_otp},
    "multi_factor_authentication": _multi_factor_authentication,
    "sessions": lambda scenario: scenario.authentication.sessions.model_dump(mode="json"),
}


def delegated_administrator_states(account_id: str | None) -> States:
    """Return the wanted delegated administrator, a member account's id, or nothing."""
    return {account_id: {"service_principal": "sso.amazonaws.com"}} if account_id else {}


def permission_set_states(permission_sets: list[PermissionSet]) -> States:
    """Return the wanted permission sets; each also wants no account left on an older version of it."""
    return {permission_set.name: _permission_set_state(permission_set) for permission_set in permission_sets}


def _permission_set_state(permission_set: PermissionSet) -> State:
    state: State = {
        "session_duration": format_duration(parse_duration(permission_set.session_duration)),
        "managed_policies": sorted(managed_policy_arn(policy) for policy in permission_set.managed_policies),
        "customer_managed_policies": sorted(
            (policy.model_dump(mode="json") for policy in permission_set.customer_managed_policies),
            key=lambda policy: (policy["path"], policy["name"]),
        ),
        "inline_policy": _inline_policy(permission_set.inline_policy),
        "permissions_boundary": _permissions_boundary(permission_set),
        "accounts_to_provision": [],
    }
    optional = {"description": permission_set.description, "relay_state": permission_set.relay_state}
    state.update({name: value for name, value in optional.items() if value is not None})
    if permission_set.tags:
        state["tags"] = dict(permission_set.tags)
    return state


def _inline_policy(policy: dict[str, Any] | str | None) -> dict[str, Any] | None:
    return json.loads(policy) if isinstance(policy, str) else policy


def _permissions_boundary(permission_set: PermissionSet) -> State | None:
    boundary = permission_set.permissions_boundary
    if boundary is None:
        return None
    if boundary.managed_policy is not None:
        return {"managed_policy": managed_policy_arn(boundary.managed_policy)}
    if boundary.customer_managed_policy is None:
        return None
    return {"customer_managed_policy": boundary.customer_managed_policy.model_dump(mode="json")}


def group_states(groups: list[Group]) -> States:
    """Return the wanted groups."""
    return {
        group.display_name: {"description": group.description} if group.description is not None else {}
        for group in groups
    }


def account_assignment_states(
    assignments: list[AccountAssignment], account_id_of: Callable[[str], str]
) -> States:
    """Return the wanted account assignments, one for each account."""
    states: States = {}
    for assignment in assignments:
        principal_type = "GROUP" if assignment.group is not None else "USER"
        principal_name = str(assignment.group if assignment.group is not None else assignment.user)
        for account in assignment.accounts:
            state = {
                "principal_type": principal_type,
                "principal_name": principal_name,
                "permission_set": assignment.permission_set,
                "account_id": account_id_of(account),
            }
            states[assignment_key(**state)] = state
    return states


_NOT_ATTRIBUTES = {"groups", "password_delivery"}


def user_states(users: list[User]) -> States:
    """Return the wanted users with every profile field that the scenario gives."""
    return {user.user_name: _user_state(user) for user in users}


def _user_state(user: User) -> State:
    # Without an address there is nothing that a type could be of.
    left_out = {*_NOT_ATTRIBUTES, "user_name"} | ({"email_type"} if user.email is None else set())
    values = user.model_dump(mode="json", exclude_none=True)
    return {name: value for name, value in values.items() if name not in left_out and value != {}}


def membership_states(users: list[User]) -> States:
    """Return the wanted group memberships of the wanted users."""
    pairs = [(user.user_name, group) for user in users for group in user.groups]
    return {
        membership_key(user_name, group): {"user_name": user_name, "group": group}
        for user_name, group in pairs
    }


# A resource that is only looked at: the kit compares it with the scenario and never writes it.


class Observed:
    """Wraps a resource so that what differs is left to a person.

    Used where a write would destroy: changing the identity source deletes users, groups and assignments.
    """

    by_hand = True

    def __init__(self, resource: Resource) -> None:
        self._resource = resource

    @property
    def kind(self) -> str:
        """The kind of what is wrapped."""
        return self._resource.kind

    def read(self, keys: Collection[str]) -> dict[str, State]:
        """Return the states of the named things; reads only."""
        return self._resource.read(keys)

    def identifiers(self, keys: Collection[str]) -> dict[str, str]:
        """Return AWS's ids of those of the named things that exist; reads only."""
        return self._resource.identifiers(keys)

    @property
    def derived_fields(self) -> Collection[str]:
        """Fields that nobody sets."""
        return self._resource.derived_fields

    def read_by_identifier(self, named: Collection[tuple[str, str]]) -> dict[tuple[str, str], State]:
        """Return the states of the very things that had these identifiers; reads only."""
        return self._resource.read_by_identifier(named)

    def uses(
        self, named: Mapping[str, str], ours: Collection[tuple[str, str]], *, again: bool = False
    ) -> dict[str, tuple[Use, ...]]:
        """Return what hangs on things besides what is ours; reads only."""
        return self._resource.uses(named, ours, again=again)

    def irreversible(self, change: Change) -> dict[str, str]:  # noqa: ARG002 - of the protocol
        """Return that the kit makes no such change."""
        return {"": "it is only looked at"}

    def write_all(
        self,
        changes: Sequence[Change],
        on_start: Callable[[Change], None],  # noqa: ARG002
    ) -> NoReturn:
        """Refuse: see the class."""
        keys = ", ".join(repr(change.key) for change in changes)
        raise WriteFailedError(f"{self.kind} {keys} is only looked at, never written")
