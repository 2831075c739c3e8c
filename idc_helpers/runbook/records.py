"""What a run writes down: receipts of writes, events, and a person's attestations."""

from __future__ import annotations

import datetime
import json
import os
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

from idc_aws.changes import Action, Change, State, WriteResult
from idc_aws.errors import ReceiptError
from idc_aws.files import (
    APPENDING,
    append_json_line,
    append_object,
    numbered_lines,
    read_json_lines,
    remedy_of_writing,
)
from idc_aws.scrubbing import clean_values, scrub_values

_OLDER_STATE = "older-"  # begins the id of a state that was made before states had ids


class ReceiptPlace(NamedTuple):
    """Where things are: receipts of one place say nothing of another."""

    target: str
    account_id: str
    region: str
    state_id: str = ""

    def holds(self, receipt: Receipt) -> bool:
        """Return whether a receipt is of this place."""
        return self.includes(receipt.place)

    def includes(self, named: ReceiptPlace) -> bool:
        """Return whether what a receipt calls its place is this one."""
        is_from_before_ids = not named.state_id and self.state_id.startswith(_OLDER_STATE)
        return named[:3] == self[:3] and (named.state_id == self.state_id or is_from_before_ids)

    def __str__(self) -> str:
        state = f" (state {self.state_id[-8:]})" if self.state_id else ""
        return f"{self.target} account {self.account_id} in {self.region}{state}"


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
    state_id: str = ""

    @property
    def place(self) -> ReceiptPlace:
        """Where the things are."""
        return ReceiptPlace(self.target, self.account_id, self.region, self.state_id)


@dataclass(frozen=True, kw_only=True)
class Receipt(Origin):
    """One line of the receipts file."""

    receipt_id: str
    status: str
    at: str
    action: str
    kind: str
    key: str
    identifier: str
    before: State | None
    after: State | None
    request_ids: tuple[str, ...] = ()
    undoes: str = ""


class ReceiptBook:
    """The receipts of one run folder: one JSON object a line, on disk before a call and again after it."""

    # Secrets are taken out. People's names stay even in a run that masks them: undo compares and restores by
    # them, so only the file's owner may read it. Older receipts have no ``state_id``.

    def __init__(self, path: Path, place: ReceiptPlace | None = None) -> None:
        self.path = path
        self.place = place

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
        """Write down that a started change was refused: there is nothing of it to take back."""
        # What now has its name is somebody else's.
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
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, APPENDING, 0o600)
            try:
                append_object(descriptor, scrub_values(asdict(receipt)))
            finally:
                os.close(descriptor)
        except OSError as error:
            raise ReceiptError(
                f"the receipts file {str(self.path)!r} cannot be written: {error}",
                remedy=f"Nothing is changed without a receipt. {remedy_of_writing(error)}",
            ) from error

    def read(self) -> list[Receipt]:
        """Return the latest line of each receipt of the place, in the order in which they were started."""
        return [receipt for receipt in self._read_all() if self.place is None or self.place.holds(receipt)]

    def unreadable(self) -> list[str]:
        """Return the lines that are no receipts, such as ``"line 3: is not a JSON object"``."""
        return [words for words in self._lines() if isinstance(words, str)]

    def elsewhere(self) -> dict[ReceiptPlace, int]:
        """Return how many receipts of other places are not undone yet, by place."""
        receipts = self._read_all()
        return Counter(
            receipt.place
            for receipt in _open(receipts)
            if self.place is not None and not self.place.holds(receipt)
        )

    def _read_all(self) -> list[Receipt]:
        latest: dict[str, Receipt] = {}
        for receipt in self._lines():
            if isinstance(receipt, Receipt):
                latest[receipt.receipt_id] = receipt
        return list(latest.values())

    def _lines(self) -> Iterator[Receipt | str]:
        """Yield the receipts, and words for each line that is none."""
        try:
            data = (
                self.path.read_bytes() if os.path.lexists(self.path) else b""
            )  # a link that leads nowhere is no word
        except OSError as error:
            raise ReceiptError(
                f"the receipts file {str(self.path)!r} cannot be read: {error.strerror or error}",
                remedy="Make it readable again: without it the kit cannot know what the run made.",
            ) from error
        for number, values in numbered_lines(data):
            wrong = "is not a JSON object" if values is None else _wrong_with(values)
            known = {name: value for name, value in (values or {}).items() if name in _FIELDS}
            yield f"line {number}: {wrong}" if wrong else Receipt(**known)

    def open_receipts(self) -> list[Receipt]:
        """Return the receipts of creations and updates that no later receipt has undone, newest first."""
        return _open(self.read())


_FIELDS = [field.name for field in fields(Receipt)]
_OPTIONAL = ("undoes", "state_id", "request_ids")
_VALUES = {
    "status": ("started", "done", "refused"),
    "target": ("sandbox", "aws"),
    "action": tuple(action.value for action in Action),
}


def _wrong_with(values: Mapping[str, Any]) -> str:
    """Return why an object is no receipt; empty: it is one."""
    if not _is_text(values):
        return "is not a receipt: it holds half of a character"
    missing = [name for name in _FIELDS if name not in values and name not in _OPTIONAL]
    if missing:
        return f"is not a receipt: it lacks {', '.join(missing)}"
    for name, known in _VALUES.items():
        if values[name] not in known:
            return f"has {name} {values[name]!r}; known are {', '.join(known)}"
    for name in _FIELDS:
        value = values.get(name)
        if name in ("before", "after"):
            is_right = value is None or isinstance(value, dict)
        elif name == "request_ids":
            is_right = isinstance(value, list | None)
        else:
            is_right = isinstance(value, str) or (name in _OPTIONAL and name not in values)
        if not is_right:
            return f"has a {name} of another kind: {value!r:.60}"
    return "" if values["receipt_id"] and values["key"] else "has no receipt_id or no key"


def _is_text(values: Mapping[str, Any]) -> bool:
    """Return whether it can be written and sent: JSON can escape half of a character, and text holds none."""
    try:
        json.dumps(values, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _open(receipts: list[Receipt]) -> list[Receipt]:
    undone = {receipt.undoes for receipt in receipts if receipt.undoes and receipt.status == "done"}
    return [
        receipt
        for receipt in reversed(receipts)
        if not receipt.undoes
        and receipt.status != "refused"
        and receipt.receipt_id not in undone
        and receipt.action in (Action.CREATE, Action.UPDATE)
    ]


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


class EventLog:
    """The events of one run folder."""

    def __init__(self, path: Path, notebook: str) -> None:
        self.path = path
        self.notebook = notebook

    def write(self, event: str, *, step: str = "", **values: Any) -> None:
        """Append one event."""
        entry = {"at": _now(), "notebook": self.notebook, "step": step, "event": event, **values}
        append_json_line(self.path, clean_values(entry))


def read_events(path: Path, notebook: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield the events of a file, of one notebook or of all; a line still being written is passed over."""
    for entry in read_json_lines(path):
        if notebook in (None, entry.get("notebook")):
            yield entry


@dataclass(frozen=True)
class Attestation:
    """One record."""

    setting: str
    value: State
    by: str
    on: str
    seen: str
    instance_arn: str = ""


class AttestationBook:
    """The attestations of one run folder and of the scenario."""

    def __init__(self, path: Path, given: tuple[Attestation, ...] = ()) -> None:
        self.path = path
        self._given = given

    def record(self, setting: str, value: State, *, by: str, seen: str, instance_arn: str) -> Attestation:
        """Append a record dated today and return it."""
        if not by.strip() or not seen.strip():
            raise ValueError(
                f"an attestation names who did it and what was seen; found by={by!r}, seen={seen!r}"
            )
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        attestation = Attestation(setting, value, by.strip(), today, seen.strip(), instance_arn)
        append_json_line(self.path, clean_values(asdict(attestation)), to_disk=True)
        return attestation

    def find(self, setting: str, wanted: State, instance_arn: str) -> Attestation | None:
        """Return the newest record that this setting has these values on this instance, or None."""
        for attestation in reversed([*self._given, *self._recorded()]):
            same_instance = attestation.instance_arn in ("", instance_arn)
            if attestation.setting == setting and same_instance and attestation.value == wanted:
                return attestation
        return None

    def all_of(self, setting: str) -> list[Attestation]:
        """Return every record of a setting, whatever its values, the newest last."""
        return [entry for entry in (*self._given, *self._recorded()) if entry.setting == setting]

    def _recorded(self) -> Iterator[Attestation]:
        """Yield the records; a line that holds none is passed over, and so are a newer kit's fields."""
        for values in read_json_lines(self.path):
            known = {name: value for name, value in values.items() if name in _FIELDS_OF_ATTESTATION}
            with suppress(TypeError):
                yield Attestation(**known)


_FIELDS_OF_ATTESTATION = [field.name for field in fields(Attestation)]
