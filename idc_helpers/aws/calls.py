"""Small things that every noun needs: pages, threads, tags, and calls that write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from botocore.exceptions import ClientError

from idc_helpers.aws.failures import is_refusal
from idc_helpers.aws.waiting import CONFLICT_TIMEOUT_S, Timing, is_spreading, retry_conflicts
from idc_helpers.aws.watching import about_to_call
from idc_helpers.changes import WriteResult
from idc_helpers.errors import KitError

T = TypeVar("T")
R = TypeVar("R")

READERS = 8


def pages(client: Any, operation: str, list_name: str, **request: Any) -> Iterator[Any]:
    """Yield the items of all pages; a page may be empty and not the last."""
    for page in client.get_paginator(operation).paginate(**request):
        yield from page.get(list_name, [])


def in_threads(function: Callable[[T], R], items: Iterable[T], *, workers: int = READERS) -> list[R]:
    """Return what a function gives for each item, in order; for reads, whose time is spent waiting.

    The first exception is raised when all that have started are done.
    """
    listed = list(items)
    if len(listed) < 2:
        return [function(item) for item in listed]
    with ThreadPoolExecutor(max_workers=min(workers, len(listed))) as executor:
        return list(executor.map(function, listed))


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags as AWS's APIs take them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


class Timed(Protocol):
    """What has a clock to wait by: a connection."""

    timing: Timing


class Writer:
    """Makes the calls of one change and keeps AWS's request ids.

    Attributes
    ----------
    request_ids
        Of the calls that were accepted, in order.
    may_have_written
        Whether a call was accepted, or may have been although no answer came.
    """

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
    """Make the tags of a resource of sso-admin what they shall be; calls only what differs.

    Parameters
    ----------
    request
        ``InstanceArn`` and ``ResourceArn``.
    """
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
