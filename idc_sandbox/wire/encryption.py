"""HTTP in clear and over TLS on one port: the first byte of a connection tells which."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable

from anyio import to_thread

from idc_sandbox.wire.bodies import HEAD_S, PatientProtocol

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
                context = await to_thread.run_sync(make_context)
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
