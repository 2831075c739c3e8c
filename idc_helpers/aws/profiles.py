"""Profiles of ``~/.aws/config`` that sign in through Identity Center, and what their lines mean.

Source: https://docs.aws.amazon.com/cli/latest/userguide/sso-configure-profile-token.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from idc_helpers.aws.config_file import ConfigFile
from idc_helpers.aws.config_sections import Section, find_sections, split_lines

SCOPE = "sso:account:access"
_MEANINGS = {
    "sso_session": "which session below signs in; several profiles can share one",
    "sso_account_id": "the account that this profile works in",
    "sso_role_name": "the permission set, by its name",
    "region": "where commands go unless they say otherwise; not the Region of Identity Center",
    "output": "how answers look",
    "sso_start_url": "which access portal; where the browser goes",
    "sso_region": "the home Region of Identity Center",
    "sso_registration_scopes": "what the token may be used for: list accounts and get credentials",
}


@dataclass(frozen=True)
class SsoProfile:
    """A profile that gets a role's credentials through Identity Center, and the session it signs in with.

    Attributes
    ----------
    profile_name, session_name
        As they are named in the file.
    start_url, sso_region
        Of the access portal.
    account_id, role_name
        Which permission set in which account.
    region, output
        The CLI's defaults for commands.
    """

    profile_name: str
    session_name: str
    start_url: str
    sso_region: str
    account_id: str
    role_name: str
    region: str
    output: str = "json"

    @property
    def header(self) -> str:
        """The heading of the profile's section."""
        return "default" if self.profile_name == "default" else f"profile {self.profile_name}"

    @property
    def profile_values(self) -> dict[str, str]:
        """The keys of the profile's section."""
        return {
            "sso_session": self.session_name,
            "sso_account_id": self.account_id,
            "sso_role_name": self.role_name,
            "region": self.region,
            "output": self.output,
        }

    @property
    def session_values(self) -> dict[str, str]:
        """The keys of the session's section."""
        return {
            "sso_start_url": self.start_url,
            "sso_region": self.sso_region,
            "sso_registration_scopes": SCOPE,
        }

    def has_portal_of(self, values: Mapping[str, Any]) -> bool:
        """Tell whether a session's keys lead to the same access portal, in the same Region."""
        start_url = portal_address(values.get("sso_start_url"))
        return (start_url, values.get("sso_region")) == (portal_address(self.start_url), self.sso_region)


def portal_address(start_url: object) -> str:
    """Return a start URL in one form: the AWS CLI takes it with and without ``/`` and ``#`` at its end."""
    return str(start_url or "").rstrip("/#")


def read_profile(config: ConfigFile, profile_name: str) -> dict[str, Any]:
    """Return the keys of a profile and of its session; empty when there is no such profile."""
    values = config.profiles.get(profile_name, {})
    return values | config.sso_sessions.get(str(values.get("sso_session")), {})


def configured_profile(config: ConfigFile, profile_name: str) -> SsoProfile | None:
    """Return a profile of a config file that is whole enough to sign in with, or None."""
    found = read_profile(config, profile_name)
    names = ("sso_session", "sso_start_url", "sso_region", "sso_account_id", "sso_role_name")
    if any(name not in found for name in names):
        return None
    session_name, start_url, sso_region, account_id, role_name = (found[name] for name in names)
    region = found.get("region", sso_region)
    return SsoProfile(profile_name, session_name, start_url, sso_region, account_id, role_name, region)


def explain_profile(config: ConfigFile, profile_name: str) -> list[tuple[str, str]]:
    """Return the lines of a profile and of its session, each with its meaning; comments are left out."""
    session_name = str(config.profiles.get(profile_name, {}).get("sso_session"))
    wanted = (
        ("profile", profile_name, f"a profile named {profile_name}: what --profile takes"),
        ("sso-session", session_name, f"a session named {session_name}: where and how to sign in"),
    )
    lines, rows = split_lines(config.text), []
    for kind, name, meaning in wanted:
        for section in find_sections(config.text, kind, name):
            rows += [(lines[section.start].strip(), meaning), *_explained(lines, section)]
    return rows


def _explained(lines: list[str], section: Section) -> list[tuple[str, str]]:
    return [
        (" ".join("".join(lines[option.start : option.end]).split()), _MEANINGS.get(option.name, ""))
        for option in section.options
    ]
