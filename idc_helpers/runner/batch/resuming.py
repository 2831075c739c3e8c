"""Which jobs need not run: those that the journal counts, with the inputs that they have now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from idc_helpers.runner.batch.fingerprints import changed_inputs
from idc_helpers.runner.batch.jobs import Job
from idc_helpers.runner.batch.results import JobResult
from idc_helpers.runner.tables import counted


@dataclass(frozen=True)
class Resumption:
    """What a batch finds when it begins.

    Attributes
    ----------
    settled
        Results of jobs that are not run again, by name.
    changed
        Which inputs of a job that had ended are other ones now, in words, by name: it runs again.
    retried
        Names of jobs that had failed and run again.
    """

    settled: Mapping[str, JobResult]
    changed: Mapping[str, Sequence[str]]
    retried: frozenset[str]

    def lines(self) -> list[str]:
        """Return what a person should know of it, in sentences; empty for a batch that is new."""
        passed = sum(result.passed for result in self.settled.values())
        failed = len(self.settled) - passed
        said = []
        if passed:
            said.append(f"{counted(passed, 'job')} passed before with the same inputs: not run again.")
        if failed:
            said.append(f"{counted(failed, 'job')} failed before: not run again. --retry-failed runs them.")
        if self.retried:
            said.append(f"{counted(len(self.retried), 'job')} failed before: run again.")
        said += [
            f"{name} is run again, because {' and '.join(inputs)} changed."
            for name, inputs in self.changed.items()
        ]
        return said


def resume(jobs: Sequence[Job], before: Mapping[str, JobResult], *, retry_failed: bool) -> Resumption:
    """Return which jobs are settled, and why others run again.

    Parameters
    ----------
    jobs
        Of the table, as it is now.
    before
        The journal's last result of each job, by name.
    retry_failed
        Whether jobs that had failed run again.
    """
    settled: dict[str, JobResult] = {}
    changed: dict[str, Sequence[str]] = {}
    retried: set[str] = set()
    for job in jobs:
        result = before.get(job.name)
        if result is None:
            continue
        inputs = changed_inputs(job.fingerprint, result.fingerprint)
        if inputs:
            changed[job.name] = inputs
        elif result.passed or not retry_failed:
            settled[job.name] = result
        else:
            retried.add(job.name)
    return Resumption(settled, changed, frozenset(retried))
