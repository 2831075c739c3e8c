"""A receipt for every write: what undo and teardown go by, and nothing else.

One JSON object a line, appended and flushed to disk. A write has two lines: ``started`` just before the call,
``done`` after it. So a run that is killed between the two still leaves word of what it may have made. A line
torn by a kill is passed over. Secrets are taken out; people's names and addresses stay even in a run that
masks them, because undo compares and restores by them: the file is readable by its owner only.

Fields: ``receipt_id``, ``status`` (``started`` | ``done`` | ``refused``), ``at`` (ISO 8601, UTC), ``run_id``,
``notebook``, ``step``, ``target``, ``account_id``, ``region``, ``instance_arn``, ``action``, ``kind``,
``key``, ``identifier``, ``before``, ``after``, ``request_ids``, ``undoes`` (the receipt it takes back).
"""

from __future__ import annotations

import datetime
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from idc_helpers.changes import Action, Change, State, WriteResult
from idc_helpers.errors import ReceiptError
from idc_helpers.json_lines import read_json_lines
from idc_helpers.scrubbing import scrub_values


@dataclass(frozen=True)
class Origin:
    """Where a receipt comes from; the same for all writes of a step."""

    run_id: str
    notebook: str
    step: str
    target: str
    account_id: str
    region: str
    instance_arn: str


@dataclass(frozen=True)
class Receipt:
    """One line of the receipts file; see the module for the fields."""

    receipt_id: str
    status: str
    at: str
    run_id: str
    notebook: str
    step: str
    target: str
    account_id: str
    region: str
    instance_arn: str
    action: str
    kind: str
    key: str
    identifier: str
    before: State | None
    after: State | None
    request_ids: tuple[str, ...] = ()
    undoes: str = ""


class ReceiptBook:
    """The receipts of one run folder.

    Parameters
    ----------
    path
        ``receipts.jsonl``; made with the first receipt, readable by its owner only.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def start(self, change: Change, origin: Origin, *, undoes: str = "") -> Receipt:
        """Write down that a change is about to be made; return the receipt to `finish`."""
        receipt = Receipt(
            receipt_id=uuid.uuid4().hex,
            status="started",
            at=_now(),
            **asdict(origin),
            action=change.action.value,
            kind=change.kind,
            key=change.key,
            identifier=change.identifier,
            before=change.before,
            after=change.after,
            undoes=undoes,
        )
        self._append(receipt)
        return receipt

    def finish(self, receipt: Receipt, result: WriteResult) -> Receipt:
        """Write down that a change is made, and what AWS calls it."""
        done = replace(
            receipt,
            status="done",
            at=_now(),
            identifier=result.identifier or receipt.identifier,
            request_ids=tuple(result.request_ids),
        )
        self._append(done)
        return done

    def refuse(self, receipt: Receipt) -> None:
        """Write down that a started change was refused: there is nothing of it to take back.

        What now has its name is somebody else's.
        """
        self._append(replace(receipt, status="refused", at=_now()))

    def settle(self, receipt: Receipt, origin: Origin) -> None:
        """Write down that a receipt has nothing left to take back, because its thing is gone."""
        closing = replace(
            receipt,
            **asdict(origin),
            receipt_id=uuid.uuid4().hex,
            status="done",
            at=_now(),
            action=Action.UNCHANGED.value,
            before=None,
            after=None,
            request_ids=(),
            undoes=receipt.receipt_id,
        )
        self._append(closing)

    def _append(self, receipt: Receipt) -> None:
        line = json.dumps(scrub_values(asdict(receipt)), ensure_ascii=False, separators=(",", ":")) + "\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                _write_whole(descriptor, line.encode())
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise ReceiptError(
                f"the receipts file {str(self.path)!r} cannot be written: {error}",
                remedy="Nothing is changed without a receipt: make room, or name another `run_folder`.",
            ) from error

    def read(self) -> list[Receipt]:
        """Return the latest line of each receipt, in the order in which they were started."""
        latest: dict[str, Receipt] = {}
        for receipt in self._lines():
            latest[receipt.receipt_id] = receipt
        return list(latest.values())

    def _lines(self) -> Iterator[Receipt]:
        known = {field.name for field in fields(Receipt)}
        for values in read_json_lines(self.path):
            with suppress(TypeError):  # an object that is no receipt
                yield Receipt(**{name: value for name, value in values.items() if name in known})

    def open_receipts(self) -> list[Receipt]:
        """Return the receipts of creations and updates that no later receipt has taken back, newest first."""
        receipts = self.read()
        undone = {receipt.undoes for receipt in receipts if receipt.undoes and receipt.status == "done"}
        return [
            receipt
            for receipt in reversed(receipts)
            if not receipt.undoes
            and receipt.status != "refused"
            and receipt.receipt_id not in undone
            and receipt.action in (Action.CREATE, Action.UPDATE)
        ]


def _write_whole(descriptor: int, data: bytes) -> None:
    # A line after a torn one must start on a line of its own.
    size = os.fstat(descriptor).st_size
    if size and os.pread(descriptor, 1, size - 1) != b"\n":
        data = b"\n" + data
    while data:
        data = data[os.write(descriptor, data) :]


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
