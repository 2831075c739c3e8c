"""An HTTP request and its answer, without a socket: what server, gateway and tests hand to each other."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Request:
    """An HTTP request.

    Attributes
    ----------
    method
        In capitals.
    path
        As it was sent, percent-encoded: signatures are made over these very characters.
    query
        As it was sent, without the question mark.
    headers
        Names in lower case.
    body
        Whole; never shown, because it may hold secrets.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Response:
    """An HTTP answer, body whole.

    Attributes
    ----------
    headers
        Names in any case; a ``Content-Length`` is added by whoever sends the answer.
    """

    status: int
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)
