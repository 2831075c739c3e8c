"""The folder of a batch: its lock, its journal, and which jobs are done already.

``journal.jsonl`` is what counts; ``batch.json`` and ``index.html`` are made from it. ``jobs/<name>/`` is a
job's run folder. Nothing in it is ever half written: files are written beside and renamed.
"""

from __future__ import annotations

import datetime
import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from idc_aws.errors import RunFailedError
from idc_aws.files import APPENDING, append_object, lock_file
from idc_runner.batch.jobs import Job, JobResult, changed_inputs
from idc_runner.summary import counted

LOCK, JOURNAL, JOBS, PACING = "batch.lock", "journal.jsonl", "jobs", ".pacing"
# What a new attempt of a job starts without. Receipts and attestations stay: undo goes by them.
_OF_ONE_ATTEMPT = ("summary.json", "index.html", "events.jsonl", "run.log")


@contextmanager
def own_batch_folder(folder: Path) -> Iterator[Path]:
    """Make a batch's folder, and hold it for the length of a block."""
    with ExitStack() as stack:
        try:
            for each in (folder, folder / JOBS, folder / PACING):
                each.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = stack.enter_context(lock_file(folder / LOCK, wait=False))
            if descriptor is None:
                raise _at_work(folder)
            _sign(descriptor)
        except OSError as error:
            raise unwritable(folder, error) from error
        yield folder


def unwritable(folder: Path, error: OSError) -> RunFailedError:
    """Return what to say when a batch's folder takes nothing any more."""
    return RunFailedError(
        f"the batch's folder {str(folder)!r} cannot be written: {error.strerror or error}",
        remedy="Make room, or name a folder that you may write with --out DIR. What is counted in its "
        "journal stays so: the same command resumes from there.",
    )


def _sign(descriptor: int) -> None:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    about = {"pid": os.getpid(), "host": socket.gethostname(), "since": now}
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(about).encode() + b"\n", 0)


def _at_work(folder: Path) -> RunFailedError:
    holder = ""
    with suppress(OSError, ValueError, KeyError, TypeError):
        about = json.loads((folder / LOCK).read_text("utf-8"))
        holder = f": process {about['pid']} on {about['host']}, since {about['since']}"
    return RunFailedError(
        f"another batch is running in {str(folder)!r}{holder}",
        remedy="Wait until it has ended, or name another folder with --out DIR.",
    )


def job_folder(batch: Path, name: str) -> Path:
    """Return the folder of a job."""
    return batch / JOBS / name


def open_job_folder(folder: Path) -> Path:
    """Make a job's run folder ready for a new attempt: receipts stay, what one attempt wrote goes."""
    notebooks = folder / "notebooks"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    notebooks.mkdir(exist_ok=True)
    for path in (*(folder / name for name in _OF_ONE_ATTEMPT), *notebooks.iterdir()):
        if path.is_dir() and not path.is_symlink():  # such as JupyterLab's of checkpoints
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    # What was being written when an attempt was killed.
    for path in folder.glob(".*.*"):
        if path.is_file():
            path.unlink(missing_ok=True)
    return folder


# The journal of a batch: one line for each job that ended, on disk before anything else hears of it.


class Journal:
    """The journal of one batch folder, open for one batch at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._descriptor = os.open(path, APPENDING, 0o600)
        except OSError as error:
            raise _unwritable(path, error) from error

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    def count(self, result: JobResult) -> None:
        """Write down how a job ended, and return once that is on disk."""
        try:
            append_object(self._descriptor, result.as_json())
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def results(self) -> dict[str, JobResult]:
        """Return the last result of each job, by name."""
        return {result.job: result for result in read_journal(self.path)}


def read_journal(path: Path) -> Iterator[JobResult]:
    """Yield the results in a journal in the order in which they were counted; torn lines are passed over."""
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                yield JobResult.from_json(json.loads(line))
            except (ValueError, TypeError, AttributeError):
                continue


def _unwritable(path: Path, error: OSError) -> RunFailedError:
    return RunFailedError(
        f"the batch's journal {str(path)!r} cannot be written: {error.strerror or error}",
        remedy="What is counted in it stays so. Make room, or see that you may write there, and give the "
        "same command again.",
    )


# Which jobs need not run: those that the journal counts, with the inputs that they have now.


@dataclass(frozen=True)
class Resumption:
    """What a batch finds when it begins."""

    settled: Mapping[str, JobResult]
    changed: Mapping[str, Sequence[str]]
    retried: frozenset[str]

    def lines(self) -> list[str]:
        """Return what a person should know of it, in sentences; empty for a batch that is new."""
        passed = sum(result.passed for result in self.settled.values())
        failed = len(self.settled) - passed
        said = []
        if passed:
            said.append(f"{counted(passed, 'job')} passed before with the same inputs: not run again.")
        if failed:
            said.append(f"{counted(failed, 'job')} failed before: not run again. --retry-failed runs them.")
        if self.retried:
            said.append(f"{counted(len(self.retried), 'job')} failed before: run again.")
        said += [
            f"{name} is run again, because {' and '.join(inputs)} changed."
            for name, inputs in self.changed.items()
        ]
        return said


def resume(jobs: Sequence[Job], before: Mapping[str, JobResult], *, retry_failed: bool) -> Resumption:
    """Return which jobs are settled, and why others run again."""
    settled: dict[str, JobResult] = {}
    changed: dict[str, Sequence[str]] = {}
    retried: set[str] = set()
    for job in jobs:
        result = before.get(job.name)
        if result is None:
            continue
        inputs = changed_inputs(job.fingerprint, result.fingerprint)
        if inputs:
            changed[job.name] = inputs
        elif result.passed or not retry_failed:
            settled[job.name] = result
        else:
            retried.add(job.name)
    return Resumption(settled, changed, frozenset(retried))
