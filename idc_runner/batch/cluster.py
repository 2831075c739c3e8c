"""A batch on other machines: a dask cluster, whose jobs begin again elsewhere where a worker dies."""

from __future__ import annotations

import atexit
import hashlib
import os
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from typing_extensions import override

from idc_aws.errors import InvalidValueError, RunFailedError
from idc_aws.project import PACING_FOLDER_VARIABLE
from idc_runner.batch.jobs import Job, JobResult
from idc_runner.batch.workers import EngineKeeper, JobSettings, OnEnd, Workers

# In a worker process of a cluster: one engine for each batch, kept between its jobs.
_keepers: dict[str, EngineKeeper] = {}
_lock = threading.Lock()


def carry_out_here(job: Job, settings: JobSettings, engine_name: str | None) -> JobResult:
    """Carry out a job in this process."""
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
    environment = {PACING_FOLDER_VARIABLE: str(own / "pacing"), **settings.environment}
    (own / "pacing").mkdir(mode=0o700, exist_ok=True)
    if not settings.bucket:
        return replace(settings, environment=environment)
    # What goes to S3 is made here; a folder for each batch keeps the receipts of a job that was cut short.
    batch = own / hashlib.sha256(settings.bucket.encode()).hexdigest()[:16]
    return replace(settings, environment=environment, batch_folder=batch)


def private_folder() -> Path:
    """Return this user's folder for what all worker processes of the machine share, made when missing."""
    user = os.getuid() if hasattr(os, "getuid") else "user"
    folder = Path(tempfile.gettempdir()) / f"idc-batch-{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if hasattr(os, "getuid") and (folder.is_symlink() or folder.stat().st_uid != os.getuid()):
        raise PermissionError(13, "somebody else has made it", str(folder))
    return folder


_CONNECT_S = 20
_LOOK_AGAIN_S = 5.0


class ClusterWorkers(Workers):
    """The workers of a dask cluster."""

    def __init__(self, client: Any, settings: JobSettings, engine_name: str | None) -> None:
        # Of a batch in the same folder whose own process was killed, jobs may still be running.
        client.run(end_here, str(settings.batch_folder))
        self._client = client
        self._settings = settings
        self._engine_name = engine_name
        self._id = uuid.uuid4().hex[:8]
        self._hosts = sorted(hosts_of(client))
        self._futures: dict[str, Any] = {}
        self._capacity, self._looked = 0, float("-inf")

    @property
    @override
    def capacity(self) -> int:
        """A few more jobs than the workers have threads: none waits for the next one."""
        if time.monotonic() - self._looked > _LOOK_AGAIN_S:
            self._looked = time.monotonic()
            self._capacity = max(1, round(1.5 * sum(self._client.nthreads().values())))
        return self._capacity

    @override
    def start(self, job: Job, on_end: OnEnd) -> None:
        future = self._client.submit(
            carry_out_here,
            job,
            self._settings,
            self._engine_name,
            key=f"idc-{self._id}-{job.name}",
            pure=False,
            # Hosts that join later would not be among those that share AWS's rate.
            workers=self._hosts,
            allow_other_workers=False,
        )
        self._futures[job.name] = future
        future.add_done_callback(lambda done: self._tell(job, done, on_end))

    def _tell(self, job: Job, future: Any, on_end: OnEnd) -> None:
        self._futures.pop(job.name, None)
        if future.status == "finished":
            on_end(job.name, future.result())
        elif future.status == "error":
            on_end(job.name, _failed(job, future.exception()))
        else:
            lost = RunFailedError(
                f"the scheduler lost a job: it is {future.status}",
                remedy="Finished jobs stay counted. See that the scheduler runs, and give the same command "
                "again.",
            )
            on_end(job.name, lost)

    @override
    def close(self, *, at_once: bool) -> None:
        with suppress(Exception):  # the scheduler may be what is gone
            if at_once:
                self._client.cancel(list(self._futures.values()))
            self._client.run(end_here, str(self._settings.batch_folder))


def _failed(job: Job, error: BaseException) -> JobResult | BaseException:
    from distributed.scheduler import KilledWorker  # noqa: PLC0415

    if not isinstance(error, KilledWorker):
        return error
    return job.failed("each worker that began it died; a machine that is short of memory does that")


def hosts_of(client: Any) -> set[str]:
    """Return the hosts that the workers of a cluster are on."""
    return {str(urlsplit(address).hostname) for address in client.nthreads()}


@contextmanager
def cluster_client(address: str) -> Iterator[Any]:
    """Connect to a scheduler for the length of a block; TLS as dask's own configuration says."""
    if urlsplit(address).scheme not in ("tcp", "tls") or not urlsplit(address).hostname:
        raise InvalidValueError(
            f"{address!r} is not the address of a scheduler",
            remedy="Write it as tcp://host:8786, or tls://host:8786 where the cluster uses TLS.",
        )
    try:
        import distributed  # noqa: PLC0415 -- an extra, for those who have a cluster
    except ImportError as error:
        raise RunFailedError(
            "the package `distributed` is not installed",
            remedy="Install the kit with its extra: pip install -e '.[cluster]', here and on every worker.",
        ) from error
    try:
        client = _new_client(distributed, address)
    except (OSError, TypeError, ValueError, RuntimeError) as error:
        raise RunFailedError(
            f"the scheduler {address!r} does not answer: {error}",
            remedy="See that `dask scheduler` runs there, and for tls:// that dask's configuration names the "
            "certificates (distributed.comm.tls).",
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=_CONNECT_S)
        except TimeoutError as error:
            raise RunFailedError(
                f"the scheduler {address!r} has no workers",
                remedy=f"Start some: dask worker {address} --nthreads 1 --nworkers auto",
            ) from error
        yield client


def _new_client(distributed: Any, address: str) -> Any:
    # distributed asserts that the thread of its own loop runs within ten seconds; a machine that stands still
    # for a moment misses that, and nothing has been sent to the scheduler then.
    try:
        return distributed.Client(address, timeout=_CONNECT_S, set_as_default=False)
    except AssertionError:
        return distributed.Client(address, timeout=_CONNECT_S, set_as_default=False)
