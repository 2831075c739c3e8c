"""A scenario: everything that a run should make true, and where."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import ConfigDict, Field, model_validator

from idc_helpers.models.assignments import AccountAssignment
from idc_helpers.models.attestations import Attestation
from idc_helpers.models.authentication import Authentication
from idc_helpers.models.base import Model, refuse
from idc_helpers.models.identities import Group, User
from idc_helpers.models.instance import (
    AccessControlAttributes,
    AccessPortal,
    IdentitySource,
    Instance,
    Management,
)
from idc_helpers.models.permission_sets import PermissionSet
from idc_helpers.models.person import Person
from idc_helpers.models.texts import AccountId, ProfileName, Region
from idc_helpers.models.uniqueness import repeated_values


class Scenario(Model):
    """The desired state that drives all notebooks; each key is also a parameter of papermill's."""

    model_config = ConfigDict(title="Scenario of the Identity Center Runbook Kit")

    target: Literal["sandbox", "aws"] = Field(
        default="sandbox", description="Where the run happens: in the local sandbox, or on AWS."
    )
    mode: Literal["plan", "apply"] | None = Field(
        default=None,
        description="'plan' shows what would change, 'apply' changes it. Empty: apply in the sandbox, plan "
        "on AWS.",
    )
    region: Region = Field(
        default="us-east-1", description="The Region of the instance; Identity Center is regional."
    )
    expected_account: AccountId | None = Field(
        default=None,
        description="The id of the account that the run is meant for, in quotes. On AWS nothing is applied "
        "unless it is the caller's.",
    )
    profile: ProfileName | None = Field(
        default=None,
        description="The name of the AWS profile to use. Empty: the credentials of the environment.",
    )
    instance: Instance = Field(default_factory=Instance, description="The instance of Identity Center.")
    access_control_attributes: AccessControlAttributes | None = Field(
        default=None, description="Attributes for access control (ABAC). Empty: leave them as they are."
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

    @model_validator(mode="after")
    def _each_thing_once(self) -> Self:
        refuse(
            repeated_values(
                self.model_dump(include={"permission_sets", "groups", "account_assignments", "users"})
            )
        )
        return self
