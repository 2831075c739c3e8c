"""A whole batch, from what a person asked for to its reports: begun, or gone on with where it ended."""

from __future__ import annotations

import datetime
import os
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from idc_helpers.errors import InvalidValueError, KitError
from idc_helpers.masking import masking
from idc_helpers.models import Scenario
from idc_helpers.runner.batch.batch_folder import JOURNAL, PACING, own_batch_folder, unwritable
from idc_helpers.runner.batch.batch_progress import BatchProgress
from idc_helpers.runner.batch.batch_report import BatchSummary, write_batch_report
from idc_helpers.runner.batch.checking import load_jobs
from idc_helpers.runner.batch.cluster import cluster_client, cluster_workers, hosts_of
from idc_helpers.runner.batch.engine_keeper import EngineKeeper
from idc_helpers.runner.batch.job_run import JobSettings
from idc_helpers.runner.batch.jobs import Job
from idc_helpers.runner.batch.journal import Journal
from idc_helpers.runner.batch.people import people_of
from idc_helpers.runner.batch.resuming import resume
from idc_helpers.runner.batch.running import BatchRun
from idc_helpers.runner.batch.stores import BucketStore
from idc_helpers.runner.batch.workers import Workers, cores, local_workers
from idc_helpers.runner.edited import edited_line, edited_notebooks, require_unedited
from idc_helpers.runner.engines import NO_LIMITS, Engine, TimeLimits
from idc_helpers.runner.interruption import Interrupted, signals_as_exceptions
from idc_helpers.runner.outcome import Outcome
from idc_helpers.runner.tables import seconds_in_words

# As in `idc_helpers.aws.pacing_shared`, which imports boto3.
FOLDER_VARIABLE = "IDC_PACING_FOLDER"
MACHINES_VARIABLE = "IDC_PACING_MACHINES"


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
                environment = {MACHINES_VARIABLE: str(len(hosts_of(client)))}
                with cluster_workers(client, self._settings(environment), self.request.engine) as workers:
                    yield workers
        else:
            environment = {FOLDER_VARIABLE: os.environ.get(FOLDER_VARIABLE) or str(self.folder / PACING)}
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
