"""Which sections of a config file the kit made.

It marks them with a comment: a name, and role and account, or portal and Region. A section is the kit's as
long as its heading and keys say the same as the comment. So it is known in any later process, a copy or a
changed section is not taken for the kit's, and anyone who reads the file sees where it comes from.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from idc_helpers.aws.config_file import ConfigFile, read_config, refuse
from idc_helpers.aws.config_replacing import replace_config
from idc_helpers.aws.config_sections import (
    Section,
    find_sections,
    scan,
    split_lines,
    with_values,
    without_section,
)
from idc_helpers.aws.profiles import SsoProfile

ANOTHER_NAME = "Give the kit's profile another name (`profile_name`), or remove that one yourself."


def role_mark(profile_name: str, keys: Mapping[str, Any]) -> str:
    """Return for what a profile with these keys is."""
    return f"{profile_name}, {keys.get('sso_role_name')} in {keys.get('sso_account_id')}"


def portal_mark(session_name: str, keys: Mapping[str, Any]) -> str:
    """Return for what a session with these keys is."""
    return f"{session_name}, {keys.get('sso_start_url')} in {keys.get('sso_region')}"


def session_of(profile_keys: Mapping[str, Any]) -> str:
    """Return the name of the session that a profile uses; empty where it uses none."""
    return str(profile_keys.get("sso_session", ""))


def only_section(config: ConfigFile, profile_name: str) -> Section | None:
    """Return the section of a profile, or None; one that is spelt in two ways is refused."""
    sections = find_sections(config.text, "profile", profile_name)
    if len(sections) > 1:
        found = f"a second section for profile {profile_name!r} (first on line {sections[0].start + 1})"
        refuse(config.path, sections[1].start + 1, found, "AWS's tools read only one: make the two one.")
    return sections[0] if sections else None


def refuse_keys_of_that_name(path: Path, profile_name: str) -> None:
    """Refuse a profile's name that has keys in the credentials file."""
    if not os.path.isfile(path):  # noqa: PTH113  as botocore: whatever else is there is not looked at
        return
    credentials = read_config(path)
    if profile_name in credentials.sections:
        sections = scan(split_lines(credentials.text))
        line = next(section.start + 1 for section in sections if section.header == profile_name)
        refuse(path, line, f"profile {profile_name!r} has keys here, and they would be mixed", ANOTHER_NAME)


def is_own_profile(config: ConfigFile, profile_name: str) -> bool:
    """Tell whether the kit made a profile, and nobody changed its role or account since."""
    marks = [section.mark for section in find_sections(config.text, "profile", profile_name)]
    return marks == [role_mark(profile_name, config.profiles.get(profile_name, {}))]


def is_own_session(config: ConfigFile, session_name: str, profile_name: str) -> bool:
    """Tell whether the kit made a session, nobody changed it since, and no other profile uses it."""
    marks = [section.mark for section in find_sections(config.text, "sso-session", session_name)]
    users = {name for name, values in config.profiles.items() if session_of(values) == session_name}
    found = config.sso_sessions.get(session_name, {})
    return marks == [portal_mark(session_name, found)] and users <= {profile_name}


def others(config: ConfigFile, profile: SsoProfile) -> tuple[Any, Any]:
    """Return all but a profile and its session: as it is written, and as AWS's tools understand it."""
    own = (("profile", profile.profile_name), ("sso-session", profile.session_name))
    written = {
        header: values
        for header, values in config.sections.items()
        if not any(Section(header, 0, 0).is_named(kind, name) for kind, name in own)
    }
    profiles = {name: keys for name, keys in config.profiles.items() if name != profile.profile_name}
    sessions = {name: keys for name, keys in config.sso_sessions.items() if name != profile.session_name}
    return written, {**config.meaning, "profiles": profiles, "sso_sessions": sessions}


def forget_own(path: Path, profile: SsoProfile) -> None:
    """Delete a profile that the kit made, and its session if nobody else uses it. Writes.

    Raises
    ------
    ConfigFileError
        When the file cannot be read or written.
    """
    config = read_config(path)
    text = config.text
    if is_own_session(config, profile.session_name, profile.profile_name):
        text = without_section(text, find_sections(text, "sso-session", profile.session_name)[0])
    if is_own_profile(config, profile.profile_name):
        text = without_section(text, find_sections(text, "profile", profile.profile_name)[0])
    _replace(config, text, profile)


def mark_own(path: Path, profile: SsoProfile, known_sessions: Mapping[str, Any]) -> None:
    """Mark what the AWS CLI has written at the kit's answers. Writes comments.

    Parameters
    ----------
    known_sessions
        The sessions that were there before, by name: they are somebody else's.

    Raises
    ------
    ConfigFileError
        When the file cannot be read or written.
    """
    config = read_config(path)
    text = config.text
    if profile.session_name not in known_sessions:
        mark = portal_mark(profile.session_name, config.sso_sessions.get(profile.session_name, {}))
        for section in find_sections(text, "sso-session", profile.session_name):
            text = with_values(text, section, {}, mark=mark)
    mark = role_mark(profile.profile_name, config.profiles.get(profile.profile_name, {}))
    for section in find_sections(text, "profile", profile.profile_name):
        text = with_values(text, section, {}, mark=mark)
    _replace(config, text, profile)


def _replace(config: ConfigFile, text: str, profile: SsoProfile) -> None:
    def prove(after: ConfigFile) -> None:
        if others(after, profile) != others(config, profile):
            name = profile.profile_name
            refuse(config.path, None, f"profile {name!r} cannot be changed alone", "Change it yourself.")

    if text != config.text:
        replace_config(config, text, prove, keep=False)
