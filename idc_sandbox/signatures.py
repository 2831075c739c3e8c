"""AWS's signatures, computed as their owner would: nothing here knows keys or answers requests.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote

from idc_sandbox.messages import Request

ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True)
class Claim:
    """What a request says about its signature; nothing of it is believed before the signature is checked.

    Attributes
    ----------
    timestamp
        As in ``X-Amz-Date``: ``20260131T235959Z``.
    expires_s
        Seconds for which a signed URL holds; None for a signature in headers.
    """

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
    key = f"AWS4{secret}".encode()
    for part in (claim.date, claim.region, claim.service_name, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
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
    pairs = []
    for part in query.split("&") if query else []:
        name, _, value = part.partition("=")
        if name not in ("X-Amz-Signature",):
            pairs.append((_encode(name), _encode(value)))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _encode(text: str) -> str:
    return quote(unquote(text, errors="surrogateescape"), safe="-_.~", errors="surrogateescape")


# Query parameters that are part of what S3's older signature covers.
_SIGNED_PARAMETERS = frozenset(
    [
        "accelerate",
        "acl",
        "analytics",
        "cors",
        "delete",
        "encryption",
        "intelligent-tiering",
        "inventory",
        "legal-hold",
        "lifecycle",
        "location",
        "logging",
        "metrics",
        "notification",
        "object-lock",
        "ownershipControls",
        "partNumber",
        "policy",
        "policyStatus",
        "publicAccessBlock",
        "replication",
        "requestPayment",
        "response-cache-control",
        "response-content-disposition",
        "response-content-encoding",
        "response-content-language",
        "response-content-type",
        "response-expires",
        "restore",
        "retention",
        "select",
        "select-type",
        "storageClass",
        "tagging",
        "torrent",
        "uploadId",
        "uploads",
        "versionId",
        "versioning",
        "versions",
        "website",
    ]
)


def url_signature_v2(request: Request, expires: str, secret: str, session_token: str | None) -> str:
    """Return the signature that S3's older kind of signed URL must have, which boto3 makes by default.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html
    """
    parameters = [part.partition("=")[::2] for part in request.query.split("&") if part]
    stated = {name: unquote(value.replace("+", " ")) for name, value in parameters}
    stated |= request.headers
    amazon = {name: value.strip() for name, value in stated.items() if name.startswith("x-amz-")}
    if session_token is not None:
        amazon["x-amz-security-token"] = session_token
    text = "\n".join(
        [
            request.method,
            stated.get("content-md5", ""),
            stated.get("content-type", ""),
            expires,
            *(f"{name}:{value}" for name, value in sorted(amazon.items())),
            request.path + _signed_parameters(parameters),
        ]
    )
    digest = hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def _signed_parameters(parameters: Sequence[Sequence[str]]) -> str:
    covered = sorted((name, value) for name, value in parameters if name in _SIGNED_PARAMETERS)
    text = "&".join(f"{name}={unquote(value)}" if value else name for name, value in covered)
    return f"?{text}" if text else ""
