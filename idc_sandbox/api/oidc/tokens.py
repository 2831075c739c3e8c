"""CreateToken and CreateTokenWithIAM, and where tokens are kept."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from idc_sandbox.api.oidc.authorizations import POLL_INTERVAL_S, find_code, proves_challenge
from idc_sandbox.api.oidc.clients import (
    ACCOUNT_ACCESS_SCOPE,
    AUTHORIZATION_CODE_GRANT,
    DEVICE_CODE_GRANT,
    REFRESH_GRANT,
    Client,
    invalid_client,
    invalid_grant,
    invalid_request,
    require_client,
    require_grant_type,
    unsupported_grant_type,
)
from idc_sandbox.context import Context
from idc_sandbox.errors import LastingRefusal, ServiceError
from idc_sandbox.sign_in.people import PortalSession, digest, new_token, session_of
from idc_sandbox.wire.registry import operation

APPLICATION_GRANT_TYPES = [
    "authorization_code",
    "refresh_token",
    "urn:ietf:params:oauth:grant-type:jwt-bearer",
    "urn:ietf:params:oauth:grant-type:token-exchange",
]


@operation("sso-oidc", "CreateTokenWithIAM")
def create_token_with_iam(context: Context, request: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001
    """Refuse: the client is a customer managed application, and the sandbox connects none."""
    if request["grantType"] not in APPLICATION_GRANT_TYPES:
        raise unsupported_grant_type(request["grantType"][:120], APPLICATION_GRANT_TYPES)
    raise invalid_client(
        f"There is no application {request['clientId'][:200]!r}: the sandbox connects no applications, and "
        "ListApplications lists none. People's clients use RegisterClient and CreateToken."
    )


ACCESS_TOKEN_LIFETIME_S = 3_600  # UNCONFIRMED at AWS
LEGACY_TOKEN_LIFETIME_S = 8 * 3_600
# Programs share one cached login, and several may refresh it at once: the replaced token is good for so long.
REPLACED_TOKEN_GRACE_S = 60  # UNCONFIRMED at AWS; other authorization servers allow up to a minute


def issue_tokens(
    context: Context, session: PortalSession, *, client_id: str, scopes: Sequence[str], family_id: str
) -> dict[str, Any]:
    """Return CreateToken's answer with new tokens, none of which outlives the portal session. Writes."""
    # Without any scope, as profiles of the older kind ask, a token lasts eight hours and cannot be refreshed.
    can_refresh = ACCOUNT_ACCESS_SCOPE in scopes
    lifetime_s = ACCESS_TOKEN_LIFETIME_S if scopes else LEGACY_TOKEN_LIFETIME_S
    now = context.now
    expires_at = min(now + lifetime_s, session.expires_at)
    context.execute("DELETE FROM oidc_token WHERE expires_at <= ?", now - 86_400)

    def keep(kind: str, until: float) -> str:
        token = new_token()
        context.insert(
            "oidc_token",
            token_hash=digest(token),
            kind=kind,
            family_id=family_id,
            client_id=client_id,
            scopes_json=json.dumps(list(scopes)),
            session_id=session.session_id,
            expires_at=until,
        )
        return token

    answer = {
        "accessToken": keep("access", expires_at),
        "tokenType": "Bearer",
        "expiresIn": max(1, int(expires_at - now)),
    }
    return answer | ({"refreshToken": keep("refresh", session.expires_at)} if can_refresh else {})


def find_token(context: Context, token: str, kind: str) -> sqlite3.Row | None:
    """Return what is kept of a token, ``"access"`` or ``"refresh"``, used or not; None when it expired."""
    return context.find_live("oidc_token", token_hash=digest(token), kind=kind)


def session_of_access_token(context: Context, token: str) -> PortalSession | None:
    """Return the portal session that an access token acts for, or None when either is over."""
    row = find_token(context, token, "access")
    return None if row is None else session_of(context, row["session_id"])


def _revoke_family(context: Context, family_id: str) -> None:
    context.delete("oidc_token", family_id=family_id)


# AWS's CLI polls twice at once, and never gets faster again once it was told to slow down.
_HASTY_POLLS_ALLOWED = 5


@operation("sso-oidc", "CreateToken")
def create_token(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Exchange what the client has for tokens; ``scope`` is ignored, as at AWS."""
    client = require_client(context, request["clientId"], request["clientSecret"])
    require_grant_type(client, request["grantType"])
    return _EXCHANGE_OF_GRANT[request["grantType"]](context, client, request)


def _exchange_device_code(context: Context, client: Client, request: dict[str, Any]) -> dict[str, Any]:
    key = {"device_code_hash": digest(_required(request, "deviceCode")), "client_id": client.client_id}
    row = context.find("device_authorization", **key)
    if row is None or row["status"] == "used":
        raise invalid_grant("The device code is unknown, or a token was created with it already.")
    if row["expires_at"] <= context.now:
        raise ServiceError("ExpiredTokenException", "The device code has expired. Start the login again.")
    if row["status"] == "denied":
        raise ServiceError("AccessDeniedException", "The person denied the request.")
    if row["status"] == "pending":
        raise _wait(context, row)
    session = _require_session(context, row["session_id"])
    context.update("device_authorization", row, status="used")
    scopes, family_id = json.loads(row["scopes_json"]), context.ids.uuid("token_family")
    return issue_tokens(context, session, client_id=client.client_id, scopes=scopes, family_id=family_id)


def _wait(context: Context, row: sqlite3.Row) -> LastingRefusal:
    """Return what a client that polls is told, and count polls that come too fast. Writes."""
    last_polled_at = row["last_polled_at"]
    is_hasty = last_polled_at is not None and 0 <= context.now - last_polled_at < POLL_INTERVAL_S / 2
    hasty_polls = row["hasty_polls"] + 1 if is_hasty else 0
    context.update("device_authorization", row, last_polled_at=context.now, hasty_polls=hasty_polls)
    if hasty_polls > _HASTY_POLLS_ALLOWED:
        return LastingRefusal("SlowDownException", f"Poll every {POLL_INTERVAL_S} s, not more often.")
    return LastingRefusal("AuthorizationPendingException", "The person has not answered yet.")


def _exchange_authorization_code(context: Context, client: Client, request: dict[str, Any]) -> dict[str, Any]:
    row = find_code(context, _required(request, "code"))
    if row is None or row["client_id"] != client.client_id:
        raise invalid_grant("The code is unknown, expired or another client's. Start the login again.")
    if row["family_id"] is not None:
        _revoke_family(context, row["family_id"])
        raise LastingRefusal(
            "InvalidGrantException",
            "The code was used before. Somebody else may have it, so the tokens that it led to are void. "
            "Start the login again.",
        )
    if row["redirect_uri"] != _required(request, "redirectUri"):
        raise invalid_grant("The redirectUri is not the one with which the code was asked for.")
    if not proves_challenge(_required(request, "codeVerifier"), row["code_challenge"]):
        raise invalid_grant("The codeVerifier is not the one of the code's challenge.")
    session, family_id = _require_session(context, row["session_id"]), context.ids.uuid("token_family")
    context.update("authorization_code", row, family_id=family_id)
    # What was asked for and registered for: neither alone gives anything.
    asked = [scope for scope in json.loads(row["scopes_json"]) if scope in client.scopes]
    scopes = asked or list(client.scopes)
    return issue_tokens(context, session, client_id=client.client_id, scopes=scopes, family_id=family_id)


def _exchange_refresh_token(context: Context, client: Client, request: dict[str, Any]) -> dict[str, Any]:
    row = find_token(context, _required(request, "refreshToken"), "refresh")
    if row is None or row["client_id"] != client.client_id:
        raise invalid_grant(
            "The refresh token is unknown, expired, revoked or another client's. Sign in again."
        )
    used_at = row["used_at"]
    # A token that was replaced, longer ago than programs that ask at once explain, is a stolen one.
    if used_at is not None and not 0 <= context.now - used_at < REPLACED_TOKEN_GRACE_S:
        _revoke_family(context, row["family_id"])
        raise LastingRefusal(
            "InvalidGrantException",
            "The refresh token was replaced before. Somebody else may have it, so all tokens of this login "
            "are void. Sign in again.",
        )
    session = _require_session(context, row["session_id"])
    if used_at is None:  # one of several programs that ask at once gets tokens of its own
        context.update("oidc_token", row, used_at=context.now)
    scopes, family_id = json.loads(row["scopes_json"]), row["family_id"]
    return issue_tokens(context, session, client_id=client.client_id, scopes=scopes, family_id=family_id)


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


_EXCHANGE_OF_GRANT: dict[str, Callable[[Context, Client, dict[str, Any]], dict[str, Any]]] = {
    DEVICE_CODE_GRANT: _exchange_device_code,
    AUTHORIZATION_CODE_GRANT: _exchange_authorization_code,
    REFRESH_GRANT: _exchange_refresh_token,
}
