"""A whole batch, from what a person asked for to its reports: started, or resumed where it ended."""

from __future__ import annotations

import datetime
import graphlib
import os
import queue
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote

from idc_aws.connection import connect
from idc_aws.errors import InvalidValueError, KitError
from idc_aws.files import require_apart
from idc_aws.project import PACING_FOLDER_VARIABLE, PACING_MACHINES_VARIABLE
from idc_aws.scenario.reading import scenario_files
from idc_aws.scrubbing import masking
from idc_runner.batch.checking import load_jobs
from idc_runner.batch.cluster import ClusterWorkers, cluster_client, hosts_of
from idc_runner.batch.folder import (
    JOURNAL,
    LOCK,
    PACING,
    REPORTS,
    BucketStore,
    Journal,
    own_batch_folder,
    resume,
    writing_to,
)
from idc_runner.batch.jobs import Job, JobResult
from idc_runner.batch.report import BatchProgress, BatchSummary, write_batch_report
from idc_runner.batch.table import OWN, STANDING
from idc_runner.batch.workers import EngineKeeper, JobSettings, LocalWorkers, Workers, cores
from idc_runner.engine import Engine
from idc_runner.execution import Interrupted, Outcome, signals_as_exceptions
from idc_runner.run import Request, people_of_run
from idc_runner.summary import format_seconds
from idc_runner.working_copy import edited_line, edited_notebooks, require_unedited


def people_of(jobs: Iterable[Job]) -> list[dict[str, Any]]:
    """Return the people of all jobs, each once, in the fields of a scenario's user; reads the targets."""
    people: dict[str, dict[str, Any]] = {}
    places = set()
    for job in jobs:
        scenario = job.scenario()
        place = (scenario.target, scenario.region, scenario.profile, job.sandbox)
        if job.sandbox == OWN or place in places:
            found = [user.model_dump(mode="json", exclude_none=True) for user in scenario.users]
        else:
            places.add(place)
            connection = connect(
                target=scenario.target,
                region=scenario.region,
                profile=scenario.profile,
                state_folder=None if job.sandbox == STANDING else job.sandbox,
            )
            found = people_of_run(scenario, connection)
        people.update((repr(person), person) for person in found)
    return list(people.values())


@dataclass(frozen=True)
class BatchRequest(Request):
    """What a person asks for of a batch, in addition to `Request`: which jobs, and where they run.

    Attributes
    ----------
    table
        The file of the jobs, YAML or CSV.
    out
        The batch's folder; None: ``runs/batch-<table>`` of the work folder, with the place in S3 behind it.
    workers
        How many jobs run side by side; None: one for each core.
    engine
        What executes the notebooks, by name; None: the fastest one of this platform.
    retry_failed
        Whether jobs that had failed run again.
    scheduler
        The address of a dask scheduler whose workers carry out the jobs; empty: this machine does.
    bucket
        Where in S3 the results are stored, ``s3://bucket/prefix``; empty: in the batch's folder.
    """

    table: Path
    out: Path | None = None
    workers: int | None = None
    engine: str | None = None
    retry_failed: bool = False
    scheduler: str = ""
    bucket: str = ""

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
        """The batch's folder: one for each place in S3, as what is counted in one is stored there alone."""
        place = self.bucket.removeprefix("s3://").strip("/")
        # A slash becomes a plus, and a plus %2B: no two places have one folder.
        end = f"-{quote(place, safe='').replace('%2F', '+')}" if place else ""
        return (self.out or self.usual_runs_folder / f"batch-{self.table.stem}{end}").absolute()


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
    scenarios = {job.scenario_file for job in jobs}
    read = [request.table, *(file for scenario in scenarios for file in scenario_files(scenario))]
    require_apart((request.folder / name for name in (*REPORTS, JOURNAL, LOCK)), read)
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
        batch = _Batch(request, jobs, journal, store, stream)
        if edited:
            batch.progress.say(edited_line(edited))
        if request.mask_personal_data:
            settled = batch.resumption.settled
            stack.enter_context(masking(people_of(job for job in jobs if job.name not in settled)))
        return batch.carry_out(keeper)


def _edited(request: BatchRequest, jobs: Sequence[Job]) -> tuple[str, ...]:
    """Return the notebooks that were edited, of all jobs; refused where one of these would write to AWS."""
    edited = edited_notebooks((each for job in jobs for each in job.notebooks), request.project)
    if edited:
        scenarios = [(job, job.scenario()) for job in jobs]
        writing = [job for job, of in scenarios if (of.target, of.mode) == ("aws", "apply")]
        paths = {str(each.path.resolve()) for job in writing for each in job.notebooks}
        require_unedited([path for path in edited if path in paths], allowed=request.edited_notebooks)
    return edited


class _Batch:
    """One batch in its folder: jobs are begun once they are free, and counted once they have ended."""

    def __init__(
        self, request: BatchRequest, jobs: list[Job], journal: Journal, store: BucketStore | None, out: TextIO
    ) -> None:
        self.request, self.folder, self.jobs, self.journal = request, request.folder, jobs, journal
        self.store = store
        self.started = datetime.datetime.now(datetime.UTC)
        self.resumption = resume(jobs, journal.results(), retry_failed=request.retry_failed)
        self.to_run = len(jobs) - len(self.resumption.settled)
        self.progress = BatchProgress(out, self.to_run)
        self.not_run: dict[str, str] = {}
        self.page = ""
        self._order = graphlib.TopologicalSorter({job.name: job.after for job in jobs})
        self._without_success: set[str] = set()
        self._ended: queue.SimpleQueue[tuple[str, JobResult | BaseException]] = queue.SimpleQueue()

    def carry_out(self, keeper: EngineKeeper) -> BatchOutcome:
        signal_number = None
        self.progress.say(f"Batch {self.folder.name}: {self.to_run} of {len(self.jobs)} jobs to run")
        for line in self.resumption.lines():
            self.progress.say(line)
        try:
            with self.progress, self._workers(keeper) as workers:
                self._run_jobs(workers)
        except Interrupted as interruption:
            signal_number = interruption.signal_number
        except KitError:
            with suppress(KitError):  # the folder is in trouble: the error that told so is the one to see
                self._report(keeper)
            raise
        summary = self._report(keeper)
        self._say_end(summary, signal_number)
        return BatchOutcome(self.folder, summary, signal_number)

    @contextmanager
    def _workers(self, keeper: EngineKeeper) -> Iterator[Workers | None]:
        request = self.request
        if not self.to_run:
            yield None
        elif request.scheduler:
            with cluster_client(request.scheduler) as client:
                environment = {PACING_MACHINES_VARIABLE: str(len(hosts_of(client)))}
                with ClusterWorkers(client, self._settings(environment), request.engine) as cluster:
                    yield cluster
        else:
            pacing = os.environ.get(PACING_FOLDER_VARIABLE) or str(self.folder / PACING)
            # More threads than jobs would have nothing to do.
            number = min(request.workers or cores(), self.to_run)
            with LocalWorkers(number, self._settings({PACING_FOLDER_VARIABLE: pacing}), keeper) as threads:
                yield threads

    def _settings(self, environment: Mapping[str, str]) -> JobSettings:
        return JobSettings(self.folder, self.request.limits, environment, self.request.bucket)

    def _run_jobs(self, workers: Workers | None) -> None:
        known = {job.name: job for job in self.jobs}
        positions = {name: position for position, name in enumerate(known)}
        self._order.prepare()
        waiting: list[Job] = []
        running = 0
        while self._order.is_active():
            free = sorted(self._order.get_ready(), key=positions.__getitem__)
            waiting += [known[name] for name in free if not self._settled(known[name])]
            while workers and waiting and running < workers.capacity:
                self.progress.job_started()
                workers.start(waiting.pop(0), lambda name, outcome: self._ended.put((name, outcome)))
                running += 1
            if running:
                name, outcome = self._ended.get()
                running -= 1
                self._count(name, outcome)

    def _settled(self, job: Job) -> bool:
        """Return whether a job need not run: it has ended before, or cannot start any more."""
        before = self.resumption.settled.get(job.name)
        if before is not None:
            self._mark_done(job.name, passed=before.passed)
            return True
        obstacle = next((other for other in job.after if other in self._without_success), None)
        if obstacle is None:
            return False
        word = "was not run" if obstacle in self.not_run else "failed"
        self.not_run[job.name] = f"the job {obstacle!r}, which it comes after, {word}"
        self.progress.job_not_run(job.name, self.not_run[job.name])
        self._mark_done(job.name, passed=False)
        return True

    def _count(self, name: str, outcome: JobResult | BaseException) -> None:
        if isinstance(outcome, BaseException):
            with writing_to(self.folder):
                raise outcome
        self.journal.count(outcome)
        self.progress.job_ended(outcome)
        self._mark_done(name, passed=outcome.passed)

    def _mark_done(self, name: str, *, passed: bool) -> None:
        if not passed:
            self._without_success.add(name)
        self._order.done(name)

    def _report(self, keeper: EngineKeeper) -> BatchSummary:
        """Write what the batch came to so far, from the journal."""
        results = self.journal.results()
        counted = [job.name for job in self.jobs if job.name in results]
        inputs = {job.name: job.fingerprint for job in self.jobs}
        summary = BatchSummary(
            name=self.folder.name,
            table=str(self.request.table),
            started=self.started.isoformat(timespec="seconds"),
            wall_s=self.progress.elapsed_s,
            jobs=self.jobs,
            results={name: results[name] for name in counted if results[name].fingerprint == inputs[name]},
            not_run=self.not_run,
            before=frozenset(self.resumption.settled),
            news=keeper.news(),
        )
        with writing_to(self.folder):
            write_batch_report(self.folder, summary)
            self.page = self.store.put_reports(self.folder) if self.store else str(self.folder / "index.html")
        return summary

    def _say_end(self, summary: BatchSummary, signal_number: int | None) -> None:
        say = self.progress.say
        for line in summary.news:
            say(line)
        say(f"\n{summary.sentence()} {format_seconds(summary.wall_s)} in all.")
        if signal_number is not None:
            say("The batch was ended before it was done. What had ended is counted and not run again;")
            say("jobs that were still running will be run again. To continue, give the same command again.")
        elif summary.counts()["failed"]:
            say("To run what failed again: the same command with --retry-failed.")
        say(f"Report: {self.page}")
        if not summary.passed and not self.store:
            say(f"To undo one job: idc undo {shlex.quote(str(self.folder))}/jobs/NAME")
