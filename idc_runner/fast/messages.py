"""Small JSON objects, with descriptors, over sockets between processes of one machine."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
from collections.abc import Sequence
from typing import Any

_LONGEST = 65_536  # of an order; what may be longer goes over the order's own socket
_MOST_DESCRIPTORS = 8

Object = dict[str, Any]


def send_order(control: socket.socket, order: Object, descriptors: Sequence[int] = ()) -> None:
    """Send an order and descriptors of this process in one piece."""
    socket.send_fds(control, [json.dumps(order).encode()], list(descriptors))


def receive_order(control: socket.socket) -> tuple[Object, list[int]] | None:
    """Return an order and its descriptors, now the caller's to close; None when the other side is gone."""
    try:
        data, descriptors, _flags, _address = socket.recv_fds(control, _LONGEST, _MOST_DESCRIPTORS)
    except ConnectionError:
        return None
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    return (json.loads(data), list(descriptors)) if data else None


class Lines:
    """Objects over a stream socket, a line each."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._rest = b""

    def send(self, value: Object) -> None:
        """Send an object."""
        self._connection.sendall(json.dumps(value).encode() + b"\n")

    def send_after_another(self, value: Object) -> None:
        """Send an object behind those of a sender that has ended, perhaps in the middle of a line."""
        self._connection.sendall(b"\n" + json.dumps(value).encode() + b"\n")

    def receive(self, timeout_s: float | None = None) -> Object | None:
        """Return the next object, or None when the other side is gone; torn lines are left out."""
        while (line := self._next_line(timeout_s)) is not None:
            with contextlib.suppress(ValueError):  # the one who sent it ended in the middle of it
                value: Object = json.loads(line)
                return value
        return None

    def _next_line(self, timeout_s: float | None) -> bytes | None:
        while b"\n" not in self._rest:
            self._connection.settimeout(timeout_s)
            try:
                data = self._connection.recv(_LONGEST)
            except ConnectionError:
                return None
            if not data:
                return None
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def is_open(self) -> bool:
        """Return whether the other side is still there."""
        poll = select.poll()
        poll.register(self._connection, select.POLLRDHUP)
        return not poll.poll(0)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
