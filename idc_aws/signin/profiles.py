"""Profiles that sign in through Identity Center: found, chosen, written, and known as the kit's own."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain, count
from pathlib import Path
from typing import Any

from idc_aws.access import list_people_access
from idc_aws.connection import Connection
from idc_aws.errors import ConfigFileError, NotFoundError
from idc_aws.files import lock_folder, read_object
from idc_aws.organization import closed_accounts, resolve_account
from idc_aws.scenario.people import Person
from idc_aws.signin.activation import portal_settings
from idc_aws.signin.config_file import (
    ConfigFile,
    Section,
    config_path,
    find_sections,
    read_config,
    refuse_config,
    replace_config,
    scan,
    split_lines,
    with_section,
    with_values,
    without_section,
)

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
    """A profile that gets a role's credentials through Identity Center, and the session it signs in with."""

    profile_name: str
    session_name: str
    start_url: str
    sso_region: str
    account_id: str
    role_name: str
    region: str
    output: str = "json"
    start_urls: tuple[str, ...] = field(default=(), compare=False)
    """Other addresses of the same access portal."""

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
        is_its = _is_address(values.get("sso_start_url"), [self.start_url, *self.start_urls])
        return is_its and values.get("sso_region") == self.sso_region


def portal_address(start_url: object) -> str:
    """Return a start URL in one form: the AWS CLI takes it with and without ``/`` and ``#`` at its end."""
    return str(start_url or "").rstrip("/#")


def _is_address(start_url: object, of_portal: Iterable[str]) -> bool:
    return portal_address(start_url) in map(portal_address, of_portal)


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
            rows.append((lines[section.start].strip(), meaning))
            for option in section.options:
                written = " ".join("".join(lines[option.start : option.end]).split())
                rows.append((written, _MEANINGS.get(option.name, "")))
    return rows


def choose_profile(connection: Connection, person: Person) -> SsoProfile:
    """Return the profile with which a person signs in; reads only."""
    account_id, role_name = _account_and_role(connection, person)
    portal = portal_settings(connection)
    return SsoProfile(
        profile_name=person.profile_name,
        session_name=person.profile_name,
        start_url=portal["start_url"],
        sso_region=portal["region"],
        account_id=account_id,
        role_name=role_name,
        region=connection.region,
        start_urls=tuple(portal["start_urls"]),
    )


def _account_and_role(connection: Connection, person: Person) -> tuple[str, str]:
    """Return the account's id and the permission set's name."""
    account_id = resolve_account(connection, person.account).account_id if person.account else ""
    if account_id and person.permission_set and not connection.is_sandbox:
        return account_id, person.permission_set
    reached = [row for row in list_people_access(connection) if row.principal_name == person.user_name]
    closed = closed_accounts(connection, {row.account_id for row in reached})
    for row in reached:
        same_set = person.permission_set in (None, row.permission_set)
        if row.account_id not in closed and account_id in ("", row.account_id) and same_set:
            return row.account_id, row.permission_set
    named = " in ".join(repr(name) for name in (person.permission_set, person.account) if name)
    raise NotFoundError(
        f"no account assignment gives {person.user_name!r} {named or 'anything'}",
        remedy="Apply notebooks 05 to 08, or name another person, account or permission set.",
    )


@dataclass(frozen=True)
class SignedInProfiles:
    """What the files of a terminal show."""

    names: tuple[str, ...]
    has_token: bool | None


def find_signed_in_profiles(connection: Connection) -> SignedInProfiles:
    """Return the profiles of the portal, in the sandbox's terminal or on AWS of this user; reads only."""
    portal = portal_settings(connection)
    start_urls = [portal["start_url"], *portal["start_urls"]]
    if connection.console is None:
        return SignedInProfiles(_profiles(config_path, start_urls), None)
    folder = Path(connection.console.state_folder) / "home" / ".aws"
    has_token = any(read_object(path).get("accessToken") for path in (folder / "sso/cache").glob("*.json"))
    return SignedInProfiles(_profiles(lambda: folder / "config", start_urls), has_token)


def _profiles(path: Callable[[], Path], start_urls: list[str]) -> tuple[str, ...]:
    try:
        config = read_config(path())
    except ConfigFileError:  # notebook 10 says what is wrong with it
        return ()
    found = {name: read_profile(config, name) for name in config.profiles}
    return tuple(
        sorted(name for name, keys in found.items() if _is_address(keys.get("sso_start_url"), start_urls))
    )


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
        refuse_config(
            config.path, sections[1].start + 1, found, "AWS's tools read only one: make the two one."
        )
    return sections[0] if sections else None


def refuse_keys_of_that_name(path: Path, profile_name: str) -> None:
    """Refuse a profile's name that has keys in the credentials file."""
    if not os.path.isfile(path):  # noqa: PTH113  as botocore: whatever else is there is not looked at
        return
    credentials = read_config(path)
    if profile_name in credentials.sections:
        sections = scan(split_lines(credentials.text))
        line = next(section.start + 1 for section in sections if section.header == profile_name)
        refuse_config(
            path, line, f"profile {profile_name!r} has keys here, and they would be mixed", ANOTHER_NAME
        )


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
    """Delete a profile that the kit made, and its session if nobody else uses it. Writes."""
    config = read_config(path)
    text = config.text
    if is_own_session(config, profile.session_name, profile.profile_name):
        text = without_section(text, find_sections(text, "sso-session", profile.session_name)[0])
    if is_own_profile(config, profile.profile_name):
        text = without_section(text, find_sections(text, "profile", profile.profile_name)[0])
    _replace(config, text, profile)


def mark_own(path: Path, profile: SsoProfile, known_sessions: Mapping[str, Any]) -> None:
    """Mark what the AWS CLI has written at the kit's answers. Writes comments."""
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
            refuse_config(
                config.path, None, f"profile {name!r} cannot be changed alone", "Change it yourself."
            )

    if text != config.text:
        replace_config(config, text, prove, keep=False)


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
    """What it takes to have a profile in a config file."""

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
        """Return what writing would change: lines that begin with ``+``, ``-`` or, around them, a space."""
        old, new = self.before.text.splitlines(), self.text.splitlines()
        pairs = zip(old, new, strict=False)  # a very long file is not compared line by line with itself
        same = next((at for at, (one, other) in enumerate(pairs) if one != other), min(len(old), len(new)))
        start = max(0, same - _CONTEXT)
        lines = difflib.unified_diff(old[start:], new[start:], lineterm="")
        return [line for line in list(lines)[2:] if not line.startswith("@@")]

    def write(self) -> Path | None:
        """Write the file and return the backup of what was there, or None; nothing to change is no write."""
        return replace_config(self.before, self.text, self._prove) if self.is_needed else None

    def _prove(self, after: ConfigFile) -> None:
        if others(after, self.profile) != others(self.before, self.profile) or not self._is_right(after):
            self._refuse_default()
            name = self.profile.profile_name
            found = f"with profile {name!r} in it, AWS's tools would not read this file as they should"
            refuse_config(self.before.path, None, found, "Add the lines yourself (`aws configure sso`).")

    def _refuse_default(self) -> None:
        for section in scan(split_lines(self.before.text)):
            if section.header == "DEFAULT":
                found = "[DEFAULT] gives its keys to every section, also to the new profile and its session"
                refuse_config(self.before.path, section.start + 1, found, "Rename it to [default].")

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
    """Return what it takes to have a profile in a config file; reads only."""
    # A profile that somebody else made gets the keys that it lacks; nothing that it has is changed.
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
    """Return the name of a session that leads to the portal, or that may be made to: no other is touched."""
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
    session = config.sso_sessions.get(session_of(found), {})
    if "sso_session" in against and "sso_start_url" in session:
        where = f", which signs in at {session['sso_start_url']!r} in {session.get('sso_region')!r}"
        shown[against.index("sso_session")] += where
    words = f"profile {profile.profile_name!r} belongs to something else: it has {', '.join(shown)}"
    refuse_config(config.path, min(section.line_of(key) for key in against), words, ANOTHER_NAME)


def write_profile(path: Path, profile: SsoProfile, credentials: Path | None = None) -> Path | None:
    """Write the profile into a config file, and return the backup of what was there, or None. Writes."""
    with lock_folder(path.parent):
        return plan_profile(path, profile, credentials).write()
