"""CreateToken, where tokens are kept, and what codes and refresh tokens are good for."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from idc_sandbox.api.oidc.authorizations import POLL_INTERVAL_S, find_code, proves_challenge
from idc_sandbox.api.oidc.clients import (
    ACCOUNT_ACCESS_SCOPE,
    AUTHORIZATION_CODE_GRANT,
    DEVICE_CODE_GRANT,
    REFRESH_GRANT,
    Client,
    invalid_grant,
    invalid_request,
    require_client,
    require_grant_type,
)
from idc_sandbox.context import Context
from idc_sandbox.errors import LastingRefusal, ServiceError
from idc_sandbox.sign_in.people import PortalSession, digest, new_token, session_of
from idc_sandbox.trail.people import identity_of_person
from idc_sandbox.wire.registry import operation

# Those of account access give a refresh token too: UNCONFIRMED.
_REFRESHED_SCOPES = {ACCOUNT_ACCESS_SCOPE, "account_access:read_only", "account_access:assume"}
ACCESS_TOKEN_LIFETIME_S = 3_600  # UNCONFIRMED at AWS
LEGACY_TOKEN_LIFETIME_S = 8 * 3_600
# Programs share one cached login, and several may refresh it at once: the replaced token is good for so long.
REPLACED_TOKEN_GRACE_S = 60  # UNCONFIRMED at AWS; other authorization servers allow up to a minute


@dataclass(frozen=True)
class TokenFamily:
    """What a code or a refresh token stands for: tokens of one login."""

    session: PortalSession
    scopes: list[str]
    family_id: str


def issue_tokens(
    context: Context, client_id: str, family: TokenFamily, *, can_refresh: bool | None = None
) -> dict[str, Any]:
    """Return CreateToken's answer with new tokens, none of which outlives the portal session. Writes."""
    # Without any scope, as profiles of the older kind ask, a token lasts eight hours and cannot be refreshed.
    if can_refresh is None:
        can_refresh = not _REFRESHED_SCOPES.isdisjoint(family.scopes)
    lifetime_s = ACCESS_TOKEN_LIFETIME_S if family.scopes else LEGACY_TOKEN_LIFETIME_S
    now, session = context.now, family.session
    expires_at = min(now + lifetime_s, session.expires_at)
    context.execute("DELETE FROM oidc_token WHERE expires_at <= ?", now - 86_400)

    def keep(kind: str, until: float) -> str:
        token = new_token()
        context.insert(
            "oidc_token",
            token_hash=digest(token),
            kind=kind,
            family_id=family.family_id,
            client_id=client_id,
            scopes_json=json.dumps(family.scopes),
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


def _issue_to_client(context: Context, client: Client, family: TokenFamily) -> dict[str, Any]:
    """Return tokens for a program of a person's; the call's event says whose. Writes."""
    credential_id = hashlib.sha256(family.family_id.encode()).hexdigest()[:16]
    context.event["userIdentity"] = identity_of_person(context, family.session.user_id, credential_id)
    return issue_tokens(context, client.client_id, family)


def find_token(context: Context, token: str, kind: str) -> sqlite3.Row | None:
    """Return what is kept of a token, ``"access"`` or ``"refresh"``, used or not; None when it expired."""
    return context.find_live("oidc_token", token_hash=digest(token), kind=kind)


def session_of_access_token(context: Context, token: str) -> PortalSession | None:
    """Return the portal session that a token for accounts acts for; None when either is over."""
    row = find_token(context, token, "access")
    scopes = json.loads(row["scopes_json"]) if row is not None else []
    # One without any scope is of a profile of the older kind.
    is_for_accounts = not scopes or ACCOUNT_ACCESS_SCOPE in scopes
    return session_of(context, row["session_id"]) if row is not None and is_for_accounts else None


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
    key = {"device_code_hash": digest(required_member(request, "deviceCode")), "client_id": client.client_id}
    row = context.find("device_authorization", **key)
    if row is None or row["status"] == "used":
        raise invalid_grant("The device code is unknown, or a token was created with it already.")
    if row["expires_at"] <= context.now:
        raise ServiceError("ExpiredTokenException", "The device code has expired. Start the login again.")
    if row["status"] == "denied":
        raise ServiceError("AccessDeniedException", "The person denied the request.")
    if row["status"] == "pending":
        raise _wait(context, row)
    session = require_live_session(context, row["session_id"])
    context.update("device_authorization", row, status="used")
    scopes = json.loads(row["scopes_json"])
    return _issue_to_client(context, client, TokenFamily(session, scopes, context.ids.uuid("token_family")))


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
    family = take_authorization_code(context, client.client_id, request)
    # What was asked for and registered for: neither alone gives anything.
    scopes = [scope for scope in family.scopes if scope in client.scopes] or list(client.scopes)
    return _issue_to_client(context, client, replace(family, scopes=scopes))


def _exchange_refresh_token(context: Context, client: Client, request: dict[str, Any]) -> dict[str, Any]:
    return _issue_to_client(context, client, take_refresh_token(context, client.client_id, request))


def take_authorization_code(context: Context, client_id: str, request: dict[str, Any]) -> TokenFamily:
    """Return what a client's code stands for, and use it up. Writes."""
    row = find_code(context, required_member(request, "code"))
    if row is None or row["client_id"] != client_id:
        raise invalid_grant("The code is unknown, expired or another client's. Start the login again.")
    if row["family_id"] is not None:
        _revoke_family(context, row["family_id"])
        raise LastingRefusal(
            "InvalidGrantException",
            "The code was used before. Somebody else may have it, so the tokens that it led to are void. "
            "Start the login again.",
        )
    if row["redirect_uri"] != required_member(request, "redirectUri"):
        raise invalid_grant("The redirectUri is not the one with which the code was asked for.")
    if not proves_challenge(required_member(request, "codeVerifier"), row["code_challenge"]):
        raise invalid_grant("The codeVerifier is not the one of the code's challenge.")
    session, family_id = require_live_session(context, row["session_id"]), context.ids.uuid("token_family")
    context.update("authorization_code", row, family_id=family_id)
    return TokenFamily(session, json.loads(row["scopes_json"]), family_id)


def take_refresh_token(context: Context, client_id: str, request: dict[str, Any]) -> TokenFamily:
    """Return what a client's refresh token stands for, and note that it is being replaced. Writes."""
    row = find_token(context, required_member(request, "refreshToken"), "refresh")
    if row is None or row["client_id"] != client_id:
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
    session = require_live_session(context, row["session_id"])
    if used_at is None:  # one of several programs that ask at once gets tokens of its own
        context.update("oidc_token", row, used_at=context.now)
    return TokenFamily(session, json.loads(row["scopes_json"]), row["family_id"])


def required_member(request: dict[str, Any], name: str) -> str:
    """Return what a grant needs of a request."""
    value = request.get(name)
    if not value:
        raise invalid_request(f"The grantType {request['grantType']!r} needs {name}.")
    return str(value)


def require_live_session(context: Context, session_id: str) -> PortalSession:
    """Return a portal session that goes on."""
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
