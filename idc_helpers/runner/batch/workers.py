"""Who carries jobs out: the interface, and the workers of this machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol

from idc_helpers.runner.batch.engine_keeper import EngineKeeper
from idc_helpers.runner.batch.job_run import JobSettings
from idc_helpers.runner.batch.jobs import Job
from idc_helpers.runner.batch.results import JobResult

OnEnd = Callable[[str, JobResult | BaseException], None]


class Workers(Protocol):
    """Carries out jobs side by side and tells of each when it ends, from any thread."""

    @property
    def capacity(self) -> int:
        """How many jobs it is sensible to have started at a time."""

    def start(self, job: Job, on_end: OnEnd) -> None:
        """Begin a job; ``on_end`` gets its result, or the exception that kept it from having one."""

    def news(self) -> list[str]:
        """Return what happened to the workers themselves, such as a process that was started anew."""


def cores() -> int:
    """Return how many jobs this machine carries out side by side without one waiting for another."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class LocalWorkers:
    """Threads of this process that each give one job at a time to the engine.

    Parameters
    ----------
    number
        How many jobs run side by side.
    settings
        Of all jobs.
    keeper
        Has the engine, and starts it anew when it dies.
    """

    def __init__(self, number: int, settings: JobSettings, keeper: EngineKeeper) -> None:
        self.capacity = number
        self._settings = settings
        self._keeper = keeper
        self._threads = ThreadPoolExecutor(number, thread_name_prefix="job")

    def start(self, job: Job, on_end: OnEnd) -> None:
        """Begin a job in a thread; see `Workers.start`."""

        def tell(future: Future[JobResult]) -> None:
            if not future.cancelled():
                on_end(job.name, future.exception() or future.result())

        self._threads.submit(self._keeper.run, job, self._settings).add_done_callback(tell)

    def news(self) -> list[str]:
        """Return how often the engine was started anew."""
        return self._keeper.news()

    def close(self, *, at_once: bool) -> None:
        """End the threads; ``at_once`` ends the jobs that still run."""
        if at_once:
            self._keeper.close()
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._keeper.close()


@contextmanager
def local_workers(number: int, settings: JobSettings, keeper: EngineKeeper) -> Iterator[LocalWorkers]:
    """Have workers on this machine for the length of a block; an exception in it ends their jobs at once."""
    workers = LocalWorkers(number, settings, keeper)
    try:
        yield workers
    except BaseException:
        workers.close(at_once=True)
        raise
    workers.close(at_once=False)
