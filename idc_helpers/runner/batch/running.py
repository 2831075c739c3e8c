"""The jobs of a batch, each begun once it is free and counted once it has ended."""

from __future__ import annotations

import queue
from collections.abc import Sequence
from dataclasses import dataclass, field

from idc_helpers.runner.batch.batch_folder import unwritable
from idc_helpers.runner.batch.batch_progress import BatchProgress
from idc_helpers.runner.batch.jobs import Job
from idc_helpers.runner.batch.journal import Journal
from idc_helpers.runner.batch.order import JobOrder
from idc_helpers.runner.batch.results import JobResult
from idc_helpers.runner.batch.resuming import Resumption
from idc_helpers.runner.batch.workers import Workers

Ended = tuple[str, JobResult | BaseException]


@dataclass
class BatchRun:
    """One batch while it goes on.

    Attributes
    ----------
    jobs
        All jobs of the table, each after those that it waits for.
    journal
        Where each job that ends is counted.
    resumption
        Which jobs had ended before.
    progress
        Where it is told.
    not_run
        Why a job was not run, by name.
    """

    jobs: Sequence[Job]
    journal: Journal
    resumption: Resumption
    progress: BatchProgress
    not_run: dict[str, str] = field(default_factory=dict)
    _ended: queue.SimpleQueue[Ended] = field(default_factory=queue.SimpleQueue)

    def carry_out(self, workers: Workers | None) -> None:
        """Begin jobs as they become free, count each that ends, until none is left.

        Parameters
        ----------
        workers
            None only where no job is left to run.

        Raises
        ------
        KitError
            When the journal or the batch's folder cannot be written any more.
        Interrupted
            When the batch is asked to end.
        """
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
