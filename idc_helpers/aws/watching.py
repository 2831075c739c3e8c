"""Calls that write, told to whoever watches just before each is sent: to show it, or to stop there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

CONSOLE = "console"
"""The service name of what no API does: in the sandbox its console does it, on AWS a person."""


@dataclass(frozen=True)
class Call:
    """One call that writes.

    Attributes
    ----------
    service_name, operation_name
        As boto3 and AWS name them, such as ``"identitystore"`` and ``"CreateGroup"``; for `CONSOLE`, what is
        done there in words.
    request
        The parameters.
    makes
        For a call that was rehearsed: the placeholders that stand for what it will make, and where its answer
        will hold the real value, such as ``{"‹GroupId made by call 1›": "GroupId"}``.
    """

    service_name: str
    operation_name: str
    request: Mapping[str, Any]
    makes: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.service_name}: {self.operation_name}"


Watcher = Callable[[Call], None]
_watcher: ContextVar[Watcher | None] = ContextVar("watcher of writes", default=None)


@contextmanager
def watched_writes(watcher: Watcher) -> Iterator[None]:
    """Tell a watcher of every call that writes within the block, just before it is sent.

    Parameters
    ----------
    watcher
        Called in the thread that writes. What it raises is raised in place of the call, which is not sent.
    """
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


def about_to_call(call: Callable[..., Any], request: Mapping[str, Any]) -> None:
    """Tell the watcher, if there is one, of a client's method that is about to be called."""
    watcher = _watcher.get()
    client = getattr(call, "__self__", None)
    if watcher is None or client is None:
        return
    meta = client.meta
    watcher(Call(meta.service_model.service_name, meta.method_to_api_mapping[call.__name__], dict(request)))


def about_to_use_console(what: str, values: Mapping[str, Any]) -> None:
    """Tell the watcher, if there is one, of something that the sandbox's console is about to do."""
    watcher = _watcher.get()
    if watcher is not None:
        watcher(Call(CONSOLE, what, dict(values)))
