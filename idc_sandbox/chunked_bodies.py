"""Bodies that S3 takes in chunks, ``aws-chunked``: each is signed over the signature of the one before.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass

from idc_sandbox.errors import ServiceError
from idc_sandbox.messages import Request
from idc_sandbox.signatures import Claim, signing_key

SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_WITH_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_WITH_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
KINDS = (SIGNED, SIGNED_WITH_TRAILER, UNSIGNED_WITH_TRAILER)
_HEAD = re.compile(rb"([0-9a-fA-F]{1,16})(?:;chunk-signature=([0-9a-f]{64}))?\r\n")
_EMPTY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True)
class _Chunk:
    data: bytes
    signature: str


def check_chunks(kind: str, claim: Claim, request: Request, secret: str) -> None:
    """Refuse a body that is not in whole chunks, has another length than stated, or is not signed as claimed.

    Raises
    ------
    ServiceError
        ``IncompleteBody``, ``MissingContentLength`` or ``InvalidSignatureException``.
    """
    chunks, trailer = _read(request.body)
    stated = request.headers.get("x-amz-decoded-content-length", "")
    found = sum(len(chunk.data) for chunk in chunks)
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


def _read(body: bytes) -> tuple[list[_Chunk], bytes]:
    """Return the chunks of a body, the empty last one included, and what trails them."""
    chunks, position = [], 0
    while True:
        head = _HEAD.match(body, position)
        if head is None:
            raise _incomplete(f"no chunk begins at byte {position}")
        size, start = int(head[1], 16), head.end()
        data = body[start : start + size]
        chunks.append(_Chunk(data, (head[2] or b"").decode()))
        if size == 0:
            return chunks, body[start:]
        position = start + size + 2
        if len(data) != size or body[start + size : position] != b"\r\n":
            raise _incomplete(f"the chunk at byte {head.start()} ends early")


def _check_signatures(kind: str, claim: Claim, chunks: list[_Chunk], trailer: bytes, secret: str) -> None:
    key, before = signing_key(claim, secret), claim.signature

    def check(what: str, digest: str, stated: str) -> str:
        text = f"AWS4-HMAC-SHA256-{what}\n{claim.timestamp}\n{claim.scope}\n{before}\n{digest}"
        expected = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected.encode(), stated.encode()):
            raise ServiceError(
                "InvalidSignatureException",
                "The request signature we calculated does not match the signature you provided: a chunk of "
                "the body is not what was signed.",
            )
        return expected

    for chunk in chunks:
        before = check("PAYLOAD", f"{_EMPTY}\n{hashlib.sha256(chunk.data).hexdigest()}", chunk.signature)
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
