"""Connections: in clear or over TLS; requests read and answers sent; how long one may stay half-open."""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from idc_sandbox.errors import Request, Response, ServiceError

if TYPE_CHECKING:  # the pages bring Starlette, and no start waits for it
    from starlette.types import Receive, Scope, Send

LARGEST_UNSIGNED_BODY = 1024 * 1024
# What is beyond is read for a while and thrown away, so that a client that is sending hears the refusal.
_MOST_THROWN_AWAY = 8 * 1024 * 1024


class ClientGoneError(Exception):
    """The client has gone before its request was whole: nobody waits for an answer."""


class TooLargeBodyError(ServiceError):
    """More than may be read into memory; carries the request without its body."""

    def __init__(self, head: Request, limit: int) -> None:
        message = f"The sandbox takes at most {limit} bytes from the sender of this request."
        super().__init__("EntityTooLarge", message, status=413)
        self.head = head


async def read_request(
    scope: Scope, receive: Receive, is_ours: Callable[[Request], bool], *, largest: int
) -> Request:
    """Return a whole request."""
    head, limit = read_head(scope), min(LARGEST_UNSIGNED_BODY, largest)
    size, declared = 0, head.headers.get("content-length", "")
    kept: list[bytes] = []
    is_over = re.fullmatch("[0-9]{1,18}", declared) is not None and int(declared) > limit
    if is_over and await asyncio.to_thread(is_ours, head):
        limit, is_over = largest, int(declared) > largest
    if is_over and "expect" in head.headers:
        raise TooLargeBodyError(head, limit)
    async for piece in _pieces(receive):
        size += len(piece)
        if not is_over and size > limit:  # it comes in chunks, and did not say how many
            is_known = limit < largest and await asyncio.to_thread(is_ours, head)
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
    return replace(head, body=b"".join(kept))


async def _pieces(receive: Receive) -> AsyncIterator[bytes]:
    """Yield a body as it comes; a client that goes before it is whole is gone."""
    has_more = True
    while has_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        has_more = message.get("more_body", False)
        yield message.get("body", b"")


def read_head(scope: Scope) -> Request:
    """Return a request without its body, which is still to come."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
    client = scope.get("client")  # none at the owner's door
    named = {"address": client[0]} if client else {}
    return Request(scope["method"], path, query, headers, b"", **named)


async def send_answer(answer: Response, method: str, send: Send) -> None:
    """Send a whole answer."""
    headers = [(name.lower(), value) for name, value in answer.headers.items()]
    # The answer to HEAD says how long the body would be; moto knows, and there is no body to count.
    if method != "HEAD":
        headers = [item for item in headers if item[0] != "content-length"]
        if answer.status not in (204, 304):
            headers.append(("content-length", str(len(answer.body))))
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
    body = b"" if method == "HEAD" else answer.body
    await send({"type": "http.response.body", "body": body})


class AnsweringConnection(h11.Connection):
    """Holds the head of an answer back until its body begins: one write here, and one read at the client."""

    _head = b""

    def send(self, event: h11.Event) -> bytes | None:  # type: ignore[override]
        """Return what is to be written now; nothing for a head."""
        data = super().send(event)
        if isinstance(event, h11.Response):
            self._head = data or b""
            return b""
        if self._head and data is not None:
            data, self._head = self._head + data, b""
        return data


HEAD_S = 20.0  # from the connection, or from a further request's first byte, to the end of its head
BODY_PAUSE_S = 30.0  # without a byte of the body
BODY_S = 600.0  # for all of it


class PatientProtocol(H11Protocol):
    """uvicorn's protocol, which closes the connection when a request is not there in time: there are few."""

    _began_at: float | None = None  # when the head, or the body, that is awaited began
    _awaited: Any = None
    _timer: asyncio.TimerHandle | None = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.conn = AnsweringConnection(h11.SERVER)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect a request's head."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Take data, and expect what is still missing."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more."""
        self._expect_nothing()
        super().connection_lost(exc)

    def _watch(self) -> None:
        awaited = self.conn.their_state
        self._expect_nothing()
        if awaited not in (h11.IDLE, h11.SEND_BODY) or self.transport.is_closing():
            self._awaited = None
            return
        now = self.loop.time()
        if awaited is not self._awaited or self._began_at is None:
            self._awaited, self._began_at = awaited, now
        left_s = self._began_at + (HEAD_S if awaited is h11.IDLE else BODY_S) - now
        wait_s = left_s if awaited is h11.IDLE else min(left_s, BODY_PAUSE_S)
        self._timer = self.loop.call_later(max(0.0, wait_s), self._give_up)

    def _expect_nothing(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        # What is answered meanwhile is let finish: nothing more is read of this connection then.
        if self.conn.their_state is self._awaited and not self.transport.is_closing():
            self.transport.abort()


_HANDSHAKE = b"\x16"  # with which every TLS connection begins, and no HTTP request
logger = logging.getLogger(__name__)


def speaking_both(make_context: Callable[[], ssl.SSLContext]) -> type[PatientProtocol]:
    """Return the protocol of a server that speaks TLS to whoever begins with it; others notice nothing."""

    class _EitherProtocol(PatientProtocol):
        _is_begun = False
        _upgrade: asyncio.Task[None] | None = None
        _early = b""  # of the first request, decrypted before the connection is known to be

        def data_received(self, data: bytes) -> None:
            """Take data; the first tells whether the connection is encrypted."""
            if self._upgrade is not None:
                self._early += data
            elif self._is_begun or data[:1] != _HANDSHAKE:
                self._is_begun = True
                super().data_received(data)
            else:
                self._is_begun = True
                self.transport.pause_reading()
                self._upgrade = self.loop.create_task(self._speak_tls(data))

        async def _speak_tls(self, beginning: bytes) -> None:
            """Shake hands, and go on as on any connection."""
            transport = self.transport
            try:
                context = await asyncio.to_thread(make_context)
                # `start_tls` connects its own protocol first; behind that it gets what was read already.
                self.loop.call_soon(self.loop.call_soon, _hand_over, transport, beginning)
                encrypted = await self.loop.start_tls(
                    transport, self, context, server_side=True, ssl_handshake_timeout=HEAD_S
                )
            except Exception as error:
                if not isinstance(error, OSError):
                    logger.exception("TLS could not be spoken")
                transport.abort()
                self.connection_lost(error)
                return
            self._upgrade = None
            if encrypted is not None:
                self.connection_made(encrypted)
                if self._early:  # nothing would mean the end
                    self.data_received(self._early)

    return _EitherProtocol


def _hand_over(transport: asyncio.Transport, data: bytes) -> None:
    protocol = transport.get_protocol()
    if isinstance(protocol, asyncio.BufferedProtocol):
        buffer = protocol.get_buffer(len(data))
        buffer[: len(data)] = data  # type: ignore[index]
        protocol.buffer_updated(len(data))
