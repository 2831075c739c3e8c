"""StartDeviceAuthorization and authorization codes, and what a person answers to them (RFC 8628)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from idc_sandbox.api.oidc.clients import (
    AUTHORIZATION_CODE_GRANT,
    DEVICE_CODE_GRANT,
    Client,
    code_problems,
    find_registered,
    is_redirect_uri,
    remember_client,
    require_client,
    require_grant_type,
    require_start_url,
)
from idc_sandbox.api.sso_admin.application_access import find_grant, scopes_of_application
from idc_sandbox.api.sso_admin.applications import find_enabled_application, may_use_application
from idc_sandbox.context import Context
from idc_sandbox.sign_in.people import (
    PortalSession,
    clean_text,
    digest,
    make_room,
    new_token,
    refuse,
    refuse_unsafe,
    session_of,
)
from idc_sandbox.wire.registry import operation

DEVICE_CODE_LIFETIME_S = 600
POLL_INTERVAL_S = 1
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"  # without vowels no word comes out, and no O beside a 0
_DEVICE_PATH = "/start/device"


@dataclass(frozen=True)
class DeviceRequest:
    """A client that waits for a person's answer."""

    user_code: str
    client_name: str
    scopes: tuple[str, ...]
    expires_at: float


@operation("sso-oidc", "StartDeviceAuthorization")
def start_device_authorization(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Give a client a code to poll with and a code for its person; both are good for ten minutes."""
    client = require_client(context, request["clientId"], request["clientSecret"])
    require_grant_type(client, DEVICE_CODE_GRANT)
    require_start_url(context, request["startUrl"])
    remember_client(context, client)  # one of a state that was deleted since is known by its secret alone
    now = context.now
    # Kept for a while after the end, so that a late client reads "expired" and not "unknown".
    context.execute("DELETE FROM device_authorization WHERE expires_at <= ?", now - 86_400)
    device_code, user_code = new_token(), _new_user_code(context)
    context.insert(
        "device_authorization",
        device_code_hash=digest(device_code),
        user_code=user_code,
        client_id=client.client_id,
        client_name=client.client_name,
        scopes_json=json.dumps(client.scopes),
        status="pending",
        created_at=now,
        expires_at=now + DEVICE_CODE_LIFETIME_S,
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
    """Return the client that waits with a user code, in any case, with or without the hyphen. Reads only."""
    row = _pending(context, user_code)
    return DeviceRequest(
        row["user_code"], row["client_name"], tuple(json.loads(row["scopes_json"])), row["expires_at"]
    )


def approve_device(context: Context, user_code: str, session_id: str) -> None:
    """Let the client that waits with a user code act for the person of a portal session. Writes."""
    row = _pending(context, user_code)
    session = require_session(context, session_id)
    context.update("device_authorization", row, status="approved", session_id=session.session_id)


def deny_device(context: Context, user_code: str) -> None:
    """Tell the client that waits with a user code that the person does not want it. Writes."""
    context.update("device_authorization", _pending(context, user_code), status="denied")


def require_session(context: Context, session_id: str) -> PortalSession:
    """Return a portal session that goes on."""
    session = session_of(context, session_id)
    if session is None:
        raise refuse("session-over")
    return session


def _pending(context: Context, user_code: str) -> sqlite3.Row:
    row = context.find("device_authorization", user_code=_normal(user_code))
    if row is None:
        raise refuse("device-code-unknown")
    if row["expires_at"] <= context.now:
        raise refuse("device-code-expired")
    if row["status"] != "pending":
        raise refuse("device-code-answered")
    find_registered(context, row["client_id"])
    return row


def _normal(user_code: str) -> str:
    letters = "".join(character for character in user_code[:64].upper() if character in _LETTERS)
    return f"{letters[:4]}-{letters[4:]}"


def _new_user_code(context: Context) -> str:
    while True:
        code = _normal("".join(secrets.choice(_LETTERS) for _ in range(8)))
        if context.find("device_authorization", user_code=code) is None:
            return code


# The browser's half of the authorization code grant with PKCE: what ``/authorize`` checks, where it leads.

AUTHORIZATION_CODE_LIFETIME_S = 600  # UNCONFIRMED at AWS
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_LONGEST = {"client_id": 256, "state": 1024, "scopes": 1024}


@dataclass(frozen=True)
class AuthorizeRequest:
    """A program on the person's machine that asks, through the browser, to act for the person."""

    client_id: str
    client_name: str
    scopes: tuple[str, ...]
    redirect_uri: str
    state: str
    code_challenge: str


def check_authorize(context: Context, parameters: Mapping[str, str]) -> AuthorizeRequest:
    """Return what the query of ``/authorize`` asks for. Reads only."""
    problems = [f"{name} is longer than {longest}" for name, longest in _LONGEST.items()
                if len(parameters.get(name, "")) > longest]  # fmt: skip
    if not parameters.get("client_id"):
        problems.append("client_id is missing")
    application = find_enabled_application(context, parameters.get("client_id", ""))
    if application is None and not is_redirect_uri(parameters.get("redirect_uri", "")):
        problems.append("redirect_uri must be http://127.0.0.1:PORT/oauth/callback")
    problems += code_problems(parameters, "S256")
    if problems:
        raise refuse_unsafe(problems)
    client = (
        _application_as_client(context, application, parameters.get("redirect_uri", ""))
        if application is not None
        else find_registered(context, parameters["client_id"])
    )
    if AUTHORIZATION_CODE_GRANT not in client.grant_types:
        raise refuse("client-grant", client_name=client.client_name)
    asked = re.split(r"[ ,]+", clean_text(parameters.get("scopes") or parameters.get("scope") or "", 1024))
    # What was asked for and registered for, or else what was registered for: the person sees what they give.
    scopes = tuple(scope for scope in client.scopes if scope in asked) or client.scopes
    return AuthorizeRequest(
        client_id=parameters["client_id"],
        client_name=client.client_name,
        scopes=scopes,
        redirect_uri=parameters["redirect_uri"],
        state=parameters.get("state", ""),
        code_challenge=parameters["code_challenge"],
    )


def _application_as_client(context: Context, application: sqlite3.Row, redirect_uri: str) -> Client:
    """Return an application as one who asks through the browser, at one of its own redirect URIs."""
    arn, name = application["application_arn"], application["name"]
    grant = find_grant(context, arn, AUTHORIZATION_CODE_GRANT)
    if grant is None:
        raise refuse("application-grant", client_name=name)
    if redirect_uri not in grant["AuthorizationCode"]["RedirectUris"]:
        raise refuse_unsafe([f"redirect_uri must be one of those of {name}"])
    scopes = scopes_of_application(context, arn)
    return Client(arn, name, tuple(scopes), (AUTHORIZATION_CODE_GRANT,), 0)


def approve_authorize(context: Context, request: AuthorizeRequest, session_id: str) -> str:
    """Return where the browser goes with a code that is good once, for ten minutes. Writes."""
    session = require_session(context, session_id)
    is_application = find_enabled_application(context, request.client_id) is not None
    if is_application and not may_use_application(context, session.user_id, request.client_id):
        raise refuse("application-not-assigned", client_name=request.client_name)
    context.execute("DELETE FROM authorization_code WHERE expires_at <= ?", context.now)
    code = new_token()
    context.insert(
        "authorization_code",
        code_hash=digest(code),
        client_id=request.client_id,
        scopes_json=json.dumps(request.scopes),
        redirect_uri=request.redirect_uri,
        code_challenge=request.code_challenge,
        session_id=session.session_id,
        expires_at=context.now + AUTHORIZATION_CODE_LIFETIME_S,
    )
    return _answer_address(request, {"code": code, "state": request.state})


def deny_authorize(request: AuthorizeRequest) -> str:
    """Return where the browser goes when the person does not want it."""
    values = {"error": "access_denied", "error_description": "The person denied it.", "state": request.state}
    return _answer_address(request, values)


def _answer_address(request: AuthorizeRequest, values: dict[str, str]) -> str:
    separator = "&" if "?" in request.redirect_uri else "?"
    return f"{request.redirect_uri}{separator}{urlencode(values)}"


def find_code(context: Context, code: str) -> sqlite3.Row | None:
    """Return what is kept of a code, used or not, or None when it is unknown or expired."""
    return context.find_live("authorization_code", code_hash=digest(code))


def proves_challenge(code_verifier: str, code_challenge: str) -> bool:
    """Tell whether a verifier is the one whose hash is the challenge (S256)."""
    if not _VERIFIER.fullmatch(code_verifier):
        return False
    digest_bytes = hashlib.sha256(code_verifier.encode()).digest()
    computed = base64.urlsafe_b64encode(digest_bytes).decode().rstrip("=")
    return hmac.compare_digest(computed, code_challenge)
