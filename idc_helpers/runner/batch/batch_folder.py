"""The folder of a batch: whose it is at the moment, and what stands where.

``journal.jsonl`` is what counts; ``batch.json`` and ``index.html`` are made from it. ``jobs/<name>/`` is a
job's run folder. Nothing in it is ever half written: files are written beside and renamed.
"""

from __future__ import annotations

import datetime
import json
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from idc_helpers.errors import RunFailedError
from idc_helpers.file_locks import lock_file

LOCK, JOURNAL, JOBS, PACING = "batch.lock", "journal.jsonl", "jobs", ".pacing"
# What a new attempt of a job starts without. Receipts and attestations stay: undo goes by them.
_OF_ONE_ATTEMPT = ("summary.json", "index.html", "events.jsonl", "run.log")


@contextmanager
def own_batch_folder(folder: Path) -> Iterator[Path]:
    """Make a batch's folder, and hold it for the length of a block.

    Raises
    ------
    RunFailedError
        When it cannot be written, or another batch is running in it.
    """
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
