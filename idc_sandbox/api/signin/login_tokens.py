"""CreateOAuth2Token: a code becomes keys of some minutes, and a refresh token the next ones."""

# Source: https://docs.aws.amazon.com/signin/latest/APIReference/API_CreateOAuth2Token.html
from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sqlite3
from typing import Any

from idc_sandbox.api.oidc.authorizations import proves_challenge
from idc_sandbox.api.signin.logins import (
    KEYS_LIFETIME_S,
    LoginKeys,
    issue_keys,
    password_hash_of,
    principal_of,
    require_login_permission,
)
from idc_sandbox.api.signin.proofs import require_proof
from idc_sandbox.context import Context
from idc_sandbox.errors import ServiceError, validation_error
from idc_sandbox.sign_in.people import clean_text, digest, new_token
from idc_sandbox.wire.registry import operation

_ISSUER = "https://signin.aws.amazon.com/signin"
_LONGEST_AGENT = 512
_BEGINNING = "ASOR"  # as AWS's refresh tokens begin


@operation("signin", "CreateOAuth2Token")
def create_oauth2_token(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Exchange a code, or a refresh token, for keys; the client must hold the key of the login."""
    asked = request["tokenInput"]
    thumbprint = require_proof(context.headers.get("dpop", ""))
    if asked["grantType"] == "refresh_token":
        return {"tokenOutput": _refresh(context, asked, thumbprint)}
    return {"tokenOutput": _exchange_code(context, asked, thumbprint)}


def _exchange_code(context: Context, asked: dict[str, Any], thumbprint: str) -> dict[str, Any]:
    row = context.find("login_session", code_hash=digest(_required(asked, "code")))
    if row is None or row["key_thumbprint"] is not None or row["client_id"] != asked["clientId"]:
        raise _bad_grant()
    if row["redirect_uri"] != _required(asked, "redirectUri"):
        raise _bad_grant()
    if not proves_challenge(_required(asked, "codeVerifier"), row["code_challenge"]):
        raise _bad_grant()
    if row["code_expires_at"] <= context.now:
        raise _denied("AUTHCODE_EXPIRED", "The authorization code has expired.")
    context.update("login_session", row, key_thumbprint=thumbprint)
    keys = _require_keys(context, row)
    return _answer(context, row, keys, f"{_BEGINNING}{new_token()}") | {
        "idToken": _id_token(row, keys, context)
    }


def _refresh(context: Context, asked: dict[str, Any], thumbprint: str) -> dict[str, Any]:
    token = _required(asked, "refreshToken")
    held = context.find("login_refresh_token", token_hash=digest(token))
    row = context.find("login_session", session_arn=held["session_arn"]) if held is not None else None
    if held is None or row is None or row["client_id"] != asked["clientId"]:
        raise _bad_grant()
    if row["key_thumbprint"] != thumbprint:
        raise _bad_grant()
    # What a revoked session says is UNCONFIRMED.
    if row["ended_at"] is not None or row["expires_at"] <= context.now:
        raise _denied("TOKEN_EXPIRED", "The refresh token has expired.")
    _require_same_password(context, row)
    # The same refresh token gives the same answer, as long as that is good for anything.
    next_token = (
        _BEGINNING + hmac.new(bytes.fromhex(row["chain_secret"]), token.encode(), "sha256").hexdigest()
    )
    if held["access_key_id"] is not None:
        keys = _kept_keys(context, held["access_key_id"])
        if keys is None:
            raise _bad_grant()
        return _answer(context, row, keys, next_token)
    keys = _require_keys(context, row)
    context.update("login_refresh_token", held, access_key_id=keys.access_key_id)
    return _answer(context, row, keys, next_token)


def _required(asked: dict[str, Any], name: str) -> str:
    value = asked.get(name)
    if not value:
        raise validation_error(f"The grantType {asked['grantType']!r} needs {name}.")
    return str(value)


def _require_same_password(context: Context, row: sqlite3.Row) -> None:
    salt = row["session_arn"].rpartition("/")[2]
    if password_hash_of(context, principal_of(row), salt) != row["password_hash"]:
        raise _denied("USER_CREDENTIALS_CHANGED", "The user's password has changed. Sign in again.")


def _require_keys(context: Context, row: sqlite3.Row) -> LoginKeys:
    """Return new keys of a session's principal, who must be there and may sign in so. Writes."""
    principal = principal_of(row)
    keys = issue_keys(context, principal, max(1, min(KEYS_LIFETIME_S, int(row["expires_at"] - context.now))))
    if keys is None:
        raise _denied("USER_CREDENTIALS_CHANGED", f"{row['principal_arn']} is not there any more.")
    require_login_permission(context, principal, "CreateOAuth2Token", row["client_id"], keys)
    return keys


def _kept_keys(context: Context, access_key_id: str) -> LoginKeys | None:
    """Return keys that were given out before, or None once they have ended."""
    kept = context.double.secret_of(access_key_id)
    if kept is None or kept.expires_at is None or kept.expires_at <= context.now:
        return None
    return LoginKeys(access_key_id, kept.secret, kept.session_token or "", kept.expires_at)


def _answer(context: Context, row: sqlite3.Row, keys: LoginKeys, refresh_token: str) -> dict[str, Any]:
    context.execute(
        "INSERT OR IGNORE INTO login_refresh_token VALUES (?, ?, NULL)",
        digest(refresh_token),
        row["session_arn"],
    )
    agent = clean_text(context.headers.get("user-agent", ""), _LONGEST_AGENT)
    context.update("login_session", row, last_used_at=context.now, user_agent=agent)
    return {
        "accessToken": {
            "accessKeyId": keys.access_key_id,
            "secretAccessKey": keys.secret_access_key,
            "sessionToken": keys.session_token,
        },
        "tokenType": "aws_sigv4",
        "expiresIn": max(1, min(KEYS_LIFETIME_S, int(keys.expires_at - context.now))),
        "refreshToken": refresh_token,
    }


def _id_token(row: sqlite3.Row, keys: LoginKeys, context: Context) -> str:
    """Return who has signed in, as a JWT; clients read ``sub`` and check no signature."""
    issued = context.double.secret_of(keys.access_key_id)
    claims = {
        "iss": _ISSUER,
        "sub": row["principal_arn"] if issued is None else issued.caller.principal_arn,
        "aud": row["client_id"],
        "session_arn": row["session_arn"],
        "iat": int(context.now),
        "exp": int(keys.expires_at),
    }
    signed = ".".join(
        _encoded(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims)
    )
    signature = hmac.new(bytes.fromhex(row["chain_secret"]), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{_encoded(signature)}"


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _denied(error: str, message: str) -> ServiceError:
    return ServiceError("AccessDeniedException", message, status=403, error=error)


def _bad_grant() -> ServiceError:
    return validation_error("The provided authorization grant is invalid, expired, revoked, or malformed")
