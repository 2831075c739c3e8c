from dataclasses import replace

import pytest

from idc_aws.changes import Action, Change, WriteResult
from idc_helpers.runbook.comparing import Check
from idc_helpers.runbook.explain_failures import Cause, Facts, receipt_facts, taught
from idc_helpers.runbook.lesson import LESSON
from idc_helpers.runbook.records import Origin, ReceiptBook

ORIGIN = Origin("run", "06_groups", "groups", "sandbox", "111122223333", "us-east-1", "arn")
CREATE = Change(Action.CREATE, "group", "Auditors", None, {}, "does not exist yet")


@pytest.fixture
def book(tmp_path):
    return ReceiptBook(tmp_path / "receipts.jsonl")


def test_a_receipt_that_ended_tells_when_the_thing_was_made(book):
    done = book.finish(book.start(CREATE, ORIGIN), WriteResult("id"))
    facts = receipt_facts(book.read(), "group", "Auditors")
    assert facts == Facts(made_at=f"{done.at[:10]} {done.at[11:19]} UTC")
    assert receipt_facts(book.read(), "group", "Others") == Facts()
    assert receipt_facts(book.read(), "user", "Auditors") == Facts()


def test_a_receipt_without_an_end_tells_of_an_interruption_and_a_refused_one_of_nothing(book):
    started = book.start(CREATE, ORIGIN)
    assert receipt_facts(book.read(), "group", "Auditors").interrupted_at
    book.refuse(started)
    assert receipt_facts(book.read(), "group", "Auditors") == Facts()


def test_what_was_taken_back_and_made_again_counts_as_made(book):
    made = book.finish(book.start(CREATE, ORIGIN), WriteResult("id"))
    delete = replace(CREATE, action=Action.DELETE, identifier="id")
    book.finish(book.start(delete, ORIGIN, undoes=made.receipt_id), WriteResult("id"))
    assert receipt_facts(book.read(), "group", "Auditors").taken_back_at
    book.finish(book.start(CREATE, ORIGIN), WriteResult("id2"))
    assert receipt_facts(book.read(), "group", "Auditors").made_at


def test_a_check_goes_back_to_its_own_step_or_to_the_one_that_its_cause_lies_in():
    check = Check("group Auditors", False, "gone")
    own = taught(check, Cause("why"), "account_assignments")
    entry = LESSON["account_assignments"]
    assert (own.go_back, own.source) == (entry.place, entry.source)
    elsewhere = taught(check, Cause("why", "groups"), "account_assignments")
    assert (elsewhere.cause, elsewhere.go_back) == ("why", LESSON["groups"].place)
    assert elsewhere.go_back.link == "06_groups.ipynb#Choose"


def test_every_step_that_is_checked_has_a_page_of_aws_and_those_that_write_a_title_and_a_section():
    unchecked = {"details", "portal", "use_profile", "conclusion"}
    assert {name for name, step in LESSON.items() if not step.source} == unchecked
    for step in LESSON.values():
        assert bool(step.wants) == bool(step.title) == bool(step.section), step.name
