"""Who may read what the kit writes: what may name people, or say who has access, is its owner's alone."""

import ast
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from idc_aws.changes import Action, Change
from idc_aws.errors import RunFailedError
from idc_aws.files import write_explained
from idc_aws.imported_files import write_texts
from idc_aws.project import project_folder
from idc_aws.scenario.saving import save_scenario_part
from idc_aws.scenario.tables import templates, write_tables
from idc_helpers.notebook.whole_tables import write_whole_table
from idc_helpers.runbook.records import AttestationBook, EventLog, Origin, ReceiptBook
from idc_runner.batch.folder import Journal
from idc_runner.batch.jobs import JobResult
from idc_runner.notebooks import RunRecord, write_record
from idc_runner.outputs import ScrubbedFiles
from idc_runner.report import write_report
from idc_runner.summary import RunSummary
from idc_runner.working_copy import lay_out

GROUP = Change(Action.CREATE, "group", "Auditors", None, {}, "does not exist yet")
SUMMARY = RunSummary("run-1", "sandbox", "apply", "2030-01-01T00:00:00+00:00", 1.0, ())
ATTESTED = {"by": "Ana", "seen": "it", "instance_arn": ""}


def whole_table(folder):
    write_whole_table(SimpleNamespace(run_folder=folder, notebook="08_users"), "people", ("user",), [["ana"]])


def counted_job(folder):
    with Journal(folder / "journal.jsonl") as journal:
        journal.count(JobResult("job", "passed", {}, "", 1.0))


WRITERS = {
    "plan, page, Markdown": lambda folder: write_explained(folder / "plan.json", "{}"),
    "idc import": lambda folder: write_texts({folder / "a.yaml": "", folder / "b" / "c.yaml": ""}),
    "idc table": lambda folder: write_tables(templates(), folder, ","),
    "a form": lambda folder: save_scenario_part(
        project_folder() / "parameters" / "sandbox.yaml", folder / "mine.yaml", dict, update=True
    ),
    "a long table": whole_table,
    "receipts": lambda folder: ReceiptBook(folder / "receipts.jsonl").start(GROUP, Origin(*[""] * 7)),
    "events": lambda folder: EventLog(folder / "events.jsonl", "08_users").write("planned"),
    "attestations": lambda folder: AttestationBook(folder / "a.jsonl").record("sessions", {}, **ATTESTED),
    "a run's place": lambda folder: write_record(folder, RunRecord("sandbox", "apply", "", None, "")),
    "an executed notebook": lambda folder: ScrubbedFiles().write('{"cells": []}', str(folder / "a.ipynb")),
    "a summary": lambda folder: SUMMARY.write(folder / "summary.json"),
    "a report": lambda folder: write_report(folder, SUMMARY, where="here", undo_command="idc undo"),
    "a batch's journal": counted_job,
}


@pytest.fixture
def usual_umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


def modes(folder):
    return {path.name: path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("what", WRITERS)
def test_what_is_new_is_its_owners_alone_and_what_was_there_keeps_its_mode(what, tmp_path, usual_umask):
    WRITERS[what](tmp_path)
    assert set(modes(tmp_path).values()) == {0o600}
    for path in tmp_path.rglob("*.*"):
        path.chmod(0o640)
    WRITERS[what](tmp_path)
    assert set(modes(tmp_path).values()) == {0o640}


@pytest.mark.parametrize("name", [".", "there", "./there/"])
def test_a_folder_is_no_file_to_write_and_nothing_is_left_of_it(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    with pytest.raises(RunFailedError, match="cannot be written"):
        write_explained(Path(name), "{}")
    assert [*tmp_path.rglob("*")] == [tmp_path / "there"]


def test_what_is_the_kits_own_in_a_working_copy_is_for_everybody(tmp_path, usual_umask):
    lay_out(tmp_path / "copy", project_folder())
    assert set(modes(tmp_path).values()) == {0o644}


# Everything else goes through `idc_aws.files`.
WRITES_ITSELF = {
    "idc_aws/files.py": "the one place",
    "idc_aws/object_storage.py": "into a replaced file",
    "idc_aws/scenario/reading.py": "the schema, which is the kit's own",
    "idc_aws/scenario/saving.py": "into a replaced file, and into a folder for a moment",
    "idc_aws/scrubbing.py": "a temporary file, which is its owner's alone",
    "idc_aws/signin/config_file.py": "into a replaced file, and a backup made private before",
    "idc_runner/fast/modules.py": "into a pipe",
    "idc_runner/working_copy.py": "the kit's own notebooks and texts",
}


def test_no_other_module_opens_a_file_to_write():
    found = {
        path.relative_to(project_folder()).as_posix()
        for package in ("idc_aws", "idc_helpers", "idc_runner")
        for path in (project_folder() / package).rglob("*.py")
        if any(map(opens_to_write, ast.walk(ast.parse(path.read_text("utf-8")))))
    }
    assert found == set(WRITES_ITSELF)


def opens_to_write(node):
    if not isinstance(node, ast.Call):
        return False
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    modes_given = {each.value for each in node.args if isinstance(each, ast.Constant)}
    return name in ("write_text", "write_bytes", "touch") or (
        name in ("open", "fdopen") and bool(modes_given & {"w", "a", "x", "wb", "ab", "xb", "r+b"})
    )


def test_what_is_no_file_is_written_into_and_stays(tmp_path):
    reading, writing = os.pipe()
    with os.fdopen(reading, encoding="utf-8") as said:
        link = tmp_path / "link"
        link.symlink_to(f"/proc/self/fd/{writing}")
        write_explained(link, "one\n")
        write_explained(Path(f"/proc/self/fd/{writing}"), "two\n")
        os.close(writing)
        assert said.read() == "one\ntwo\n"
    assert link.is_symlink()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with os.fdopen(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK), encoding="utf-8") as said:
        write_explained(pipe, "three\n")
        assert said.read() == "three\n"
    assert pipe.is_fifo()
    with (tmp_path / "all").open("w", encoding="utf-8") as shell:
        shell.write("before\n")
        shell.flush()
        write_explained(Path(f"/proc/self/fd/{shell.fileno()}"), "after\n")
    assert (tmp_path / "all").read_text("utf-8") == "before\nafter\n"
