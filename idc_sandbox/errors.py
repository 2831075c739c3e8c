"""What the sandbox answers when it refuses, what stops it from starting, and JSON that is none.

ServiceError
    an answer to a client: AWS's error code, a message that helps, the right HTTP status
LastingRefusal
    one that keeps what was written before it
SandboxStartError
    the sandbox cannot start or be found; the message names the cause and the remedy
"""

from __future__ import annotations

import errno
import json
from dataclasses import dataclass, field
from typing import Any

DISK_FULL = (
    "The disk that holds the sandbox's state is full. Nothing was changed, and what was answered before is "
    "kept. Make room, then try again."
)
_SQLITE_FULL = 13
# Codes that are not "the request is wrong" (400). AWS's JSON services answer nearly every modelled error with
# 400.
_STATUS_OF_CODE = {
    "InternalServerException": 500,
    "AccessDeniedException": 400,
    "UnrecognizedClientException": 400,
    "ServiceUnavailableException": 503,
}


class ServiceError(Exception):
    """An error that a client receives in its service's protocol."""

    def __init__(self, code: str, message: str, *, status: int | None = None, **members: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status if status is not None else _STATUS_OF_CODE.get(code, 400)
        self.members = members


class LastingRefusal(ServiceError):  # noqa: N818  no defect: an answer
    """A refusal that leaves something behind: what its handler wrote before it is kept.

    Such as that a stolen token was seen. Any other refusal undoes what its request did.
    """


def validation_error(message: str, **members: Any) -> ServiceError:
    """Return the error for a request that breaks a rule of the API."""
    return ServiceError("ValidationException", message, **members)


def not_found(message: str, **members: Any) -> ServiceError:
    """Return the error for something that does not exist."""
    return ServiceError("ResourceNotFoundException", message, **members)


def conflict(message: str, **members: Any) -> ServiceError:
    """Return the error for a write that contradicts what is there."""
    return ServiceError("ConflictException", message, **members)


def access_denied(message: str, **members: Any) -> ServiceError:
    """Return the error for a caller who may not do this."""
    return ServiceError("AccessDeniedException", message, **members)


def quota_exceeded(message: str, **members: Any) -> ServiceError:
    """Return the error for a quota that is used up."""
    return ServiceError("ServiceQuotaExceededException", message, **members)


def is_disk_full(error: BaseException | None) -> bool:
    """Tell whether an error, or one that led to it, is that the disk has no room left."""
    while error is not None:
        is_sqlites = getattr(error, "sqlite_errorcode", 0) & 0xFF == _SQLITE_FULL
        if is_sqlites or (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)):
            return True
        error = error.__cause__ or error.__context__
    return False


class SandboxStartError(Exception):
    """The sandbox cannot start, stop or be found; the message says why and what to do."""


# An HTTP request and its answer, without a socket: what server, gateway and tests hand to each other.


@dataclass(frozen=True)
class Request:
    """An HTTP request."""

    method: str
    path: str
    query: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Response:
    """An HTTP answer, body whole."""

    status: int
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)


# JSON that others have sent: read without trusting its depth.

_DEEPEST = 100


def parse_json(text: str | bytes) -> Any:
    """Return what a JSON text says."""
    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False).encode()  # an escaped half of a character is no text
    except RecursionError:
        raise ValueError(f"it is nested more than {_DEEPEST} deep") from None
    level, depth = [value], 0
    while level := [inner for item in level for inner in _inside(item)]:
        depth += 1
        if depth > _DEEPEST:
            raise ValueError(f"it is nested more than {_DEEPEST} deep")
    return value


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
