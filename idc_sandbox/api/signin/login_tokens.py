"""CreateOAuth2Token: a code or a refresh token becomes keys of some minutes, by a proof of its key (DPoP)."""

# What each operation does: https://docs.aws.amazon.com/signin/latest/APIReference/API_Operations.html
# Source: https://docs.aws.amazon.com/signin/latest/APIReference/API_CreateOAuth2Token.html
from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sqlite3
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from idc_sandbox.api.oidc.authorizations import proves_challenge
from idc_sandbox.api.portal import RoleCredentials
from idc_sandbox.api.signin.logins import (
    KEYS_LIFETIME_S,
    issue_keys,
    password_hash_of,
    principal_of,
    require_login_permission,
)
from idc_sandbox.context import Context
from idc_sandbox.errors import ServiceError, parse_json, validation_error
from idc_sandbox.sign_in.people import clean_text, digest, new_token
from idc_sandbox.wire.registry import operation

if TYPE_CHECKING:
    import jwt

SKEW_S = 15 * 60  # as for a signature: by the machine's time, which clients go by
_PATH = "/v1/token"
_COORDINATE_BYTES = 32


def require_proof(proof: str) -> str:
    """Return the thumbprint (RFC 7638) of the key with which a ``DPoP`` header was signed for this request.

    The client writes whole the address that it called; behind a proxy that is another host, so only its path
    is compared.
    """
    import jwt  # noqa: PLC0415  with cryptography: only `aws login` waits for it

    try:
        head = jwt.get_unverified_header(proof)
        if (head.get("typ"), head.get("alg")) != ("dpop+jwt", "ES256"):
            raise _bad_proof("its header must have typ dpop+jwt and alg ES256")
        key = _public_key(head.get("jwk"))
        claims = parse_json(jwt.PyJWS().decode(proof, key, algorithms=["ES256"]))
    except (jwt.InvalidTokenError, ValueError, RecursionError) as error:
        raise _bad_proof(f"it must be a JWT that is signed with the key in it ({error})") from None
    if not isinstance(claims, dict):
        raise _bad_proof("its claims must be a JSON object")
    _require_claims(claims)
    return _thumbprint(key)


def _require_claims(claims: dict[str, Any]) -> None:
    issued_at, address = claims.get("iat"), claims.get("htu")
    if claims.get("htm") != "POST" or not isinstance(address, str) or not _is_token_address(address):
        raise _bad_proof(f"it is for {claims.get('htm')!r} {address!r}, not for POST and {_PATH!r}")
    now, is_number = time.time(), isinstance(issued_at, int | float) and not isinstance(issued_at, bool)
    if not is_number or not now - SKEW_S <= (issued_at or 0) <= now + SKEW_S:  # NaN is in no range
        raise _bad_proof(f"it was made at {issued_at!r}, more than {SKEW_S // 60} minutes from now")
    if not isinstance(claims.get("jti"), str) or not claims["jti"]:
        raise _bad_proof("it has no jti")


def _is_token_address(address: str) -> bool:
    try:
        return urlsplit(address).path.endswith(_PATH)
    except ValueError:
        return False


def _public_key(jwk: Any) -> jwt.PyJWK:
    import jwt  # noqa: PLC0415

    if not isinstance(jwk, dict) or (jwk.get("kty"), jwk.get("crv")) != ("EC", "P-256") or "d" in jwk:
        raise _bad_proof("its jwk must be a public EC key on the curve P-256")
    try:
        return jwt.PyJWK(jwk, algorithm="ES256")
    except (jwt.PyJWTError, TypeError, ValueError) as error:
        raise _bad_proof(f"its jwk is no key of the curve P-256 ({error})") from None


def _thumbprint(key: jwt.PyJWK) -> str:
    numbers = key.key.public_numbers()
    x, y = (_base64url(number.to_bytes(_COORDINATE_BYTES)) for number in (numbers.x, numbers.y))
    text = json.dumps({"crv": "P-256", "kty": "EC", "x": x, "y": y}, separators=(",", ":"))
    return _base64url(hashlib.sha256(text.encode()).digest())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bad_proof(reason: str) -> ServiceError:
    # What AWS says to a bad proof is UNCONFIRMED.
    return validation_error(f"The DPoP header is no proof for this request: {reason}.")


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


def _require_keys(context: Context, row: sqlite3.Row) -> RoleCredentials:
    """Return new keys of a session's principal, who must be there and may sign in so. Writes."""
    principal = principal_of(row)
    keys = issue_keys(context, principal, max(1, min(KEYS_LIFETIME_S, int(row["expires_at"] - context.now))))
    if keys is None:
        raise _denied("USER_CREDENTIALS_CHANGED", f"{row['principal_arn']} is not there any more.")
    require_login_permission(context, principal, "CreateOAuth2Token", row["client_id"], keys)
    return keys


def _kept_keys(context: Context, access_key_id: str) -> RoleCredentials | None:
    """Return keys that were given out before, or None once they have ended."""
    kept = context.double.secret_of(access_key_id)
    if kept is None or kept.expires_at is None or kept.expires_at <= context.now:
        return None
    return RoleCredentials(access_key_id, kept.secret, kept.session_token or "", kept.expires_at)


def _answer(context: Context, row: sqlite3.Row, keys: RoleCredentials, refresh_token: str) -> dict[str, Any]:
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


def _id_token(row: sqlite3.Row, keys: RoleCredentials, context: Context) -> str:
    """Return who has signed in, as a JWT; clients read ``sub`` and check no signature."""
    import jwt  # noqa: PLC0415

    issued = context.double.secret_of(keys.access_key_id)
    claims = {
        "iss": _ISSUER,
        "sub": row["principal_arn"] if issued is None else issued.caller.principal_arn,
        "aud": row["client_id"],
        "session_arn": row["session_arn"],
        "iat": int(context.now),
        "exp": int(keys.expires_at),
    }
    return jwt.encode(claims, bytes.fromhex(row["chain_secret"]), algorithm="HS256")


def _denied(error: str, message: str) -> ServiceError:
    return ServiceError("AccessDeniedException", message, status=403, error=error)


def _bad_grant() -> ServiceError:
    return validation_error("The provided authorization grant is invalid, expired, revoked, or malformed")
