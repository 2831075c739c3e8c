"""Connections on which a request never becomes whole end: otherwise they would use up all that there can be.

uvicorn ends a connection that is idle between two requests, and waits for ever for the rest of a request.
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S = 20.0  # from the connection, or from a further request's first byte, to the end of its head
BODY_PAUSE_S = 30.0  # without a byte of the body
BODY_S = 600.0  # for all of it


class PatientProtocol(H11Protocol):
    """uvicorn's protocol, which closes the connection when a request is not there in time."""

    _began_at: float | None = None  # when the head, or the body, that is awaited began
    _awaited: Any = None
    _timer: asyncio.TimerHandle | None = None

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
