"""The sandbox's clock: the machine's, moved by an offset that lessons and tests may change."""

from __future__ import annotations

import json
import math
import sqlite3
import time
from typing import Any

from idc_sandbox.errors import validation_error

_LONGEST_ADVANCE_S = 10 * 366 * 86_400.0
# What holds from when it was made until some time: when the clock goes back, both go back with it.
_SPANS = ("portal_session", "device_authorization", "invitation")
# Times that lie ahead of now by so many seconds at most; a test holds them against the modules' rules.
LONGEST_AHEAD_S: dict[tuple[str, str], str] = {
    ("sign_in", "expires_at"): "900",
    ("sign_in", "code_expires_at"): "600",
    ("sign_in", "code_sent_at"): "0",
    ("sign_in_failure", "failed_at"): "0",
    ("device_challenge", "expires_at"): "600",
    ("user_password", "expires_at"): "7 * 86400",
    ("trusted_browser", "expires_at"): "90 * 86400",
    ("message", "sent_at"): "0",
    ("device_authorization", "last_polled_at"): "0",
    ("authorization_code", "expires_at"): "600",
    ("oidc_client", "expires_at"): "90 * 86400",
    ("oidc_token", "expires_at"): (
        "CASE WHEN kind = 'access' THEN iif(scopes_json = '[]', 28800, 3600)"
        " ELSE (SELECT expires_at FROM portal_session AS session"
        " WHERE session.session_id = oidc_token.session_id) - ?1 END"
    ),
    ("group_membership", "created_at"): "0",
    ("former_group_membership", "visible_from"): "0",
    ("former_group_membership", "removed_at"): "0",
}


def clock_offset_s(connection: sqlite3.Connection) -> float:
    """Return by how many seconds the sandbox's clock is ahead of the machine's."""
    row = connection.execute("SELECT value_json FROM switch WHERE name = 'clock_offset_s'").fetchone()
    return float(json.loads(row[0])) if row else 0.0


def now(connection: sqlite3.Connection) -> float:
    """Return the sandbox's time in epoch seconds."""
    return time.time() + clock_offset_s(connection)


def advance_clock(connection: sqlite3.Connection, seconds: Any) -> float:
    """Move the sandbox's clock ahead and return by how many seconds it is ahead now. Writes.

    Raises
    ------
    ServiceError
        ``ValidationException`` when `seconds` is no number from 0 to ten years: time does not run backwards.
    """
    is_number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and math.isfinite(seconds)
    if not is_number or not 0 <= seconds <= _LONGEST_ADVANCE_S:
        raise validation_error(
            f"advance_s must be a number of seconds from 0 to {_LONGEST_ADVANCE_S:.0f}, found {seconds!r}. "
            'To go back to the machine\'s time, send {"reset": true}.'
        )
    offset_s = clock_offset_s(connection) + float(seconds)
    connection.execute("INSERT OR REPLACE INTO switch VALUES ('clock_offset_s', ?)", (json.dumps(offset_s),))
    return offset_s


def reset_clock(connection: sqlite3.Connection, offset_s: Any = 0) -> None:
    """Put the sandbox's clock back to the machine's, or to `offset_s` seconds ahead of it. Writes.

    What was made while the clock was further ahead is taken as made now: it lasts, and makes people wait, as
    long as its rule says and no longer.

    Raises
    ------
    ServiceError
        ``ValidationException`` when `offset_s` is no number from 0 to where the clock is.
    """
    longest_s = clock_offset_s(connection)
    is_number = isinstance(offset_s, (int, float)) and not isinstance(offset_s, bool)
    if not is_number or not 0 <= offset_s <= longest_s:
        raise validation_error(
            f"offset_s must be a number of seconds from 0 to {longest_s}, found {offset_s!r}."
        )
    connection.execute("INSERT OR REPLACE INTO switch VALUES ('clock_offset_s', ?)", (json.dumps(offset_s),))
    moment = (now(connection),)
    for table in _SPANS:
        connection.execute(
            f"UPDATE {table} SET expires_at = expires_at - (created_at - ?1), created_at = ?1"  # noqa: S608
            " WHERE created_at > ?1",
            moment,
        )
    for (table, column), ahead in LONGEST_AHEAD_S.items():
        connection.execute(
            f"UPDATE {table} SET {column} = ?1 + {ahead} WHERE {column} > ?1 + {ahead}",  # noqa: S608
            moment,
        )
