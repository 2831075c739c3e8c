"""The folder of a batch: its lock, its journal, which jobs are done already, and its place in S3."""

from __future__ import annotations

import datetime
import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from idc_aws.errors import RunFailedError
from idc_aws.files import APPENDING, append_object, explained, lock_file, read_json_lines, write_whole
from idc_aws.identifiers import counted
from idc_runner.batch.jobs import BatchEndedError, Job, JobResult, changed_inputs

LOCK, JOURNAL, JOBS, PACING = "batch.lock", "journal.jsonl", "jobs", ".pacing"
MARKER = "result.json"
REPORTS = ("batch.json", "index.html")
_UNDO_NEEDS = ("receipts.jsonl", "attestations.jsonl")
_STAYS_HERE = "sandbox"  # a sandbox's state: keys of no worth elsewhere, and a database that may be in use
# What a new attempt of a job starts without. Receipts and attestations stay: undo goes by them.
_OF_ONE_ATTEMPT = ("summary.json", "index.html", "events.jsonl", "run.log")


@contextmanager
def own_batch_folder(folder: Path) -> Iterator[Path]:
    """Make a batch's folder, and hold it for the length of a block."""
    with ExitStack() as stack:
        with writing_to(folder):
            for each in (folder, folder / JOBS, folder / PACING):
                each.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = stack.enter_context(lock_file(folder / LOCK, wait=False))
            if descriptor is None:
                raise _at_work(folder)
            now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
            about = {"pid": os.getpid(), "host": socket.gethostname(), "since": now}
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(about).encode() + b"\n", 0)
        yield folder


def writing_to(folder: Path) -> AbstractContextManager[None]:
    """Say in words, for the length of a block, that a batch's folder takes nothing any more."""
    remedy = (
        "Make room, or name a folder that you may write with --out DIR. What is counted in its journal stays "
        "so: the same command resumes from there."
    )
    return explained(f"the batch's folder {str(folder)!r} cannot be written", remedy)


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


class Journal:
    """One line for each job that ended, on disk before anything else hears of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._writing():
            self._descriptor = os.open(path, APPENDING, 0o600)

    def _writing(self) -> AbstractContextManager[None]:
        remedy = (
            "The jobs counted in it stay counted. Make room, or see that you may write there, and give the "
            "same command again."
        )
        return explained(f"the batch's journal {str(self.path)!r} cannot be written", remedy)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *exception: object) -> None:
        os.close(self._descriptor)

    def count(self, result: JobResult) -> None:
        """Write down how a job ended, and return once that is on disk."""
        with self._writing():
            append_object(self._descriptor, asdict(result))

    def results(self) -> dict[str, JobResult]:
        """Return the last result of each job, by name; lines that hold none are passed over."""
        found = {}
        for values in read_json_lines(self.path):
            with suppress(TypeError):
                result = JobResult.from_json(values)
                found[result.job] = result
        return found


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


class BucketStore:
    """A batch's place in S3: of each job the files, and last a marker that all of them are there."""

    def __init__(self, address: str) -> None:
        from idc_aws.object_storage import ObjectFolder  # noqa: PLC0415 -- boto3 is slow to import

        self._folder = ObjectFolder(address)

    def carried_out(self, job: Job, batch: Path, run: Callable[[], JobResult]) -> JobResult:
        """Carry a job out and store what it left; return its result, with the place."""
        folder = job_folder(batch, job.name)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            for name in _UNDO_NEEDS:
                if not (folder / name).exists():
                    self._folder.get_file(f"{JOBS}/{job.name}/{name}", folder / name)
            result = run()
            return self._stored(folder, replace(result, stored=self._folder.address(f"{JOBS}/{job.name}/")))
        except BatchEndedError:
            raise
        except RunFailedError as error:
            return job.failed(f"{error}\nWhat the job left is kept in {folder} on this machine.")

    def _stored(self, folder: Path, result: JobResult) -> JobResult:
        start = f"{JOBS}/{result.job}"
        for path in _files_of(folder):
            self._folder.put_file(path, f"{start}/{path.relative_to(folder).as_posix()}")
        marker = folder / MARKER
        write_whole(marker, json.dumps(asdict(result), ensure_ascii=False) + "\n")
        self._folder.put_file(marker, f"{start}/{MARKER}")
        if (folder / _STAYS_HERE).exists():
            marker.unlink()
        else:
            shutil.rmtree(folder)
        return result

    def results(self, known: dict[str, JobResult]) -> Iterator[JobResult]:
        """Yield the results in S3 of jobs that are not known here: another machine may have counted them."""
        for key in self._folder.keys(f"{JOBS}/"):
            name, _, rest = key.removeprefix(f"{JOBS}/").partition("/")
            if rest == MARKER and name not in known:
                yield JobResult.from_json(json.loads(self._folder.read(key)))

    def put_reports(self, batch: Path) -> str:
        """Store the reports over all jobs, and the journal; return the address of the page."""
        for name in (JOURNAL, *REPORTS):
            self._folder.put_file(batch / name, name)
        return self._folder.address("index.html")


def _files_of(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_file() and inside.parts[0] != _STAYS_HERE and not path.name.startswith("."):
            yield path
