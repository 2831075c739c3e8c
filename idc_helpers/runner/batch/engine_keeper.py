"""Has one engine for many jobs, opened with the first of them, and repeats what it lost."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from idc_helpers.runner.batch.job_run import JobSettings, run_job
from idc_helpers.runner.batch.jobs import BatchEndedError, Job
from idc_helpers.runner.batch.results import JobResult
from idc_helpers.runner.batch.stores import BucketStore
from idc_helpers.runner.engine_choice import open_engine
from idc_helpers.runner.engines import NO_LIMITS, Engine, NotebookFailure, TimeLimits
from idc_helpers.runner.notebooks import LessonNotebook
from idc_helpers.runner.tables import counted

LOST = "EngineLostError"
MOST_ATTEMPTS = 3


class _OfThisJob(threading.local):
    """What is counted of the job that a thread carries out."""

    begun_again = 0


class EngineKeeper:
    """Carries out jobs with one engine, from any thread; an `Engine` itself.

    The engine's process may be killed: the engine starts a new one, and the notebooks that were lost with it
    run again, which is safe because every notebook is idempotent.

    Parameters
    ----------
    name
        Of the engine; None: the fastest one that this platform has.
    engine
        One that is open already; it is closed with the keeper. None: one is opened with the first job.
    """

    def __init__(self, name: str | None, engine: Engine | None = None) -> None:
        self.name = name or "fastest"
        self._wanted = name
        self._lock = threading.Lock()
        self._stack = ExitStack()
        self._engine = engine
        if engine is not None:
            self._stack.callback(engine.close)
        self._ended = False
        self._lost = 0
        self._of_this_job = _OfThisJob()
        self._stores: dict[str, BucketStore] = {}

    def run(self, job: Job, settings: JobSettings) -> JobResult:
        """Carry out a job and store what it left; see `run_job`."""
        self._opened()
        if not settings.bucket:
            return self._carried_out(job, settings)
        store = self._stores.setdefault(settings.bucket, BucketStore(settings.bucket))
        return store.carried_out(job, settings.batch_folder, lambda: self._carried_out(job, settings))

    def _carried_out(self, job: Job, settings: JobSettings) -> JobResult:
        self._of_this_job.begun_again = 0
        result = run_job(job, settings, self)
        return replace(result, attempts=1 + self._of_this_job.begun_again)

    def execute(
        self,
        notebook: LessonNotebook,
        output: Path,
        parameters: Mapping[str, Any],
        environment: Mapping[str, str],
        limits: TimeLimits = NO_LIMITS,
    ) -> NotebookFailure | None:
        """Execute a notebook, again where the engine was lost under it; see `Engine.execute`.

        Raises
        ------
        BatchEndedError
            When the engine is closed.
        """
        for attempt in range(1, MOST_ATTEMPTS + 1):
            failure = self._opened().execute(notebook, output, parameters, environment, limits)
            if failure is None or failure.error_name != LOST or attempt == MOST_ATTEMPTS:
                break
            self._count_lost()
        return failure

    def _opened(self) -> Engine:
        with self._lock:
            if self._ended:
                raise BatchEndedError("the batch was ended", remedy="Give the same command again.")
            if self._engine is None:
                self._engine = self._stack.enter_context(open_engine(self._wanted))
            return self._engine

    def _count_lost(self) -> None:
        with self._lock:
            if not self._ended:
                self._lost += 1
                self._of_this_job.begun_again += 1

    def news(self) -> list[str]:
        """Return how many notebooks were lost with the engine and run again."""
        if not self._lost:
            return []
        number = counted(self._lost, "notebook")
        return [f"The process that runs the notebooks was killed; {number} that it was running began again."]

    def close(self) -> None:
        """End the engine, and with it what it runs."""
        with self._lock:
            self._ended = True
        self._stack.close()
