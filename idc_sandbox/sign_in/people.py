"""People, their sessions of the access portal, their mailbox, and how a sign-in is refused."""

# Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/authconcept.html

from __future__ import annotations

import datetime
import functools
import hashlib
import hmac
import json
import math
import secrets
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, TypeVar

from idc_sandbox.api.identity_store.profiles import folded, primary_email
from idc_sandbox.context import Context
from idc_sandbox.packaged import packaged_text


def new_token() -> str:
    """Return 43 random characters for a URL or a cookie: from the operating system, not from the seed."""
    return secrets.token_urlsafe(32)


def new_code() -> str:
    """Return six random digits, as a person types them."""
    return f"{secrets.randbelow(1_000_000):06d}"


def digest(token: str) -> str:
    """Return what is kept of a token: 64 hex digits. Any text will do, also one that UTF-8 cannot write."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def matches(token: str, kept: str | None) -> bool:
    """Tell whether a token is the one of which `kept` was kept; takes as long either way."""
    return kept is not None and hmac.compare_digest(digest(token), kept)


def clean_text(text: str, longest: int) -> str:
    """Return what a person typed, fit to be kept and shown: cut, without control characters."""
    kept = "".join(character for character in text[: longest * 2] if character.isprintable())
    return kept.encode("utf-8", "ignore").decode("utf-8").strip()[:longest]


FormFields = Mapping[str, str]  # what a person typed, by the names of the fields


@functools.cache
def texts() -> dict[str, Any]:
    """Return what the front door says to people: refusals by their code, problems, mails by their kind."""
    import tomllib  # noqa: PLC0415  no start of the sandbox waits for it

    return tomllib.loads(packaged_text("data/texts.toml"))


class Refusal(Exception):  # noqa: N818  no defect: an answer
    """The person at the page cannot do this; nothing was changed."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def refuse(name: str, **values: Any) -> Refusal:
    """Return a refusal by its name among the texts: its code, and after a slash which of its texts."""
    return Refusal(name.partition("/")[0], texts()["refusals"][name].format(**values))


def refuse_unsafe(problems: Iterable[str]) -> Refusal:
    """Return the refusal of a program's request to sign somebody in that does not keep the rules."""
    return refuse("authorize-invalid", problems="; ".join(problems))


def counted(count: int, unit: str) -> str:
    """Return a number of things: ``"1 second"``, ``"3 minutes"``."""
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


def waiting_time(seconds: float) -> str:
    """Return a waiting time as people say it, rounded up."""
    return (
        counted(max(1, math.ceil(seconds)), "second")
        if seconds <= 90
        else counted(math.ceil(seconds / 60), "minute")
    )


@dataclass(frozen=True)
class Person:
    """A user of the portal's identity store."""

    user_id: str
    user_name: str
    display_name: str
    email: str | None
    is_enabled: bool
    instance_arn: str


def portal_instance(context: Context) -> sqlite3.Row:
    """Return the instance whose access portal this sandbox serves: the organization's."""
    row = context.find("instance", kind="ORGANIZATION", status="ACTIVE")
    if row is None:
        raise refuse("no-instance")
    return row


def find_person(context: Context, user_name: str) -> Person | None:
    """Return the user of a user name, in any case, or None."""
    store_id = portal_instance(context)["identity_store_id"]
    if not 0 < len(user_name) <= 128:
        return None
    return _read_person(
        context, "identity_store_id = ? AND user_name_folded = ?", store_id, folded(user_name)
    )


def person_of(context: Context, user_id: str) -> Person:
    """Return a user by id."""
    person = _read_person(context, "user_id = ?", user_id)
    if person is None:
        raise refuse("unknown-user", user_id=user_id)
    return person


def require_enabled(person: Person) -> Person:
    """Return a person who may sign in."""
    if not person.is_enabled:
        raise refuse("user-disabled", user_name=person.user_name)
    return person


def require_reachable(person: Person) -> Person:
    """Return a person who may sign in, and to whom mail can be sent."""
    if require_enabled(person).email is None:
        raise refuse("no-email", user_name=person.user_name)
    return person


def setting(context: Context, instance_arn: str, name: str) -> dict[str, Any]:
    """Return the values of one of the console's settings, such as ``"multi_factor_authentication"``."""
    # pydantic comes with the settings: only who signs in waits for it, not every start of the sandbox.
    from idc_sandbox.api.settings import read_setting  # noqa: PLC0415

    return read_setting(context, context.find_all("instance", instance_arn=instance_arn)[0], name)


def duration_of(text: str) -> datetime.timedelta:
    """Return an ISO 8601 duration such as ``PT8H``."""
    from pydantic import TypeAdapter  # noqa: PLC0415

    return TypeAdapter(datetime.timedelta).validate_python(text)


def start_urls(context: Context) -> list[str]:
    """Return the start URLs that name this sandbox's portal; the first is the one that AWS would show."""
    try:
        instance = portal_instance(context)
    except Refusal:
        return []
    urls = setting(context, instance["instance_arn"], "access_portal")["urls"]
    by_store = f"https://{instance['identity_store_id']}.awsapps.com/start"
    by_instance = issuer_url(instance["instance_arn"])
    own = f"{context.site_url}/start"
    return list(dict.fromkeys([urls["ipv4"], by_store, urls["dual_stack"], by_instance, own]))


def issuer_url(instance_arn: str) -> str:
    """Return the issuer URL, which the AWS CLI takes in place of a start URL."""
    # Source: https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-sso.html
    return f"https://identitycenter.amazonaws.com/{instance_arn.rpartition('/')[2]}"


def require_own_directory(context: Context, instance_arn: str) -> None:
    """Refuse to let anybody sign in where another identity source does."""
    source = _other_source(context, instance_arn)
    if source is None:
        return
    if provider := source.get("identity_provider"):
        raise refuse("external-identity-source/provider", sign_in_url=provider["sign_in_url"])
    raise refuse("external-identity-source", source=source["label"])


def require_own_passwords(context: Context, instance_arn: str) -> None:
    """Refuse to make a password where another identity source has them."""
    if source := _other_source(context, instance_arn):
        raise refuse("external-identity-source/password", source=source["label"])


def _other_source(context: Context, instance_arn: str) -> dict[str, Any] | None:
    from idc_sandbox.api.settings import DIRECTORY, SOURCE_LABELS, read_identity_source  # noqa: PLC0415

    (instance,) = context.find_all("instance", instance_arn=instance_arn)
    source = read_identity_source(context, instance)
    return None if source["type"] == DIRECTORY else source | {"label": SOURCE_LABELS[source["type"]]}


def _read_person(context: Context, where: str, *values: str) -> Person | None:
    row = context.row(
        f"SELECT * FROM identity_user JOIN instance USING (identity_store_id) WHERE {where}",  # noqa: S608
        *values,
    )
    if row is None:
        return None
    profile = json.loads(row["profile_json"])
    return Person(
        user_id=row["user_id"],
        user_name=row["user_name"],
        display_name=profile.get("DisplayName") or row["user_name"],
        email=primary_email(profile),
        is_enabled=row["user_status"] == "ENABLED",
        instance_arn=row["instance_arn"],
    )


Read = TypeVar("Read")


def read_as(kind: type[Read], row: sqlite3.Row) -> Read:
    """Return a row as an object of a dataclass, whose fields have the names of the columns."""
    return kind(**{one.name: row[one.name] for one in fields(kind)})  # type: ignore[arg-type]


@dataclass(frozen=True)
class PortalSession:
    """A person who is signed in."""

    session_id: str
    user_id: str
    instance_arn: str
    created_at: float
    expires_at: float


def create_session(context: Context, person: Person) -> str:
    """Start a session as long as *User interactive sessions* says now, and return its token. Writes."""
    token, now = new_token(), context.now
    length = duration_of(setting(context, person.instance_arn, "sessions")["user_interactive"])
    context.insert(
        "portal_session",
        session_id=context.ids.uuid("portal_session"),
        token_hash=digest(token),
        instance_arn=person.instance_arn,
        user_id=person.user_id,
        created_at=now,
        expires_at=now + length.total_seconds(),
        browser_hash=digest(context.browser),
    )
    return token


def find_session(context: Context, token: str) -> PortalSession | None:
    """Return the session that a token opens in the browser that began it; None when it is over."""
    where = "token_hash = ? AND browser_hash = ?"
    return next(iter(_live_sessions(context, where, digest(token), digest(context.browser))), None)


def session_of(context: Context, session_id: str) -> PortalSession | None:
    """Return a session by its id; None when it is over."""
    return next(iter(_live_sessions(context, "session_id = ?", session_id)), None)


def list_sessions(context: Context, user_id: str) -> list[PortalSession]:
    """Return a user's sessions that go on, oldest first."""
    return _live_sessions(context, "user_id = ?", user_id)


def _live_sessions(context: Context, where: str, *values: str) -> list[PortalSession]:
    """Return sessions that are not over, of users who are there and enabled."""
    rows = context.rows(
        "SELECT portal_session.* FROM portal_session JOIN identity_user USING (user_id)"  # noqa: S608
        f" WHERE {where} AND ended_at IS NULL AND expires_at > ? AND user_status = 'ENABLED'"
        " ORDER BY created_at, session_id",
        *values,
        context.now,
    )
    return [read_as(PortalSession, row) for row in rows]


def end_session(context: Context, session_id: str) -> bool:
    """End a session and the tokens of clients that it led to; tell whether it was going on. Writes."""
    # Role credentials that were handed out keep working until they expire, as at AWS.
    was_live = session_of(context, session_id) is not None
    context.execute(
        "UPDATE portal_session SET ended_at = ? WHERE session_id = ? AND ended_at IS NULL",
        context.now,
        session_id,
    )
    return was_live


def end_all_sessions(context: Context, user_id: str) -> int:
    """End all sessions of a user, and return how many were going on. Writes."""
    person_of(context, user_id)
    return sum(end_session(context, session.session_id) for session in list_sessions(context, user_id))


MOST_ROWS = 10_000
# What strangers leave behind and may go: anybody on this machine can begin a sign-in or register a program.
_MAY_GO = {
    "sign_in": "TRUE",
    "device_authorization": "TRUE",
    "oidc_client": "client_id NOT IN (SELECT client_id FROM oidc_token)",
    "message": "kind IN ('one-time-password', 'email-otp')",
}


def make_room(
    context: Context, table: Literal["sign_in", "device_authorization", "oidc_client", "message"]
) -> None:
    """Delete what is older than the newest `MOST_ROWS` rows of a table, where it may go. Writes."""
    context.execute(
        f"DELETE FROM {table} WHERE rowid <= (SELECT max(rowid) FROM {table}) - ? AND {_MAY_GO[table]}",  # noqa: S608
        MOST_ROWS,
    )


MessageKind = Literal["invitation", "password-reset", "one-time-password", "email-otp", "email-verification"]


@dataclass(frozen=True)
class Message:
    """One message of a practice user's; nothing leaves the sandbox."""

    message_id: str
    to_address: str
    kind: str
    subject: str
    text: str = field(repr=False)
    link: str | None = field(repr=False)
    sent_at: float


def send(
    context: Context, person: Person, kind: MessageKind, *, link: str | None = None, code: str = ""
) -> Message:
    """Put a message into a person's mailbox, and return it. Writes."""
    mail, address = texts()["mails"][kind], str(person.email)
    text = mail["text"].format(display_name=person.display_name, user_name=person.user_name, code=code)
    message = Message(context.ids.uuid("message"), address, kind, mail["subject"], text, link, context.now)
    context.insert("message", to_address_folded=folded(address), **asdict(message))
    make_room(context, "message")
    return message


def list_messages(context: Context, address: str | None = None) -> list[Message]:
    """Return the messages to an address, or all of them, newest first."""
    rows = context.rows(
        "SELECT * FROM message WHERE ?1 IS NULL OR to_address_folded = ?1 ORDER BY rowid DESC",
        None if address is None else folded(address),
    )
    return [read_as(Message, row) for row in rows]


def find_message(context: Context, message_id: str) -> Message | None:
    """Return a message by id, or None."""
    row = context.find("message", message_id=message_id)
    return None if row is None else read_as(Message, row)


def list_addresses(context: Context) -> list[str]:
    """Return the addresses that have got mail, sorted."""
    rows = context.rows(
        "SELECT min(to_address) FROM message GROUP BY to_address_folded ORDER BY to_address_folded"
    )
    return [str(row[0]) for row in rows]
