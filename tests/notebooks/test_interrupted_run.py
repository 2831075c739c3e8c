"""A run that is cut short: what was done is kept, can be finished, and can be undone."""

import contextlib
import json
import os
import signal
from pathlib import Path

import pytest
import urllib3
from kit_commands import what_is_there
from patience import PATIENCE_S, is_gone, until

from idc_helpers.runbook.records import ReceiptBook


@pytest.fixture(scope="module")
def enabled(commands):
    """Identity Center is enabled already, by a run that is not part of what is interrupted."""
    done, _ = commands.run("--only", "01")
    assert done.returncode == 0, done.stdout + done.stderr
    return commands


@pytest.fixture
def slow(enabled):
    """The sandbox takes its time for each answer, so that there is a middle in which to interrupt."""
    switch(enabled, latency_s=0.5)
    yield enabled
    enabled.start_sandbox()
    switch(enabled, latency_s=0)


def switch(commands, **values):
    sandbox = commands.start_sandbox()
    answer = urllib3.request(
        "PUT",
        f"{sandbox.endpoint_url}/_sandbox/switches",
        json=values,
        headers={"x-sandbox-secret": sandbox.control_secret},
        retries=False,
    )
    assert answer.status == 200, answer.data


def until_writing(commands, process, step):
    """Read the progress of a run up to the moment at which a step writes: a receipt of its has begun."""
    told = []
    while f"{step}: applying" not in "".join(told[-1:]):
        told.append(process.stdout.readline())
        assert told[-1], f"the run ended before {step} was applied:\n{''.join(told)}"
    receipts = max(commands.runs.glob("2*")) / "receipts.jsonl"
    until(lambda: receipts.exists() and "\n" in receipts.read_text("utf-8"), "the first receipt")


def receipts_of(commands):
    path = commands.latest / "receipts.jsonl"
    lines = path.read_text("utf-8").splitlines()
    assert all(json.loads(line)["status"] in ("started", "done") for line in lines)
    return ReceiptBook(path).read()


def undo_all(slow):
    """Undo the latest run, of which nothing but the instance before it may stay."""
    switch(slow, latency_s=0)
    undo = slow.idc("undo", str(slow.latest), "--yes")
    assert undo.returncode == 0, undo.stdout + undo.stderr
    assert set(what_is_there(slow)) == {"instance"}


def test_ctrl_c_leaves_whole_receipts_no_process_and_a_run_that_can_be_undone(slow):
    process = slow.begin("--only", "05,06")
    until_writing(slow, process, "permission_sets")
    helpers = descendants(process.pid)
    assert len(helpers) >= 2  # the preloaded process and its fork, which runs the notebook
    process.send_signal(signal.SIGINT)
    told, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert "idc undo" in told
    assert "Traceback" not in told
    until(lambda: all(is_gone(pid) for pid in helpers), "the end of what the run had started")
    assert [notebook["status"] for notebook in slow.summary()["notebooks"]] == ["failed", "not run"]
    receipts = receipts_of(slow)
    assert receipts

    undo_all(slow)


def test_a_run_whose_preloaded_process_is_killed_says_so_and_can_be_undone(slow):
    process = slow.begin("--only", "05,06")
    until_writing(slow, process, "permission_sets")
    os.kill(min(descendants(process.pid)), signal.SIGKILL)
    told, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert "05_permission_sets FAILED" in told
    assert "EngineLostError: the preloaded process that runs the notebooks is gone" in told
    assert "Traceback" not in told
    assert receipts_of(slow)

    undo_all(slow)


def test_a_run_whose_sandbox_dies_says_so_and_running_again_finishes_it(slow):
    """The last one here: what it makes stays."""
    process = slow.begin("--only", "05,06")
    until_writing(slow, process, "permission_sets")
    slow.kill_sandbox()
    told, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert "05_permission_sets FAILED" in told
    assert "The sandbox stopped running. Completed work is kept in its state: run again" in told
    assert [notebook["status"] for notebook in slow.summary()["notebooks"]] == ["failed", "not run"]
    assert receipts_of(slow)

    switch(slow, latency_s=0)
    done, summary = slow.run("--only", "05,06")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {notebook["status"] for notebook in summary["notebooks"]} == {"passed"}
    there = what_is_there(slow)
    assert there["permission sets"] == ["AdministratorAccess", "BillingAuditor", "ReadOnlyAccess"]


def descendants(pid):
    """Return the processes that a process has started, and those that they have started."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}
