"""Who signed a request: nothing that a client says is believed before its signature has been checked.

Signatures of version 4 in headers and in URLs, and S3's older signed URLs, which boto3 makes by default.
"""

from __future__ import annotations

import calendar
import hashlib
import hmac
import re
import time
from urllib.parse import parse_qs

from idc_sandbox import chunked_bodies
from idc_sandbox.claims import (
    addressed_service,
    header_claim,
    require_scope,
    require_service,
    signed_region,
    url_claim,
)
from idc_sandbox.context import AwsServices, IssuedKey, Signature
from idc_sandbox.errors import ServiceError
from idc_sandbox.messages import Request
from idc_sandbox.signatures import ALGORITHM, Claim, signature_v4, url_signature_v2

_CLOCK_SKEW_S = 15 * 60
_UNSIGNED = "UNSIGNED-PAYLOAD"  # S3 alone allows it


def authenticate(request: Request, double: AwsServices, service_name: str | None = None) -> Signature:
    """Return who signed a request, for which Region and service.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-authentication-methods.html

    Parameters
    ----------
    service_name
        The signing name of the service that is asked; None: what the request itself says.

    Raises
    ------
    ServiceError
        ``MissingAuthenticationTokenException`` without a signature, ``IncompleteSignatureException`` for half
        of one, ``UnrecognizedClientException`` for an unknown key or a wrong session token,
        ``ExpiredTokenException``, and ``InvalidSignatureException`` for a signature that does not fit, is for
        another service or no Region, or is more than 15 minutes old or early.
    """
    authorization = request.headers.get("authorization", "")
    parameters = {name: values[0] for name, values in parse_qs(request.query, keep_blank_values=True).items()}
    if authorization.startswith(ALGORITHM):
        return _check_v4(request, double, header_claim(request, authorization), service_name)
    if parameters.get("X-Amz-Algorithm") == ALGORITHM:
        return _check_v4(request, double, url_claim(parameters), service_name)
    if "AWSAccessKeyId" in parameters and "Signature" in parameters:
        return _check_v2(request, double, parameters)
    raise ServiceError(
        "MissingAuthenticationTokenException",
        "Request is missing Authentication Token. Sign it with the key that `idc sandbox env` prints.",
    )


def has_signed_head(request: Request, double: AwsServices) -> bool:
    """Tell whether a key of ours signed what comes before the body, with the body's hash where it is stated.

    For a body that is not read yet; `authenticate` checks everything once it is.
    """
    authorization = request.headers.get("authorization", "")
    parameters = {name: values[0] for name, values in parse_qs(request.query, keep_blank_values=True).items()}
    try:
        if "AWSAccessKeyId" in parameters and "Signature" in parameters:
            return _check_v2(request, double, parameters).service_name == "s3"
        is_header = authorization.startswith(ALGORITHM)
        claim = header_claim(request, authorization) if is_header else url_claim(parameters)
        key = _issued_key(double, claim.access_key_id, claim.session_token)
        stated = request.headers.get("x-amz-content-sha256", _UNSIGNED)
        return _is_same(signature_v4(claim, request, stated, key.secret), claim.signature)
    except ServiceError:
        return False


def _check_v4(request: Request, double: AwsServices, claim: Claim, service_name: str | None) -> Signature:
    key = _issued_key(double, claim.access_key_id, claim.session_token)
    _check_signed_headers(request, claim)
    require_scope(claim, request, service_name)
    _check_time(claim)
    payload_hash = _payload_hash(request, claim)
    if not _is_same(signature_v4(claim, request, payload_hash, key.secret), claim.signature):
        raise _mismatch()
    if payload_hash in chunked_bodies.KINDS:
        chunked_bodies.check_chunks(payload_hash, claim, request, key.secret)
    _check_expiry(double, key)
    return Signature(key.caller, signed_region(claim), claim.service_name)


def _check_v2(request: Request, double: AwsServices, parameters: dict[str, str]) -> Signature:
    token = parameters.get("x-amz-security-token")
    key = _issued_key(double, parameters["AWSAccessKeyId"], token)
    expires = parameters.get("Expires", "")
    if not re.fullmatch("[0-9]{1,12}", expires) or int(expires) < time.time():
        raise ServiceError("AccessDenied", f"Request has expired: Expires is {expires!r}.", status=403)
    expected = url_signature_v2(request, expires, key.secret, key.session_token)
    if not _is_same(expected, parameters["Signature"]):
        raise _mismatch()
    require_service("s3", addressed_service(request, "s3"))
    _check_expiry(double, key)
    return Signature(key.caller, "us-east-1", "s3")


def _issued_key(double: AwsServices, access_key_id: str, session_token: str | None) -> IssuedKey:
    key = double.secret_of(access_key_id)
    if key is None:
        raise ServiceError(
            "UnrecognizedClientException",
            "The security token included in the request is invalid. The sandbox has not issued this access "
            "key, or it is inactive; `idc sandbox env` prints the administrator's.",
        )
    if not _is_same(key.session_token or "", session_token or ""):
        raise ServiceError(
            "UnrecognizedClientException", "The security token included in the request is invalid."
        )
    return key


def _check_expiry(double: AwsServices, key: IssuedKey) -> None:
    if key.expires_at is not None and key.expires_at <= double.now():
        raise ServiceError("ExpiredTokenException", "The security token included in the request is expired.")


def _check_time(claim: Claim) -> None:
    try:
        signed_at = calendar.timegm(time.strptime(claim.timestamp, "%Y%m%dT%H%M%SZ"))
    except ValueError:
        raise ServiceError(
            "IncompleteSignatureException", f"There is no such time as {claim.timestamp!r}."
        ) from None
    now = time.time()
    if claim.expires_s is not None and now > signed_at + claim.expires_s:
        raise ServiceError("AccessDenied", "Request has expired: make a new signed URL.", status=403)
    # S3 has another code for it, which none of the others knows.
    code = "RequestTimeTooSkewed"
    if signed_at > now + _CLOCK_SKEW_S:
        limit = _stamp(now + _CLOCK_SKEW_S)
        raise ServiceError(
            code,
            f"Signature not yet current: {claim.timestamp} is still later than {limit} "
            f"({_stamp(now)} + 15 min.). Set this machine's clock.",
        )
    if claim.expires_s is None and signed_at < now - _CLOCK_SKEW_S:
        limit = _stamp(now - _CLOCK_SKEW_S)
        raise ServiceError(
            code,
            f"Signature expired: {claim.timestamp} is now earlier than {limit} ({_stamp(now)} - 15 min.). "
            "Sign the request again, with the right time.",
        )


def _stamp(moment: float) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(moment))


def _check_signed_headers(request: Request, claim: Claim) -> None:
    """Refuse headers that carry meaning and that anybody could have added."""
    if "host" not in claim.signed_headers:
        raise ServiceError(
            "InvalidSignatureException",
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
        )
    needed = {name for name in request.headers if name.startswith("x-amz-")}
    needed -= {"x-amz-security-token"}  # the token itself is compared, so it needs no signature
    if missing := sorted(needed - set(claim.signed_headers)):
        raise ServiceError(
            "AccessDenied" if claim.service_name == "s3" else "InvalidSignatureException",
            f"There were headers present in the request which were not signed: {', '.join(missing)}.",
            status=403,
        )
    if absent := sorted(set(claim.signed_headers) - set(request.headers)):
        raise ServiceError(
            "InvalidSignatureException",
            f"The signature names headers that the request does not have: {', '.join(absent)}.",
        )


def _payload_hash(request: Request, claim: Claim) -> str:
    """Return the hash over which a request was signed, once it is known to be that of the body."""
    stated = request.headers.get("x-amz-content-sha256")
    if claim.service_name == "s3":
        if claim.expires_s is not None:
            stated = stated or _UNSIGNED
        if stated is None:
            raise ServiceError(
                "InvalidRequest", "Missing required header for this request: x-amz-content-sha256"
            )
        if stated == _UNSIGNED or stated in chunked_bodies.KINDS:
            return stated
        if not re.fullmatch("[0-9a-f]{64}", stated):
            raise ServiceError(
                "InvalidArgument",
                f"x-amz-content-sha256 must be {_UNSIGNED}, {', '.join(chunked_bodies.KINDS)}, or a valid "
                "sha256 value.",
            )
    actual = hashlib.sha256(request.body).hexdigest()
    if stated is not None and stated != actual:
        raise ServiceError(
            "XAmzContentSHA256Mismatch" if claim.service_name == "s3" else "InvalidSignatureException",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        )
    return actual


def _is_same(expected: str, stated: str) -> bool:
    """Tell whether two texts are equal, in a time that does not say where they differ."""
    return hmac.compare_digest(expected.encode(), stated.encode("utf-8", "replace"))


def _mismatch() -> ServiceError:
    return ServiceError(
        "InvalidSignatureException",
        "The request signature we calculated does not match the signature you provided. Check your AWS "
        "Secret Access Key and signing method.",
    )
