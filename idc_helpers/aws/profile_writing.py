"""A profile written into ``~/.aws/config``: shown first, and proved before it replaces anything.

Of a section that the kit did not make (`profile_ownership`) no key is changed.

Source: https://docs.aws.amazon.com/cli/latest/userguide/sso-configure-profile-token.html
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path
from typing import Any

from idc_helpers.aws.config_file import ConfigFile, read_config, refuse
from idc_helpers.aws.config_replacing import replace_config
from idc_helpers.aws.config_sections import (
    Section,
    find_sections,
    scan,
    split_lines,
    with_section,
    with_values,
)
from idc_helpers.aws.profile_ownership import (
    ANOTHER_NAME,
    is_own_profile,
    is_own_session,
    only_section,
    others,
    portal_mark,
    refuse_keys_of_that_name,
    role_mark,
    session_of,
)
from idc_helpers.aws.profiles import SCOPE, SsoProfile
from idc_helpers.file_locks import lock_folder

# Other ways to credentials: AWS's tools would take them in place of, or mixed with, a sign-in.
_OTHER_WAYS = (
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_session_token",
    "credential_process",
    "credential_source",
    "login_session",
    "role_arn",
    "source_profile",
    "web_identity_token_file",
)
_ROLE = ("sso_account_id", "sso_role_name")


_CONTEXT = 3


@dataclass(frozen=True)
class ProfileChange:
    """What it takes to have a profile in a config file.

    Attributes
    ----------
    before
        The file as it was read.
    profile
        The profile, with the session's name that it uses: another one where the first is taken.
    text
        The file's new text.
    profile_keys, session_keys
        What AWS's tools shall read in both sections then.
    is_own
        Whether the profile's section is the kit's, or would be: one that somebody else made is never deleted.
    """

    before: ConfigFile
    profile: SsoProfile
    text: str
    profile_keys: Mapping[str, Any]
    session_keys: Mapping[str, Any]
    is_own: bool

    @property
    def is_needed(self) -> bool:
        """Whether the file has to be written at all."""
        return self.text != self.before.text

    def difference(self) -> list[str]:
        """Return what writing would change: lines that begin with ``+``, ``-`` or, around them, a blank."""
        old, new = self.before.text.splitlines(), self.text.splitlines()
        pairs = zip(old, new, strict=False)  # a very long file is not compared line by line with itself
        same = next((at for at, (one, other) in enumerate(pairs) if one != other), min(len(old), len(new)))
        start = max(0, same - _CONTEXT)
        lines = difflib.unified_diff(old[start:], new[start:], lineterm="")
        return [line for line in list(lines)[2:] if not line.startswith("@@")]

    def write(self) -> Path | None:
        """Write the file and return the backup of what was there, or None; nothing to change is no write.

        Raises
        ------
        ConfigFileError
            When it cannot be written, has changed meanwhile, or would not read as it should: it stays then.
        """
        return replace_config(self.before, self.text, self._prove) if self.is_needed else None

    def _prove(self, after: ConfigFile) -> None:
        if others(after, self.profile) != others(self.before, self.profile) or not self._is_right(after):
            self._refuse_default()
            name = self.profile.profile_name
            found = f"with profile {name!r} in it, AWS's tools would not read this file as they should"
            refuse(self.before.path, None, found, "Add the lines yourself (`aws configure sso`).")

    def _refuse_default(self) -> None:
        for section in scan(split_lines(self.before.text)):
            if section.header == "DEFAULT":
                found = "[DEFAULT] gives its keys to every section, also to the new profile and its session"
                refuse(self.before.path, section.start + 1, found, "Rename it to [default].")

    def _is_right(self, after: ConfigFile) -> bool:
        profile = after.profiles.get(self.profile.profile_name, {})
        session = after.sso_sessions.get(self.profile.session_name, {})
        defaults = (one for one in scan(split_lines(self.text)) if one.header == "DEFAULT")
        inherited = {option.name for one in defaults for option in one.options}
        return (
            _same(profile, self.profile_keys, inherited)
            and _same(session, self.session_keys, inherited)
            and profile | session == session | profile  # AWS's tools refuse keys that differ in the two
            and not any(key in profile for key in _OTHER_WAYS)
        )


def _same(found: Mapping[str, Any], wanted: Mapping[str, Any], inherited: set[str]) -> bool:
    return {**found, **wanted} == found and found.keys() - wanted.keys() <= inherited


def plan_profile(path: Path, profile: SsoProfile, credentials: Path | None = None) -> ProfileChange:
    """Return what it takes to have a profile in a config file; reads only.

    A profile that somebody else made gets the keys that it lacks, where it then signs in as wanted; nothing
    that it has is changed.

    Parameters
    ----------
    credentials
        The credentials file that is used with it; None: ``credentials`` in the same folder.

    Raises
    ------
    ConfigFileError
        When a file cannot be read, or the profile's name belongs to something else.
    """
    config = read_config(path)
    refuse_keys_of_that_name(credentials or path.with_name("credentials"), profile.profile_name)
    section = only_section(config, profile.profile_name)
    found = config.profiles.get(profile.profile_name, {})
    is_own = section is None or is_own_profile(config, profile.profile_name)
    session_name = _session_name(config, profile, None if is_own else session_of(found))
    profile = replace(profile, session_name=session_name)
    session_keys = config.sso_sessions.get(profile.session_name, {})
    if not _is_usable(profile, session_keys):
        session_keys = session_keys | profile.session_values
    against = _contradictions(found, profile, session_keys)
    if section is not None:
        _refuse_taken(config, profile, section, [key for key in against if not is_own or key in _OTHER_WAYS])
    wanted = profile.profile_values
    kept = {key: value for key, value in found.items() if key not in against}
    keys = kept | wanted if is_own else wanted | kept
    changed = {key: value for key, value in wanted.items() if keys[key] != found.get(key)}
    dropped = found.keys() - keys.keys()
    mark = role_mark(profile.profile_name, keys) if is_own else ""
    text = config.text
    if section is None:
        text = with_section(text, profile.header, wanted, mark)
    elif changed or dropped:
        text = with_values(text, section, changed, dropped, mark)
    text = _with_session(text, config, profile)
    return ProfileChange(config, profile, text, keys, session_keys, is_own)


def _with_session(text: str, config: ConfigFile, profile: SsoProfile) -> str:
    name, wanted = profile.session_name, profile.session_values
    found = config.sso_sessions.get(name)
    mark = portal_mark(name, wanted)
    if found is None:
        return with_section(text, f"sso-session {name}", wanted, mark)
    if _is_usable(profile, found):
        return text
    (section,) = find_sections(text, "sso-session", name)
    changed = {key: value for key, value in wanted.items() if value != found.get(key)}
    return with_values(text, section, changed, mark=mark)


def _session_name(config: ConfigFile, profile: SsoProfile, present: str | None) -> str:
    """Return the name of a session that leads to the portal, or that may be made to: no other is touched.

    Parameters
    ----------
    present
        Which one the profile of somebody else uses; None: the profile is the kit's.
    """
    sessions = config.sso_sessions
    if present in sessions and _is_usable(profile, sessions[present]):
        return present
    numbered = (f"{profile.session_name}-{number}" for number in count(2))
    for name in chain([profile.session_name], numbered):
        if name not in sessions or _is_usable(profile, sessions[name]):
            return name
        if present is None and is_own_session(config, name, profile.profile_name):
            return name
    raise AssertionError  # pragma: no cover


def _is_usable(profile: SsoProfile, session: Mapping[str, Any]) -> bool:
    scopes = str(session.get("sso_registration_scopes", SCOPE)).replace(" ", "").split(",")
    return profile.has_portal_of(session) and SCOPE in scopes


def _contradictions(
    found: Mapping[str, Any], profile: SsoProfile, session_keys: Mapping[str, Any]
) -> list[str]:
    """Return the keys of a profile with which it would not sign in as wanted."""
    wanted = {**session_keys, **{key: profile.profile_values[key] for key in ("sso_session", *_ROLE)}}
    return [key for key, value in found.items() if key in _OTHER_WAYS or wanted.get(key, value) != value]


def _refuse_taken(config: ConfigFile, profile: SsoProfile, section: Section, against: list[str]) -> None:
    if not against:
        return
    found = config.profiles[profile.profile_name]
    shown = [key if key in _OTHER_WAYS else f"{key} = {found[key]!r}" for key in against]
    words = f"profile {profile.profile_name!r} belongs to something else: it has {', '.join(shown)}"
    refuse(config.path, min(section.line_of(key) for key in against), words, ANOTHER_NAME)


def write_profile(path: Path, profile: SsoProfile, credentials: Path | None = None) -> Path | None:
    """Write the profile into a config file, and return the backup of what was there, or None. Writes.

    Of several programs of this kit that write the same file, each waits for the one before.

    Raises
    ------
    ConfigFileError
        As `plan_profile`, and when the file cannot be written; nothing is changed then.
    """
    with lock_folder(path.parent):
        return plan_profile(path, profile, credentials).write()
