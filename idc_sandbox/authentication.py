"""Who signed a request: nothing that a client says is believed before its signature has been checked.

Signatures of version 4 in headers and in URLs, and S3's older signed URLs, which boto3 makes by default.
"""

from __future__ import annotations

import calendar
import hashlib
import hmac
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from idc_sandbox.context import Caller
from idc_sandbox.errors import ServiceError
from idc_sandbox.messages import Request
from idc_sandbox.signatures import ALGORITHM, Claim, signature_v4, url_signature_v2

if TYPE_CHECKING:
    from idc_sandbox.aws_double import AwsDouble
    from idc_sandbox.aws_double.access_keys import IssuedKey

_CLOCK_SKEW_S = 15 * 60
_LONGEST_URL_S = 7 * 86_400
# The bodies of these are not covered by the signature, or chunk by chunk: S3 alone allows that.
_UNSIGNED_BODIES = {
    "UNSIGNED-PAYLOAD",
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
}


@dataclass(frozen=True)
class Signature:
    """A checked signature.

    Attributes
    ----------
    service_name
        The signing name: ``"sso"``, ``"identitystore"``, ``"s3"``, ``"sts"``, ``"iam"``, ``"organizations"``.
    """

    caller: Caller
    region: str
    service_name: str


def authenticate(request: Request, double: AwsDouble) -> Signature:
    """Return who signed a request, for which Region and service.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-authentication-methods.html

    Raises
    ------
    ServiceError
        ``MissingAuthenticationTokenException`` without a signature, ``UnrecognizedClientException`` for an
        unknown key or a wrong session token, ``ExpiredTokenException``, ``RequestExpired`` for a time that is
        off by more than 15 minutes, ``InvalidSignatureException`` for a signature or a body that does not
        fit.
    """
    authorization = request.headers.get("authorization", "")
    parameters = {name: values[0] for name, values in parse_qs(request.query, keep_blank_values=True).items()}
    if authorization.startswith(ALGORITHM):
        return _check_v4(request, double, _header_claim(request, authorization))
    if parameters.get("X-Amz-Algorithm") == ALGORITHM:
        return _check_v4(request, double, _url_claim(parameters))
    if "AWSAccessKeyId" in parameters and "Signature" in parameters:
        return _check_v2(request, double, parameters)
    raise ServiceError(
        "MissingAuthenticationTokenException",
        "Request is missing Authentication Token: sign it with the key that `idc sandbox env` prints.",
    )


def _header_claim(request: Request, authorization: str) -> Claim:
    fields = authorization.removeprefix(ALGORITHM).split(",")
    parts = dict(field.strip().partition("=")[::2] for field in fields if "=" in field)
    return _claim(
        parts.get("Credential", ""),
        signed_headers=parts.get("SignedHeaders", "").split(";"),
        signature=parts.get("Signature", ""),
        timestamp=request.headers.get("x-amz-date", ""),
        session_token=request.headers.get("x-amz-security-token"),
        expires_s=None,
    )


def _url_claim(parameters: dict[str, str]) -> Claim:
    expires = parameters.get("X-Amz-Expires", "")
    if not expires.isdecimal() or not 1 <= int(expires) <= _LONGEST_URL_S:
        raise ServiceError(
            "AuthorizationQueryParametersError",
            f"X-Amz-Expires must be a number of seconds from 1 to {_LONGEST_URL_S}, found {expires!r}.",
        )
    return _claim(
        parameters.get("X-Amz-Credential", ""),
        signed_headers=parameters.get("X-Amz-SignedHeaders", "").split(";"),
        signature=parameters.get("X-Amz-Signature", ""),
        timestamp=parameters.get("X-Amz-Date", ""),
        session_token=parameters.get("X-Amz-Security-Token"),
        expires_s=int(expires),
    )


def _claim(credential: str, *, signature: str, timestamp: str, **parts: Any) -> Claim:
    scope = credential.split("/")
    is_whole = len(scope) == 5 and scope[4] == "aws4_request" and signature
    if not is_whole or not timestamp.startswith(scope[1]):
        raise ServiceError(
            "IncompleteSignatureException",
            "The signature needs Credential=KEY/DATE/REGION/SERVICE/aws4_request, SignedHeaders, Signature, "
            "and X-Amz-Date of the same date.",
        )
    access_key_id, date, region, service_name, _ = scope
    return Claim(access_key_id, date, region, service_name, signature=signature, timestamp=timestamp, **parts)


def _check_v4(request: Request, double: AwsDouble, claim: Claim) -> Signature:
    key = _issued_key(double, claim.access_key_id, claim.session_token)
    _check_time(claim)
    _check_signed_headers(request, claim)
    payload_hash = _payload_hash(request, claim)
    if not hmac.compare_digest(signature_v4(claim, request, payload_hash, key.secret), claim.signature):
        raise _mismatch()
    _check_expiry(double, key)
    return Signature(key.caller, claim.region, claim.service_name)


def _check_v2(request: Request, double: AwsDouble, parameters: dict[str, str]) -> Signature:
    token = parameters.get("x-amz-security-token")
    key = _issued_key(double, parameters["AWSAccessKeyId"], token)
    expires = parameters.get("Expires", "")
    if not expires.isdecimal() or int(expires) < time.time():
        raise ServiceError("AccessDenied", f"Request has expired: Expires is {expires!r}.", status=403)
    expected = url_signature_v2(request, expires, key.secret, key.session_token)
    if not hmac.compare_digest(expected, parameters["Signature"]):
        raise _mismatch()
    _check_expiry(double, key)
    return Signature(key.caller, "us-east-1", "s3")


def _issued_key(double: AwsDouble, access_key_id: str, session_token: str | None) -> IssuedKey:
    key = double.secret_of(access_key_id)
    if key is None:
        raise ServiceError(
            "UnrecognizedClientException",
            "The security token included in the request is invalid: the sandbox has not issued this access "
            "key, or it is inactive. `idc sandbox env` prints the administrator's.",
        )
    is_same = hmac.compare_digest((key.session_token or "").encode(), (session_token or "").encode())
    if not is_same:
        raise ServiceError(
            "UnrecognizedClientException", "The security token included in the request is invalid."
        )
    return key


def _check_expiry(double: AwsDouble, key: IssuedKey) -> None:
    if key.expires_at is not None and key.expires_at <= double.now():
        raise ServiceError("ExpiredTokenException", "The security token included in the request is expired.")


def _check_time(claim: Claim) -> None:
    try:
        signed_at = calendar.timegm(time.strptime(claim.timestamp, "%Y%m%dT%H%M%SZ"))
    except ValueError:
        raise ServiceError(
            "IncompleteSignatureException",
            f"X-Amz-Date must look like 20260131T235959Z, found {claim.timestamp!r}.",
        ) from None
    now = time.time()
    if claim.expires_s is not None:
        if signed_at - _CLOCK_SKEW_S <= now <= signed_at + claim.expires_s:
            return
        raise ServiceError("AccessDenied", "Request has expired: make a new signed URL.", status=403)
    if abs(now - signed_at) > _CLOCK_SKEW_S:
        raise ServiceError(
            "RequestExpired",
            f"Signature expired: X-Amz-Date {claim.timestamp!r} is more than 15 minutes from this "
            "machine's time.",
        )


def _check_signed_headers(request: Request, claim: Claim) -> None:
    """Refuse headers that carry meaning and that anybody could have added."""
    needed = {name for name in request.headers if name.startswith("x-amz-")} | {"host"}
    needed -= {"x-amz-security-token"}  # the token itself is compared, so it needs no signature
    missing = sorted(needed - set(claim.signed_headers))
    if missing:
        raise ServiceError(
            "InvalidSignatureException",
            f"There were headers present in the request which were not signed: {', '.join(missing)}.",
        )


def _payload_hash(request: Request, claim: Claim) -> str:
    stated = request.headers.get("x-amz-content-sha256")
    if claim.service_name == "s3":
        if claim.expires_s is not None:
            return stated or "UNSIGNED-PAYLOAD"
        if stated in _UNSIGNED_BODIES:
            return stated
    actual = hashlib.sha256(request.body).hexdigest()
    if stated is not None and stated != actual:
        raise ServiceError(
            "XAmzContentSHA256Mismatch" if claim.service_name == "s3" else "InvalidSignatureException",
            "The provided x-amz-content-sha256 header does not match what was computed from the body.",
        )
    return actual


def _mismatch() -> ServiceError:
    return ServiceError(
        "InvalidSignatureException",
        "The request signature we calculated does not match the signature you provided. Check your AWS "
        "Secret Access Key and signing method.",
    )
