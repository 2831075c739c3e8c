"""The instance and its settings, as a scenario wants them, and a person's records of console settings."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, JsonValue, StrictBool, model_validator

from idc_aws.errors import InvalidValueError
from idc_aws.scenario.values import (
    AccountIdOrName,
    AttributeKey,
    AttributeSource,
    InstanceName,
    Model,
    PortalSessionDuration,
    ProfileText,
    Refusal,
    Subdomain,
    Tags,
    optional,
    refuse,
    shortened,
)

MfaType = Literal["security-keys-and-built-in-authenticators", "authenticator-apps"]


def _both_types() -> list[MfaType]:
    return ["security-keys-and-built-in-authenticators", "authenticator-apps"]


class Mfa(Model):
    """Multi-factor authentication: a second proof besides the password."""

    prompt: Literal["context-aware", "always-on", "never"] = Field(
        default="context-aware",
        description="When users are asked: 'context-aware' (only when their sign-in context changes; "
        "recommended), 'always-on' (every time they sign in) or 'never' (disabled).",
    )
    allowed_types: list[MfaType] = Field(
        default_factory=_both_types, description="With what users can authenticate.", max_length=2
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
        refuse([*self._misfits()])
        return self

    def _misfits(self) -> list[Refusal]:
        misfits = []
        if self.user_without_device == "require-registration" and not self.users_manage_own_devices:
            misfits.append(
                Refusal(
                    ("users_manage_own_devices",),
                    "False does not go with user_without_device 'require-registration': "
                    "the console forces it on",
                    "Set users_manage_own_devices to true, or choose another user_without_device.",
                    False,
                )
            )
        if not self.allowed_types and self.prompt != "never":
            misfits.append(
                Refusal(
                    ("allowed_types",),
                    f"[] does not go with prompt {self.prompt!r}: nobody could answer it",
                    "Allow at least one type, or set prompt to 'never'.",
                    [],
                )
            )
        if len(set(self.allowed_types)) < len(self.allowed_types):
            misfits.append(
                Refusal(
                    ("allowed_types",),
                    f"{self.allowed_types!r} names a type twice",
                    "Name each type once.",
                    self.allowed_types,
                )
            )
        return misfits


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


# The instance of Identity Center, and the settings that belong to the whole of it.


def _names_an_attribute(source: str) -> str:
    if not (source.startswith("${") and source.endswith("}") and source[2:-1].strip()):
        raise InvalidValueError(
            f"{shortened(source)} does not name an attribute of a user",
            remedy="Write it as '${path:enterprise.costCenter}', dollar sign and braces included.",
        )
    return source


class Instance(Model):
    """The instance: what kind it is, and what it is called.

    Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/identity-center-instances.html
    """

    kind: Literal["organization", "account"] = Field(
        default="organization",
        description="'organization': enabled in the console, once, from the management account; it can "
        "give access to AWS accounts. 'account': for one account only, without permission sets.",
    )
    name: InstanceName | None = optional("The instance's name, without blanks. Empty: leave it as it is.")
    tags: Tags = Field(default_factory=dict, description="Tags of the instance: key and value, at most 75.")


class AccessControlAttributes(Model):
    """Attributes for access control (ABAC): what a session carries about its user.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_InstanceAccessControlAttributeConfiguration.html
    """

    attributes: dict[AttributeKey, Annotated[AttributeSource, AfterValidator(_names_an_attribute)]] = Field(
        description="The key that policies see as aws:PrincipalTag/KEY, and the user's attribute that it "
        "is taken from, such as '${path:enterprise.costCenter}'; at most 50.",
        max_length=50,
    )


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


# A person's record that a setting was made in the console, where no API can show it.


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
