"""The two reports over all jobs of a batch: ``batch.json`` for programs, ``index.html`` for people."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from idc_helpers.cleaning import clean_values
from idc_helpers.runner.batch.batch_folder import JOBS
from idc_helpers.runner.batch.jobs import Job
from idc_helpers.runner.batch.results import JobResult
from idc_helpers.runner.pages import render_page
from idc_helpers.runner.scrubbed_files import write_whole
from idc_helpers.runner.summary import ACTIONS
from idc_helpers.runner.tables import DONE_WORDS, counted

STATUSES = ("passed", "failed", "not run")


@dataclass(frozen=True)
class BatchSummary:
    """What a batch came to.

    Attributes
    ----------
    name
        Of the batch's folder.
    table
        The file of the jobs.
    started
        ISO 8601, UTC: when this batch began, or went on.
    wall_s
        Seconds since then.
    jobs
        All jobs of the table.
    results
        Of the jobs that ended, by name; with the inputs that the jobs have now.
    not_run
        Why a job was not run, by name.
    before
        Names of the jobs that had ended before this batch went on.
    news
        What happened to the batch itself, such as a process that was started anew.
    """

    name: str
    table: str
    started: str
    wall_s: float
    jobs: Sequence[Job]
    results: Mapping[str, JobResult]
    not_run: Mapping[str, str]
    before: frozenset[str] = frozenset()
    news: Sequence[str] = ()

    @property
    def passed(self) -> bool:
        """Whether every job of the table passed."""
        return all(self.status(job) == "passed" for job in self.jobs)

    def status(self, job: Job) -> str:
        """Return one of `STATUSES`."""
        result = self.results.get(job.name)
        return result.status if result else "not run"

    def reason(self, job: Job) -> str:
        """Return why a job failed or was not run; empty for one that passed."""
        result = self.results.get(job.name)
        return result.reason if result else self.not_run.get(job.name, "the batch was ended before it")

    def counts(self) -> dict[str, int]:
        """Return how many jobs have each status."""
        found = Counter(self.status(job) for job in self.jobs)
        return {status: found[status] for status in STATUSES}

    def sentence(self) -> str:
        """Return the whole in one line."""
        counts = self.counts()
        parts = [f"{counts['passed']} of {counted(len(self.jobs), 'job')} passed"]
        parts += [f"{counts[status]} {status}" for status in STATUSES[1:] if counts[status]]
        return ", ".join(parts) + "."


def write_batch_report(folder: Path, summary: BatchSummary) -> Path:
    """Write ``batch.json`` and ``index.html`` into a batch's folder, each in one step; return the latter.

    Raises
    ------
    OSError
        When the folder takes nothing any more.
    """
    rows = [_row(summary, job) for job in summary.jobs]
    write_whole(
        folder / "batch.json", json.dumps(_as_json(summary, rows), indent=2, ensure_ascii=False) + "\n"
    )
    totals = {action: sum(row["changes"].get(action, 0) for row in rows) for action in ACTIONS}
    page = render_page(
        "batch.html.j2",
        summary=summary,
        rows=rows,
        totals=totals,
        change_words=[DONE_WORDS[action] for action in ACTIONS],
        verdict=_verdict(summary),
    )
    write_whole(folder / "index.html", page)
    return folder / "index.html"


def _verdict(summary: BatchSummary) -> str:
    if summary.counts()["failed"]:
        return "failed"
    return "passed" if summary.passed else "not run"


def _as_json(summary: BatchSummary, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    whole = {
        "batch": summary.name,
        "table": summary.table,
        "status": _verdict(summary),
        "started": summary.started,
        "wall_s": round(summary.wall_s, 3),
        "counts": summary.counts(),
        "news": list(summary.news),
        "jobs": list(rows),
    }
    scrubbed: dict[str, Any] = clean_values(whole)
    return scrubbed


def _row(summary: BatchSummary, job: Job) -> dict[str, Any]:
    result = summary.results.get(job.name)
    return {
        "name": job.name,
        "status": summary.status(job),
        "reason": summary.reason(job),
        "notebooks": [notebook.name for notebook in job.notebooks],
        "after": list(job.after),
        "in_this_batch": result is not None and job.name not in summary.before,
        "started": result.started if result else None,
        "wall_s": round(result.wall_s, 3) if result else None,
        "where": result.where if result else "",
        "mode": result.mode if result else "",
        "changes": dict(result.changes) if result else {},
        "checks": result.checks if result else 0,
        "checks_passed": result.checks_passed if result else 0,
        "attempts": result.attempts if result else 0,
        "folder": (result.stored or f"{JOBS}/{job.name}/") if result else None,
    }
