"""Carrying out jobs: each a run in a folder of its own, on engines that are kept and restarted."""

from __future__ import annotations

import datetime
import errno
import json
import os
import shlex
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, NamedTuple, Protocol

from idc_aws.project import INTERACTIVE_VARIABLE, RUN_FOLDER_VARIABLE, STATE_VARIABLE
from idc_aws.sandbox import start_sandbox
from idc_aws.scenario.reading import scenario_parameters
from idc_aws.scenario.scenario import Scenario
from idc_aws.scrubbing import current_masker
from idc_runner.batch.folder import job_folder, open_job_folder
from idc_runner.batch.jobs import BatchEndedError, Job, JobResult, reason_of, shortened_reason
from idc_runner.batch.stores import BucketStore
from idc_runner.batch.table import OWN
from idc_runner.engine import NO_LIMITS, Engine, NotebookFailure, TimeLimits
from idc_runner.engine_choice import open_engine
from idc_runner.notebooks import LessonNotebook, RunRecord, write_record
from idc_runner.outputs import write_whole
from idc_runner.progress import Progress
from idc_runner.run import Execution, PreparedRun, RunOutcome, carry_out
from idc_runner.sandboxes import sandbox_of_its_own
from idc_runner.summary import counted

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
    """Carry out a job and leave its run folder; its trouble is its result, never an exception.

    Writes to the job's target in mode ``apply``. Doing it again is safe.
    """
    started, start = _now(), time.monotonic()
    folder = open_job_folder(job_folder(settings.batch_folder, job.name))
    try:
        outcome, where = _carried_out(job, folder, settings, engine)
    except BatchEndedError:
        raise
    except OSError as error:
        if error.errno in _OF_THE_DISK:
            raise
        return _failed(job, folder, error, started, time.monotonic() - start)
    except Exception as error:  # a defect of ours in one job must not stop a thousand others
        return _failed(job, folder, error, started, time.monotonic() - start)
    return _result(job, outcome, where, started, time.monotonic() - start)


def _failed(job: Job, folder: Path, error: Exception, started: datetime.datetime, wall_s: float) -> JobResult:
    reason = shortened_reason(f"{type(error).__name__}: {error}")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # the notebook may have taken it away
    (folder / RUN_LOG).write_text(f"{reason}\n", "utf-8")
    return JobResult(
        job.name, "failed", job.fingerprint, started.isoformat(timespec="seconds"), wall_s, reason=reason
    )


def _result(
    job: Job, outcome: RunOutcome, where: str, started: datetime.datetime, wall_s: float
) -> JobResult:
    summary = outcome.summary
    checks = [check for result in summary.notebooks for check in result.checks]
    return JobResult(
        job=job.name,
        status="passed" if summary.passed else "failed",
        fingerprint=job.fingerprint,
        started=started.isoformat(timespec="seconds"),
        wall_s=wall_s,
        mode=summary.mode,
        where=where,
        changes=summary.totals(),
        checks=len(checks),
        checks_passed=sum(check.passed for check in checks),
        reason=reason_of(summary),
    )


def _carried_out(job: Job, folder: Path, settings: JobSettings, engine: Engine) -> tuple[RunOutcome, str]:
    started = _now()
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
        where, state_id = _require_target(prepared, state)
        write_record(folder, _record(prepared, state, state_id))
        log = stack.enter_context((folder / RUN_LOG).open("w", encoding="utf-8"))
        execution = Execution(
            prepared,
            folder,
            where,
            _environment(folder, state, settings),
            engine,
            Progress(log, prepared.mode),
            started,
            f"idc undo {shlex.quote(str(folder))}",
            limits=settings.limits,
            pages="failed",
            passes_on=(BatchEndedError,),
        )
        return carry_out(execution), where


def _with_own_scenario_file(prepared: PreparedRun, job: Job, folder: Path) -> PreparedRun:
    """Write the scenario with the job's own values into its folder: notebooks read it from there."""
    if not job.overrides:
        return prepared
    # JSON is YAML in which each text has its quotes, account ids too.
    path = folder / "scenario.yaml"
    write_whole(path, json.dumps(scenario_parameters(prepared.scenario), indent=2, ensure_ascii=False) + "\n")
    return PreparedRun(
        prepared.scenario, path, prepared.mode, prepared.notebooks, prepared.known, prepared.extra
    )


def _require_target(prepared: PreparedRun, state: Path | None) -> tuple[str, str]:
    """Connect once for all jobs of a target: a wrong account or missing credentials are said at once.

    Returns it in one readable line, and the id of the sandbox's state.
    """
    scenario = prepared.scenario
    expected = scenario.expected_account if prepared.mode == "apply" else None
    place = _Place(scenario.target, scenario.region, scenario.profile, state, prepared.mode, expected)
    if state is not None:
        return _checked(place)  # a sandbox of the job's own is of no use to other jobs
    return _checked_before(place, os.environ.get(STATE_VARIABLE))


class _Place(NamedTuple):
    target: Literal["sandbox", "aws"]
    region: str
    profile: str | None
    state: Path | None
    mode: str
    expected_account: str | None


def _checked(place: _Place) -> tuple[str, str]:
    if place.target == "sandbox":
        sandbox = start_sandbox(place.state, port=0 if place.state is not None else None)
        return f"sandbox · account {sandbox.account_id} · {place.region}", sandbox.state_id
    from idc_aws.connection import connect, require_apply_allowed  # noqa: PLC0415 -- boto3 is slow to import

    connection = connect(target="aws", region=place.region, profile=place.profile)
    if place.mode == "apply":
        require_apply_allowed(connection, place.expected_account)
    return str(connection), ""


@lru_cache(maxsize=256)
def _checked_before(place: _Place, _standing_state: str | None) -> tuple[str, str]:
    return _checked(place)


def _record(prepared: PreparedRun, state: Path | None, state_id: str) -> RunRecord:
    scenario: Scenario = prepared.scenario
    return RunRecord(
        target=scenario.target,
        mode=prepared.mode,
        region=scenario.region,
        profile=scenario.profile,
        scenario_file=str(prepared.scenario_file),
        sandbox_state=str(state) if state else os.environ.get(STATE_VARIABLE, ""),
        sandbox_state_id=state_id,
    )


def _environment(folder: Path, state: Path | None, settings: JobSettings) -> dict[str, str]:
    variables = {**settings.environment, RUN_FOLDER_VARIABLE: str(folder), INTERACTIVE_VARIABLE: "headless"}
    return variables | ({STATE_VARIABLE: str(state)} if state is not None else {})


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


# Has one engine for many jobs, opened with the first of them, and repeats what it lost.

LOST = "EngineLostError"
MOST_ATTEMPTS = 3


class _OfThisJob(threading.local):
    """What is counted of the job that a thread carries out."""

    begun_again = 0


class EngineKeeper:
    """Carries out jobs with one engine, from any thread; an `Engine` itself.

    The engine's process may be killed: the engine starts a new one, and the notebooks that were lost with it
    run again, which is safe because every notebook is idempotent.
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
        """Execute a notebook, again where the engine was lost under it; see `Engine.execute`."""
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


# Who carries jobs out: the interface, and the workers of this machine.

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
    """Threads of this process that each give one job at a time to the engine."""

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
