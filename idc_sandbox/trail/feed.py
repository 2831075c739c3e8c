"""The one event feed: every call, sign-in and page action adds a record, with the transaction it is in."""

from __future__ import annotations

import functools
from typing import Any

from idc_sandbox.context import AwsServices, Caller
from idc_sandbox.errors import Response
from idc_sandbox.store import Store
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
    """Where events are added; none is made here that no call, sign-in or page has caused.

    Attributes
    ----------
    is_on
        The switch `trail`.
    waiting
        How many events were added since they were delivered last.
    """

    def __init__(self, store: Store, double: AwsServices, *, is_on: bool) -> None:
        self.is_on = is_on
        self.waiting = 0
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
