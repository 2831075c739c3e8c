"""Profiles of ``~/.aws/config`` that sign in through Identity Center: shown first, written with a backup.

Source: https://docs.aws.amazon.com/cli/latest/userguide/sso-configure-profile-token.html
"""

from __future__ import annotations

import configparser
import difflib
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from idc_helpers.errors import WriteFailedError

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
_SECTION = re.compile(r"^\s*\[(?P<name>[^\]]+)\]")


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

    def sections(self) -> dict[str, dict[str, str]]:
        """Return the file's sections: by heading, the keys with their values."""
        heading = "default" if self.profile_name == "default" else f"profile {self.profile_name}"
        return {
            heading: {
                "sso_session": self.session_name,
                "sso_account_id": self.account_id,
                "sso_role_name": self.role_name,
                "region": self.region,
                "output": self.output,
            },
            f"sso-session {self.session_name}": {
                "sso_start_url": self.start_url,
                "sso_region": self.sso_region,
                "sso_registration_scopes": SCOPE,
            },
        }


def with_profile(text: str, profile: SsoProfile) -> str:
    """Return a config file's text with the profile in it; all else, comments included, stays as it is."""
    for heading, values in profile.sections().items():
        text = _with_section(text, heading, values)
    return text


def without_profile(text: str, profile: SsoProfile) -> str:
    """Return the text of a config file without a profile and the session that it signs in with."""
    lines = text.splitlines(keepends=True)
    for heading in (f"profile {profile.profile_name}", f"sso-session {profile.session_name}"):
        found = _find_section("".join(lines), heading)
        if found is not None:
            del lines[found[0] : found[1]]
    return "".join(lines)


def difference(text: str, profile: SsoProfile) -> list[str]:
    """Return what writing the profile would change, as lines of a unified diff; empty when nothing would."""
    after = with_profile(text, profile)
    lines = difflib.unified_diff(
        text.splitlines(), after.splitlines(), "config (now)", "config (then)", lineterm=""
    )
    return list(lines)


def write_profile(path: Path, profile: SsoProfile) -> Path | None:
    """Write the profile into a config file, and return the backup of what was there, or None. Writes.

    The new file takes the old one's place in one step. Nothing is written when the profile is there already.

    Raises
    ------
    WriteFailedError
        When the file cannot be read or written.
    """
    try:
        text = path.read_text("utf-8") if path.exists() else ""
        if not difference(text, profile):
            return None
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        backup = _backup(path) if text else None
        new = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
        new.touch(mode=0o600)
        new.write_text(with_profile(text, profile), "utf-8")
        new.replace(path.resolve())
    except (OSError, UnicodeDecodeError) as error:
        raise WriteFailedError(
            f"the profile {profile.profile_name!r} was not written to {str(path)!r}: {error}",
            remedy="Make the file readable and writable for you, and run again.",
        ) from error
    return backup


def explain_config(text: str) -> list[tuple[str, str]]:
    """Return a config file line by line, with what each line means; empty lines are left out."""
    rows = []
    for line in filter(str.strip, text.splitlines()):
        key = line.partition("=")[0].strip()
        heading = _SECTION.match(line)
        rows.append((line.strip(), _heading_means(heading["name"]) if heading else _MEANINGS.get(key, "")))
    return rows


def list_profiles(text: str) -> list[str]:
    """Return the names of the profiles in a config file, in its order."""
    parser = configparser.RawConfigParser(strict=False)
    parser.read_string(text)
    headings = [heading for heading in parser.sections() if heading.split()[0] in ("profile", "default")]
    return [heading.removeprefix("profile ") for heading in headings]


def read_profile(text: str, profile_name: str) -> dict[str, str]:
    """Return the keys of a profile and of its session; empty when there is no such profile."""
    parser = configparser.RawConfigParser(strict=False)
    parser.read_string(text)
    heading = "default" if profile_name == "default" else f"profile {profile_name}"
    if not parser.has_section(heading):
        return {}
    values = dict(parser[heading])
    session = f"sso-session {values.get('sso_session', '')}"
    return values | (dict(parser[session]) if parser.has_section(session) else {})


def configured_profile(text: str, profile_name: str) -> SsoProfile | None:
    """Return a profile of a config file's text that is whole enough to sign in with, or None."""
    found = read_profile(text, profile_name)
    names = ("sso_session", "sso_start_url", "sso_region", "sso_account_id", "sso_role_name")
    if any(name not in found for name in names):
        return None
    session_name, start_url, sso_region, account_id, role_name = (found[name] for name in names)
    region = found.get("region", sso_region)
    return SsoProfile(profile_name, session_name, start_url, sso_region, account_id, role_name, region)


def _heading_means(name: str) -> str:
    kind, _, named = name.partition(" ")
    if kind == "sso-session":
        return f"a session named {named}: where and how to sign in"
    return f"a profile named {named or name}: what --profile takes"


def _with_section(text: str, heading: str, values: dict[str, str]) -> str:
    lines, at = text.splitlines(), _find_section(text, heading)
    if at is None:
        block = [f"[{heading}]", *(f"{key} = {value}" for key, value in values.items())]
        return "\n".join([*lines, *([""] if lines and lines[-1].strip() else []), *block]) + "\n"
    start, end = at
    kept, left = [], dict(values)
    for line in lines[start + 1 : end]:
        key = line.partition("=")[0].strip()
        has_value = "=" in line and not line[:1].isspace() and not line.lstrip().startswith(("#", ";"))
        if has_value and key in left:
            wanted = left.pop(key)
            line = line if line.partition("=")[2].strip() == wanted else f"{key} = {wanted}"  # noqa: PLW2901
        kept.append(line)
    while kept and not kept[-1].strip():
        kept.pop()
    kept += [f"{key} = {value}" for key, value in left.items()]
    rest = lines[end:]
    return "\n".join([*lines[: start + 1], *kept, *([""] if rest else []), *rest]) + "\n"


def _find_section(text: str, heading: str) -> tuple[int, int] | None:
    start = None
    lines = text.splitlines()
    for number, line in enumerate(lines):
        found = _SECTION.match(line)
        if found and start is not None:
            return start, number
        if found and " ".join(found["name"].split()) == heading:
            start = number
    return None if start is None else (start, len(lines))


def _backup(path: Path) -> Path:
    number = 1
    while (backup := path.with_name(f"{path.name}.backup-{number}")).exists():
        number += 1
    descriptor = os.open(backup, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(path.read_bytes())
    return backup
