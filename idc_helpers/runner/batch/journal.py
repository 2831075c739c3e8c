"""The journal of a batch: one line for each job that ended, on disk before anything else hears of it.

Whatever is killed, the journal says which jobs need not run again. The last line of a job counts. A line torn
by a kill is passed over: its job was not counted, so it runs again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from idc_helpers.errors import RunFailedError
from idc_helpers.runner.batch.results import JobResult


class Journal:
    """The journal of one batch folder, open for one batch at a time.

    Parameters
    ----------
    path
        ``journal.jsonl``; made when missing, readable by its owner only.

    Raises
    ------
    RunFailedError
        When it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _unwritable(path, error) from error

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    def count(self, result: JobResult) -> None:
        """Write down how a job ended, and return once that is on disk.

        Raises
        ------
        RunFailedError
            When it cannot be written: the job is not counted then, and runs again.
        """
        line = json.dumps(result.as_json(), ensure_ascii=False, separators=(",", ":")) + "\n"
        try:
            self._append(line.encode())
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def _append(self, data: bytes) -> None:
        size = os.fstat(self._descriptor).st_size
        if size and os.pread(self._descriptor, 1, size - 1) != b"\n":
            data = b"\n" + data  # after a torn line, on a line of its own
        while data:
            data = data[os.write(self._descriptor, data) :]
        os.fsync(self._descriptor)

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
