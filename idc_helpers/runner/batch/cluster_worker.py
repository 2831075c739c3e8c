"""What runs in a worker process of a cluster: one engine for each batch, kept between its jobs."""

from __future__ import annotations

import atexit
import hashlib
import os
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

from idc_helpers.runner.batch.engine_keeper import EngineKeeper
from idc_helpers.runner.batch.job_run import JobSettings
from idc_helpers.runner.batch.jobs import Job
from idc_helpers.runner.batch.results import JobResult

_keepers: dict[str, EngineKeeper] = {}
_lock = threading.Lock()


def carry_out_here(job: Job, settings: JobSettings, engine_name: str | None) -> JobResult:
    """Carry out a job in this process.

    Parameters
    ----------
    job, settings, engine_name
        From whoever started the batch.
    """
    batch = str(settings.batch_folder)
    with _lock:
        if batch not in _keepers:
            _keepers[batch] = EngineKeeper(engine_name)
        keeper = _keepers[batch]
    return keeper.run(job, _of_this_machine(settings))


def end_here(batch: str) -> None:
    """End the engine that this process keeps for a batch, and what runs in it."""
    with _lock:
        keeper = _keepers.pop(batch, None)
    if keeper is not None:
        keeper.close()


@atexit.register
def _end_all() -> None:
    for batch in list(_keepers):
        end_here(batch)


def _of_this_machine(settings: JobSettings) -> JobSettings:
    """Return the settings with the folders that are this machine's own."""
    own = private_folder()
    environment = {"IDC_PACING_FOLDER": str(own / "pacing"), **settings.environment}
    (own / "pacing").mkdir(mode=0o700, exist_ok=True)
    if not settings.bucket:
        return replace(settings, environment=environment)
    # What goes to S3 is made here; a folder for each batch keeps the receipts of a job that was cut short.
    batch = own / hashlib.sha256(settings.bucket.encode()).hexdigest()[:16]
    return replace(settings, environment=environment, batch_folder=batch)


def private_folder() -> Path:
    """Return this user's folder for what all worker processes of the machine share, made when missing.

    Raises
    ------
    PermissionError
        When somebody else has made it.
    """
    user = os.getuid() if hasattr(os, "getuid") else "user"
    folder = Path(tempfile.gettempdir()) / f"idc-batch-{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if hasattr(os, "getuid") and (folder.is_symlink() or folder.stat().st_uid != os.getuid()):
        raise PermissionError(13, "somebody else has made it", str(folder))
    return folder
