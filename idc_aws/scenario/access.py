"""Permission sets and account assignments, as a scenario wants them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self, get_args

from pydantic import ConfigDict, Field, ValidationInfo, field_validator, model_validator

from idc_aws.identifiers import managed_policy_arn
from idc_aws.scenario.policies import (
    CustomerManagedPolicy,
    InlinePolicy,
    ManagedPolicyArn,
    PermissionsBoundary,
)
from idc_aws.scenario.values import (
    AccountIdOrName,
    Description,
    GroupName,
    Model,
    PermissionSetName,
    Refusal,
    RelayState,
    SessionDuration,
    Tags,
    UnitName,
    UserName,
    is_nothing,
    optional,
    refuse,
    repeats,
    without_default,
)

MOST_POLICIES = 25

# What the console's wizard calls predefined: a permission set with the one AWS managed policy of its name.
# https://docs.aws.amazon.com/singlesignon/latest/userguide/permissionsetpredefined.html
PredefinedName = Literal[
    "AdministratorAccess",
    "Billing",
    "DatabaseAdministrator",
    "DataScientist",
    "NetworkAdministrator",
    "PowerUserAccess",
    "ReadOnlyAccess",
    "SecurityAudit",
    "SupportUser",
    "SystemAdministrator",
    "ViewOnlyAccess",
]


def predefined_policy(name: object) -> str | None:
    """Return the ARN of the policy of a predefined permission set; None for a name that is not one's."""
    return managed_policy_arn(str(name)) if name in get_args(PredefinedName) else None


class PermissionSet(Model):
    """A template for the role that Identity Center makes in each account.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_CreatePermissionSet.html
    """

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["name"]}, {"required": ["predefined"]}]}
    )

    predefined: PredefinedName | None = optional(
        "One of the console's predefined permission sets: short for managed_policies with "
        "this one policy; the name is the policy's, where you give none."
    )
    name: PermissionSetName = Field(
        default="",
        validate_default=True,
        json_schema_extra=without_default,
        description="1 to 32 letters, digits and + = , . @ - _; it can never be changed.",
    )
    description: Description | None = optional("What it is for, in at most 700 Latin characters.")
    session_duration: SessionDuration = Field(
        default="PT1H", description="How long a session lasts, from PT1H to PT12H."
    )
    relay_state: RelayState | None = optional(
        "The page of the AWS console where people land, such as 'https://console.aws.amazon.com/ec2/'."
    )
    managed_policies: list[ManagedPolicyArn] = Field(
        default_factory=list, description="AWS managed policies, by name or ARN."
    )
    customer_managed_policies: list[CustomerManagedPolicy] = Field(
        default_factory=list,
        description="Policies of your own; each must exist in every account it is used in.",
    )
    inline_policy: InlinePolicy | None = optional(
        "A policy written out here: a mapping, or a text in JSON; at most 10,240 characters."
    )
    permissions_boundary: PermissionsBoundary | None = optional(
        "The most that this permission set may ever allow."
    )
    tags: Tags = Field(
        default_factory=dict, description="Tags of the permission set: key and value, at most 75."
    )

    @model_validator(mode="before")
    @classmethod
    def _write_out_predefined(cls, data: Any) -> Any:
        predefined = data.get("predefined") if isinstance(data, Mapping) else None
        if not isinstance(predefined, str) or not predefined:
            return data
        given = {name: value for name, value in data.items() if not is_nothing(value)}
        written_out = {"managed_policies": [], **given, "name": given.get("name", predefined)}
        policies, policy = written_out["managed_policies"], predefined_policy(predefined)
        if policy and isinstance(policies, list) and not {predefined, policy} & set(map(str, policies)):
            # At the end, so that the places of the others stay those of the file.
            written_out["managed_policies"] = [*policies, policy]
        return written_out

    @model_validator(mode="after")
    def _policies_fit(self) -> Self:
        references = [f"{policy.path}{policy.name}" for policy in self.customer_managed_policies]
        refusals = [*repeats(self.managed_policies, "Name it once.", "managed_policies")]
        refusals += repeats(references, "Name it once.", "customer_managed_policies")
        found = len(self.managed_policies) + len(references)
        if found > MOST_POLICIES:
            message = f"{found} managed and customer managed policies are too many"
            refusals.append(
                Refusal(("managed_policies",), message, f"Keep at most {MOST_POLICIES} together.", found)
            )
        refuse(refusals)
        return self


class AccountAssignment(Model):
    """One permission set for one principal in some accounts.

    What is named here may also exist already: the scenario does not have to define it.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_CreateAccountAssignment.html
    """

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["group"]}, {"required": ["user"]}],
            "anyOf": [
                {"required": ["accounts"], "properties": {"accounts": {"minItems": 1}}},
                {
                    "required": ["organizational_units"],
                    "properties": {"organizational_units": {"minItems": 1}},
                },
                {"required": ["account_tags"], "properties": {"account_tags": {"minProperties": 1}}},
            ],
        }
    )

    permission_set: PermissionSetName = Field(description="The permission set's name.")
    group: GroupName | None = optional("The group's display name; recommended.")
    user: UserName | None = optional("The user's name, in place of a group.")
    organizational_units: list[UnitName] = Field(
        default_factory=list,
        description="All accounts in these organizational units and in those below them: each unit by its "
        "path, such as 'Root/Workloads/Prod', by its name, or by its id. Never the management account.",
    )
    account_tags: Tags = Field(
        default_factory=dict,
        description="All accounts that have each of these tags: key and value. Never the management account.",
    )
    # The last, because whether it may be empty follows from the two above.
    accounts: list[AccountIdOrName] = Field(
        default_factory=list,
        validate_default=True,
        description="The accounts: each by its id in quotes, or by its name.",
    )

    @field_validator("accounts")
    @classmethod
    def _some_account(cls, accounts: list[str], given: ValidationInfo) -> list[str]:
        # One that is wrong is not among the data: that it is wrong is then all to report.
        others = [given.data.get(name, "wrong") for name in ("organizational_units", "account_tags")]
        if not accounts and not any(others):
            remedy = "Add it: accounts, organizational_units or account_tags say where the access is given."
            refuse([Refusal((), "'accounts' is missing", remedy, accounts)])
        return accounts

    @model_validator(mode="after")
    def _exactly_one_principal(self) -> Self:
        if (self.group is None) == (self.user is None):
            found = "neither" if self.group is None else "both"
            message = f"an account assignment has one principal; found {found} of group and user"
            refuse([Refusal((), message, "Give 'group' or 'user', not both.", found)])
        return self
