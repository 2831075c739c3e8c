"""Users, groups and the person who signs in, as a scenario wants them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from idc_aws.errors import InvalidValueError
from idc_aws.scenario.values import (
    AccountIdOrName,
    EmailAddress,
    GroupName,
    Model,
    NewProfileName,
    PermissionSetName,
    ProfileText,
    UserName,
    is_nothing,
    optional,
    refuse,
    repeats,
    without_default,
)

RESERVED_NAMES = ("Administrator", "AWSAdministrators")


def _not_reserved(name: str) -> str:
    if name in RESERVED_NAMES:
        raise InvalidValueError(
            f"{name!r} is a name that AWS keeps for itself", remedy="Choose another name."
        )
    return name


def _calendar_day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise InvalidValueError(
            f"{text!r} is not a day of the calendar",
            remedy="Write year, month and day, such as '1990-04-23'.",
        ) from error


class Group(Model):
    """A group of users; access is given to groups, so that people can come and go."""

    display_name: Annotated[GroupName, AfterValidator(_not_reserved)] = Field(description="The group's name.")
    description: ProfileText | None = optional("What the group is for.")
    members: list[UserName] | None = optional(
        "User names of people who exist already and belong to the group: nothing but the membership is "
        "written. People listed under users name their groups there."
    )

    @field_validator("members")
    @classmethod
    def _each_member_once(cls, members: list[str] | None) -> list[str] | None:
        refuse(repeats(members or [], "Name each person once."))
        return members


class Address(Model):
    """Where a user works."""

    street_address: ProfileText | None = optional("Street and number.")
    locality: ProfileText | None = optional("Town or city.")
    region: ProfileText | None = optional("State, province or county.")
    postal_code: ProfileText | None = optional("Postal code, in quotes.")
    country: ProfileText | None = optional("Country, in quotes: YAML reads NO as false.")
    formatted: ProfileText | None = optional("The whole address, as on an envelope.")


class Enterprise(Model):
    """A user's place in the company (the extension ``aws:identitystore:enterprise``)."""

    employee_number: ProfileText | None = optional("The number in the company's books, in quotes.")
    cost_center: ProfileText | None = optional("Who pays; often used for access control.")
    organization: ProfileText | None = optional("The company, or a part of it.")
    division: ProfileText | None = optional("The division.")
    department: ProfileText | None = optional("The department; often used for access control.")
    manager: ProfileText | None = optional("The manager's user name.")


class User(Model):
    """A person who signs in."""

    user_name: Annotated[UserName, AfterValidator(_not_reserved)] = Field(
        description="What the person types to sign in; no spaces, unique."
    )
    given_name: ProfileText = Field(description="The person's first name.")
    family_name: ProfileText = Field(description="The person's last name.")
    display_name: ProfileText = Field(
        default="",
        json_schema_extra=without_default,
        description="The name that others see; first and last name where you give none.",
    )
    email: EmailAddress | None = optional(
        "The person's e-mail address. It must be unique; without it nothing can be sent."
    )
    email_type: ProfileText = Field(default="work", description="What kind of e-mail address that is.")
    password_delivery: Literal["email", "one-time-password"] = Field(
        default="email",
        description="How the person gets a password: 'email' (a one-time password by e-mail at the first "
        "attempt to sign in) or 'one-time-password' (made in the console and handed over by you).",
    )
    groups: list[GroupName] = Field(
        default_factory=list, description="The groups that the person is a member of."
    )
    phone_number: ProfileText | None = optional("A telephone number, in quotes.")
    middle_name: ProfileText | None = optional("Middle name.")
    honorific_prefix: ProfileText | None = optional("Such as 'Dr.'.")
    honorific_suffix: ProfileText | None = optional("Such as 'Jr.'.")
    nick_name: ProfileText | None = optional("Nickname.")
    title: ProfileText | None = optional("Job title.")
    user_type: ProfileText | None = optional("Such as 'Employee' or 'Contractor'.")
    profile_url: ProfileText | None = optional("The address of a page about the person.")
    website: ProfileText | None = optional("The person's own website.")
    birthdate: Annotated[ProfileText, AfterValidator(_calendar_day)] | None = optional(
        "Year, month and day, such as '1990-04-23'."
    )
    preferred_language: ProfileText | None = optional("Such as 'en-US'.")
    locale: ProfileText | None = optional("For dates and numbers, such as 'en-US'.")
    timezone: ProfileText | None = optional("Such as 'America/New_York'.")
    address: Address | None = optional("Where the person works.")
    enterprise: Enterprise | None = optional("The person's place in the company.")

    @model_validator(mode="before")
    @classmethod
    def _default_display_name(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or not is_nothing(data.get("display_name")):
            return data
        names = [data.get("given_name"), data.get("family_name")]
        given = {key: value for key, value in data.items() if key != "display_name"}
        if not all(isinstance(name, str) and name for name in names):
            return given  # That a name is missing is the only thing to report.
        return {**given, "display_name": " ".join(map(str, names))}

    @field_validator("groups")
    @classmethod
    def _each_group_once(cls, groups: list[str]) -> list[str]:
        refuse(repeats(groups, "Name each group once."))
        return groups


class Person(Model):
    """The person who accepts the invitation, signs in, and works with temporary credentials.

    Source: https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-sso.html
    """

    user_name: UserName | None = optional("Who; one of the users below. Empty: the first of them.")
    account: AccountIdOrName | None = optional(
        "The account that the profile works in: its id in quotes, or its name. Empty: the first "
        "that this person reaches."
    )
    permission_set: PermissionSetName | None = optional(
        "The permission set that the profile uses. Empty: the first that this person has there."
    )
    profile_name: NewProfileName = Field(
        default="practice", description="The profile's name: what the AWS CLI's --profile takes."
    )
