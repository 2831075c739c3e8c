"""CreateOAuth2Token: a code or a refresh token becomes keys of some minutes, by a proof of its key (DPoP)."""

# What each operation does: https://docs.aws.amazon.com/signin/latest/APIReference/API_Operations.html
# Source: https://docs.aws.amazon.com/signin/latest/APIReference/API_CreateOAuth2Token.html
from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import sqlite3
import time
from typing import Any
from urllib.parse import urlsplit

from idc_sandbox.api.oidc.authorizations import proves_challenge
from idc_sandbox.api.signin.logins import (
    KEYS_LIFETIME_S,
    LoginKeys,
    issue_keys,
    password_hash_of,
    principal_of,
    require_login_permission,
)
from idc_sandbox.context import Context
from idc_sandbox.errors import ServiceError, parse_json, validation_error
from idc_sandbox.sign_in.people import clean_text, digest, new_token
from idc_sandbox.wire.registry import operation

SKEW_S = 15 * 60  # as for a signature: by the machine's time, which clients go by
_PATH = "/v1/token"
_PART = re.compile(r"[A-Za-z0-9_-]{1,8192}")
_COORDINATE = re.compile(r"[A-Za-z0-9_-]{43}")
_SIGNATURE_BYTES = 64


def require_proof(proof: str) -> str:
    """Return the thumbprint (RFC 7638) of the key with which a ``DPoP`` header was signed for this request.

    The client writes whole the address that it called; behind a proxy that is another host, so only its path
    is compared.
    """
    parts = proof.split(".")
    if len(parts) != 3 or not all(_PART.fullmatch(part) for part in parts):
        raise _bad_proof("it must be a JWT: three parts of base64url")
    head, claims = _object(parts[0]), _object(parts[1])
    if (head.get("typ"), head.get("alg")) != ("dpop+jwt", "ES256"):
        raise _bad_proof("its header must have typ dpop+jwt and alg ES256")
    key = _public_key(head.get("jwk"))
    _require_signature(key, f"{parts[0]}.{parts[1]}".encode(), _decoded(parts[2]))
    _require_claims(claims)
    jwk: dict[str, Any] = head["jwk"]
    text = json.dumps({name: jwk[name] for name in ("crv", "kty", "x", "y")}, separators=(",", ":"))
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


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


def _public_key(jwk: Any) -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415  only `aws login` waits for it

    is_known = isinstance(jwk, dict) and (jwk.get("kty"), jwk.get("crv")) == ("EC", "P-256")
    if not is_known or not all(_is_coordinate(jwk.get(name)) for name in ("x", "y")):
        raise _bad_proof("its jwk must be an EC key on the curve P-256")
    x, y = (int.from_bytes(_decoded(jwk[name])) for name in ("x", "y"))
    try:
        return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    except ValueError:
        raise _bad_proof("its jwk is no point of the curve P-256") from None


def _is_coordinate(text: Any) -> bool:
    return isinstance(text, str) and _COORDINATE.fullmatch(text) is not None


def _require_signature(key: Any, signed: bytes, signature: bytes) -> None:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, utils  # noqa: PLC0415

    if len(signature) != _SIGNATURE_BYTES:
        raise _bad_proof("its signature must have 64 bytes")
    middle = _SIGNATURE_BYTES // 2
    numbers = int.from_bytes(signature[:middle]), int.from_bytes(signature[middle:])
    try:
        key.verify(utils.encode_dss_signature(*numbers), signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise _bad_proof("its signature is not one of the key in it") from None


def _object(part: str) -> dict[str, Any]:
    try:
        value = parse_json(_decoded(part))
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise _bad_proof("its parts must be JSON objects")
    return value


def _decoded(part: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        raise _bad_proof("its parts must be base64url") from None


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
