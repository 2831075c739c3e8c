"""The values that the console offers for each setting; a model's defaults are those of a new instance.

Sources: https://docs.aws.amazon.com/singlesignon/latest/userguide/mfa-getting-started.html,
https://docs.aws.amazon.com/singlesignon/latest/userguide/user-interactive-sessions.html,
https://docs.aws.amazon.com/singlesignon/latest/userguide/howtochangeURL.html,
https://docs.aws.amazon.com/singlesignon/latest/userguide/enable-account-instance-console.html
"""

from __future__ import annotations

import datetime
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

SHORTEST_SESSION = datetime.timedelta(minutes=15)
LONGEST_SESSION = datetime.timedelta(days=90)

_DURATION = re.compile(
    r"P(?=.)(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?",
    re.ASCII,
)


def _session_duration(text: str) -> str:
    """Return an ISO 8601 duration unchanged after a check of its form and bounds."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError("write a duration like PT8H, PT90M or P7D")
    length = datetime.timedelta(
        **{unit: int(number) for unit, number in match.groupdict(default="0").items()}
    )
    if not SHORTEST_SESSION <= length <= LONGEST_SESSION:
        raise ValueError("a session lasts from 15 minutes (PT15M) to 90 days (P90D)")
    return text


def _subdomain(text: str) -> str:
    """Return a portal's subdomain unchanged after a check of its form."""
    if len(text) > 62 or re.fullmatch(r"(?!d-)[a-z0-9]+(-+[a-z0-9]+)*", text, re.ASCII) is None:
        raise ValueError(
            f"{text[:64]!r}: use at most 62 lower-case letters, digits and inner hyphens, not 'd-' first"
        )
    return text


SessionDuration = Annotated[str, Field(max_length=32), AfterValidator(_session_duration)]


class Setting(BaseModel):
    """One box of the console's settings pages."""

    model_config = ConfigDict(extra="forbid", strict=True)


class AccessPortal(Setting):
    """Where users sign in.

    AWS documents neither length nor characters of its name (UNCONFIRMED): those of AWS Directory Service's
    aliases are taken, which stand before ``awsapps.com`` too.
    Source: https://docs.aws.amazon.com/directoryservice/latest/devguide/API_CreateAlias.html
    """

    subdomain: Annotated[str, AfterValidator(_subdomain)] | None = None


class StandardAuthentication(Setting):
    """What happens when a user whom the API created, and who has no password, signs in for the first time."""

    send_email_otp: bool = False


class MultiFactorAuthentication(Setting):
    """When users prove a second time who they are, by what, and what happens to those who have no device."""

    prompt: Literal["context-aware", "always-on", "never"] = "context-aware"
    allowed_types: list[Literal["security-keys-and-built-in-authenticators", "authenticator-apps"]] = [
        "authenticator-apps",
        "security-keys-and-built-in-authenticators",
    ]
    user_without_device: Literal["require-registration", "require-email-otp", "block", "allow"] = (
        "require-registration"
    )
    users_manage_own_devices: bool = True

    @model_validator(mode="after")
    def _hold_together(self) -> MultiFactorAuthentication:
        if not self.allowed_types and self.prompt != "never":
            raise ValueError("at least one of allowed_types must be chosen while users are prompted")
        if len(set(self.allowed_types)) < len(self.allowed_types):
            raise ValueError("allowed_types names one type twice")
        self.allowed_types.sort()  # boxes that are ticked have no order: equal settings look equal
        # As in the console, where choosing the one ticks the other and greys it out.
        if self.user_without_device == "require-registration":
            self.users_manage_own_devices = True
        return self


class Sessions(Setting):
    """How long people stay signed in to the access portal, and their jobs run in the background."""

    user_interactive: SessionDuration = "PT8H"
    user_background: SessionDuration = "P7D"


class AccountInstances(Setting):
    """Whether member accounts may create instances; on in organizations that started after 15 Nov 2023."""

    enabled: bool = True


MODEL_OF_SETTING: dict[str, type[Setting]] = {
    "access_portal": AccessPortal,
    "standard_authentication": StandardAuthentication,
    "multi_factor_authentication": MultiFactorAuthentication,
    "sessions": Sessions,
    "account_instances": AccountInstances,
}
