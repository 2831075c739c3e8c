"""Batches whose processes are killed at work: every job that ended is counted once, and the rest goes on."""

import json
import os
import signal
import subprocess
import sys

import pytest
from patience import PATIENCE_S, is_gone, until
from tiny_batch import KIT, make_batch

# On its first attempt a job does what its name says.
NOTEBOOK = """\
import os, signal, time
from pathlib import Path
here = Path(run_folder)
attempts = here.parent.parent / "attempts.txt"
before = attempts.read_text().split() if attempts.exists() else []
with attempts.open("a") as file:
    file.write(f"{here.name}\\n")
first = here.name not in before
if first and here.name == "kills-itself":
    os.kill(os.getpid(), signal.SIGKILL)
if first and here.name == "kills-the-preloaded-process":
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(600)
if first and here.name == "waits":
    (here.parent.parent / "pids.txt").write_text(str(os.getpid()))
    time.sleep(600)
"""
# Jobs that reach no target, so that none is started for them.
BATCH = """\
import sys
from pathlib import Path
from idc_aws.errors import KitError
from idc_runner.batch import workers
from idc_runner.batch.batch import BatchRequest, run_batch
workers._target = lambda prepared, state: ("nowhere", "")
project, table, out, workers, *options = sys.argv[1:]
request = BatchRequest(
    Path(project),
    Path(table),
    out=Path(out),
    workers=int(workers),
    retry_failed="retry" in options,
    engine="kernel" if "kernel" in options else None,
)
try:
    sys.exit(run_batch(request, sys.stdout).exit_status)
except KitError as error:
    sys.exit(f"error: {error}")
"""


class Batch:
    """A table of jobs in a folder, and what running it leaves."""

    def __init__(self, folder, names):
        self.out = folder / "out"
        self.project, self.table = make_batch(folder, NOTEBOOK, names)

    def begin(self, *options, workers=1):
        words = [str(self.project), str(self.table), str(self.out), str(workers), *options]
        return subprocess.Popen(
            [sys.executable, "-c", BATCH, *words],
            env={**os.environ, "PYTHONPATH": str(KIT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *options, workers=1):
        process = self.begin(*options, workers=workers)
        told, _ = process.communicate(timeout=PATIENCE_S)
        return process.returncode, told

    def counted(self):
        lines = (self.out / "journal.jsonl").read_text("utf-8").splitlines()
        return [(json.loads(line)["job"], json.loads(line)["status"]) for line in lines]

    def pids(self):
        path = self.out / "pids.txt"
        return [int(word) for word in path.read_text("utf-8").split()] if path.exists() else []

    def half_written(self):
        hidden = [path for path in self.out.rglob(".*") if path.is_file()]
        for path in self.out.rglob("*.ipynb"):
            json.loads(path.read_text("utf-8"))
        return hidden


def test_a_killed_notebook_fails_its_job_and_a_killed_preloaded_process_none(tmp_path):
    batch = Batch(tmp_path, ["j0", "kills-itself", "kills-the-preloaded-process", "j1"])
    status, told = batch.run(workers=2)
    assert status == 1
    assert dict(batch.counted()) == {
        "j0": "passed",
        "kills-itself": "failed",
        "kills-the-preloaded-process": "passed",
        "j1": "passed",
    }
    assert len(batch.counted()) == 4
    assert "SIGKILL" in told
    assert "The process that runs the notebooks was killed" in told
    status, told = batch.run("retry")
    assert status == 0, told
    assert len(batch.counted()) == 5
    assert batch.half_written() == []


@pytest.mark.parametrize(
    ("number", "engine"),
    [(signal.SIGKILL, "fast"), (signal.SIGINT, "fast"), (signal.SIGINT, "kernel")],
    ids=["kill -9", "Ctrl-C", "Ctrl-C and kernels"],
)
def test_a_batch_that_is_ended_goes_on_with_the_same_command(tmp_path, number, engine):
    batch = Batch(tmp_path, ["j0", "waits", "j1"])
    process = batch.begin(engine)
    pids = until(lambda: batch.pids() or process.poll() is not None)
    process.send_signal(number)
    told, _ = process.communicate(timeout=PATIENCE_S)
    until(lambda: all(is_gone(pid) for pid in pids))
    assert batch.counted() == [("j0", "passed")]
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    assert ("give the same command again" in told) == (number == signal.SIGINT)
    status, told = batch.run()
    assert status == 0, told
    assert batch.counted() == [("j0", "passed"), ("waits", "passed"), ("j1", "passed")]
    assert "1 job passed before with the same inputs: not run again." in told
    assert batch.half_written() == []
