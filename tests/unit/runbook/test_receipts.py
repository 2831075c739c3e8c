import json
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from idc_aws.changes import Action, Change, WriteResult
from idc_aws.errors import ReceiptError
from idc_helpers.runbook.records import Origin, ReceiptBook, ReceiptPlace

ORIGIN = Origin(
    "run-1", "06_groups", "groups", "sandbox", "111122223333", "us-east-1", "arn:aws:sso:::instance/x"
)
CREATE = Change(Action.CREATE, "group", "Admins", None, {"description": "d"}, "does not exist yet")


@pytest.fixture
def book(tmp_path):
    return ReceiptBook(tmp_path / "run" / "receipts.jsonl")


def test_a_receipt_holds_what_where_before_after_id_request_and_when(book):
    book.finish(book.start(CREATE, ORIGIN), WriteResult("group-1", ("req-1",)))
    (receipt,) = book.read()
    assert (receipt.status, receipt.identifier, receipt.request_ids) == ("done", "group-1", ["req-1"])
    assert (receipt.before, receipt.after) == (None, {"description": "d"})
    assert (receipt.run_id, receipt.account_id, receipt.instance_arn) == (
        "run-1",
        "111122223333",
        "arn:aws:sso:::instance/x",
    )
    assert receipt.at.endswith("+00:00")


def test_the_file_is_its_owners_only(book):
    book.start(CREATE, ORIGIN)
    assert stat.S_IMODE(book.path.stat().st_mode) == 0o600


def test_a_write_that_was_interrupted_leaves_a_started_receipt(book):
    book.start(CREATE, ORIGIN)
    (receipt,) = book.open_receipts()
    assert receipt.status == "started"


def test_a_line_torn_by_a_kill_is_passed_over_and_later_lines_are_whole(book):
    book.finish(book.start(CREATE, ORIGIN), WriteResult("group-1"))
    with book.path.open("a") as file:
        file.write('{"receipt_id": "torn", "sta')
    book.finish(book.start(CREATE, ORIGIN), WriteResult("group-2"))
    assert [receipt.identifier for receipt in book.read()] == ["group-1", "group-2"]


def test_a_line_torn_within_a_character_hides_no_other_line(book):
    first = book.start(CREATE, ORIGIN)
    with book.path.open("ab") as file:
        file.write(b'{"receipt_id": "torn \xc2\n[1]\n"text"\n')
    second = book.start(CREATE, ORIGIN)
    assert [receipt.receipt_id for receipt in book.read()] == [first.receipt_id, second.receipt_id]


@pytest.mark.parametrize("boundary", ["\u2028", "\u2029", "\x85", "\x0b", "\x1c"])
def test_a_text_with_another_line_boundary_is_read_as_it_was_written(book, boundary):
    text = f"line one{boundary}line two"
    book.start(replace(CREATE, key=text), ORIGIN)
    assert [receipt.key for receipt in book.read()] == [text]


def test_open_receipts_are_newest_first_and_without_those_taken_back(book):
    first = book.finish(book.start(CREATE, ORIGIN), WriteResult("group-1"))
    second = book.finish(book.start(CREATE, ORIGIN), WriteResult("group-2"))
    assert [receipt.identifier for receipt in book.open_receipts()] == ["group-2", "group-1"]
    delete = Change(Action.DELETE, "group", "Admins", {}, None, "", "group-2")
    undo = book.start(delete, ORIGIN, undoes=second.receipt_id)
    assert len(book.open_receipts()) == 2, "an undo that is not done takes nothing back"
    book.finish(undo, WriteResult("group-2"))
    assert [receipt.receipt_id for receipt in book.open_receipts()] == [first.receipt_id]


def test_a_settled_receipt_is_no_longer_open(book):
    receipt = book.finish(book.start(CREATE, ORIGIN), WriteResult("group-1"))
    book.settle(receipt, ORIGIN)
    assert book.open_receipts() == []


def test_a_file_that_cannot_be_written_stops_the_write_before_it(tmp_path):
    (tmp_path / "taken").write_text("a file where the folder should be")
    with pytest.raises(ReceiptError, match="taken"):
        ReceiptBook(tmp_path / "taken" / "receipts.jsonl").start(CREATE, ORIGIN)


def test_a_full_disk_is_a_clear_error(tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    (tmp_path / "receipts.jsonl").symlink_to("/dev/full")
    with pytest.raises(ReceiptError, match="No space left"):
        ReceiptBook(tmp_path / "receipts.jsonl").start(CREATE, ORIGIN)


def test_each_line_is_one_json_object(book):
    book.finish(book.start(CREATE, ORIGIN), WriteResult("group-1"))
    assert [json.loads(line)["status"] for line in book.path.read_text().splitlines()] == ["started", "done"]


@pytest.fixture
def flushed(monkeypatch):
    """How much of which file was written through to the disk, at each fsync."""
    sizes, fsync = [], os.fsync

    def counted(descriptor):
        sizes.append(os.fstat(descriptor).st_size)
        fsync(descriptor)

    monkeypatch.setattr("os.fsync", counted)
    return sizes


def test_each_receipt_is_on_disk_before_anything_goes_on(book, flushed):
    receipt = book.start(CREATE, ORIGIN)
    assert flushed[-1:] == [book.path.stat().st_size]
    book.finish(receipt, WriteResult("group-1"))
    assert flushed[-1:] == [book.path.stat().st_size]
    book.refuse(book.start(CREATE, ORIGIN))
    book.settle(receipt, ORIGIN)
    assert flushed == sorted(set(flushed))
    assert len(flushed) == len(book.path.read_text("utf-8").splitlines()) == 5


HERE = ReceiptPlace("sandbox", "111122223333", "us-east-1", "one")
PLACES = [
    ({}, True),
    ({"target": "aws"}, False),
    ({"account_id": "999999999999"}, False),
    ({"region": "eu-west-1"}, False),
    ({"state_id": "two"}, False),
    ({"state_id": ""}, False),
]


@pytest.mark.parametrize(("other", "is_here"), PLACES)
def test_a_book_of_a_place_reads_its_own_receipts_alone(book, other, is_here):
    book.finish(book.start(CREATE, replace(ORIGIN, **{"state_id": "one", **other})), WriteResult("group-1"))
    here = ReceiptBook(book.path, HERE)
    assert bool(here.open_receipts()) is bool(here.read()) is is_here
    assert sum(here.elsewhere().values()) == (0 if is_here else 1)


def test_older_receipts_are_of_a_state_from_before_states_had_ids_and_of_no_newer_one(book):
    book.start(CREATE, ORIGIN)
    assert ReceiptBook(book.path, HERE._replace(state_id="older-1")).read()
    assert not ReceiptBook(book.path, HERE).read()


def _changed(**values):
    return lambda line: json.dumps({**line, **values})


NO_RECEIPTS = {
    "noise": lambda _: "\x00\x01garbage",
    "a list": lambda _: "[1]",
    "a text": lambda _: '"text"',
    "another object": lambda _: '{"a": 1}',
    "an unknown status": _changed(status="finished"),
    "an unknown action": _changed(action="destroy"),
    "an unknown target": _changed(target="azure"),
    "before of another kind": _changed(before=[]),
    "a key that is no text": _changed(key=7),
    "no key": _changed(key=""),
    "no id": _changed(receipt_id=""),
    "an identifier that is no text": _changed(identifier=None),
    "a state that is no text": _changed(state_id=None),
    "nested too deep": lambda _: "[" * 100_000,
}


@pytest.mark.parametrize("name", NO_RECEIPTS)
def test_a_line_that_is_no_receipt_is_reported_with_its_number(book, name):
    book.start(CREATE, ORIGIN)
    line = NO_RECEIPTS[name](json.loads(book.path.read_text("utf-8")))
    with book.path.open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    (words,) = book.unreadable()
    assert words.startswith("line 3: ")
    assert len(book.read()) == 1


def test_marks_and_line_ends_of_editors_are_no_damage(book):
    book.start(CREATE, ORIGIN)
    book.path.write_bytes(b"\xef\xbb\xbf" + book.path.read_bytes().replace(b"\n", b"\r\n\r\n"))
    assert (len(book.read()), book.unreadable()) == (1, [])
