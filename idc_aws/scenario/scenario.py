"""A scenario: what a run should make true, and where; the instance, its settings, and nothing in it twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Literal, Self, get_args

from pydantic import ConfigDict, Field, JsonValue, StrictBool, model_validator

from idc_aws.identifiers import cut_list, did_you_mean
from idc_aws.scenario.access import AccountAssignment, PermissionSet
from idc_aws.scenario.people import Group, Person, User
from idc_aws.scenario.values import (
    AccountId,
    AccountIdOrName,
    AttributeKey,
    AttributeSource,
    InstanceName,
    Model,
    PortalSessionDuration,
    ProfileName,
    ProfileText,
    Refusal,
    Region,
    Subdomain,
    Tags,
    optional,
    refuse,
)
from idc_aws.scenario.yaml_lines import Location, dotted

MfaType = Literal["security-keys-and-built-in-authenticators", "authenticator-apps"]


class Mfa(Model):
    """Multi-factor authentication: a second proof besides the password."""

    prompt: Literal["context-aware", "always-on", "never"] = Field(
        default="context-aware",
        description="When users are asked: 'context-aware' (only when their sign-in context changes; "
        "recommended), 'always-on' (every time they sign in) or 'never' (disabled).",
    )
    allowed_types: list[MfaType] = Field(
        default_factory=lambda: list(get_args(MfaType)),
        description="With what users can authenticate.",
        max_length=2,
    )
    user_without_device: Literal["require-registration", "require-email-otp", "block", "allow"] = Field(
        default="require-registration",
        description="What happens to a user without a device: 'require-registration' (at sign-in; "
        "recommended), 'require-email-otp' (a one-time password by e-mail), 'block' or 'allow'.",
    )
    users_manage_own_devices: StrictBool = Field(
        default=True,
        description="Whether users can add and manage their own devices; administrators always can.",
    )

    @model_validator(mode="after")
    def _choices_fit_together(self) -> Self:
        refuse(self._misfits())
        return self

    def _misfits(self) -> Iterator[Refusal]:
        if self.user_without_device == "require-registration" and not self.users_manage_own_devices:
            message = (
                "False does not go with user_without_device 'require-registration': the console forces it on"
            )
            remedy = "Set users_manage_own_devices to true, or choose another user_without_device."
            yield Refusal(("users_manage_own_devices",), message, remedy, False)
        if not self.allowed_types and self.prompt != "never":
            message = f"[] does not go with prompt {self.prompt!r}: nobody could answer it"
            remedy = "Allow at least one type, or set prompt to 'never'."
            yield Refusal(("allowed_types",), message, remedy, [])
        if len(set(self.allowed_types)) < len(self.allowed_types):
            message = f"{self.allowed_types!r} names a type twice"
            yield Refusal(("allowed_types",), message, "Name each type once.", self.allowed_types)


class Sessions(Model):
    """How long people stay signed in.

    Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/user-interactive-sessions.html
    """

    user_interactive: PortalSessionDuration = Field(
        default="PT8H", description="How long a sign-in to the access portal lasts, from PT15M to P90D."
    )
    user_background: PortalSessionDuration = Field(
        default="P7D",
        description="How long jobs that a user started may continue without the user, from PT15M to P90D.",
    )


class Authentication(Model):
    """The settings of the Authentication tab."""

    send_email_otp: StrictBool = Field(
        default=True,
        description="Send a one-time password by e-mail to users who were created by API, at their first "
        "attempt to sign in: they have no password otherwise.",
    )
    mfa: Mfa = Field(default_factory=Mfa, description="Multi-factor authentication.")
    sessions: Sessions = Field(default_factory=Sessions, description="How long people stay signed in.")


class Instance(Model):
    """The instance: what kind it is, and what it is called.

    Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/identity-center-instances.html
    """

    kind: Literal["organization", "account"] = Field(
        default="organization",
        description="'organization': enabled in the console, once, from the management account; it can "
        "give access to AWS accounts. 'account': for one account only, without permission sets.",
    )
    name: InstanceName | None = optional("The instance's name, without spaces. Empty: leave it as it is.")
    tags: Tags = Field(default_factory=dict, description="Tags of the instance: key and value, at most 75.")


class AccessControlAttributes(Model):
    """Attributes for access control (ABAC): what a session carries about its user.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_InstanceAccessControlAttributeConfiguration.html
    """

    attributes: dict[AttributeKey, AttributeSource] = Field(
        description="The key that policies see as aws:PrincipalTag/KEY, and the user's attribute that it "
        "is taken from, such as '${path:enterprise.costCenter}'; at most 50.",
        max_length=50,
    )


PeopleKind = Literal["users", "groups", "memberships"]


class IdentitySource(Model):
    """Where users come from; the kit checks it and never changes it, for a change can delete users.

    Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/manage-your-identity-source.html
    """

    type: Literal["identity_center_directory", "active_directory", "external_identity_provider"] = Field(
        default="identity_center_directory", description="Where users and groups are kept."
    )
    authentication_method: Literal["password", "active_directory", "saml_2_0"] = Field(
        default="password", description="How users prove who they are."
    )
    provisioning_method: Literal["direct", "scim", "manual"] = Field(
        default="direct",
        description="How users get in: 'direct' (made here), 'scim' (from a provider) or 'manual'.",
    )
    kit_writes: list[PeopleKind] | None = Field(
        default=None,
        max_length=len(get_args(PeopleKind)),
        description="What the kit may write of 'users', 'groups' and 'memberships'. Empty: all of them; with "
        "provisioning_method 'scim' none, because the next synchronisation would set them back.",
    )

    @property
    def writable(self) -> frozenset[str]:
        """What the kit may write of users, groups and memberships."""
        usual = () if self.provisioning_method == "scim" else get_args(PeopleKind)
        return frozenset(usual if self.kit_writes is None else self.kit_writes)


class AccessPortal(Model):
    """The page on which people sign in.

    Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/howtochangeURL.html
    """

    subdomain: Subdomain | None = optional(
        "The first part of https://SUBDOMAIN.awsapps.com/start. It can be set once, in the "
        "console only, and never again. Empty: keep the address that AWS gave."
    )


class Management(Model):
    """Who administers Identity Center.

    Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/delegated-admin.html
    """

    delegated_administrator: AccountIdOrName | None = optional(
        "The member account that may administer Identity Center: its id in quotes, or its name. "
        "Empty: leave it as it is."
    )


class Attestation(Model):
    """Who set what, when, and what was seen on the screen."""

    setting: Literal[
        "access_portal",
        "identity_source",
        "standard_authentication",
        "multi_factor_authentication",
        "sessions",
    ] = Field(description="The setting, as plans name it.")
    value: dict[str, JsonValue] = Field(
        min_length=1, description="Its fields as the plan names them, such as {send_email_otp: true}."
    )
    by: ProfileText = Field(description="Who did it.")
    on: date = Field(description="The day it was done, such as '2026-11-23'.")
    seen: ProfileText = Field(description="What the console showed afterwards.")

    @model_validator(mode="before")
    @classmethod
    def _undo_yaml_truth(cls, data: Any) -> Any:
        # YAML 1.1 reads the key `on` as true, and papermill reads parameter files with it.
        if isinstance(data, Mapping) and True in data and "on" not in data:
            return {"on" if key is True else key: value for key, value in data.items()}
        return data


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
            message = f"{value!r} is there already: a {what} {value!r} is at {dotted(earlier[:2])}"
            remedy = "Change one of the two, or remove it."
            refusals.append(Refusal(location, message, remedy, value, earlier[:2]))
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
                earlier = ("account_assignments", first[assignment])
                message = (
                    f"{account!r} is assigned already: {dotted(earlier)} gives "
                    f"{entry.get('permission_set')!r} to {principal[1]!r} in this account"
                )
                location = ("account_assignments", position, "accounts", place)
                refusals.append(Refusal(location, message, "Remove it here.", account, earlier))
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
    remedy = did_you_mean(user_name, names) or f"The scenario's users are: {cut_list(names, 20)}."
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
