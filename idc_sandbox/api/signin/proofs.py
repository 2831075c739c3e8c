"""Proofs of possession (DPoP, RFC 9449): a refresh token is good only with the key that it was given to."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from typing import Any
from urllib.parse import urlsplit

from idc_sandbox.errors import ServiceError, parse_json, validation_error

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
