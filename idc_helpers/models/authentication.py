"""How people sign in: settings that only the console can change.

Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/enable-mfa.html
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, StrictBool, model_validator

from idc_helpers.models.base import Model, Refusal, refuse
from idc_helpers.models.texts import PortalSessionDuration

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
