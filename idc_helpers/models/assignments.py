"""Account assignments: who may use which permission set in which accounts."""

from __future__ import annotations

from typing import Any, Self

from pydantic import ConfigDict, Field, model_validator

from idc_helpers.models.base import Model, Refusal, refuse
from idc_helpers.models.texts import AccountIdOrName, GroupName, PermissionSetName, UserName


def _group_or_user(schema: dict[str, Any]) -> None:
    schema["oneOf"] = [{"required": ["group"]}, {"required": ["user"]}]


class AccountAssignment(Model):
    """One permission set for one principal in some accounts.

    What is named here may also exist already: the scenario does not have to define it.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_CreateAccountAssignment.html
    """

    model_config = ConfigDict(json_schema_extra=_group_or_user)

    permission_set: PermissionSetName = Field(description="The permission set's name.")
    group: GroupName | None = Field(default=None, description="The group's display name; recommended.")
    user: UserName | None = Field(default=None, description="The user's name, in place of a group.")
    accounts: list[AccountIdOrName] = Field(
        description="The accounts: each by its id in quotes, or by its name.", min_length=1
    )

    @model_validator(mode="after")
    def _exactly_one_principal(self) -> Self:
        if (self.group is None) == (self.user is None):
            found = "neither" if self.group is None else "both"
            message = f"an account assignment has one principal; found {found} of group and user"
            refuse([Refusal((), message, "Give 'group' or 'user', not both.", found)])
        return self
