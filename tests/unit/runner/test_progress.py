import pytest

from idc_runner.engine import NotebookFailure
from idc_runner.progress import Progress, summary_table
from idc_runner.summary import CheckResult, NotebookResult, RunSummary, format_changes, format_seconds

CHANGES = {"create": 3, "update": 0, "delete": 0, "unchanged": 1}


def progress(log, mode="apply", now=(0.0, 7.25)):
    times = iter(now)
    last = now[-1]
    return Progress(log, mode, clock=lambda: next(times, last))


def test_each_step_has_a_line_with_the_time_since_the_start(log):
    telling = progress(log)
    telling.event({"event": "planned", "step": "groups", "changes": CHANGES})
    telling.event({"event": "applying", "step": "groups", "total": 3})
    telling.event({"event": "applied", "step": "groups", "changes": CHANGES})
    telling.event(
        {"event": "checked", "step": "groups", "checks": [{"name": "a", "passed": True, "detail": ""}]}
    )
    assert log.getvalue().splitlines() == [
        "[     7.2 s]   groups: applying 3 changes",
        "[     7.2 s]   groups: 3 created, 1 unchanged",
        "[     7.2 s]   groups: 1 check passed",
    ]


def test_what_was_skipped_is_told(log):
    telling = progress(log)
    telling.event({"event": "applied", "step": "groups", "changes": {**CHANGES, "skipped": 2}})
    assert "groups: 3 created, 1 unchanged, 2 skipped" in log.getvalue()


def test_in_mode_plan_the_plan_is_told_with_what_is_left_to_a_person(log):
    telling = progress(log, "plan")
    telling.event({"event": "planned", "step": "groups", "changes": CHANGES, "by_hand": 2})
    assert "groups: 3 to create, 1 unchanged, 2 by hand in the console" in log.getvalue()


def test_a_failed_check_and_a_failed_step_are_told_in_full(log):
    telling = progress(log)
    checks = [{"name": "group a", "passed": False, "detail": "found nothing"}, {"name": "b", "passed": True}]
    telling.event({"event": "checked", "step": "groups", "checks": checks})
    telling.event({"event": "failed", "step": "groups", "error": "AWS said no\nDo this."})
    assert "groups: 1 of 2 checks FAILED" in log.getvalue()
    assert "group a: found nothing" in log.getvalue()
    assert "groups: FAILED: AWS said no\n" in log.getvalue()


def test_a_failed_notebook_says_why_and_a_secret_is_never_told(log):
    secret = "wJalrXUtnFEMIxK7MDENGxbPxRfiCYEXAMPLEKEY"
    failure = NotebookFailure("ValueError", f"secret_access_key={secret}", 4)
    progress(log).notebook_ended(NotebookResult("06_groups", "failed", 2.0, failure=failure))
    assert "06_groups FAILED in 2.0 s: nothing to do; 0 checks, 0 failed" in log.getvalue()
    assert "cell [4]: ValueError: secret_access_key=" in log.getvalue()
    assert secret not in log.getvalue()


def test_the_table_has_a_line_for_each_notebook_and_the_sums():
    checks = (CheckResult("a", True, ""), CheckResult("b", False, ""))
    notebooks = (
        NotebookResult("05_x", "passed", 1.0, CHANGES, checks[:1]),
        NotebookResult("06_y", "failed", 62.0, CHANGES, checks),
        NotebookResult("07_z", "not run"),
    )
    table = summary_table(RunSummary("run", "sandbox", "apply", "", 65.0, notebooks))
    heading, _line, *lines = [line.split() for line in table.splitlines()]
    assert heading == ["notebook", "status", "time", "created", "updated", "deleted", "unchanged", "checks"]
    assert lines == [
        ["05_x", "passed", "1.0", "s", "3", "0", "0", "1", "1/1"],
        ["06_y", "failed", "1", "min", "02", "s", "3", "0", "0", "1", "1/2"],
        ["07_z", "not", "run"],
        ["all", "failed", "1", "min", "05", "s", "6", "0", "0", "2", "2/3"],
    ]


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.04, "0.0 s"), (59.94, "59.9 s"), (59.96, "1 min 00 s"), (3600, "60 min 00 s")]
)
def test_seconds_in_words(seconds, words):
    assert format_seconds(seconds) == words


def test_no_change_is_said_too():
    assert format_changes(dict.fromkeys(CHANGES, 0)) == "nothing to do"
