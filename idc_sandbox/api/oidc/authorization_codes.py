"""The browser's half of the authorization code grant with PKCE: what ``/authorize`` checks, where it leads.

Sources: RFC 6749 section 4.1, RFC 7636, RFC 8252. AWS's clients name the scopes ``scopes``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from idc_sandbox.api.oidc.client_registrations import AUTHORIZATION_CODE_GRANT, find_registered
from idc_sandbox.api.oidc.device_authorizations import require_session
from idc_sandbox.api.oidc.redirect_uris import is_redirect_uri
from idc_sandbox.context import Context
from idc_sandbox.sign_in.refusals import Refusal
from idc_sandbox.sign_in.tokens import clean_text, digest, new_token

AUTHORIZATION_CODE_LIFETIME_S = 600  # UNCONFIRMED at AWS
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_LONGEST = {"client_id": 256, "state": 1024, "scopes": 1024}


@dataclass(frozen=True)
class AuthorizeRequest:
    """A program on the person's machine that asks, through the browser, to act for the person.

    Attributes
    ----------
    redirect_uri
        On loopback; the port is the program's.
    """

    client_id: str
    client_name: str
    scopes: tuple[str, ...]
    redirect_uri: str
    state: str
    code_challenge: str


def check_authorize(context: Context, parameters: Mapping[str, str]) -> AuthorizeRequest:
    """Return what the query of ``/authorize`` asks for. Reads only.

    Raises
    ------
    Refusal
        ``authorize-invalid``, ``client-unknown``, ``client-expired``, ``client-grant``: to be
        shown. Nobody is redirected with it, because a redirect URI that was not checked leads anywhere.
    """
    problems = [f"{name} is longer than {longest}" for name, longest in _LONGEST.items()
                if len(parameters.get(name, "")) > longest]  # fmt: skip
    if not parameters.get("client_id"):
        problems.append("client_id is missing")
    if not is_redirect_uri(parameters.get("redirect_uri", "")):
        problems.append("redirect_uri must be http://127.0.0.1:PORT/oauth/callback")
    if parameters.get("response_type") != "code":
        problems.append("response_type must be code")
    if parameters.get("code_challenge_method") != "S256":
        problems.append("code_challenge_method must be S256")
    if not _CHALLENGE.fullmatch(parameters.get("code_challenge", "")):
        problems.append("code_challenge must be 43 characters of base64url")
    if problems:
        raise Refusal(
            "authorize-invalid",
            f"The program that sent you here asks in a way that is not safe: {'; '.join(problems)}. "
            "Close this page and start the login again.",
        )
    client = find_registered(context, parameters["client_id"])
    if AUTHORIZATION_CODE_GRANT not in client.grant_types:
        raise Refusal(
            "client-grant",
            f"{client.client_name!r} did not register for a login through the browser: there is nothing to "
            "allow. If you started a login yourself, add `--use-device-code` to it.",
        )
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


def approve_authorize(context: Context, request: AuthorizeRequest, session_id: str) -> str:
    """Return where the browser goes with a code that is good once, for ten minutes. Writes.

    Raises
    ------
    Refusal
        ``session-over``.
    """
    session = require_session(context, session_id)
    context.connection.execute("DELETE FROM authorization_code WHERE expires_at <= ?", (context.now,))
    code = new_token()
    context.connection.execute(
        "INSERT INTO authorization_code VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
        (
            digest(code),
            request.client_id,
            json.dumps(request.scopes),
            request.redirect_uri,
            request.code_challenge,
            session.session_id,
            context.now + AUTHORIZATION_CODE_LIFETIME_S,
        ),
    )
    return f"{request.redirect_uri}?{urlencode({'code': code, 'state': request.state})}"


def deny_authorize(request: AuthorizeRequest) -> str:
    """Return where the browser goes when the person does not want it."""
    values = {"error": "access_denied", "error_description": "The person denied it.", "state": request.state}
    return f"{request.redirect_uri}?{urlencode(values)}"


def find_code(context: Context, code: str) -> sqlite3.Row | None:
    """Return what is kept of a code, used or not, or None when it is unknown or expired."""
    row: sqlite3.Row | None = context.connection.execute(
        "SELECT * FROM authorization_code WHERE code_hash = ? AND expires_at > ?", (digest(code), context.now)
    ).fetchone()
    return row


def proves_challenge(code_verifier: str, code_challenge: str) -> bool:
    """Tell whether a verifier is the one whose hash is the challenge (S256)."""
    if not _VERIFIER.fullmatch(code_verifier):
        return False
    digest_bytes = hashlib.sha256(code_verifier.encode()).digest()
    computed = base64.urlsafe_b64encode(digest_bytes).decode().rstrip("=")
    return hmac.compare_digest(computed, code_challenge)
