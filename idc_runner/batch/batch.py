"""A whole batch, from what a person asked for to its reports: started, or resumed where it ended."""

from __future__ import annotations

import datetime
import os
import queue
import shlex
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from idc_aws.errors import InvalidValueError, KitError
from idc_aws.project import PACING_FOLDER_VARIABLE, PACING_MACHINES_VARIABLE
from idc_aws.scenario.scenario import Scenario
from idc_aws.scrubbing import masking
from idc_runner.batch.checking import load_jobs
from idc_runner.batch.cluster import cluster_client, cluster_workers, hosts_of
from idc_runner.batch.folder import JOURNAL, PACING, Journal, Resumption, own_batch_folder, resume, unwritable
from idc_runner.batch.jobs import Job, JobResult
from idc_runner.batch.report import BatchProgress, BatchSummary, write_batch_report
from idc_runner.batch.stores import BucketStore
from idc_runner.batch.table import OWN, STANDING, JobOrder
from idc_runner.batch.workers import EngineKeeper, JobSettings, Workers, cores, local_workers
from idc_runner.engine import NO_LIMITS, Engine, TimeLimits
from idc_runner.run import Interrupted, Outcome, signals_as_exceptions
from idc_runner.summary import seconds_in_words
from idc_runner.working_copy import edited_line, edited_notebooks, require_unedited

# The jobs of a batch, each begun once it is free and counted once it has ended.

Ended = tuple[str, JobResult | BaseException]


@dataclass
class BatchRun:
    """One batch while it goes on."""

    jobs: Sequence[Job]
    journal: Journal
    resumption: Resumption
    progress: BatchProgress
    not_run: dict[str, str] = field(default_factory=dict)
    _ended: queue.SimpleQueue[Ended] = field(default_factory=queue.SimpleQueue)

    def carry_out(self, workers: Workers | None) -> None:
        """Begin jobs as they become free, count each that ends, until none is left."""
        known = {job.name: job for job in self.jobs}
        order = JobOrder({job.name: job.after for job in self.jobs})
        waiting: list[Job] = []
        running = 0
        while order:
            waiting += [known[name] for name in order.free() if not self._settled(known[name], order)]
            while workers and waiting and running < workers.capacity:
                self._begin(waiting.pop(0), workers)
                running += 1
            if running:
                name, outcome = self._ended.get()
                running -= 1
                self._count(name, outcome, order)

    def _begin(self, job: Job, workers: Workers) -> None:
        self.progress.job_started()
        workers.start(job, lambda name, outcome: self._ended.put((name, outcome)))

    def _settled(self, job: Job, order: JobOrder) -> bool:
        """Return whether a job need not run: it has ended before, or cannot start any more."""
        before = self.resumption.settled.get(job.name)
        if before is not None:
            order.ended(job.name, passed=before.passed)
            return True
        obstacle = order.obstacle(job.name)
        if obstacle is None:
            return False
        word = "was not run" if obstacle in self.not_run else "failed"
        self.not_run[job.name] = f"the job {obstacle!r}, which it comes after, {word}"
        self.progress.job_not_run(job.name, self.not_run[job.name])
        order.ended(job.name, passed=False)
        return True

    def _count(self, name: str, outcome: JobResult | BaseException, order: JobOrder) -> None:
        if isinstance(outcome, OSError):
            raise unwritable(self.journal.path.parent, outcome) from outcome
        if isinstance(outcome, BaseException):
            raise outcome
        self.journal.count(outcome)
        self.progress.job_ended(outcome)
        order.ended(name, passed=outcome.passed)


# Whose personal data a batch masks: the people of its scenarios, and those of its targets.


def people_of(jobs: Iterable[Job]) -> list[dict[str, Any]]:
    """Return the people of all jobs, each once, in the fields of a scenario's user; reads the targets."""
    from idc_aws.connection import connect  # noqa: PLC0415 -- boto3 is slow to import
    from idc_runner.run import people_of_run  # noqa: PLC0415

    people: dict[str, dict[str, Any]] = {}
    places = set()
    for job in jobs:
        scenario = job.scenario()
        place = (scenario.target, scenario.region, scenario.profile, job.sandbox)
        if job.sandbox == OWN or place in places:
            found = [user.model_dump(mode="json", exclude_none=True) for user in scenario.users]
        else:
            places.add(place)
            target, region, profile, _ = place
            connection = connect(
                target=target,
                region=region,
                profile=profile,
                state_folder=None if job.sandbox == STANDING else job.sandbox,
            )
            found = people_of_run(scenario, connection)
        people.update((repr(person), person) for person in found)
    return list(people.values())


@dataclass(frozen=True)
class BatchRequest:
    """What a person asked for.

    Attributes
    ----------
    project
        The kit's folder: its notebooks are executed.
    table
        The file of the jobs, YAML or CSV.
    out
        The batch's folder; None: ``runs/batch-<table>`` of the work folder.
    workers
        How many jobs run side by side; None: one for each core.
    mode
        In place of what table and scenarios say.
    engine
        What executes the notebooks, by name; None: the fastest one of this platform.
    limits
        For each cell and each notebook.
    retry_failed
        Whether jobs that had failed run again.
    scheduler
        The address of a dask scheduler whose workers carry out the jobs; empty: this machine does.
    bucket
        Where in S3 the results are stored, ``s3://bucket/prefix``; empty: in the batch's folder.
    mask_personal_data
        Whether people's names, addresses and numbers are replaced in what the jobs write.
    work
        The folder in which the person works; None: the kit's.
    edited_notebooks
        Whether notebooks that were edited may write to AWS.
    """

    project: Path
    table: Path
    out: Path | None = None
    workers: int | None = None
    mode: str | None = None
    engine: str | None = None
    limits: TimeLimits = NO_LIMITS
    retry_failed: bool = False
    scheduler: str = ""
    bucket: str = ""
    mask_personal_data: bool = False
    work: Path | None = None
    edited_notebooks: bool = False

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise InvalidValueError(
                f"{self.workers} workers cannot carry out anything", remedy="Give --workers 1 or more."
            )
        if self.mask_personal_data and self.scheduler:
            raise InvalidValueError(
                "personal data is masked on this machine only, and the jobs would run on a cluster",
                remedy="Leave --scheduler or --mask-personal-data out.",
            )

    @property
    def folder(self) -> Path:
        """The batch's folder."""
        runs = ((self.work or self.project) / "runs").resolve()
        return (self.out or runs / f"batch-{self.table.stem}").absolute()


BatchOutcome = Outcome[BatchSummary]


def run_batch(request: BatchRequest, stream: TextIO, engine: Engine | None = None) -> BatchOutcome:
    """Carry out the jobs of a table that have not ended yet, and report on all of them.

    Writes to the jobs' targets in mode ``apply``. A job that fails stops no other one, except those after it.

    Parameters
    ----------
    request
        What to run, and how.
    stream
        Where progress is written.
    engine
        Executes the notebooks, and is open already; None: the request's is opened with the first job.

    Raises
    ------
    KitError
        When nothing can start, or the batch's folder takes nothing any more. What was counted stays so.
    """
    overrides = {"mode": request.mode} if request.mode else {}
    jobs = load_jobs(request.table, request.project, overrides, work=request.work)
    edited = _edited(request, jobs)
    with ExitStack() as stack:
        stack.enter_context(signals_as_exceptions())
        folder = stack.enter_context(own_batch_folder(request.folder))
        journal = stack.enter_context(Journal(folder / JOURNAL))
        store = BucketStore(request.bucket) if request.bucket else None
        if store:
            for result in store.results(journal.results()):
                journal.count(result)
        keeper = EngineKeeper(request.engine, engine)
        batch = _Batch(request, jobs, journal, store=store, stream=stream, keeper=keeper)
        if edited:
            batch.progress.say(edited_line(edited))
        if request.mask_personal_data:
            settled = batch.resumption.settled
            stack.enter_context(masking(people_of(job for job in jobs if job.name not in settled)))
        return batch.carry_out()


def _edited(request: BatchRequest, jobs: Sequence[Job]) -> tuple[str, ...]:
    """Return the notebooks that were edited, of all jobs; refused where one of these would write to AWS."""
    edited = edited_notebooks((each for job in jobs for each in job.notebooks), request.project)
    if edited:
        writing = [job for job in jobs if _writes_to_aws(job.scenario())]
        paths = {str(each.path.resolve()) for job in writing for each in job.notebooks}
        require_unedited([path for path in edited if path in paths], allowed=request.edited_notebooks)
    return edited


def _writes_to_aws(scenario: Scenario) -> bool:
    return scenario.target == "aws" and scenario.mode == "apply"


class _Batch:
    """One batch in its folder."""

    def __init__(
        self,
        request: BatchRequest,
        jobs: list[Job],
        journal: Journal,
        *,
        store: BucketStore | None,
        stream: TextIO,
        keeper: EngineKeeper,
    ) -> None:
        self.keeper = keeper
        self.request, self.folder, self.jobs, self.journal = request, request.folder, jobs, journal
        self.store = store
        self.started = datetime.datetime.now(datetime.UTC)
        self.start = time.monotonic()
        self.resumption = resume(jobs, journal.results(), retry_failed=request.retry_failed)
        self.to_run = len(jobs) - len(self.resumption.settled)
        self.progress = BatchProgress(stream, self.to_run)
        self.run = BatchRun(jobs, journal, self.resumption, self.progress)
        self.news: list[str] = []
        self.page = ""

    def carry_out(self) -> BatchOutcome:
        signal_number = None
        self.progress.say(f"Batch {self.folder.name}: {self.to_run} of {len(self.jobs)} jobs to run")
        for line in self.resumption.lines():
            self.progress.say(line)
        try:
            with self.progress, self._workers() as workers:
                try:
                    self.run.carry_out(workers)
                finally:
                    self.news += workers.news() if workers else []
        except Interrupted as interruption:
            signal_number = interruption.signal_number
        except KitError:
            self._try_to_report()
            raise
        summary = self._report()
        self._say_end(summary, signal_number)
        return BatchOutcome(self.folder, summary, signal_number)

    @contextmanager
    def _workers(self) -> Iterator[Workers | None]:
        if not self.to_run:
            yield None
        elif self.request.scheduler:
            with cluster_client(self.request.scheduler) as client:
                environment = {PACING_MACHINES_VARIABLE: str(len(hosts_of(client)))}
                with cluster_workers(client, self._settings(environment), self.request.engine) as workers:
                    yield workers
        else:
            environment = {
                PACING_FOLDER_VARIABLE: os.environ.get(PACING_FOLDER_VARIABLE) or str(self.folder / PACING)
            }
            # More threads than jobs would have nothing to do.
            number = min(self.request.workers or cores(), self.to_run)
            with local_workers(number, self._settings(environment), self.keeper) as workers:
                yield workers

    def _settings(self, environment: Mapping[str, str]) -> JobSettings:
        return JobSettings(self.folder, self.request.limits, environment, self.request.bucket)

    def summary(self) -> BatchSummary:
        """Return what the batch came to so far, from the journal."""
        names = {job.name: job.fingerprint for job in self.jobs}
        results = self.journal.results()
        return BatchSummary(
            name=self.folder.name,
            table=str(self.request.table),
            started=self.started.isoformat(timespec="seconds"),
            wall_s=time.monotonic() - self.start,
            jobs=self.jobs,
            results={
                name: result
                for name, result in results.items()
                if name in names and result.fingerprint == names[name]
            },
            not_run=self.run.not_run,
            before=frozenset(self.resumption.settled),
            news=self.news,
        )

    def _report(self) -> BatchSummary:
        summary = self.summary()
        try:
            write_batch_report(self.folder, summary)
            self.page = self.store.put_reports(self.folder) if self.store else str(self.folder / "index.html")
        except OSError as error:
            raise unwritable(self.folder, error) from error
        return summary

    def _try_to_report(self) -> None:
        # The folder is in trouble: the error that told so is the one to see.
        try:
            self._report()
        except KitError:
            return

    def _say_end(self, summary: BatchSummary, signal_number: int | None) -> None:
        say = self.progress.say
        for line in self.news:
            say(line)
        say(f"\n{summary.sentence()} {seconds_in_words(summary.wall_s)} in all.")
        if signal_number is not None:
            say("The batch was ended before it was done. What had ended is counted and not run again;")
            say("jobs that were still running will be run again. To continue, give the same command again.")
        elif summary.counts()["failed"]:
            say("To run what failed again: the same command with --retry-failed.")
        say(f"Report: {self.page}")
        if not summary.passed and not self.store:
            say(f"To take one job back: idc undo {shlex.quote(str(self.folder))}/jobs/NAME")
