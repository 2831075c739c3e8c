"""The one event feed: each call, sign-in and page action adds a record; and how records get into S3."""

from __future__ import annotations

import functools
import gzip
import secrets
import sqlite3
import string
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from idc_sandbox import store
from idc_sandbox.context import AwsServices, Caller
from idc_sandbox.errors import Response
from idc_sandbox.store import Store
from idc_sandbox.switches import read_switch
from idc_sandbox.trail.records import (
    Attempt,
    Frame,
    Record,
    caller_identity,
    columns_of,
    cut_long_texts,
    in_each_account,
    make_frame,
    make_record,
    moment_of,
    nobody,
    record_text,
)
from idc_sandbox.wire.protocols import new_uuid

_MOST_KEPT = 256


class Feed:
    """Where events are added; none is made here that no call, sign-in or page has caused."""

    def __init__(self, store: Store, double: AwsServices, *, is_on: bool) -> None:
        self.is_on = is_on  # the switch `trail`
        self.waiting = 0  # how many events were added since they were delivered last
        self._store = store
        self._double = double
        # A key's identity stays: its policies, which would say it each time, are long to read.
        self._identity_of = functools.lru_cache(_MOST_KEPT)(self._read_identity)
        self._frames: dict[tuple[Any, ...], Frame] = {}

    def record_call(self, attempt: Attempt, answer: Response) -> None:
        """Add the event of a call, once it is known who asked for what."""
        # A request whose signature is wrong is nobody's, and leaves no event:
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-s3-info.html
        if not (self.is_on and attempt.operation_name):
            return
        frame = self._frame_of(attempt)
        record = make_record(attempt, answer, frame, self._store.now())
        if attempt.event or attempt.operation_name == "AssumeRole":
            for whole in in_each_account({**frame.members, **record, **attempt.event}):
                self.record(whole)
        else:
            self._add(record, frame.columns, frame.text)

    def _frame_of(self, attempt: Attempt) -> Frame:
        signature, request = attempt.signature, attempt.request
        said = (request.address, request.headers.get("user-agent"), request.headers.get("host"))
        key = (signature, attempt.service_name, attempt.operation_name, *said)
        frame = self._frames.get(key)
        if frame is None:
            if signature is None:
                identity = nobody(self._double.management_account_id)
            else:
                identity = self.identity_of(signature.caller)
            if len(self._frames) >= _MOST_KEPT:
                self._frames.clear()
            frame = self._frames[key] = make_frame(attempt, identity)
        return frame

    def identity_of(self, caller: Caller) -> Record:
        """Return the identity of who signed a request, as records have it."""
        return dict(self._identity_of(caller))

    def _read_identity(self, caller: Caller) -> Record:
        return caller_identity(caller, self._double.access_policies(caller).context)

    def record(self, record: Record) -> None:
        """Add an event, whose record is whole."""
        if self.is_on:
            cut_long_texts(record)
            self._add(record, columns_of(record))

    def _add(self, record: Record, columns: tuple[str, str, str], beginning: bytes = b"") -> None:
        """Add an event; one that tells of a refusal stays when the transaction that it is in is undone."""
        record["eventID"] = new_uuid()
        self.waiting += 1
        self._store.note(
            moment_of(record["eventTime"]),
            *columns,
            record_text(record, beginning),
            outlives_refusal="errorCode" in record,
        )


# Source: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html

HISTORY_S = 90 * 86_400.0  # how long lookups find an event
# What is more leaves the feed sooner, once it was delivered or its bucket is gone: a bound for any length.
MOST_EVENTS = 100_000
# So many events are delivered before their time is up: who never looks at S3 does not keep them all.
MOST_WAITING = 10_000
_IN_ONE_GO = 2_000  # each up to 300 KB: all of them are in memory at once
_WAITS = "number > ? AND number <= ifnull(?, 9e18)"
_LETTERS = string.ascii_letters + string.digits


def read_trail(connection: sqlite3.Connection) -> sqlite3.Row:
    """Return the trail."""
    row: sqlite3.Row = connection.execute("SELECT * FROM trail").fetchone()
    return row


def deliver_due(connection: sqlite3.Connection, double: AwsServices, *, at_once: bool = False) -> None:
    """Put into S3 what should be there by now, and the bucket if it was never made. Writes."""
    # A request that could see the difference comes first here, so nobody finds a trail that is late.
    trail, now = read_trail(connection), store.now(connection)
    if not trail["has_bucket"]:
        double.create_trail_bucket(trail["bucket"])
        connection.execute("UPDATE trail SET has_bucket = 1")
    if at_once or _is_due(connection, trail, now):
        _deliver(connection, double, trail, now)
        _forget(connection, now)


def is_logging(trail: sqlite3.Row) -> bool:
    """Tell whether the trail delivers what happens now."""
    return trail["last_number"] is None


def start_logging(connection: sqlite3.Connection, double: AwsServices) -> None:
    """Deliver from now on; what happened meanwhile never is. Writes."""
    if is_logging(read_trail(connection)):
        return
    deliver_due(connection, double, at_once=True)
    connection.execute(
        "UPDATE trail SET last_number = NULL, started_at = ?, delivered_through = ?",
        (store.now(connection), _newest(connection)),
    )


def stop_logging(connection: sqlite3.Connection) -> None:
    """Deliver what has happened until now, and this call's own event, and nothing behind it. Writes."""
    if is_logging(read_trail(connection)):
        last = _newest(connection) + int(read_switch(connection, "trail"))
        connection.execute("UPDATE trail SET last_number = ?, stopped_at = ?", (last, store.now(connection)))


def _is_due(connection: sqlite3.Connection, trail: sqlite3.Row, now: float) -> bool:
    oldest = connection.execute(
        f"SELECT event_time FROM trail_event WHERE {_WAITS} ORDER BY number LIMIT 1",  # noqa: S608
        (trail["delivered_through"], trail["last_number"]),
    ).fetchone()
    # Of a clock that was put back, what is ahead is due as well.
    return oldest is not None and not 0 <= now - oldest[0] < read_switch(connection, "trail_delivery_s")


def _deliver(connection: sqlite3.Connection, double: AwsServices, trail: sqlite3.Row, now: float) -> None:
    if double.bucket_owner(trail["bucket"]) is None:  # as at AWS: it is tried again next time
        connection.execute("UPDATE trail SET delivery_error = 'NoSuchBucket' WHERE delivery_error IS NULL")
        return
    through = trail["delivered_through"]
    while rows := connection.execute(
        f"SELECT * FROM trail_event WHERE {_WAITS} ORDER BY number LIMIT ?",  # noqa: S608
        (through, trail["last_number"], _IN_ONE_GO),
    ).fetchall():
        double.put_trail_objects(trail["bucket"], dict(_objects(rows, double.organization_id(), now)))
        through = rows[-1]["number"]
    connection.execute(
        "UPDATE trail SET delivered_through = ?, delivery_error = NULL, delivered_at = ?", (through, now)
    )


def _objects(rows: list[sqlite3.Row], organization_id: str, now: float) -> Iterator[tuple[str, bytes]]:
    """Yield key and bytes of a file for each account, Region and day."""
    records: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
    for row in rows:
        day = time.strftime("%Y/%m/%d", time.gmtime(row["event_time"]))
        records[row["account_id"], row["region"], day].append(row["record"])
    stamp = time.strftime("%Y%m%dT%H%MZ", time.gmtime(now))
    for (account_id, region, day), texts in records.items():
        name = f"{account_id}_CloudTrail_{region}_{stamp}_{_random()}.json.gz"
        key = f"AWSLogs/{organization_id}/{account_id}/CloudTrail/{region}/{day}/{name}"
        text = '{"Records":[' + ",".join(texts) + "]}"
        yield key, gzip.compress(text.encode(), compresslevel=6)


def _random() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(16))


def _newest(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT max(number) FROM trail_event").fetchone()
    return int(row[0] or 0)


def _forget(connection: sqlite3.Connection, now: float) -> None:
    """Delete what lookups do not find any more, and the oldest of too many. Writes."""
    # What still waits here has no bucket to go to: it has the same bound, and goes as well. The newest row
    # stays, however old, or its number would be given again.
    newest = _newest(connection)
    connection.execute(
        "DELETE FROM trail_event WHERE number < ? AND (number <= ? OR event_time < ?)",
        (newest, newest - MOST_EVENTS, now - HISTORY_S),
    )
