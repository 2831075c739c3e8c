"""The organization's trail, and how its events get into S3 and out of the feed."""

# Source: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html

from __future__ import annotations

import gzip
import secrets
import sqlite3
import string
import time
from collections import defaultdict
from collections.abc import Iterator

from idc_sandbox import store
from idc_sandbox.context import AwsServices
from idc_sandbox.switches import read_switch

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
