"""Carrying out jobs: each a run in a folder of its own, on engines that are kept and restarted."""

from __future__ import annotations

import datetime
import errno
import json
import os
import shlex
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from typing_extensions import override

from idc_aws.files import open_private, write_whole
from idc_aws.identifiers import counted
from idc_aws.project import STATE_VARIABLE
from idc_aws.sandbox import sandbox_of_its_own, start_sandbox
from idc_aws.scenario.reading import scenario_parameters
from idc_aws.scrubbing import current_masker
from idc_runner.batch.folder import BucketStore, job_folder, open_job_folder
from idc_runner.batch.jobs import BatchEndedError, Job, JobResult, reason_of
from idc_runner.batch.table import OWN
from idc_runner.engine import NO_LIMITS, Engine, NotebookFailure, NotebookOrder, TimeLimits
from idc_runner.execution import Execution, PreparedRun, record_run
from idc_runner.fast.engine import open_engine
from idc_runner.progress import Progress
from idc_runner.run import require_target
from idc_runner.summary import RunSummary

RUN_LOG = "run.log"
_OF_THE_DISK = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EIO,
    errno.ENFILE,
    errno.EMFILE,
}


@dataclass(frozen=True)
class JobSettings:
    """What all jobs of a batch have in common; goes to other machines with each job."""

    batch_folder: Path
    limits: TimeLimits = NO_LIMITS
    environment: Mapping[str, str] = field(default_factory=dict)
    bucket: str = ""


def run_job(job: Job, settings: JobSettings, engine: Engine) -> JobResult:
    """Carry out a job and leave its run folder; its trouble is its result, never an exception."""
    now, start = datetime.datetime.now(datetime.UTC), time.monotonic()
    started = now.isoformat(timespec="seconds")
    folder = open_job_folder(job_folder(settings.batch_folder, job.name))
    try:
        summary, where = _carried_out(job, folder, settings, engine, now)
    except BatchEndedError:
        raise
    except Exception as error:  # a defect of ours in one job must not stop a thousand others
        if isinstance(error, OSError) and error.errno in _OF_THE_DISK:
            raise
        failed = job.failed(f"{type(error).__name__}: {error}", started, time.monotonic() - start)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # the notebook may have taken it away
        write_whole(folder / RUN_LOG, f"{failed.reason}\n")
        return failed
    return JobResult(
        job=job.name,
        status="passed" if summary.passed else "failed",
        fingerprint=job.fingerprint,
        started=started,
        wall_s=time.monotonic() - start,
        mode=summary.mode,
        where=where,
        changes=summary.totals(),
        checks=len(summary.checks),
        checks_passed=summary.checks_passed,
        reason=reason_of(summary),
    )


def _carried_out(
    job: Job, folder: Path, settings: JobSettings, engine: Engine, started: datetime.datetime
) -> tuple[RunSummary, str]:
    """Execute a job's notebooks; return what they came to, and where that was."""
    with ExitStack() as stack:
        place = folder
        if (
            current_masker() is not None
        ):  # notebooks need the people as they are; the folder must not have them
            place = Path(stack.enter_context(TemporaryDirectory(prefix="idc-scenario-")))
        prepared = _with_own_scenario_file(job.prepared(), job, place)
        state = job.state_folder(folder)
        if state is not None:
            stack.enter_context(sandbox_of_its_own(state, is_shared=job.sandbox != OWN))
        where, state_id = _target(prepared, state)
        variables = {**settings.environment, **record_run(prepared, folder, state, state_id)}
        log = stack.enter_context(open_private(folder / RUN_LOG, "w"))
        execution = Execution(
            prepared,
            folder,
            where,
            variables,
            engine,
            Progress(log, prepared.mode),
            started,
            f"idc undo {shlex.quote(str(folder))}",
            limits=settings.limits,
            pages="failed",
            passes_on=(BatchEndedError,),
        )
        return execution.carry_out().summary, where


def _with_own_scenario_file(prepared: PreparedRun, job: Job, folder: Path) -> PreparedRun:
    """Write the scenario with the job's own values into its folder: notebooks read it from there."""
    if not job.overrides:
        return prepared
    # JSON is YAML in which each text has its quotes, account ids too.
    path = folder / "scenario.yaml"
    write_whole(path, json.dumps(scenario_parameters(prepared.scenario), indent=2, ensure_ascii=False) + "\n")
    return replace(prepared, scenario_file=path)


_known_targets: dict[tuple[object, ...], tuple[str, str]] = {}


def _target(prepared: PreparedRun, state: Path | None) -> tuple[str, str]:
    """Connect once for all jobs of a target; return it in one line, and the id of the sandbox's state."""
    if state is not None:
        return _reached(prepared, state)  # a sandbox of the job's own is of no use to other jobs
    of = prepared.scenario
    place = (of.target, of.region, of.profile, of.expected_account, of.instance.kind)
    known = (*place, prepared.mode, os.environ.get(STATE_VARIABLE))
    if known not in _known_targets:
        _known_targets[known] = _reached(prepared, state)
    return _known_targets[known]


def _reached(prepared: PreparedRun, state: Path | None) -> tuple[str, str]:
    if prepared.scenario.target == "aws":
        return str(require_target(prepared, None)), ""
    # Not a connection: a job's notebooks make their own, and boto3 is slow.
    sandbox = start_sandbox(state, port=0 if state is not None else None)
    return f"sandbox · account {sandbox.account_id} · {prepared.scenario.region}", sandbox.state_id


LOST = "EngineLostError"
MOST_ATTEMPTS = 3


class _OfThisJob(threading.local):
    """What is counted of the job that a thread carries out."""

    begun_again = 0


class EngineKeeper:
    """Carries out jobs with one engine, from any thread; notebooks lost with its process run again."""

    def __init__(self, name: str | None, engine: Engine | None = None) -> None:
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

    def execute(self, order: NotebookOrder) -> NotebookFailure | None:
        """Execute a notebook, again where the engine was lost under it; see `Engine.execute`."""
        for attempt in range(1, MOST_ATTEMPTS + 1):
            failure = self._opened().execute(order)
            if failure is None or failure.error_name != LOST or attempt == MOST_ATTEMPTS:
                break
            self._count_lost()
        return failure

    def begin(self, order: NotebookOrder) -> None:
        """Do nothing: other jobs run beside this one."""

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


OnEnd = Callable[[str, JobResult | BaseException], None]


class Workers(ABC):
    """Carries out jobs side by side; an exception in its ``with`` block ends those that still run."""

    @property
    @abstractmethod
    def capacity(self) -> int:
        """How many jobs it is sensible to have started at a time."""

    @abstractmethod
    def start(self, job: Job, on_end: OnEnd) -> None:
        """Begin a job; ``on_end`` gets its result, or the exception that kept it from having one."""

    @abstractmethod
    def close(self, *, at_once: bool) -> None:
        """End what carries jobs out; ``at_once`` also the jobs that still run."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        self.close(at_once=kind is not None)


def cores() -> int:
    """Return how many jobs this machine carries out side by side without one waiting for another."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class LocalWorkers(Workers):
    """Threads of this process that each give one job at a time to the engine."""

    def __init__(self, number: int, settings: JobSettings, keeper: EngineKeeper) -> None:
        self._number = number
        self._settings = settings
        self._keeper = keeper
        self._threads = ThreadPoolExecutor(number, thread_name_prefix="job")

    @property
    @override
    def capacity(self) -> int:
        return self._number

    @override
    def start(self, job: Job, on_end: OnEnd) -> None:
        def tell(future: Future[JobResult]) -> None:
            if not future.cancelled():
                on_end(job.name, future.exception() or future.result())

        self._threads.submit(self._keeper.run, job, self._settings).add_done_callback(tell)

    @override
    def close(self, *, at_once: bool) -> None:
        if at_once:
            self._keeper.close()
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._keeper.close()
