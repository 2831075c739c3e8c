"""CreateToken: a device code, an authorization code or a refresh token for an access token.

Source: https://docs.aws.amazon.com/singlesignon/latest/OIDCAPIReference/API_CreateToken.html
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from typing import Any

from idc_sandbox.api.oidc.authorization_codes import find_code, proves_challenge
from idc_sandbox.api.oidc.client_registrations import (
    AUTHORIZATION_CODE_GRANT,
    DEVICE_CODE_GRANT,
    REFRESH_GRANT,
    Client,
    require_client,
    require_grant_type,
)
from idc_sandbox.api.oidc.device_authorizations import POLL_INTERVAL_S
from idc_sandbox.api.oidc.refusals import invalid_grant, invalid_request
from idc_sandbox.api.oidc.token_store import find_token, is_replayed, issue_tokens, mark_used, revoke_family
from idc_sandbox.api.registry import operation
from idc_sandbox.context import Context
from idc_sandbox.errors import LastingRefusal, ServiceError
from idc_sandbox.sign_in.portal_sessions import PortalSession, session_of
from idc_sandbox.sign_in.tokens import digest

# AWS's CLI polls twice at once, and never gets faster again once it was told to slow down.
_HASTY_POLLS_ALLOWED = 5


@operation("sso-oidc", "CreateToken")
def create_token(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Exchange what the client has for tokens; ``scope`` is ignored, as at AWS."""
    client = require_client(context, request["clientId"], request["clientSecret"])
    require_grant_type(client, request["grantType"])
    return _EXCHANGE_OF_GRANT[request["grantType"]](context, client, request)


def _exchange_device_code(context: Context, client: Client, request: dict[str, Any]) -> dict[str, Any]:
    row = context.connection.execute(
        "SELECT * FROM device_authorization WHERE device_code_hash = ? AND client_id = ?",
        (digest(_required(request, "deviceCode")), client.client_id),
    ).fetchone()
    if row is None or row["status"] == "used":
        raise invalid_grant("The device code is unknown, or a token was created with it already.")
    if row["expires_at"] <= context.now:
        raise ServiceError("ExpiredTokenException", "The device code has expired. Start the login again.")
    if row["status"] == "denied":
        raise ServiceError("AccessDeniedException", "The person denied the request.")
    if row["status"] == "pending":
        raise _wait(context, row)
    session = _require_session(context, row["session_id"])
    context.connection.execute(
        "UPDATE device_authorization SET status = 'used' WHERE device_code_hash = ?",
        (row["device_code_hash"],),
    )
    scopes = json.loads(row["scopes_json"])
    return issue_tokens(
        context, session, client_id=client.client_id, scopes=scopes, family_id=_new_family(context)
    )


def _wait(context: Context, row: sqlite3.Row) -> LastingRefusal:
    """Return what a client that polls is told, and count polls that come too fast. Writes."""
    last_polled_at = row["last_polled_at"]
    is_hasty = last_polled_at is not None and 0 <= context.now - last_polled_at < POLL_INTERVAL_S / 2
    hasty_polls = row["hasty_polls"] + 1 if is_hasty else 0
    context.connection.execute(
        "UPDATE device_authorization SET last_polled_at = ?, hasty_polls = ? WHERE device_code_hash = ?",
        (context.now, hasty_polls, row["device_code_hash"]),
    )
    if hasty_polls > _HASTY_POLLS_ALLOWED:
        return LastingRefusal("SlowDownException", f"Poll every {POLL_INTERVAL_S} s, not more often.")
    return LastingRefusal("AuthorizationPendingException", "The person has not answered yet.")


def _exchange_authorization_code(context: Context, client: Client, request: dict[str, Any]) -> dict[str, Any]:
    row = find_code(context, _required(request, "code"))
    if row is None or row["client_id"] != client.client_id:
        raise invalid_grant("The code is unknown, expired or another client's. Start the login again.")
    if row["family_id"] is not None:
        revoke_family(context, row["family_id"])
        raise LastingRefusal(
            "InvalidGrantException",
            "The code was used before. Somebody else may have it, so the tokens that it led to are void. "
            "Start the login again.",
        )
    if row["redirect_uri"] != _required(request, "redirectUri"):
        raise invalid_grant("The redirectUri is not the one with which the code was asked for.")
    if not proves_challenge(_required(request, "codeVerifier"), row["code_challenge"]):
        raise invalid_grant("The codeVerifier is not the one of the code's challenge.")
    session, family_id = _require_session(context, row["session_id"]), _new_family(context)
    context.connection.execute(
        "UPDATE authorization_code SET family_id = ? WHERE code_hash = ?", (family_id, row["code_hash"])
    )
    # What was asked for and registered for: neither alone gives anything.
    scopes = [scope for scope in json.loads(row["scopes_json"]) if scope in client.scopes]
    return issue_tokens(
        context,
        session,
        client_id=client.client_id,
        scopes=scopes or list(client.scopes),
        family_id=family_id,
    )


def _exchange_refresh_token(context: Context, client: Client, request: dict[str, Any]) -> dict[str, Any]:
    row = find_token(context, _required(request, "refreshToken"), "refresh")
    if row is None or row["client_id"] != client.client_id:
        raise invalid_grant(
            "The refresh token is unknown, expired, revoked or another client's. Sign in again."
        )
    if is_replayed(context, row):
        revoke_family(context, row["family_id"])
        raise LastingRefusal(
            "InvalidGrantException",
            "The refresh token was replaced before. Somebody else may have it, so all tokens of this login "
            "are void. Sign in again.",
        )
    session = _require_session(context, row["session_id"])
    mark_used(context, row)  # one of several programs that ask at once gets tokens of its own
    return issue_tokens(
        context,
        session,
        client_id=client.client_id,
        scopes=json.loads(row["scopes_json"]),
        family_id=row["family_id"],
    )


def _required(request: dict[str, Any], name: str) -> str:
    value = request.get(name)
    if not value:
        raise invalid_request(f"The grantType {request['grantType']!r} needs {name}.")
    return str(value)


def _require_session(context: Context, session_id: str) -> PortalSession:
    session = session_of(context, session_id)
    if session is None:
        raise invalid_grant(
            "The session of the access portal is over: signed out, expired or ended. Sign in again."
        )
    return session


def _new_family(context: Context) -> str:
    return context.ids.uuid("token_family")


_EXCHANGE_OF_GRANT: dict[str, Callable[[Context, Client, dict[str, Any]], dict[str, Any]]] = {
    DEVICE_CODE_GRANT: _exchange_device_code,
    AUTHORIZATION_CODE_GRANT: _exchange_authorization_code,
    REFRESH_GRANT: _exchange_refresh_token,
}
