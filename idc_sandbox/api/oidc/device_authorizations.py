"""StartDeviceAuthorization, and what a person answers on the device page.

Sources: https://docs.aws.amazon.com/singlesignon/latest/OIDCAPIReference/API_StartDeviceAuthorization.html,
RFC 8628.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from dataclasses import dataclass
from typing import Any

from idc_sandbox.api.oidc.client_registrations import (
    DEVICE_CODE_GRANT,
    find_registered,
    remember_client,
    require_client,
    require_grant_type,
)
from idc_sandbox.api.oidc.refusals import invalid_request
from idc_sandbox.api.registry import operation
from idc_sandbox.context import Context
from idc_sandbox.sign_in.people import start_urls
from idc_sandbox.sign_in.portal_sessions import PortalSession, session_of
from idc_sandbox.sign_in.refusals import Refusal
from idc_sandbox.sign_in.room import make_room
from idc_sandbox.sign_in.tokens import digest, new_token

DEVICE_CODE_LIFETIME_S = 600
POLL_INTERVAL_S = 1
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"  # without vowels no word comes out, and no O beside a 0
_DEVICE_PATH = "/start/device"


@dataclass(frozen=True)
class DeviceRequest:
    """A client that waits for a person's answer.

    Attributes
    ----------
    user_code
        Must be the one that the client shows: ``"BCDF-GHJK"``.
    expires_at
        Epoch seconds of the sandbox's clock.
    """

    user_code: str
    client_name: str
    scopes: tuple[str, ...]
    expires_at: float


@operation("sso-oidc", "StartDeviceAuthorization")
def start_device_authorization(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Give a client a code to poll with and a code for its person; both are good for ten minutes."""
    client = require_client(context, request["clientId"], request["clientSecret"])
    require_grant_type(client, DEVICE_CODE_GRANT)
    _require_start_url(context, request["startUrl"])
    remember_client(context, client)  # one of a state that was deleted since is known by its secret alone
    connection, now = context.connection, context.now
    # Kept for a while after the end, so that a late client reads "expired" and not "unknown".
    connection.execute("DELETE FROM device_authorization WHERE expires_at <= ?", (now - 86_400,))
    device_code, user_code = new_token(), _new_user_code(context)
    connection.execute(
        "INSERT INTO device_authorization (device_code_hash, user_code, client_id, client_name, scopes_json,"
        " status, created_at, expires_at) VALUES (?, ?, ?, ?, ?, 'pending', ?, ?)",
        (
            digest(device_code),
            user_code,
            client.client_id,
            client.client_name,
            json.dumps(client.scopes),
            now,
            now + DEVICE_CODE_LIFETIME_S,
        ),
    )
    make_room(context, "device_authorization")
    page = f"{context.site_url}{_DEVICE_PATH}"
    return {
        "deviceCode": device_code,
        "userCode": user_code,
        "verificationUri": page,
        "verificationUriComplete": f"{page}?user_code={user_code}",
        "expiresIn": DEVICE_CODE_LIFETIME_S,
        "interval": POLL_INTERVAL_S,
    }


def find_device_request(context: Context, user_code: str) -> DeviceRequest:
    """Return the client that waits with a user code, in any case, with or without the hyphen. Reads only.

    Raises
    ------
    Refusal
        ``device-code-unknown``, ``device-code-expired``, ``device-code-answered``, and as `find_registered`.
    """
    row = _pending(context, user_code)
    return DeviceRequest(
        row["user_code"], row["client_name"], tuple(json.loads(row["scopes_json"])), row["expires_at"]
    )


def approve_device(context: Context, user_code: str, session_id: str) -> None:
    """Let the client that waits with a user code act for the person of a portal session. Writes.

    Raises
    ------
    Refusal
        As `find_device_request`; ``session-over``.
    """
    row = _pending(context, user_code)
    session = require_session(context, session_id)
    context.connection.execute(
        "UPDATE device_authorization SET status = 'approved', session_id = ? WHERE device_code_hash = ?",
        (session.session_id, row["device_code_hash"]),
    )


def deny_device(context: Context, user_code: str) -> None:
    """Tell the client that waits with a user code that the person does not want it. Writes.

    Raises
    ------
    Refusal
        As `find_device_request`.
    """
    row = _pending(context, user_code)
    context.connection.execute(
        "UPDATE device_authorization SET status = 'denied' WHERE device_code_hash = ?",
        (row["device_code_hash"],),
    )


def require_session(context: Context, session_id: str) -> PortalSession:
    """Return a portal session that goes on.

    Raises
    ------
    Refusal
        ``session-over``.
    """
    session = session_of(context, session_id)
    if session is None:
        raise Refusal("session-over", "Your session of the access portal is over. Sign in again.")
    return session


def _pending(context: Context, user_code: str) -> sqlite3.Row:
    row: sqlite3.Row | None = context.connection.execute(
        "SELECT * FROM device_authorization WHERE user_code = ?", (_normal(user_code),)
    ).fetchone()
    if row is None:
        raise Refusal(
            "device-code-unknown",
            "No program waits with this code. Compare it with the one in your terminal, letter by letter; if "
            "they differ, do not allow anything: somebody else may have sent you here.",
        )
    if row["expires_at"] <= context.now:
        raise Refusal("device-code-expired", "This code has expired. Start the login in your terminal again.")
    if row["status"] != "pending":
        raise Refusal(
            "device-code-answered", "This code has been answered already. Go back to your terminal."
        )
    find_registered(context, row["client_id"])
    return row


def _normal(user_code: str) -> str:
    letters = "".join(character for character in user_code[:64].upper() if character in _LETTERS)
    return f"{letters[:4]}-{letters[4:]}"


def _new_user_code(context: Context) -> str:
    while True:
        code = _normal("".join(secrets.choice(_LETTERS) for _ in range(8)))
        taken = context.connection.execute(
            "SELECT 1 FROM device_authorization WHERE user_code = ?", (code,)
        ).fetchone()
        if taken is None:
            return code


def _require_start_url(context: Context, start_url: str) -> None:
    known = start_urls(context)
    wanted = start_url.partition("#")[0].rstrip("/")
    if wanted not in known:
        raise invalid_request(
            f"The start URL {start_url[:200]!r} is not that of an access portal here; yours is "
            f"{known[0] if known else 'there once Identity Center is enabled'}."
        )
