"""The one event feed: every call, sign-in and page action adds a record, with the transaction it is in."""

from __future__ import annotations

import functools
from datetime import datetime

from idc_sandbox import store
from idc_sandbox.context import AwsServices, Caller
from idc_sandbox.errors import Response
from idc_sandbox.store import Store
from idc_sandbox.trail.records import (
    Attempt,
    Record,
    caller_identity,
    finished,
    in_each_account,
    make_record,
    name_of,
    nobody,
    record_text,
)

_MOST_IDENTITIES = 256


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
        self._identity_of = functools.lru_cache(_MOST_IDENTITIES)(self._read_identity)

    def record_call(self, attempt: Attempt, answer: Response) -> None:
        """Add the event of a call, once it is known who asked for what."""
        # A request whose signature is wrong is nobody's, and leaves no event:
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-s3-info.html
        is_known = attempt.operation_name and (attempt.signature is not None or attempt.rest is not None)
        if not (self.is_on and is_known):
            return
        if attempt.signature is not None:
            identity = self.identity_of(attempt.signature.caller)
        else:
            identity = nobody(self._double.management_account_id)
        with self._store.transaction() as connection:
            now = store.now(connection)
        for record in in_each_account(make_record(attempt, answer, identity, now)):
            self.record(record)

    def identity_of(self, caller: Caller) -> Record:
        """Return the identity of who signed a request, as records have it."""
        return dict(self._identity_of(caller))

    def _read_identity(self, caller: Caller) -> Record:
        return caller_identity(caller, self._double.access_policies(caller).context)

    def record(self, record: Record) -> None:
        """Add an event; one that tells of a refusal stays when the transaction that it is in is undone."""
        if not self.is_on:
            return
        whole = finished(record)
        self.waiting += 1
        self._store.note(
            datetime.fromisoformat(whole["eventTime"]).timestamp(),
            whole["recipientAccountId"],
            whole["awsRegion"],
            name_of(whole["userIdentity"]),
            record_text(whole),
            outlives_refusal="errorCode" in whole,
        )
