import asyncio
import importlib
import json
import os
import signal
import threading
from contextlib import nullcontext
from pathlib import Path
from typing import ClassVar

import pytest
from patience import until
from tiny_notebooks import FAILED_CHECK, PARAMETERS, PASSES, RAISES, tell, write_notebook

from idc_aws.errors import ReceiptError
from idc_aws.signin.terminal import CommandLine, Terminal
from idc_runner.execution import FAULT_FILE, signals_as_exceptions
from idc_runner.fast.engine import open_engine
from idc_runner.run import RunRequest, run_lesson

KIT = Path(__file__).parents[3]

WRITES = """\
from idc_aws.changes import Action, Change
from idc_helpers.runbook.records import Origin, ReceiptBook
origin = Origin("run", {name!r}, "groups", "sandbox", "111122223333", "us-east-1", "")
change = Change(Action.CREATE, "group", "a", None, {{}}, "")
ReceiptBook(Path(run_folder) / "receipts.jsonl").start(change, origin)
"""


def carried_out(project, start, notebooks, engine=None):
    for name, cells in notebooks.items():
        write_notebook(project / "notebooks", name, *tell(name, *cells))
    return start(RunRequest(project), engine=engine).carry_out()


def statuses(outcome):
    return [notebook.status for notebook in outcome.summary.notebooks]


def test_a_run_whose_checks_all_pass_exits_with_0_and_leaves_its_folder_complete(project, start, log):
    notebooks = {"06_a": [PASSES], "07_b": [PASSES]}
    with open_engine("kernel") as engine:
        outcome = carried_out(project, start, notebooks, engine)
    assert outcome.exit_status == 0
    left = {str(path.relative_to(outcome.folder)) for path in outcome.folder.rglob("*") if path.is_file()}
    executed = {f"notebooks/{name}.{ending}" for name in ("06_a", "07_b") for ending in ("html", "ipynb")}
    assert left == {"events.jsonl", "index.html", "summary.json", "notebooks/kernels.log", *executed}
    assert (
        json.loads((outcome.folder / "summary.json").read_text("utf-8"))["notebooks"][1]["status"] == "passed"
    )
    told = log.getvalue()
    for words in ("06_a (1 of 2)", "groups: 1 check passed", "07_b passed in", "index.html"):
        assert words in told
    assert told.index("06_a (1 of 2)") < told.index("groups: 2 unchanged") < told.index("06_a passed in")


@pytest.mark.parametrize("cell", [RAISES, FAILED_CHECK])
def test_a_failure_ends_the_run_and_what_follows_is_not_run(project, start, log, cell):
    notebooks = {"05_a": [PASSES], "06_b": [WRITES.format(name="06_b"), cell], "99_c": [PASSES]}
    outcome = carried_out(project, start, notebooks)
    assert outcome.exit_status == 1
    assert statuses(outcome) == ["passed", "failed", "not run"]
    assert f"To undo it: idc undo {outcome.folder.name}" in log.getvalue()
    assert "give the same command again" in log.getvalue()


def test_a_sandbox_that_is_gone_is_named_as_the_cause(project, start, log, monkeypatch):
    write_notebook(project / "notebooks", "06_b", *tell("06_b", RAISES))
    execution = start(RunRequest(project))
    monkeypatch.setattr("idc_runner.execution.find_sandbox", lambda state=None: None)
    execution.carry_out()
    assert "The sandbox stopped running. Completed work is kept" in log.getvalue()


@pytest.mark.parametrize(
    ("number", "engine_name"),
    [(signal.SIGINT, "kernel"), (signal.SIGINT, "fast"), (signal.SIGTERM, "fast"), (signal.SIGHUP, "fast")],
)
def test_a_signal_ends_the_run_with_its_receipts_whole_and_its_kernel_gone(
    project, start, log, number, engine_name, tmp_path
):
    before = signal.getsignal(signal.SIGINT)
    pid_file = tmp_path / "pid"
    waits = f"import os, time; Path({str(pid_file)!r}).write_text(str(os.getpid())); time.sleep(6000)"
    name = "06_b"
    write_notebook(project / "notebooks", name, *tell(name, WRITES.format(name=name), waits))
    write_notebook(project / "notebooks", "99_c", *tell("99_c", PASSES))
    watcher = threading.Thread(target=signal_when_written, args=(pid_file, number))
    with signals_as_exceptions(), open_engine(engine_name) as engine:
        execution = start(RunRequest(project), engine=engine)
        watcher.start()
        outcome = execution.carry_out()
    watcher.join()
    assert outcome.exit_status == 128 + number
    assert statuses(outcome) == ["failed", "not run"]
    assert json.loads((outcome.folder / "receipts.jsonl").read_text("utf-8"))["key"] == "a"
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text("utf-8")), 0)
    assert f"idc undo {outcome.folder.name}" in log.getvalue()
    assert signal.getsignal(signal.SIGINT) is before


def signal_when_written(path, number):
    until(lambda: path.exists() and path.read_text("utf-8"), "the notebook's last cell")
    os.kill(os.getpid(), number)


class FailingEngine:
    """Executes nothing: it fails as no engine should."""

    name = "failing"

    def __init__(self, error):
        self.error = error

    def begin(self, order):
        pass

    def execute(self, order):
        raise self.error

    def close(self):
        pass


class RecordingEngine:
    """Executes nothing, and remembers what it is asked for."""

    def __init__(self):
        self.asked = []

    def begin(self, order):
        self.asked.append(("begin", order))

    def execute(self, order):
        self.asked.append(("execute", order))
        order.output.write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', "utf-8")

    def close(self):
        pass


TERMINAL = Terminal({"HOME": "/home"}, lambda: CommandLine("/bin/aws", (2, 9, 19)))


class Forks:
    """The process that imports an AWS CLI: what is asked for it."""

    begun: ClassVar[list[object]] = []

    def __init__(self, *asked):
        self.begun.append(asked)
        self.variables = {"FORKS": "address"}

    def close(self):
        self.begun.append("closed")


@pytest.fixture
def forks(monkeypatch):
    """Let no AWS CLI be asked, and return what is asked for the process that imports one."""
    monkeypatch.setattr("idc_runner.execution.ask_command_lines", lambda: None)
    monkeypatch.setattr("idc_runner.execution.terminal_of", lambda _state: TERMINAL)
    monkeypatch.setattr("idc_runner.execution.CommandForks", Forks)
    monkeypatch.setattr(Forks, "begun", [])
    return Forks.begun


def write_notebook_that_signs_in(project):
    parameters = f"{PARAMETERS}profile_name = None\n"
    write_notebook(project / "notebooks", "10_c", *tell("10_c", PASSES), parameters=parameters)


def test_the_next_notebook_is_begun_beside_each_and_executed_as_it_was_begun(
    project, start, forks, monkeypatch
):
    versions = iter(["1", "2"])  # what is known of them grows from one look to the next
    terminals = []
    monkeypatch.setattr("idc_runner.execution.terminal_of", lambda state: terminals.append(state) or TERMINAL)
    monkeypatch.setattr("idc_runner.execution.known_versions", lambda: {"VERSIONS": next(versions)})
    for name in ("05_a", "06_b"):
        write_notebook(project / "notebooks", name, *tell(name, PASSES))
    write_notebook_that_signs_in(project)
    engine = RecordingEngine()
    start(RunRequest(project), engine=engine).carry_out()
    asked = [(word, order.notebook.name) for word, order in engine.asked]
    assert asked == [
        ("begin", "06_b"),
        ("execute", "05_a"),
        ("begin", "10_c"),
        ("execute", "06_b"),
        ("execute", "10_c"),
    ]
    begun, executed = (order for word, order in engine.asked if order.notebook.name == "10_c")
    assert begun == executed, "what was begun would not be used"
    assert len(terminals) == 1, "a terminal's files are written once"
    assert begun.environment["VERSIONS"] == "1", "a notebook that signs in knows the versions of the AWS CLIs"
    assert not {"VERSIONS", "FORKS"} & engine.asked[0][1].environment.keys()
    assert forks == [("/bin/aws", {"HOME": "/home"}), "closed"]


def test_a_process_for_the_aws_cli_that_begins_after_the_last_notebook_ends_at_once(
    project, start, forks, monkeypatch
):
    ended = threading.Event()

    def begin_late(*asked):
        ended.wait()
        return Forks(*asked)

    monkeypatch.setattr("idc_runner.execution.CommandForks", begin_late)
    for name in ("08_a", "09_b"):  # the run fails at the first, where nobody waits yet for what it prepares
        write_notebook(project / "notebooks", name, *tell(name, PASSES))
    write_notebook_that_signs_in(project)
    outcome = start(RunRequest(project), engine=FailingEngine(RuntimeError("oh"))).carry_out()
    assert (outcome.summary.passed, forks) == (False, [])
    ended.set()
    until(lambda: forks[-1:] == ["closed"])


class Place:
    """A target as far as a run asks it."""

    state_id = "state"

    def __str__(self):
        return "a sandbox"


def test_the_first_notebook_is_begun_while_a_fresh_sandbox_is_looked_at(log, tmp_path, monkeypatch):
    engine = RecordingEngine()
    monkeypatch.setattr("idc_runner.run.sandbox_of_its_own", lambda *_given, **_options: nullcontext())

    def look(_prepared, _state):
        engine.asked.append(("look", None))
        return Place()

    monkeypatch.setattr("idc_runner.run.require_target", look)
    run_lesson(RunRequest(KIT, runs=tmp_path, only=("00",), fresh_sandbox=True), log, engine)
    (first, begun), (second, _), (third, executed) = engine.asked
    assert (first, second, third) == ("begin", "look", "execute")
    assert begun == executed, "what was begun would not be used"


FAULTS = [
    AssertionError(),
    KeyError("pid"),
    MemoryError("no more"),
    SystemExit(7),
    GeneratorExit(),
    asyncio.CancelledError("somebody else's"),
    ReceiptError("the receipts cannot be read", remedy="Look at the file."),
]


@pytest.mark.parametrize("fault", FAULTS, ids=[type(fault).__name__ for fault in FAULTS])
def test_a_fault_of_the_runner_itself_leaves_a_summary_and_a_report(project, start, log, fault):
    for name in ("06_b", "07_c"):
        write_notebook(project / "notebooks", name, *tell(name, PASSES))
    outcome = start(RunRequest(project), engine=FailingEngine(fault)).carry_out()
    assert outcome.exit_status == 1
    assert statuses(outcome) == ["failed", "not run"]
    summary = json.loads((outcome.folder / "summary.json").read_text("utf-8"))
    assert [notebook["status"] for notebook in summary["notebooks"]] == ["failed", "not run"]
    report = (outcome.folder / "index.html").read_text("utf-8")
    assert type(fault).__name__ in report
    assert "The kit failed here, not a cell of the notebook" in report
    assert type(fault).__name__ in (outcome.folder / FAULT_FILE).read_text("utf-8")
    assert "06_b FAILED" in log.getvalue()


def test_an_interrupt_that_nothing_turned_into_a_signal_is_one(project, start):
    write_notebook(project / "notebooks", "06_b", *tell("06_b", PASSES))
    outcome = start(RunRequest(project), engine=FailingEngine(KeyboardInterrupt())).carry_out()
    assert outcome.exit_status == 130
    assert statuses(outcome) == ["failed"]
    assert (outcome.folder / "index.html").exists()


@pytest.mark.parametrize("place", ["idc_runner.execution.notebook_result", "idc_runner.report._pages"])
def test_a_fault_while_a_result_is_read_or_shown_does_so_too(project, start, monkeypatch, place):
    module, _, name = place.rpartition(".")
    original, seen = getattr(importlib.import_module(module), name), []

    def once(*arguments, **options):
        if not seen:
            seen.append(1)
            raise ZeroDivisionError("a fault of ours")
        return original(*arguments, **options)

    monkeypatch.setattr(place, once)
    outcome = carried_out(project, start, {"06_b": [PASSES]})
    assert outcome.exit_status == 1
    assert statuses(outcome) == ["failed"]
    assert "a fault of ours" in (outcome.folder / "index.html").read_text("utf-8")
    assert (outcome.folder / "summary.json").exists()
