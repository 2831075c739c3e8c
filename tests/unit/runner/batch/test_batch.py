import errno
import json
import os
import shutil
import signal
import tempfile
import threading
from contextlib import nullcontext

import pytest
from batch_tools import counted, descriptors, fails, report, statuses
from patience import PATIENCE_S

from idc_aws.errors import InvalidValueError, ParametersError, RunFailedError
from idc_aws.scenario.reading import load_scenario
from idc_runner.batch import folder as folders
from idc_runner.batch.folder import Journal, own_batch_folder
from idc_runner.batch.jobs import JobResult
from idc_runner.engine import NotebookFailure, TimeLimits
from idc_runner.summary import RunSummary, time_words

FIVE = "defaults: {notebook: '05'}\njobs:\n" + "".join(f"  - {{name: j{number}}}\n" for number in range(5))
CHAIN = (
    "defaults: {notebook: '05'}\njobs:\n  - {name: a}\n  - {name: b, after: [a]}\n  - {name: c, after: [b]}\n"
    "  - {name: d}\n"
)


def test_each_job_is_a_run_in_a_folder_of_its_own_and_the_batch_has_both_reports(
    run, table, engine, tmp_path
):
    outcome = run(table(FIVE))
    out = tmp_path / "out"
    assert outcome.exit_status == 0
    assert sorted(engine.asked) == [f"j{number}" for number in range(5)]
    assert sorted(counted(out)) == sorted(engine.asked)
    assert (engine.opened, engine.closed) == (1, 1)
    left = {path.name for path in (out / "jobs" / "j0").iterdir()}
    assert left == {"events.jsonl", "index.html", "notebooks", "run.json", "run.log", "summary.json"}
    assert {path.name for path in out.iterdir()} == {
        ".pacing",
        "batch.json",
        "batch.lock",
        "index.html",
        "jobs",
        "journal.jsonl",
    }
    whole = json.loads((out / "batch.json").read_text("utf-8"))
    assert whole["status"] == "passed"
    assert whole["counts"] == {"passed": 5, "failed": 0, "not run": 0}
    page = (out / "index.html").read_text("utf-8")
    assert 'href="jobs/j0/index.html"' in page
    assert f">{time_words(whole['started'])}</time>" in page  # for people; the rest is in the attribute
    assert "5 of 5 jobs passed" in run.told


def test_a_batch_is_not_written_over_its_own_table_nor_a_scenario(run, table, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    ours = {"batch.json": FIVE, "index.html": "target: sandbox\n"}
    for name, text in ours.items():
        (out / name).write_text(text, "utf-8")
    for path in (out / "batch.json", table("jobs: [{name: a, notebook: '05', scenario: out/index.html}]\n")):
        with pytest.raises(InvalidValueError, match=r"cannot be written: .* the same file"):
            run(path)
    assert {path.name: path.read_text("utf-8") for path in out.iterdir()} == ours


def test_workers_work_side_by_side_and_never_more_than_asked_for(run, table, engine):
    together = threading.Barrier(3, timeout=PATIENCE_S)
    six = FIVE + "  - {name: j5}\n"

    def meet(_folder):
        together.wait()

    engine.acts = {f"j{number}": meet for number in range(6)}
    assert run(table(six), workers=3).exit_status == 0
    assert engine.most_at_work == 3


def test_a_failed_job_stops_no_other_and_what_comes_after_it_is_not_run(run, table, engine, tmp_path):
    engine.acts["a"] = fails
    outcome = run(table(CHAIN))
    assert outcome.exit_status == 1
    assert statuses(tmp_path / "out") == {"a": "failed", "b": "not run", "c": "not run", "d": "passed"}
    jobs = report(tmp_path / "out")
    assert jobs["a"]["reason"] == "05_a: cell [3]: WriteFailedError: the write failed"
    assert jobs["b"]["reason"] == "the job 'a', which it comes after, failed"
    assert jobs["c"]["reason"] == "the job 'b', which it comes after, was not run"
    assert "the write failed" in (tmp_path / "out" / "index.html").read_text("utf-8")
    assert "1 failed" in run.told
    assert counted(tmp_path / "out").count("b") == 0


def test_jobs_run_after_those_that_they_wait_for(run, table, engine):
    run(table(CHAIN), workers=4)
    assert [name for name in engine.asked if name != "d"] == ["a", "b", "c"]


def test_the_same_command_again_runs_nothing_that_is_done(run, table, engine, tmp_path):
    run(table(FIVE))
    engine.asked.clear()
    outcome = run(table(FIVE))
    assert outcome.exit_status == 0
    assert engine.asked == []
    assert engine.opened == 1
    assert "5 jobs passed before with the same inputs: not run again." in run.told
    assert len(counted(tmp_path / "out")) == 5
    assert not report(tmp_path / "out")["j0"]["in_this_batch"]


def test_a_job_with_other_inputs_runs_again_and_is_told_why(run, table, engine, kit):
    run(table(CHAIN))
    engine.asked.clear()
    run(table(CHAIN.replace("{name: a}", "{name: a, set: {region: eu-west-1}}")))
    assert engine.asked == ["a", "b", "c"]
    assert "a is run again, because its line in the table changed." in run.told
    assert "b is run again, because a job before it changed." in run.told
    engine.asked.clear()
    (kit / "parameters" / "sandbox.yaml").write_text("target: sandbox\n", "utf-8")
    run(table(CHAIN.replace("{name: a}", "{name: a, set: {region: eu-west-1}}")))
    assert sorted(engine.asked) == ["a", "b", "c", "d"]


def test_what_failed_stays_failed_until_it_is_asked_for_again(run, table, engine, tmp_path):
    engine.acts["a"] = fails
    run(table(CHAIN))
    engine.asked.clear()
    engine.acts.clear()
    assert run(table(CHAIN)).exit_status == 1
    assert engine.asked == []
    assert "1 job failed before: not run again. --retry-failed runs them." in run.told
    assert run(table(CHAIN), retry_failed=True).exit_status == 0
    assert engine.asked == ["a", "b", "c"]
    assert counted(tmp_path / "out").count("a") == 2
    assert set(statuses(tmp_path / "out").values()) == {"passed"}


def test_values_of_the_job_reach_the_notebook_and_what_it_reads_beside(run, table, engine, tmp_path):
    text = (
        "jobs:\n  - name: a\n    notebook: '09'\n    set:\n      region: eu-west-1\n      user_name: ana\n"
        "      expected_account: '012345678901'\n"
    )
    run(table(text), mode="plan")
    given = engine.parameters["a"]
    assert (given["region"], given["user_name"], given["mode"]) == ("eu-west-1", "ana", "plan")
    scenario = load_scenario(given["scenario_file"])
    assert scenario.expected_account == "012345678901"
    assert scenario.groups[0].display_name == "Readers"
    assert given["scenario_file"] == str(tmp_path / "out" / "jobs" / "a" / "scenario.yaml")


def test_time_limits_reach_the_engine(run, table, engine):
    run(table(FIVE), limits=TimeLimits(3, 30))
    assert engine.limits == TimeLimits(3, 30)


def test_a_job_whose_target_is_refused_fails_with_the_reason(run, table, engine, tmp_path, monkeypatch):
    def refuse(_run, _state):
        raise RunFailedError("no such account", remedy="Look.")

    monkeypatch.setattr("idc_runner.batch.workers._reached", refuse)
    assert run(table(CHAIN)).exit_status == 1
    assert report(tmp_path / "out")["a"]["reason"] == "RunFailedError: no such account\nLook."
    assert engine.asked == []
    assert "no such account" in (tmp_path / "out" / "jobs" / "a" / "run.log").read_text("utf-8")


def test_nothing_is_made_before_the_whole_table_is_right(run, table, engine, tmp_path):
    with pytest.raises(ParametersError):
        run(table(FIVE + "  - {name: j5, notebook: '55'}\n"))
    assert not (tmp_path / "out").exists()
    with pytest.raises(InvalidValueError, match="0 workers"):
        run(table(FIVE), workers=0)


def test_a_second_batch_in_the_same_folder_is_refused_with_who_holds_it(run, table, engine, tmp_path):
    (tmp_path / "out").mkdir()
    with own_batch_folder(tmp_path / "out"), pytest.raises(RunFailedError) as refused:
        run(table(FIVE))
    assert f"process {os.getpid()} on" in str(refused.value)
    assert engine.asked == []
    assert run(table(FIVE)).exit_status == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_batch_and_the_same_command_goes_on(run, table, engine, tmp_path, number):
    ended = threading.Event()

    def interrupt(_folder):
        os.kill(os.getpid(), number)
        assert ended.wait(PATIENCE_S)

    engine.acts["j2"] = interrupt
    engine.end = ended.set
    outcome = run(table(FIVE), workers=1)
    out = tmp_path / "out"
    assert outcome.exit_status == 128 + number
    assert counted(out) == ["j0", "j1"]
    assert statuses(out)["j2"] == "not run"
    assert report(out)["j2"]["reason"] == "the batch was ended before it"
    assert "give the same command again" in run.told
    engine.acts.clear()
    engine.asked.clear()
    assert run(table(FIVE), workers=1).exit_status == 0
    assert engine.asked == ["j2", "j3", "j4"]
    assert counted(out) == ["j0", "j1", "j2", "j3", "j4"]


def test_a_torn_line_of_the_journal_is_a_job_that_was_not_counted(run, table, engine, tmp_path):
    run(table(FIVE), workers=1)
    journal = tmp_path / "out" / "journal.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-40])
    engine.asked.clear()
    assert run(table(FIVE)).exit_status == 0
    assert engine.asked == ["j4"]
    lines = journal.read_text("utf-8").splitlines()
    assert len(lines) == 6
    assert json.loads(lines[-1])["job"] == "j4"


def lost_engine(times):
    left = iter(range(times))

    def act(_folder):
        if next(left, None) is not None:
            return NotebookFailure("EngineLostError", "the preloaded process is gone")
        return None

    return act


def test_a_notebook_that_was_lost_with_the_engine_runs_again_and_the_report_says_so(
    run, table, engine, tmp_path
):
    engine.acts["j1"] = lost_engine(2)
    assert run(table(FIVE), workers=1).exit_status == 0
    assert engine.asked.count("j1") == 3
    assert sorted(counted(tmp_path / "out")) == ["j0", "j1", "j2", "j3", "j4"]
    assert {
        name: job["attempts"] for name, job in report(tmp_path / "out").items() if name in ("j0", "j1")
    } == {
        "j0": 1,
        "j1": 3,
    }
    news = "The process that runs the notebooks was killed; 2 notebooks that it was running began again."
    assert json.loads((tmp_path / "out" / "batch.json").read_text("utf-8"))["news"] == [news]
    assert news in run.told


def test_an_engine_that_is_lost_time_and_again_fails_the_job_and_no_other(run, table, engine, tmp_path):
    engine.acts["j1"] = lost_engine(100)
    assert run(table(FIVE), workers=1).exit_status == 1
    assert engine.asked.count("j1") == 3
    assert "EngineLostError" in report(tmp_path / "out")["j1"]["reason"]
    assert "2 notebooks that it was running began again" in run.told, "after the third time it did not"
    assert list(statuses(tmp_path / "out").values()).count("passed") == 4


def no_space(*_arguments, **_options):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_under_the_journal_ends_the_batch_in_words_and_nothing_is_lost(
    run, table, engine, tmp_path, monkeypatch
):
    append_object = folders.append_object
    lines = []

    def append(descriptor, entry):
        lines.append(entry)
        if len(lines) == 3:
            no_space()
        append_object(descriptor, entry)

    monkeypatch.setattr(folders, "append_object", append)
    with pytest.raises(RunFailedError, match="No space left") as ended:
        run(table(FIVE), workers=1)
    assert "give the same command again" in str(ended.value).replace("\n", " ")
    assert counted(tmp_path / "out") == ["j0", "j1"]
    monkeypatch.undo()


def test_a_full_disk_under_a_jobs_files_ends_the_batch_and_the_job_runs_again(
    run, table, engine, tmp_path, monkeypatch
):
    engine.acts["j2"] = lambda _folder: monkeypatch.setattr(RunSummary, "write", no_space)
    with pytest.raises(RunFailedError, match="No space left"):
        run(table(FIVE), workers=1)
    assert counted(tmp_path / "out") == ["j0", "j1"]
    assert statuses(tmp_path / "out")["j2"] == "not run"


def test_a_full_disk_under_the_report_leaves_the_one_before_whole(run, table, engine, tmp_path, monkeypatch):
    run(table(CHAIN))
    before = (tmp_path / "out" / "batch.json").read_text("utf-8")
    monkeypatch.setattr("idc_runner.batch.report.write_whole", no_space)
    with pytest.raises(RunFailedError, match="No space left"):
        run(table(CHAIN + "  - {name: e}\n"))
    assert (tmp_path / "out" / "batch.json").read_text("utf-8") == before
    assert counted(tmp_path / "out")[-1] == "e"


def test_a_folder_that_cannot_be_written_is_said_before_the_first_job(
    run, table, engine, tmp_path, monkeypatch
):
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(RunFailedError, match="cannot be written: Not a directory"):
        run(table(FIVE), out=tmp_path / "file" / "out")

    def read_only(*_arguments, **_options):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("pathlib.Path.mkdir", read_only)
    with pytest.raises(RunFailedError, match="Read-only file system"):
        run(table(FIVE))
    assert engine.asked == []


def test_a_defect_in_one_job_stops_no_other(run, table, engine, tmp_path):
    def breaks(_folder):
        raise ZeroDivisionError("division by zero")

    engine.acts["j1"] = breaks
    assert run(table(FIVE)).exit_status == 1
    reason = report(tmp_path / "out")["j1"]["reason"]
    assert "ZeroDivisionError: division by zero" in reason
    assert "the traceback is in" in reason
    assert list(statuses(tmp_path / "out").values()).count("passed") == 4


def test_a_job_that_takes_its_folder_away_fails_and_stops_no_other(run, table, engine, tmp_path):
    def takes_away(folder):
        shutil.rmtree(folder)
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    engine.acts["j1"] = takes_away
    assert run(table(FIVE)).exit_status == 1
    assert "FileNotFoundError" in report(tmp_path / "out")["j1"]["reason"]
    assert list(statuses(tmp_path / "out").values()).count("passed") == 4


def test_a_folder_among_a_jobs_notebooks_goes_with_the_attempt(run, table, engine, tmp_path):
    engine.acts["a"] = fails
    run(table(CHAIN))
    notebooks = tmp_path / "out" / "jobs" / "a" / "notebooks"
    (notebooks / ".ipynb_checkpoints").mkdir()
    (notebooks / ".ipynb_checkpoints" / "05_a-checkpoint.ipynb").write_text("{}")
    del engine.acts["a"]
    assert run(table(CHAIN), retry_failed=True).exit_status == 0
    assert not (notebooks / ".ipynb_checkpoints").exists()


def test_many_jobs_leave_no_descriptor_no_thread_and_no_file_behind(
    run, table, engine, tmp_path, monkeypatch
):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    run(table(FIVE))
    before = (descriptors(), threading.active_count())
    many = "defaults: {notebook: '05'}\njobs:\n" + "".join(f"  - {{name: m{n}}}\n" for n in range(40))
    assert run(table(many), out=tmp_path / "many").exit_status == 0
    assert (descriptors(), threading.active_count()) == before
    assert list(temporary.iterdir()) == []
    assert [path for path in (tmp_path / "many").rglob(".*") if path.is_file()] == []


def test_what_is_masked_is_in_no_file_of_a_job_and_the_notebooks_still_get_it(
    run, table, engine, tmp_path, kit, monkeypatch
):
    seen = []

    def act(folder):
        seen.append(load_scenario(engine.parameters[folder.name]["scenario_file"]).users[0].given_name)
        return NotebookFailure("ValueError", "Mary Major has no group")

    engine.acts["a"] = act
    user = "{user_name: mary.major, given_name: Mary, family_name: Major, display_name: Mary Major}"
    text = f"jobs:\n  - name: a\n    notebook: '05'\n    sandbox: own\n    set:\n      users: [{user}]\n"
    monkeypatch.setattr("idc_runner.batch.workers.sandbox_of_its_own", lambda state, is_shared: nullcontext())
    run(table(text), mask_personal_data=True)
    assert seen == ["Mary"]
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert [path for path in written if "Major" in path.read_text("utf-8")] == []
    assert "Major" not in run.told
    assert "Person 1 has no group" in report(tmp_path / "out")["a"]["reason"]


def test_masking_on_a_cluster_is_refused(run, table, engine):
    with pytest.raises(InvalidValueError, match="on this machine only"):
        run(table(FIVE), mask_personal_data=True, scheduler="tcp://127.0.0.1:8786")


def test_each_job_that_ended_is_on_disk_before_it_counts(tmp_path, monkeypatch):
    sizes, fsync = [], os.fsync

    def counted(descriptor):
        sizes.append(os.fstat(descriptor).st_size)
        fsync(descriptor)

    monkeypatch.setattr("os.fsync", counted)
    with Journal(tmp_path / "journal.jsonl") as journal:
        for number in range(3):
            journal.count(JobResult(f"job-{number}", "passed", "print", "2026-11-23T05:45:00+00:00", 1.0))
            assert sizes[-1:] == [journal.path.stat().st_size]
    assert len(sizes) == 3
