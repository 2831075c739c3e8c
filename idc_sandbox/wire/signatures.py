"""Who signed a request: version 4 in headers and URLs, and S3's older URLs, which boto3 makes by default."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache, lru_cache, partial
from typing import Any
from urllib.parse import quote, unquote

from idc_sandbox.context import AwsServices, IssuedKey, Signature
from idc_sandbox.errors import Request, ServiceError
from idc_sandbox.packaged import packaged_text
from idc_sandbox.wire.models import region_names
from idc_sandbox.wire.protocols import is_query_request, query_parameters
from idc_sandbox.wire.registry import SERVICE_OF_TARGET_PREFIX, SIGNING_NAMES

ALGORITHM = "AWS4-HMAC-SHA256"
_invalid_signature = partial(ServiceError, "InvalidSignatureException")
_incomplete_signature = partial(ServiceError, "IncompleteSignatureException")
_too_skewed = partial(ServiceError, "RequestTimeTooSkewed")  # S3's code; the others have another for it


@dataclass(frozen=True)
class Claim:
    """What a request says about its signature; nothing of it is believed before the signature is checked."""

    access_key_id: str
    date: str
    region: str
    service_name: str
    signed_headers: Sequence[str]
    signature: str
    timestamp: str
    session_token: str | None
    expires_s: int | None = None

    @property
    def scope(self) -> str:
        """The credential scope, ``DATE/REGION/SERVICE/aws4_request``."""
        return f"{self.date}/{self.region}/{self.service_name}/aws4_request"


def signature_v4(claim: Claim, request: Request, payload_hash: str, secret: str) -> str:
    """Return the signature (64 hex digits) that a request must have when it was signed with `secret`."""
    canonical_hash = hashlib.sha256(canonical_request(claim, request, payload_hash).encode()).hexdigest()
    text = "\n".join([ALGORITHM, claim.timestamp, claim.scope, canonical_hash])
    return hmac.new(signing_key(claim, secret), text.encode(), hashlib.sha256).hexdigest()


def signing_key(claim: Claim, secret: str) -> bytes:
    """Return the key of a claim's day, Region and service."""
    return _derived_key(secret, claim.date, claim.region, claim.service_name)


@lru_cache(maxsize=256)  # a client signs a day's requests with the same ones
def _derived_key(secret: str, *parts: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (*parts, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def canonical_request(claim: Claim, request: Request, payload_hash: str) -> str:
    """Return the text over which a request is signed."""
    headers = "".join(
        f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in claim.signed_headers
    )
    return "\n".join(
        [
            request.method,
            _canonical_path(request.path, claim.service_name),
            _canonical_query(request.query),
            headers,
            ";".join(claim.signed_headers),
            payload_hash,
        ]
    )


def _canonical_path(path: str, service_name: str) -> str:
    """Return the path as it is signed: S3 takes it as sent, all others encode it once more."""
    if service_name == "s3":
        return quote(unquote(path, errors="surrogateescape"), safe="/-_.~", errors="surrogateescape") or "/"
    return quote(path, safe="/-_.~") or "/"


def _canonical_query(query: str) -> str:
    pairs = [part.partition("=")[::2] for part in query.split("&")] if query else []
    signed = sorted((_encode(name), _encode(value)) for name, value in pairs if name != "X-Amz-Signature")
    return "&".join(f"{name}={value}" for name, value in signed)


def _encode(text: str) -> str:
    return quote(unquote(text, errors="surrogateescape"), safe="-_.~", errors="surrogateescape")


@cache
def _signed_names() -> frozenset[str]:
    """Return the query parameters that are part of what S3's older signature covers."""
    return frozenset(packaged_text("data/s3_signed_parameters.txt").split())


def url_signature_v2(request: Request, expires: str, secret: str, session_token: str | None) -> str:
    """Return the signature that S3's older kind of signed URL must have."""
    # Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html
    parameters = [part.partition("=")[::2] for part in request.query.split("&") if part]
    stated = {name: unquote(value.replace("+", " ")) for name, value in parameters}
    stated |= request.headers
    amazon = {name: value.strip() for name, value in stated.items() if name.startswith("x-amz-")}
    if session_token is not None:
        amazon["x-amz-security-token"] = session_token
    covered = sorted((name, value) for name, value in parameters if name in _signed_names())
    subresource = "&".join(f"{name}={unquote(value)}" if value else name for name, value in covered)
    text = "\n".join(
        [
            request.method,
            stated.get("content-md5", ""),
            stated.get("content-type", ""),
            expires,
            *(f"{name}:{value}" for name, value in sorted(amazon.items())),
            f"{request.path}?{subresource}" if subresource else request.path,
        ]
    )
    digest = hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


# Bodies that S3 takes in chunks, ``aws-chunked``: each is signed over the signature of the one before.

SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_WITH_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_WITH_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
KINDS = (SIGNED, SIGNED_WITH_TRAILER, UNSIGNED_WITH_TRAILER)
_HEAD = re.compile(rb"([0-9a-fA-F]{1,16})(?:;chunk-signature=([0-9a-f]{64}))?\r\n")
_EMPTY = hashlib.sha256(b"").hexdigest()


def check_chunks(kind: str, claim: Claim, request: Request, secret: str) -> None:
    """Refuse a body that is not in whole chunks, of the stated length and signed as claimed."""
    chunks, trailer = _read(request.body)
    stated = request.headers.get("x-amz-decoded-content-length", "")
    found = sum(len(data) for data, _ in chunks)
    if not re.fullmatch("[0-9]{1,18}", stated):
        raise ServiceError(
            "MissingContentLength",
            f"You must provide the x-amz-decoded-content-length HTTP header, a number; found {stated!r}.",
            status=411,
        )
    if int(stated) != found:
        raise _incomplete(f"x-amz-decoded-content-length says {stated} bytes, the chunks have {found}")
    if kind != UNSIGNED_WITH_TRAILER:
        _check_signatures(kind, claim, chunks, trailer, secret)


def _read(body: bytes) -> tuple[list[tuple[bytes, str]], bytes]:
    """Return the chunks of a body with their signatures, the empty last one too, and what trails them."""
    chunks, position = [], 0
    while True:
        head = _HEAD.match(body, position)
        if head is None:
            raise _incomplete(f"no chunk begins at byte {position}")
        size, start = int(head[1], 16), head.end()
        data = body[start : start + size]
        chunks.append((data, (head[2] or b"").decode()))
        if size == 0:
            return chunks, body[start:]
        position = start + size + 2
        if len(data) != size or body[start + size : position] != b"\r\n":
            raise _incomplete(f"the chunk at byte {head.start()} ends early")


def _check_signatures(
    kind: str, claim: Claim, chunks: list[tuple[bytes, str]], trailer: bytes, secret: str
) -> None:
    key, before = signing_key(claim, secret), claim.signature

    def check(what: str, digest: str, stated: str) -> str:
        text = f"AWS4-HMAC-SHA256-{what}\n{claim.timestamp}\n{claim.scope}\n{before}\n{digest}"
        expected = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        if not _is_same(expected, stated):
            raise _invalid_signature(
                "The request signature we calculated does not match the signature you provided: a chunk of "
                "the body is not what was signed.",
            )
        return expected

    for data, signature in chunks:
        before = check("PAYLOAD", f"{_EMPTY}\n{hashlib.sha256(data).hexdigest()}", signature)
    if kind == SIGNED_WITH_TRAILER:
        covered, stated = _trailer(trailer)
        check("TRAILER", hashlib.sha256(covered).hexdigest(), stated)


def _trailer(text: bytes) -> tuple[bytes, str]:
    """Return what a trailer's signature covers, and that signature."""
    prefix = b"x-amz-trailer-signature:"
    lines = [line.strip() for line in text.split(b"\r\n") if line.strip()]
    covered = b"".join(line + b"\n" for line in lines if not line.startswith(prefix))
    stated = [line.removeprefix(prefix).strip() for line in lines if line.startswith(prefix)]
    return covered, stated[-1].decode("latin-1") if stated else ""


def _incomplete(reason: str) -> ServiceError:
    message = f"The request body terminated unexpectedly: {reason}."
    return ServiceError("IncompleteBody", message)


LONGEST_URL_S = 7 * 86_400
_TIMESTAMP = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_HEADER_PARTS = ("Credential", "Signature", "SignedHeaders")
_SERVICE_OF_TARGET = {
    **{prefix: SIGNING_NAMES[name] for prefix, name in SERVICE_OF_TARGET_PREFIX.items()},
    "AWSOrganizationsV20161128": "organizations",
}
_SERVICE_OF_VERSION = {"2011-06-15": "sts", "2010-05-08": "iam"}
_ANSWERED = {*_SERVICE_OF_TARGET.values(), *_SERVICE_OF_VERSION.values(), "s3"}
# Clients sign these with `aws-global` where an endpoint is given to them; AWS's own endpoints are us-east-1.
_GLOBAL_SERVICES = ("iam", "organizations", "sts")


def header_claim(request: Request, authorization: str) -> Claim:
    """Return the claim of an ``Authorization`` header."""
    fields = authorization.removeprefix(ALGORITHM).split(",")
    parts = dict(field.strip().partition("=")[::2] for field in fields if "=" in field)
    missing = [name for name in _HEADER_PARTS if not parts.get(name)]
    problems = [f"Authorization header requires '{name}' parameter." for name in missing]
    timestamp = request.headers.get("x-amz-date") or _timestamp_of_date(request.headers.get("date"))
    if timestamp is None:
        problems.append(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
        )
    if problems:
        raise _incomplete_signature(" ".join(problems))
    return _claim(
        parts["Credential"],
        signed_headers=parts["SignedHeaders"].split(";"),
        signature=parts["Signature"],
        timestamp=timestamp or "",
        session_token=request.headers.get("x-amz-security-token"),
    )


def url_claim(parameters: dict[str, str]) -> Claim:
    """Return the claim of a signed URL; `parameters` are those of its query."""
    expires = parameters.get("X-Amz-Expires", "")
    if not re.fullmatch("[0-9]{1,6}", expires) or not 1 <= int(expires) <= LONGEST_URL_S:
        raise ServiceError(
            "AuthorizationQueryParametersError",
            f"X-Amz-Expires must be a number of seconds from 1 to {LONGEST_URL_S}, found {expires!r}.",
        )
    names = ("X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date")
    if missing := [name for name in names if not parameters.get(name)]:
        raise _incomplete_signature(
            " ".join(f"AWS query-string parameters must include '{name}'." for name in missing)
        )
    return _claim(
        parameters["X-Amz-Credential"],
        signed_headers=parameters["X-Amz-SignedHeaders"].split(";"),
        signature=parameters["X-Amz-Signature"],
        timestamp=parameters["X-Amz-Date"],
        session_token=parameters.get("X-Amz-Security-Token"),
        expires_s=int(expires),
    )


def _timestamp_of_date(date: str | None) -> str | None:
    """Return what a client signs for a ``Date`` header, which stands in for X-Amz-Date."""
    try:
        return parsedate_to_datetime(date or "").astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    except (ValueError, OverflowError):
        return None


def _claim(credential: str, *, timestamp: str, **parts: Any) -> Claim:
    scope = credential.split("/")
    if len(scope) != 5:
        raise _incomplete_signature(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
            f"got {credential!r}."
        )
    access_key_id, date, region, service_name, terminator = scope
    if terminator != "aws4_request":
        raise _incomplete_signature(
            f"Credential should be scoped with a valid terminator: 'aws4_request', not {terminator!r}."
        )
    if not _TIMESTAMP.fullmatch(timestamp):
        raise _incomplete_signature(
            f"Date must be in ISO-8601 'basic format'. Got {timestamp!r}; it looks like 20260131T235959Z."
        )
    if date != timestamp[:8]:
        raise _incomplete_signature(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"{date!r} != {timestamp[:8]!r}, from {timestamp!r}."
        )
    return Claim(access_key_id, date, region, service_name, timestamp=timestamp, **parts)


def signed_region(claim: Claim) -> str:
    """Return the Region that a claim is for."""
    is_global = claim.region == "aws-global" and claim.service_name in _GLOBAL_SERVICES
    return "us-east-1" if is_global else claim.region


def require_scope(claim: Claim, request: Request, service_name: str | None = None) -> None:
    """Refuse a signature for another service than the one that a request asks, or for no Region of AWS's."""
    wanted = service_name or addressed_service(request, claim.service_name)
    require_service(claim.service_name, wanted)
    if signed_region(claim) in region_names():
        return
    if wanted == "s3":
        raise ServiceError(
            "AuthorizationHeaderMalformed",
            f"The authorization header is malformed; the region '{claim.region}' is wrong; expecting "
            "'us-east-1' or another Region of AWS's.",
        )
    raise _invalid_signature(f"Credential should be scoped to a valid Region, not '{claim.region}'.")


def require_service(signed_service: str, wanted: str) -> None:
    """Refuse a signature for one service where another is asked."""
    if signed_service != wanted:
        raise _invalid_signature(f"Credential should be scoped to correct service: '{wanted}'.")


def addressed_service(request: Request, signed_service: str) -> str:
    """Return the signing name of the service that a request is for; one that names none is as signed."""
    target = request.headers.get("x-amz-target", "").rpartition(".")[0]
    if target in _SERVICE_OF_TARGET:
        return _SERVICE_OF_TARGET[target]
    if signed_service in _ANSWERED and is_query_request(request):
        return _SERVICE_OF_VERSION.get(request.form.get("Version", ""), signed_service)
    return signed_service


_CLOCK_SKEW_S = 15 * 60
_UNSIGNED = "UNSIGNED-PAYLOAD"  # S3 alone allows it


def authenticate(request: Request, double: AwsServices, service_name: str | None = None) -> Signature:
    """Return who signed a request, for which Region and service."""
    # Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-authentication-methods.html
    claim, parameters = _read_claim(request), query_parameters(request)
    if claim is not None:
        return _check_v4(request, double, claim, service_name)
    if "AWSAccessKeyId" in parameters and "Signature" in parameters:
        return _check_v2(request, double, parameters)
    if is_query_request(request):
        require_offered(f"sts:{request.form.get('Action')}")
    raise ServiceError(
        "MissingAuthenticationTokenException",
        "Request is missing Authentication Token. Sign it with the key that `idc sandbox env` prints.",
    )


# Clients do not sign these. moto believes any assertion, and would hand out every role to the one who asks.
_NOT_OFFERED = {
    "sts:AssumeRoleWithSAML": "use sts:AssumeRole; the sandbox does not check assertions",
    "sts:AssumeRoleWithWebIdentity": "use sts:AssumeRole; the sandbox does not check web identities",
}


def require_offered(action: str) -> None:
    """Refuse an action that the sandbox leaves out, signed or not."""
    if action in _NOT_OFFERED:
        raise ServiceError(
            "AccessDeniedException", f"The sandbox does not offer {action}: {_NOT_OFFERED[action]}."
        )


def has_signed_head(request: Request, double: AwsServices) -> bool:
    """Tell whether a key of ours signed what comes before a body that is not read yet."""
    try:
        claim = _read_claim(request)
        if claim is None:
            return authenticate(request, double) is not None
        key = _issued_key(double, claim.access_key_id, claim.session_token)
        stated = request.headers.get("x-amz-content-sha256", _UNSIGNED)
        return _is_same(signature_v4(claim, request, stated, key.secret), claim.signature)
    except ServiceError:
        return False


def _read_claim(request: Request) -> Claim | None:
    """Return the claim of a signature of version 4, or None."""
    authorization, parameters = request.headers.get("authorization", ""), query_parameters(request)
    if authorization.startswith(ALGORITHM):
        return header_claim(request, authorization)
    return url_claim(parameters) if parameters.get("X-Amz-Algorithm") == ALGORITHM else None


def _check_v4(request: Request, double: AwsServices, claim: Claim, service_name: str | None) -> Signature:
    key = _issued_key(double, claim.access_key_id, claim.session_token)
    _check_signed_headers(request, claim)
    require_scope(claim, request, service_name)
    _check_time(claim)
    payload_hash = _payload_hash(request, claim)
    if not _is_same(signature_v4(claim, request, payload_hash, key.secret), claim.signature):
        raise _mismatch()
    if payload_hash in KINDS:
        check_chunks(payload_hash, claim, request, key.secret)
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
        signed_at = datetime.fromisoformat(claim.timestamp).timestamp()
    except ValueError:
        raise _incomplete_signature(f"There is no such time as {claim.timestamp!r}.") from None
    now = time.time()
    if claim.expires_s is not None and now > signed_at + claim.expires_s:
        raise ServiceError("AccessDenied", "Request has expired: make a new signed URL.", status=403)
    if signed_at > now + _CLOCK_SKEW_S:
        raise _too_skewed(
            f"Signature not yet current: {claim.timestamp} is still later than {_stamp(now + _CLOCK_SKEW_S)} "
            f"({_stamp(now)} + 15 min.). Set this machine's clock."
        )
    if claim.expires_s is None and signed_at < now - _CLOCK_SKEW_S:
        raise _too_skewed(
            f"Signature expired: {claim.timestamp} is now earlier than {_stamp(now - _CLOCK_SKEW_S)} "
            f"({_stamp(now)} - 15 min.). Sign the request again, with the right time."
        )


def _stamp(moment: float) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(moment))


def _check_signed_headers(request: Request, claim: Claim) -> None:
    """Refuse headers that carry meaning and that anybody could have added."""
    if "host" not in claim.signed_headers:
        raise _invalid_signature(
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
        raise _invalid_signature(
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
        if stated == _UNSIGNED or stated in KINDS:
            return stated
        if not re.fullmatch("[0-9a-f]{64}", stated):
            raise ServiceError(
                "InvalidArgument",
                f"x-amz-content-sha256 must be {_UNSIGNED}, {', '.join(KINDS)}, or a valid sha256 value.",
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
    return _invalid_signature(
        "The request signature we calculated does not match the signature you provided. Check your AWS "
        "Secret Access Key and signing method.",
    )
