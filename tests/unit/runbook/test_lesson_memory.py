"""What is remembered of the lesson: who made a step so, and what the side bar shows of it."""

import json

import pytest

from idc_helpers.runbook.comparing import Check, CheckResults
from idc_helpers.runbook.lesson import LESSON
from idc_helpers.runbook.progress import (
    ALREADY_SO,
    BY_YOU,
    StepReading,
    StepState,
    remember,
    remembered_steps,
)
from idc_helpers.runbook.run import RunContext


class Target:
    target = "sandbox"
    region = "us-east-1"
    state_id = "first"

    class caller:
        account_id = "111122223333"


@pytest.fixture
def context(tmp_path):
    return RunContext(Target(), None, "apply", "06_groups", tmp_path / "run")


def read(context, state, *, name="groups", detail=""):
    """Return the detail that is told of one step, read in one state."""
    (told,) = remember(context, [StepReading(LESSON[name], state, detail)])
    return told.detail


@pytest.mark.parametrize(
    ("before", "who"),
    [
        ((), ALREADY_SO),
        ((StepState.DONE,), ALREADY_SO),
        ((StepState.NOT_ASKED,), ALREADY_SO),
        ((StepState.UNREADABLE,), ALREADY_SO),
        ((StepState.LATER,), ALREADY_SO),
        ((StepState.NOT_APPLIED, StepState.DONE), BY_YOU),
        ((StepState.WAITING,), BY_YOU),
        ((StepState.CHANGED_OUTSIDE,), BY_YOU),
    ],
)
def test_what_was_open_once_is_done_by_you_by_whatever_door(context, before, who):
    for state in before:
        read(context, state)
    assert read(context, StepState.DONE) == who
    assert read(context, StepState.DONE, detail="1 skipped") == f"{who}, 1 skipped"


def test_what_is_open_or_nobody_writes_keeps_its_own_words(context):
    assert read(context, StepState.NOT_APPLIED, detail="3 to create") == "3 to create"
    assert read(context, StepState.DONE, name="details", detail="there to read") == "there to read"
    assert read(context, StepState.DONE, name="portal", detail="Ana is signed in") == "Ana is signed in"


def test_a_receipt_says_that_it_was_done_here(context, monkeypatch):
    class Receipts:
        def open_receipts(self):
            return [type("Receipt", (), {"step": "groups"})]

    monkeypatch.setattr(RunContext, "receipts", Receipts())
    assert read(context, StepState.DONE) == BY_YOU
    assert read(context, StepState.DONE, name="users") == ALREADY_SO


def test_a_sandbox_that_was_reset_begins_anew(context):
    read(context, StepState.NOT_APPLIED)
    context.connection.state_id = "second"
    try:
        assert read(context, StepState.DONE) == ALREADY_SO
        assert set(remembered_steps(context.run_folder)) == {"groups"}
    finally:
        context.connection.state_id = "first"


def test_the_side_bar_gets_words_and_whether_the_last_check_passed(context):
    read(context, StepState.NOT_APPLIED, detail="1 to create")
    read(context, StepState.LATER, name="users")
    steps = remembered_steps(context.run_folder)
    assert steps["groups"] == {
        "state": "NOT_APPLIED",
        "words": "○ not applied: 1 to create",
        "checked": False,
    }
    assert steps["users"]["state"] == "LATER", "a reading of some steps keeps the others"
    for passed in (True, False, True):
        context.record("groups", CheckResults((Check("a", passed, "b"),)))
        read(context, StepState.DONE)
        assert remembered_steps(context.run_folder)["groups"]["checked"] is passed


@pytest.mark.parametrize("content", ["", "{", "[1]", "{}", '"steps": 3', '"steps": {}, "was_open": 3'])
def test_a_damaged_memory_is_none(context, content):
    place = f'{{"place": "{context.receipt_place}", {content}}}' if ":" in content else content
    context.run_folder.mkdir()
    (context.run_folder / "lesson.json").write_text(place, "utf-8")
    assert remembered_steps(context.run_folder) == {}
    assert read(context, StepState.DONE) == ALREADY_SO


def test_a_folder_that_cannot_be_written_costs_only_the_memory(context):
    context.run_folder.parent.mkdir(exist_ok=True)
    context.run_folder.write_text("a file", "utf-8")
    assert read(context, StepState.DONE) == ALREADY_SO


def test_which_state_of_the_sandbox_was_read_is_written_down(context):
    read(context, StepState.DONE)
    assert json.loads((context.run_folder / "lesson.json").read_text("utf-8"))["state_id"] == "first"
