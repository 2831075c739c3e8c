import json

import pytest

from idc_aws.changes import Action, Change, WriteResult
from idc_helpers.runbook.records import EventLog, Origin, ReceiptBook
from idc_runner.engine import NotebookFailure
from idc_runner.notebooks import RunRecord, write_record
from idc_runner.report import _sentence
from idc_runner.summary import NotebookResult, RunSummary, notebook_result

NAME = "06_groups"


@pytest.fixture
def events(tmp_path):
    return EventLog(tmp_path / "events.jsonl", NAME)


def write(folder, key, action=Action.CREATE, *, notebook=NAME, finish=True):
    book = ReceiptBook(folder / "receipts.jsonl")
    origin = Origin("run", notebook, "groups", "sandbox", "111122223333", "us-east-1", "")
    receipt = book.start(Change(action, "group", key, None, {}, ""), origin)
    if finish:
        book.finish(receipt, WriteResult("group-id"))


def counts(create=0, update=0, delete=0, unchanged=0):
    return {"create": create, "update": update, "delete": delete, "unchanged": unchanged}


def checked(events, *passed, step="groups"):
    checks = [{"name": f"group {n}", "passed": ok, "detail": "seen"} for n, ok in enumerate(passed)]
    events.write("checked", step=step, checks=checks)


def result(folder, *, mode="apply", failure=None):
    return notebook_result(folder, NAME, mode=mode, wall_s=1.5, failure=failure)


def test_changes_made_are_those_with_a_finished_receipt_of_this_notebook(tmp_path, events):
    write(tmp_path, "a")
    write(tmp_path, "b", Action.UPDATE)
    write(tmp_path, "c", finish=False)
    write(tmp_path, "d", notebook="99_teardown")
    events.write("planned", step="groups", changes=counts(create=3, unchanged=4), by_hand=0)
    assert result(tmp_path).changes == counts(create=1, update=1, unchanged=4)


def test_in_mode_plan_changes_are_what_would_be_done(tmp_path, events):
    events.write("planned", step="groups", changes=counts(create=3, unchanged=4), by_hand=2)
    events.write("planned", step="memberships", changes=counts(create=1), by_hand=0)
    planned = result(tmp_path, mode="plan")
    assert planned.changes == counts(create=4, unchanged=4)
    assert planned.by_hand == 2


def test_a_step_that_ran_twice_counts_its_last_time(tmp_path, events):
    for unchanged in (1, 5):
        events.write("applied", step="groups", changes=counts(unchanged=unchanged))
        checked(events, unchanged == 5)
    assert result(tmp_path).changes["unchanged"] == 5
    assert result(tmp_path).status == "passed"


def test_one_failed_check_fails_the_notebook_even_when_no_cell_did(tmp_path, events):
    checked(events, True, False)
    assert result(tmp_path).status == "failed"
    assert [check.name for check in result(tmp_path).failed_checks] == ["group 1"]


def test_a_failed_cell_fails_the_notebook_even_when_every_check_passed(tmp_path, events):
    checked(events, True)
    assert result(tmp_path, failure=NotebookFailure("ValueError", "x")).status == "failed"


def test_a_run_passes_only_when_every_notebook_did(tmp_path):
    def passed(*statuses):
        notebooks = tuple(NotebookResult(f"0{n}", status) for n, status in enumerate(statuses))
        return RunSummary("run", "sandbox", "apply", "2026-11-23T05:45:00+00:00", 1.0, notebooks).passed

    assert passed("passed", "passed")
    assert not passed("passed", "failed")
    assert not passed("passed", "not run")
    assert not passed()


def test_the_file_has_the_documented_shape(tmp_path, events):
    checked(events, True)
    write(tmp_path, "a")
    notebooks = (result(tmp_path), NotebookResult("07_x", "not run"))
    summary = RunSummary(
        "20261123-054500", "sandbox", "apply", "2026-11-23T05:45:00+00:00", 2.3456, notebooks
    )
    summary.write(tmp_path / "summary.json")
    assert json.loads((tmp_path / "summary.json").read_text("utf-8")) == {
        "run_id": "20261123-054500",
        "target": "sandbox",
        "mode": "apply",
        "started": "2026-11-23T05:45:00+00:00",
        "wall_s": 2.346,
        "notebooks": [
            {
                "notebook": NAME,
                "status": "passed",
                "wall_s": 1.5,
                "changes": counts(create=1),
                "checks": [{"name": "group 0", "passed": True, "detail": "seen"}],
            },
            {"notebook": "07_x", "status": "not run", "wall_s": 0.0, "changes": counts(), "checks": []},
        ],
    }


def test_a_teardown_that_left_something_is_in_the_summary_with_its_counts(tmp_path, events):
    for left_alone in (0, 2):
        verdict = {"undone": 7, "left_alone": left_alone, "unreadable": 0, "to_undo": 0}
        events.write("verdict", step="teardown", counts=verdict)
        found = result(tmp_path)
        assert found.teardown == verdict
        summary = RunSummary("run", "sandbox", "apply", "2026-11-23T05:45:00+00:00", 1.0, (found,))
        shown = summary.as_json()["notebooks"][0]
        assert ("teardown" in shown) is bool(left_alone)
        sentence = _sentence(summary)
        assert sentence.endswith(f"Teardown: 7 undone, {left_alone} left alone, 0 unreadable.")


def test_receipts_of_another_place_in_the_same_folder_are_not_counted(tmp_path, events):
    write(tmp_path, "a")
    write_record(tmp_path, RunRecord("sandbox", "apply", "us-east-1", None, "", "", "another state"))
    assert result(tmp_path).changes == counts()
    write_record(tmp_path, RunRecord("sandbox", "apply", "us-east-1", None, ""))
    assert result(tmp_path).changes == counts(create=1)
