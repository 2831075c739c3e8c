"""Whose half of the lesson notebooks 09 to 11 walk through, and with which profile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from idc_helpers.models.base import Model, Refusal
from idc_helpers.models.texts import AccountIdOrName, NewProfileName, PermissionSetName, UserName
from idc_helpers.suggestions import did_you_mean


class Person(Model):
    """The person who accepts the invitation, signs in, and works with temporary credentials.

    Source: https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-sso.html
    """

    user_name: UserName | None = Field(
        default=None, description="Who; one of the users below. Empty: the first of them."
    )
    account: AccountIdOrName | None = Field(
        default=None,
        description="The account that the profile works in: its id in quotes, or its name. Empty: the first "
        "that this person reaches.",
    )
    permission_set: PermissionSetName | None = Field(
        default=None,
        description="The permission set that the profile uses. Empty: the first that this person has there.",
    )
    profile_name: NewProfileName = Field(
        default="practice", description="The profile's name: what the AWS CLI's --profile takes."
    )


def unknown_person(scenario: Mapping[str, Any]) -> list[Refusal]:
    """Return a refusal when the person is none of the users that the scenario names.

    A scenario without users names nobody: they come from elsewhere.

    Parameters
    ----------
    scenario
        A scenario as plain data; parts of the wrong shape are passed over.
    """
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
