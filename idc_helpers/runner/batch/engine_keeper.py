"""Has one engine for many jobs, opened with the first of them."""

from __future__ import annotations

import threading
from contextlib import ExitStack

from idc_helpers.runner.batch.job_run import JobSettings, run_job
from idc_helpers.runner.batch.jobs import Job
from idc_helpers.runner.batch.results import JobResult
from idc_helpers.runner.engines import Engine, open_engine


class EngineKeeper:
    """Carries out jobs with one engine, from any thread.

    Parameters
    ----------
    name
        Of the engine; None: the fastest one that this platform has.
    """

    def __init__(self, name: str | None) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._stack = ExitStack()
        self._engine: Engine | None = None

    def run(self, job: Job, settings: JobSettings) -> JobResult:
        """Carry out a job; see `run_job`."""
        return run_job(job, settings, self._open())

    def _open(self) -> Engine:
        with self._lock:
            if self._engine is None:
                self._engine = self._stack.enter_context(open_engine(self._name))
            return self._engine

    def news(self) -> list[str]:
        """Return what happened to the engine."""
        return []

    def close(self) -> None:
        """End the engine, and with it what it runs."""
        with self._lock:
            self._stack.close()
            self._engine = None
