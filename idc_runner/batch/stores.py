"""A batch whose results are kept in S3: each job is uploaded once, when it has ended."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from idc_aws.errors import RunFailedError
from idc_runner.batch.folder import JOBS, JOURNAL, job_folder
from idc_runner.batch.jobs import BatchEndedError, Job, JobResult, shortened_reason

MARKER = "result.json"
_UNDO_NEEDS = ("receipts.jsonl", "attestations.jsonl")
_STAYS_HERE = "sandbox"  # a sandbox's state: keys of no worth elsewhere, and a database that may be in use


class BucketStore:
    """A batch's place in S3.

    A job's files go first, its marker last: who finds the marker finds all of them.
    """

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
            reason = shortened_reason(f"{error}\nWhat the job left is kept in {folder} on this machine.")
            return JobResult(job.name, "failed", job.fingerprint, "", 0.0, reason=reason)

    def _stored(self, folder: Path, result: JobResult) -> JobResult:
        start = f"{JOBS}/{result.job}"
        for path in _files_of(folder):
            self._folder.put_file(path, f"{start}/{path.relative_to(folder).as_posix()}")
        marker = folder / MARKER
        marker.write_text(json.dumps(result.as_json(), ensure_ascii=False) + "\n", "utf-8")
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
        for name in (JOURNAL, "batch.json", "index.html"):
            self._folder.put_file(batch / name, name)
        return self._folder.address("index.html")


def _files_of(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_file() and inside.parts[0] != _STAYS_HERE and not path.name.startswith("."):
            yield path
