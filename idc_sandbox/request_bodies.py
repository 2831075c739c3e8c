"""How much of a request is read into memory: little from a stranger, much from who signs with our key."""

from __future__ import annotations

import re
from collections.abc import Callable

from anyio import to_thread
from starlette.requests import Request as HttpRequest
from starlette.types import Receive, Scope

from idc_sandbox.errors import ServiceError
from idc_sandbox.messages import Request

LARGEST_UNSIGNED_BODY = 1024 * 1024
# What is beyond is read for a while and thrown away, so that a client that is sending hears the refusal.
_MOST_THROWN_AWAY = 8 * 1024 * 1024


class TooLargeBodyError(ServiceError):
    """More than may be read into memory; carries the request without its body."""

    def __init__(self, head: Request, limit: int) -> None:
        message = f"The sandbox takes at most {limit} bytes from the sender of this request."
        super().__init__("EntityTooLarge", message, status=413)
        self.head = head


async def read_request(
    scope: Scope, receive: Receive, is_ours: Callable[[Request], bool], *, largest: int
) -> Request:
    """Return a whole request.

    Parameters
    ----------
    is_ours
        Tells by a request's head whether it is signed with a key that the sandbox has issued; may block.
    largest
        Most bytes with a signature by a key that the sandbox has issued; without one 1 MiB at most.

    Raises
    ------
    TooLargeBodyError
        Before more than the limit was kept, and before a client that asks first has sent anything.
    starlette.requests.ClientDisconnect
        When the client has gone.
    """
    head, limit = _read_head(scope), min(LARGEST_UNSIGNED_BODY, largest)
    size, declared = 0, head.headers.get("content-length", "")
    kept: list[bytes] = []
    is_over = re.fullmatch("[0-9]{1,18}", declared) is not None and int(declared) > limit
    if is_over and await to_thread.run_sync(is_ours, head):
        limit, is_over = largest, int(declared) > largest
    if is_over and "expect" in head.headers:
        raise TooLargeBodyError(head, limit)
    async for piece in HttpRequest(scope, receive).stream():
        size += len(piece)
        if not is_over and size > limit:  # it comes in chunks, and did not say how many
            is_known = limit < largest and await to_thread.run_sync(is_ours, head)
            limit = largest if is_known else limit
            is_over = size > limit
        if not is_over:
            kept.append(piece)
        elif size > limit + _MOST_THROWN_AWAY:
            break
        else:
            kept.clear()
    if is_over:
        raise TooLargeBodyError(head, limit)
    return Request(head.method, head.path, head.query, head.headers, b"".join(kept))


def _read_head(scope: Scope) -> Request:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
    return Request(scope["method"], path, query, headers, b"")
