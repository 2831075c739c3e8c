"""What every call needs: waiting, watchers of writes, threads, and answers to refusals."""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from idc_aws.errors import AccessDeniedError, WaitTimeoutError
from idc_aws.failures import error_code, error_message

T = TypeVar("T")
R = TypeVar("R")
K = TypeVar("K", bound=Hashable)

CONFLICT_TIMEOUT_S = 60.0
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0
_EXISTS = re.compile(
    r"already (exists|in use|taken|attached|assigned|enabled|a member)|duplicate|not unique", re.IGNORECASE
)


@dataclass(frozen=True)
class Timing:
    """The clock that waiting goes by; tests give one of their own."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random


# botocore has no waiter for Identity Center, and does not retry a ConflictException, which sso-admin answers
# while an earlier write has not spread yet.


def wait_until(
    read: Callable[[], T],
    is_done: Callable[[T], bool],
    *,
    timeout_s: float,
    what: str,
    longest_pause_s: float = _LONGEST_PAUSE_S,
    timing: Timing | None = None,
) -> T:
    """Read again and again until it is done, and return what was read last; the pauses grow."""
    timing = timing or Timing()
    deadline, pause_s = timing.clock() + timeout_s, _FIRST_PAUSE_S
    while True:
        status = read()
        if is_done(status):
            return status
        remaining_s = deadline - timing.clock()
        if remaining_s <= 0:
            raise WaitTimeoutError(
                f"waited {timeout_s:g} s for {what}; the last status was {status!r}",
                remedy="AWS may still be working on it: run again in a few minutes, completed work is kept.",
            )
        timing.sleep(min(pause_s, remaining_s))
        pause_s = min(pause_s * 1.6, longest_pause_s)


def is_spreading(error: ClientError) -> bool:
    """Return whether a refusal will pass by itself: an earlier write has not settled yet."""
    if error_code(error) != "ConflictException":
        return False
    reason = error.response.get("Reason")
    if reason is not None:
        return bool(reason == "CONCURRENT_MODIFICATION")
    return _EXISTS.search(error_message(error)) is None


def retry_conflicts(
    call: Callable[[], T],
    *,
    timeout_s: float = CONFLICT_TIMEOUT_S,
    is_retryable: Callable[[ClientError], bool] = is_spreading,
    timing: Timing | None = None,
) -> T:
    """Call, and call again while the refusal is one that passes; the pauses double, with jitter."""
    timing = timing or Timing()
    deadline, pause_s = timing.clock() + timeout_s, 2 * _FIRST_PAUSE_S
    while True:
        try:
            return call()
        except ClientError as error:
            remaining_s = deadline - timing.clock()
            if not is_retryable(error) or remaining_s <= 0:
                raise
            timing.sleep(min(pause_s * (0.5 + timing.jitter() / 2), remaining_s))
            pause_s = min(pause_s * 2, 4 * _LONGEST_PAUSE_S)


CONSOLE = "console"
"""The service name of what no API does: in the sandbox its console does it, on AWS a person."""


@dataclass(frozen=True)
class Call:
    """One call that writes; `makes` has placeholders of what it makes, with their places in the answer."""

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
    """Tell a watcher of every call that writes within the block, just before it is sent: it may raise."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


def about_to_send(call: Call) -> None:
    """Tell the watcher, if there is one, of a call that is about to be sent."""
    watcher = _watcher.get()
    if watcher is not None:
        watcher(call)


def once(kept: dict[Any, Any], key: Hashable, read: Callable[[], T]) -> T:
    """Return what is kept under a key, read now where nothing is."""
    if key not in kept:
        kept[key] = read()
    found: T = kept[key]
    return found


class Look:
    """What was read within one look, until the first write ends it."""

    def __init__(self, *, is_whole: bool = False) -> None:
        self.has_ended = False
        self.is_whole = is_whole
        self._answers: dict[str, Any] = {}
        self._lock = threading.Lock()

    def once(self, name: str, read: Callable[[], T]) -> T:
        """Return what was read under this name, read now where it was not."""
        if name not in self._answers:
            answer = read()
            with self._lock:
                return self._answers.setdefault(name, answer)
        found: T = self._answers[name]
        return found


_look: ContextVar[Look | None] = ContextVar("look at the target", default=None)


@contextmanager
def one_look(*, is_whole: bool = False) -> Iterator[None]:
    """Ask for the same thing once within the block, such as a plan; a look within a look is the same one.

    The first write, or `end_look`, ends it: what is read from then on is asked for each time. In a whole
    look everything will be read, so some of it is read in the way that serves all of it.
    """
    if current_look() is not None:
        yield
        return
    token = _look.set(Look(is_whole=is_whole))
    try:
        yield
    finally:
        _look.reset(token)


def current_look() -> Look | None:
    """Return the look that this block is in, or None."""
    look = _look.get()
    return None if look is None or look.has_ended else look


def is_whole_look() -> bool:
    """Tell whether this block is in a look in which everything will be read."""
    look = current_look()
    return look is not None and look.is_whole


def end_look() -> None:
    """Ask anew for everything from now on: something is about to be written."""
    if (look := _look.get()) is not None:
        look.has_ended = True


READERS = 16


def in_threads(function: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Return what a function gives for each item, in order; for reads, whose time is spent waiting."""
    listed = list(items)
    if len(listed) < 2:
        return [function(item) for item in listed]
    with ThreadPoolExecutor(max_workers=min(READERS, len(listed))) as executor:
        # Each has the look and the watcher of its caller.
        running = [executor.submit(copy_context().run, function, item) for item in listed]
        try:
            return [one.result() for one in running]
        finally:
            for one in running:
                one.cancel()


def both(first: Callable[[], T], second: Callable[[], R]) -> tuple[T, R]:
    """Return what two reads give that are made at the same time; the first one's failure comes first."""
    with ThreadPoolExecutor(max_workers=1) as executor:
        running = executor.submit(copy_context().run, second)
        return first(), running.result()


def by_key(function: Callable[[K], R], keys: Iterable[K]) -> dict[K, R]:
    """Return what a function gives for each key, as `in_threads` asks for it."""
    listed = list(dict.fromkeys(keys))
    return dict(zip(listed, in_threads(function, listed), strict=True))


def grouped(pairs: Iterable[tuple[K, T]]) -> dict[K, list[T]]:
    """Return the second ones of pairs by their first ones, in their order."""
    found: dict[K, list[T]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found


_NOT_FOUND = "ResourceNotFoundException"
NO_SUCH_ID = (_NOT_FOUND, "ValidationException")
"""What AWS answers to an id that there is not, or that is none at all."""
NOT_IN_ORGANIZATION = ("AWSOrganizationsNotInUseException",)


def found_or_none(
    call: Callable[..., T], *arguments: Any, codes: Collection[str] = (_NOT_FOUND,), **request: Any
) -> T | None:
    """Return a call's answer, or None where AWS says that there is no such thing."""
    try:
        return call(*arguments, **request)
    except ClientError as error:
        if error_code(error) in codes:
            return None
        raise


def known_or_none(call: Callable[..., T], *arguments: Any, **request: Any) -> T | None:
    """Return a call's answer, or None where this one thing is gone or may not be read, as others' may not."""
    try:
        return found_or_none(call, *arguments, codes=NO_SUCH_ID, **request)
    except AccessDeniedError:
        return None
