"""How a batch goes and what it came to: lines, ``batch.json`` for programs, ``index.html`` for people."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from idc_aws.scrubbing import clean, clean_values
from idc_runner.batch.folder import JOBS
from idc_runner.batch.jobs import Job, JobResult
from idc_runner.outputs import write_whole
from idc_runner.report import render_page
from idc_runner.summary import ACTIONS, DONE_WORDS, counted, seconds_in_words

STATUSES = ("passed", "failed", "not run")


@dataclass(frozen=True)
class BatchSummary:
    """What a batch came to."""

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
    """Write ``batch.json`` and ``index.html`` into a batch's folder, each in one step; return the latter."""
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


# What a person sees of a batch: a bar on a terminal, a line for each job that ended anywhere else.


class BatchProgress:
    """Counts jobs and tells of each that ended; on a terminal, a bar stands below."""

    def __init__(self, stream: TextIO, total: int) -> None:
        self._console = Console(file=stream, highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._start = time.monotonic()
        self._total = total
        self.running = self.done = self.failed = self.not_run = 0
        self._bar = self._make_bar() if self._console.is_terminal and total else None
        self._task = self._add_task(self._bar)

    def _make_bar(self) -> Progress:
        return Progress(
            TextColumn("{task.completed:.0f} of {task.total:.0f} done"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[failed]} failed, {task.fields[running]} running"),
            TimeElapsedColumn(),
            TextColumn("left:"),
            TimeRemainingColumn(elapsed_when_finished=False),
            console=self._console,
        )

    def _add_task(self, bar: Progress | None) -> TaskID | None:
        return bar.add_task("", total=self._total, failed=0, running=0) if bar else None

    def __enter__(self) -> BatchProgress:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    def say(self, text: str) -> None:
        """Write lines; above the bar where there is one."""
        self._console.print(clean(text))

    def job_started(self) -> None:
        """Count a job that runs now."""
        self.running += 1
        self._show()

    def job_ended(self, result: JobResult) -> None:
        """Count a job and say what it came to, and why it failed."""
        self.running -= 1
        self.done += 1
        self.failed += not result.passed
        word = "passed" if result.passed else "FAILED"
        again = f", at attempt {result.attempts}" if result.attempts > 1 else ""
        first, *more = result.reason.splitlines() or [""]
        why = f": {first}" if first else ""
        self._tell(f"{result.job} {word} in {seconds_in_words(result.wall_s)}{again}{why}")
        for line in more:
            self.say(f"{'':15}{line}")

    def job_not_run(self, job: str, reason: str) -> None:
        """Count a job that will not be run, and say why."""
        self.done += 1
        self.not_run += 1
        self._tell(f"{job} not run: {reason}")

    def _tell(self, text: str) -> None:
        self._show()
        if self._bar is not None:
            self.say(text)
            return
        counts = f"{self.done} of {self._total} done, {self.failed} failed, {self.running} running"
        self.say(f"[{seconds_in_words(self.elapsed_s):>10}] {counts}{self._left()}: {text}")

    def _left(self) -> str:
        ran = self.done - self.not_run
        rest = self._total - self.done
        if not ran or not rest:
            return ""
        return f", about {seconds_in_words(self.elapsed_s / ran * rest)} left"

    def _show(self) -> None:
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=self.done, failed=self.failed, running=self.running)
