"""Sessions of the access portal: who is signed in, until when.

Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/authconcept.html
"""

from __future__ import annotations

import datetime
import re
import sqlite3
from dataclasses import dataclass

from idc_sandbox.context import Context
from idc_sandbox.sign_in.people import Person, person_of, setting
from idc_sandbox.sign_in.tokens import digest, new_token

_DURATION = re.compile(
    r"P(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?",
    re.ASCII,
)
_LIVE = "ended_at IS NULL AND expires_at > ?1 AND user_status = 'ENABLED'"
_SELECT = "SELECT portal_session.* FROM portal_session JOIN identity_user USING (user_id) "


@dataclass(frozen=True)
class PortalSession:
    """A person who is signed in.

    Attributes
    ----------
    session_id
        For administrators and logs; it opens nothing.
    created_at, expires_at
        Epoch seconds of the sandbox's clock.
    """

    session_id: str
    user_id: str
    instance_arn: str
    created_at: float
    expires_at: float


def create_session(context: Context, person: Person) -> str:
    """Start a session as long as the setting *User interactive sessions* says, and return its token. Writes.

    A later change of the setting does not change it.
    """
    token, now = new_token(), context.now
    duration_s = interactive_duration_s(context, person.instance_arn)
    context.connection.execute(
        "INSERT INTO portal_session (session_id, token_hash, instance_arn, user_id, created_at, expires_at,"
        " browser_hash) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            context.ids.uuid("portal_session"),
            digest(token),
            person.instance_arn,
            person.user_id,
            now,
            now + duration_s,
            digest(context.browser),
        ),
    )
    return token


def find_session(context: Context, token: str) -> PortalSession | None:
    """Return the session that a token opens in the browser that visits.

    None when it is over, its user is disabled or gone, or it was begun in another browser.
    """
    row = context.connection.execute(
        f"{_SELECT} WHERE token_hash = ?2 AND browser_hash = ?3 AND {_LIVE}",
        (context.now, digest(token), digest(context.browser)),
    ).fetchone()
    return None if row is None else _session(row)


def session_of(context: Context, session_id: str) -> PortalSession | None:
    """Return a session by its id, as `find_session` does by its token."""
    row = context.connection.execute(
        f"{_SELECT} WHERE session_id = ?2 AND {_LIVE}", (context.now, session_id)
    ).fetchone()
    return None if row is None else _session(row)


def list_sessions(context: Context, user_id: str) -> list[PortalSession]:
    """Return a user's sessions that go on, oldest first."""
    rows = context.connection.execute(
        f"{_SELECT} WHERE user_id = ?2 AND {_LIVE} ORDER BY created_at, session_id", (context.now, user_id)
    ).fetchall()
    return [_session(row) for row in rows]


def end_session(context: Context, session_id: str) -> bool:
    """End a session, and with it the tokens of clients that it led to; tell whether it was going on. Writes.

    Role credentials that were handed out keep working until they expire, as at AWS.
    """
    was_live = session_of(context, session_id) is not None
    context.connection.execute(
        "UPDATE portal_session SET ended_at = ? WHERE session_id = ? AND ended_at IS NULL",
        (context.now, session_id),
    )
    return was_live


def end_all_sessions(context: Context, user_id: str) -> int:
    """End all sessions of a user, and return how many were going on. Writes."""
    person_of(context, user_id)
    return sum(end_session(context, session.session_id) for session in list_sessions(context, user_id))


def interactive_duration_s(context: Context, instance_arn: str) -> float:
    """Return how long a new session of an instance's portal lasts."""
    text = setting(context, instance_arn, "sessions")["user_interactive"]
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"the session duration {text!r} is not an ISO 8601 duration")
    parts = {unit: int(number) for unit, number in match.groupdict(default="0").items()}
    return datetime.timedelta(**parts).total_seconds()


def _session(row: sqlite3.Row) -> PortalSession:
    return PortalSession(
        session_id=row["session_id"],
        user_id=row["user_id"],
        instance_arn=row["instance_arn"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
    )
