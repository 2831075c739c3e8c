"""What the sandbox answers when it refuses, what stops it from starting, and requests and answers whole."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any
from urllib.parse import parse_qs

FORM_CONTENT_TYPE = "application/x-www-form-urlencoded"

DISK_FULL = (
    "The disk that holds the sandbox's state is full. Nothing was changed, and what was answered before is "
    "kept. Make room, then try again."
)
_SQLITE_FULL = 13
# AWS's JSON services answer nearly every modelled error with 400.
_STATUS_OF_CODE = {"InternalServerException": 500, "ServiceUnavailableException": 503}


class ServiceError(Exception):
    """An error that a client receives in its service's protocol."""

    def __init__(self, code: str, message: str, *, status: int | None = None, **members: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status if status is not None else _STATUS_OF_CODE.get(code, 400)
        self.members = members


class LastingRefusal(ServiceError):  # noqa: N818  no defect: an answer
    """A refusal that keeps what its handler wrote, such as that a stolen token was seen; others undo it."""


class FetchFirst(Exception):  # noqa: N818  no defect: a request to whoever holds the transaction
    """An answer needs what takes time: outside of the transaction `fetch` is called, then it goes on."""

    def __init__(self, fetch: Callable[[], None]) -> None:
        super().__init__("something has to be fetched first")
        self.fetch = fetch


validation_error = partial(ServiceError, "ValidationException")
not_found = partial(ServiceError, "ResourceNotFoundException")
conflict = partial(ServiceError, "ConflictException")
access_denied = partial(ServiceError, "AccessDeniedException")
quota_exceeded = partial(ServiceError, "ServiceQuotaExceededException")


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


@dataclass(frozen=True)
class Request:
    """An HTTP request, without a socket: server, gateway and tests hand it to each other."""

    method: str
    path: str
    query: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    address: str = "127.0.0.1"  # where it came from

    @cached_property
    def form(self) -> dict[str, str]:
        """The first value of each parameter of a query-protocol request, from query or form body."""
        text = self.query
        if self.headers.get("content-type", "").startswith(FORM_CONTENT_TYPE):
            text = f"{text}&{self.body.decode('utf-8', 'replace')}"
        return {name: values[0] for name, values in parse_qs(text, keep_blank_values=True).items()}


@dataclass(frozen=True)
class Response:
    """An HTTP answer, body whole."""

    status: int
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)


_DEEPEST = 100


def check_seconds(name: str, value: Any, longest_s: float, hint: str = "") -> float:
    """Return a number of seconds between 0 and `longest_s`."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= longest_s:
        raise validation_error(
            f"{name} must be a number of seconds from 0 to {longest_s:.15g}, found {value!r}.{hint}"
        )
    return float(value)


def parse_json(text: str | bytes) -> Any:
    """Return what a JSON text of somebody else says, without trusting its depth."""
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


def json_object(body: bytes, code: str = "SerializationException") -> dict[str, Any]:
    """Return the JSON object in a request's body; an empty one without a body."""
    try:
        value = parse_json(body or b"{}")
    except ValueError as error:
        raise ServiceError(code, f"The body is not JSON: {error}.") from None
    if not isinstance(value, dict):
        raise ServiceError(code, f"The body must be a JSON object, found {type(value).__name__}.")
    return value


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
