"""What every call needs: waiting, watchers of writes, pages, threads, tags, and the writer.

botocore has no waiter for Identity Center, and does not retry ConflictException, which sso-admin answers
while an earlier write has not spread yet.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from botocore.exceptions import ClientError

from idc_aws.changes import WriteResult
from idc_aws.errors import AccessDeniedError, KitError, WaitTimeoutError
from idc_aws.failures import error_code, is_refusal

T = TypeVar("T")

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


def wait_until(
    read: Callable[[], T],
    is_done: Callable[[T], bool],
    *,
    timeout_s: float,
    what: str,
    timing: Timing | None = None,
) -> T:
    """Read again and again until it is done, and return what was read last.

    The pauses grow from a tenth of a second to two seconds.
    """
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
                remedy="AWS may still be at it: run again in a while, what is done is kept.",
            )
        timing.sleep(min(pause_s, remaining_s))
        pause_s = min(pause_s * 1.6, _LONGEST_PAUSE_S)


def is_spreading(error: ClientError) -> bool:
    """Return whether a refusal will pass by itself: an earlier write has not settled yet.

    "It exists already" never passes, and neither does identitystore's ``UNIQUENESS_CONSTRAINT_VIOLATION``.
    """
    if error.response.get("Error", {}).get("Code") != "ConflictException":
        return False
    reason = error.response.get("Reason")
    if reason is not None:
        return bool(reason == "CONCURRENT_MODIFICATION")
    return _EXISTS.search(error.response.get("Error", {}).get("Message", "")) is None


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


# Calls that write, reported to a watcher just before each is sent: to show it, or to stop there.

CONSOLE = "console"
"""The service name of what no API does: in the sandbox its console does it, on AWS a person."""


@dataclass(frozen=True)
class Call:
    """One call that writes."""

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
    """Tell a watcher of every call that writes within the block, just before it is sent."""
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


# Small things that every noun needs: pages, threads, tags, and calls that write.

R = TypeVar("R")

READERS = 8


def pages(client: Any, operation: str, list_name: str, **request: Any) -> Iterator[Any]:
    """Yield the items of all pages; a page may be empty and not the last."""
    for page in client.get_paginator(operation).paginate(**request):
        yield from page.get(list_name, [])


def in_threads(function: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Return what a function gives for each item, in order; for reads, whose time is spent waiting.

    The first exception is raised when all that have started are done.
    """
    listed = list(items)
    if len(listed) < 2:
        return [function(item) for item in listed]
    with ThreadPoolExecutor(max_workers=min(READERS, len(listed))) as executor:
        return list(executor.map(function, listed))


def found_or_none(call: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    """Return a call's answer, or None where AWS says that there is no such thing."""
    try:
        return call()
    except ClientError as error:
        if error_code(error) == "ResourceNotFoundException":
            return None
        raise


def known_or_none(call: Callable[[], T]) -> T | None:
    """Return a call's answer, or None where this one thing may not be read, or is not there any more.

    For lists of what others made: one such thing is no reason to show none.
    """
    try:
        return call()
    except AccessDeniedError:
        return None
    except ClientError as error:
        if error_code(error) in ("ResourceNotFoundException", "ValidationException"):
            return None
        raise


def named_or_none(call: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    """Return a call's answer, or None where there is no such thing or the id is none at all."""
    try:
        return found_or_none(call)
    except ClientError as error:
        if error_code(error) == "ValidationException":
            return None
        raise


def is_concurrent_change(error: ClientError) -> bool:
    """Return whether somebody else changed the same thing between our read and our write."""
    return (
        error_code(error) == "ConflictException"
        and error.response.get("Reason", "CONCURRENT_MODIFICATION") == "CONCURRENT_MODIFICATION"
    )


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags as AWS's APIs take them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


class Timed(Protocol):
    """What has a clock to wait by: a connection."""

    timing: Timing


class Writer:
    """Makes the calls of one change and keeps AWS's request ids."""

    def __init__(self, connection: Timed) -> None:
        self._timing = connection.timing
        self.request_ids: list[str] = []
        self.may_have_written = False

    def send(
        self,
        call: Callable[..., dict[str, Any]],
        *,
        is_retryable: Callable[[ClientError], bool] = is_spreading,
        timeout_s: float = CONFLICT_TIMEOUT_S,
        **request: Any,
    ) -> dict[str, Any]:
        """Make a call that writes, again while earlier writes spread; return AWS's answer."""
        given = {name: value for name, value in request.items() if value is not None}
        about_to_call(call, given)
        before, self.may_have_written = self.may_have_written, True
        try:
            answer = retry_conflicts(
                lambda: call(**given), is_retryable=is_retryable, timeout_s=timeout_s, timing=self._timing
            )
        except (ClientError, KitError) as error:
            self.may_have_written = before or not is_refusal(error)
            raise
        self.request_ids.append(str(answer.get("ResponseMetadata", {}).get("RequestId", "")))
        return answer

    def result(self, identifier: str) -> WriteResult:
        """Return what the change left behind."""
        return WriteResult(identifier, tuple(request_id for request_id in self.request_ids if request_id))


def change_tags(
    writer: Writer,
    client: Any,
    request: dict[str, Any],
    before: Mapping[str, str],
    after: Mapping[str, str],
) -> None:
    """Make the tags of a resource of sso-admin what they shall be; calls only what differs."""
    gone = sorted(set(before) - set(after))
    new = {key: value for key, value in after.items() if before.get(key) != value}
    if gone:
        writer.send(client.untag_resource, TagKeys=gone, **request)
    if new:
        writer.send(client.tag_resource, Tags=tag_list(new), **request)


def read_tags(client: Any, **request: str) -> dict[str, str]:
    """Return the tags of a resource of sso-admin, sorted by key."""
    found = {tag["Key"]: tag["Value"] for tag in pages(client, "list_tags_for_resource", "Tags", **request)}
    return dict(sorted(found.items()))
