"""What a form says: labels and help in the console's words, and which fields stand together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from idc_aws.scenario.access import AccountAssignment, PermissionSet
from idc_aws.scenario.people import Address, Enterprise, Group, User
from idc_aws.scenario.policies import PermissionsBoundary
from idc_aws.scenario.scenario import (
    AccessControlAttributes,
    AccessPortal,
    Authentication,
    Instance,
    Management,
    Mfa,
    Sessions,
)
from idc_aws.settings import CONSOLE_SETTINGS


@dataclass(frozen=True)
class FieldWords:
    """What a form says about one field."""

    label: str
    help: str = ""
    source: str = ""


@dataclass(frozen=True)
class FieldGroup:
    """Fields that stand together."""

    title: str
    names: tuple[str, ...]


def _of_setting(name: str) -> dict[str, FieldWords]:
    return {field: FieldWords(label) for field, label in CONSOLE_SETTINGS[name].fields.items()}


# What only a person who writes YAML needs to know.
_IN_A_FILE = re.compile(r",? in quotes(?:: [^.]*)?")
_W = FieldWords
# Labels are those of the steps in https://docs.aws.amazon.com/singlesignon/latest/userguide/
WORDS: Mapping[type[BaseModel], Mapping[str, FieldWords]] = {
    Instance: {
        "kind": _W("Kind of instance", "Only an organization instance can give access to AWS accounts."),
        "name": _W("Instance name", "Letters, digits and + = , . @ - _, without blanks."),
        "tags": _W("Tags"),
    },
    AccessControlAttributes: {
        "attributes": _W(
            "Attributes for access control",
            "Each on a line of its own: key = value. A policy sees the key as aws:PrincipalTag/KEY; the value"
            " is the user's attribute that it is taken from, such as ${path:enterprise.costCenter}.",
        )
    },
    AccessPortal: {
        "subdomain": _W(
            "Subdomain of the AWS access portal URL",
            "The first part of https://SUBDOMAIN.awsapps.com/start. It can be set once and never changed."
            " Empty: the address stays as AWS gave it.",
        )
    },
    Authentication: {"send_email_otp": _W("Send email OTP")},
    Mfa: {
        **_of_setting("multi_factor_authentication"),
        "users_manage_own_devices": _W(
            "Users can add and manage their own MFA devices", "Administrators always can."
        ),
    },
    Sessions: {
        "user_interactive": _W(
            "User interactive sessions",
            "How long a sign-in to the AWS access portal lasts: 15 minutes to 90 days.",
            "portal_durations",
        ),
        "user_background": _W(
            "User background sessions",
            "How long jobs that a user started may continue without the user: 15 minutes to 90 days.",
            "portal_durations",
        ),
    },
    Management: {
        "delegated_administrator": _W(
            "Delegated administrator",
            "The member account that may administer Identity Center; daily work then needs nobody in the"
            " management account.",
            "account",
        )
    },
    PermissionSet: {
        "predefined": _W(
            "Policy for predefined permission set", "Or none, for a custom permission set.", "predefined"
        ),
        "name": _W(
            "Permission set name", "At most 32 letters, digits and + = , . @ - _; never changed later."
        ),
        "description": _W("Description – optional", "What it is for."),
        "session_duration": _W(
            "Session duration",
            "How long one set of credentials is good. While the portal session lasts, new ones come without a"
            " sign-in.",
            "role_durations",
        ),
        "relay_state": _W("Relay state", "The page of the AWS console on which people land.", "relay_state"),
        "managed_policies": _W("AWS managed policies", "One on each line, by name.", "managed_policies"),
        "customer_managed_policies": _W(
            "Customer managed policies",
            "One on each line, with its path, such as /finance/ReadLedger. Each must exist in every account"
            " that the permission set is used in.",
        ),
        "inline_policy": _W("Inline policy", "A policy written out here, in JSON."),
        "permissions_boundary": _W("Permissions boundary", "The most that it may ever allow."),
        "tags": _W("Tags"),
    },
    PermissionsBoundary: {
        "managed_policy": _W("AWS managed policy", "By name. Empty: no boundary.", "managed_policy"),
        "customer_managed_policy": _W(
            "Customer managed policy", "In place of an AWS managed one; with its path, such as /finance/Most."
        ),
    },
    Group: {
        "display_name": _W("Group name"),
        "description": _W("Description – optional", "What the group is for."),
    },
    AccountAssignment: {
        "accounts": _W("AWS accounts", "Where the access is given.", "accounts"),
        "group": _W("Group", "Who gets it: access goes to groups, so that people can come and go.", "group"),
        "user": _W("User", "One person, in place of a group: leave the group empty then.", "user"),
        "permission_set": _W("Permission set", "What they may do there.", "permission_set"),
    },
    User: {
        "user_name": _W("Username", "What the person types to sign in; no blanks."),
        "password_delivery": _W("Password", "", "password_delivery"),
        "email": _W("Email address", "Unique; without it nothing can be sent."),
        "given_name": _W("First name"),
        "family_name": _W("Last name"),
        "display_name": _W("Display name", "What others see; first and last name unless you type another."),
        "groups": _W("Groups", "The groups that the person is a member of.", "groups"),
        "email_type": _W("Type of the email address"),
        "phone_number": _W("Phone number"),
        "website": _W("Website"),
        "title": _W("Title"),
        "user_type": _W("User type", "Such as Employee or Contractor."),
        "enterprise": _W("Job", "The person's place in the company."),
        "address": _W("Address", "Where the person works."),
        "preferred_language": _W("Preferred language", "Such as en-US.", "locales"),
        "locale": _W("Locale", "For dates and numbers, such as en-US.", "locales"),
        "timezone": _W("Time zone", "Such as America/New_York.", "time_zones"),
        "middle_name": _W("Middle name"),
        "nick_name": _W("Nickname"),
        "honorific_prefix": _W("Honorific prefix", "Such as Dr."),
        "honorific_suffix": _W("Honorific suffix", "Such as Jr."),
        "birthdate": _W("Birthdate", "Year, month and day, such as 1990-04-23."),
        "profile_url": _W("Profile URL"),
    },
    Enterprise: {
        "employee_number": _W("Employee number"),
        "cost_center": _W("Cost center", "Often used for access control."),
        "organization": _W("Organization"),
        "division": _W("Division"),
        "department": _W("Department", "Often used for access control."),
        "manager": _W("Manager", "The manager's username."),
    },
    Address: {
        "street_address": _W("Street address"),
        "locality": _W("City"),
        "region": _W("State or region"),
        "postal_code": _W("Postal code"),
        "country": _W("Country"),
        "formatted": _W("Formatted address", "The whole address, as on an envelope."),
    },
}

_G = FieldGroup
GROUPS: Mapping[type[BaseModel], tuple[FieldGroup, ...]] = {
    Instance: (_G("", ("kind", "name")), _G("Tags", ("tags",))),
    PermissionSet: (
        _G("", ("predefined", "name", "description", "session_duration")),
        _G("Policies", ("managed_policies", "customer_managed_policies", "inline_policy")),
        _G("Permissions boundary", ("permissions_boundary",)),
        _G("Relay state", ("relay_state",)),
        _G("Tags", ("tags",)),
    ),
    AccountAssignment: (
        _G("", ("accounts", "group", "permission_set")),
        _G("One user in place of a group", ("user",)),
    ),
    User: (
        _G(
            "",
            (
                "user_name",
                "password_delivery",
                "email",
                "given_name",
                "family_name",
                "display_name",
                "groups",
            ),
        ),
        _G("Contact methods", ("email_type", "phone_number", "website")),
        _G("Job-related information", ("title", "user_type", "enterprise")),
        _G("Address", ("address",)),
        _G("Preferences", ("preferred_language", "locale", "timezone")),
        _G(
            "Additional attributes",
            ("middle_name", "nick_name", "honorific_prefix", "honorific_suffix", "birthdate", "profile_url"),
        ),
    ),
}

# A rule between fields is told at this one.
WHOLE_PROBLEM_AT: Mapping[type[BaseModel], str] = {
    AccountAssignment: "group",
    PermissionsBoundary: "managed_policy",
}


def words_of(model: type[BaseModel], name: str) -> FieldWords:
    """Return what a form says about a field; where nothing is written, what the model says."""
    words = WORDS.get(model, {}).get(name) or FieldWords(name.replace("_", " ").capitalize())
    if words.help:
        return words
    description = _IN_A_FILE.sub("", model.model_fields[name].description or "")
    says_more = description.rstrip(".").casefold() != words.label.casefold()
    return FieldWords(words.label, description if says_more else "", words.source)


def groups_of(model: type[BaseModel], only: tuple[str, ...] = ()) -> tuple[FieldGroup, ...]:
    """Return a model's groups of fields: every field is in exactly one; `only` these, where given."""
    groups = GROUPS.get(model, (FieldGroup("", tuple(model.model_fields)),))
    if not only:
        return groups
    return tuple(
        FieldGroup(group.title, tuple(name for name in group.names if name in only)) for group in groups
    )
