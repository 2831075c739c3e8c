"""How a batch goes and what it came to: lines, ``batch.json`` for programs, ``index.html`` for people."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from idc_aws.files import write_whole
from idc_aws.identifiers import counted
from idc_aws.scrubbing import clean, clean_values
from idc_runner.batch.folder import JOBS
from idc_runner.batch.jobs import Job, JobResult
from idc_runner.progress import TimedLines, indented
from idc_runner.report import render_page, verdict_of
from idc_runner.summary import ACTIONS, DONE_WORDS, format_seconds, time_words

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
        return self.verdict == "passed"

    @property
    def verdict(self) -> str:
        """How the batch ended: as its worst job."""
        return verdict_of([self.result(job).status for job in self.jobs])

    def result(self, job: Job) -> JobResult:
        """Return how a job ended, or that it was not run, and why."""
        if job.name in self.results:
            return self.results[job.name]
        reason = self.not_run.get(job.name, "the batch was ended before it")
        return JobResult(job.name, "not run", {}, "", 0.0, changes={}, reason=reason, attempts=0)

    def counts(self) -> dict[str, int]:
        """Return how many jobs have each status."""
        found = Counter[str](self.result(job).status for job in self.jobs)
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
    whole = {
        "batch": summary.name,
        "table": summary.table,
        "status": summary.verdict,
        "started": summary.started,
        "wall_s": round(summary.wall_s, 3),
        "counts": summary.counts(),
        "news": list(summary.news),
        "jobs": rows,
    }
    text = json.dumps(clean_values(whole), indent=2, ensure_ascii=False)
    write_whole(folder / "batch.json", f"{text}\n")
    page = render_page(
        "batch.html.j2",
        summary=summary,
        started=time_words(summary.started),
        rows=rows,
        totals={action: sum(row["changes"].get(action, 0) for row in rows) for action in ACTIONS},
        change_words=[DONE_WORDS[action] for action in ACTIONS],
        verdict=summary.verdict,
    )
    write_whole(folder / "index.html", page)
    return folder / "index.html"


def _row(summary: BatchSummary, job: Job) -> dict[str, Any]:
    result, ran = summary.result(job), job.name in summary.results
    return {
        "name": job.name,
        "status": result.status,
        "reason": result.reason,
        "notebooks": [notebook.name for notebook in job.notebooks],
        "after": list(job.after),
        "in_this_batch": ran and job.name not in summary.before,
        "started": result.started if ran else None,
        "wall_s": round(result.wall_s, 3) if ran else None,
        "where": result.where,
        "mode": result.mode,
        "changes": dict(result.changes),
        "checks": result.checks,
        "checks_passed": result.checks_passed,
        "attempts": result.attempts,
        "folder": (result.stored or f"{JOBS}/{job.name}/") if ran else None,
    }


class BatchProgress(TimedLines):
    """Counts jobs and tells of each that ended; on a terminal, a bar stands below."""

    def __init__(self, stream: TextIO, total: int) -> None:
        super().__init__(stream)
        self._console = Console(file=stream, highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._total = total
        self.running = self.done = self.failed = self.not_run = 0
        self._bar = self._make_bar() if self._console.is_terminal and total else None

    def _make_bar(self) -> Progress:
        bar = Progress(
            TextColumn("{task.completed:.0f} of {task.total:.0f} done"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[failed]} failed, {task.fields[running]} running"),
            TimeElapsedColumn(),
            TextColumn("left:"),
            TimeRemainingColumn(elapsed_when_finished=False),
            console=self._console,
        )
        bar.add_task("", total=self._total, failed=0, running=0)
        return bar

    def __enter__(self) -> BatchProgress:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar:
            self._bar.stop()

    def say(self, text: str = "") -> None:
        """Write lines; above the bar where there is one."""
        if self._bar:
            self._console.print(clean(text))
        else:
            super().say(text)

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
        first, _, rest = result.reason.partition("\n")
        why = f": {first}" if first else ""
        self.tell(f"{result.job} {word} in {format_seconds(result.wall_s)}{again}{why}")
        if rest:
            self.say(indented(rest))

    def job_not_run(self, job: str, reason: str) -> None:
        """Count a job that will not be run, and say why."""
        self.done += 1
        self.not_run += 1
        self.tell(f"{job} not run: {reason}")

    def tell(self, text: str) -> None:
        """Write a line with the time and the numbers, or where a bar has them, without."""
        self._show()
        if self._bar:
            self.say(text)
            return
        counts = f"{self.done} of {self._total} done, {self.failed} failed, {self.running} running"
        super().tell(f"{counts}{self._left()}: {text}")

    def _left(self) -> str:
        ran, rest = self.done - self.not_run, self._total - self.done
        if not ran or not rest:
            return ""
        return f", about {format_seconds(self.elapsed_s / ran * rest)} left"

    def _show(self) -> None:
        if self._bar:
            task = self._bar.task_ids[0]
            self._bar.update(task, completed=self.done, failed=self.failed, running=self.running)
