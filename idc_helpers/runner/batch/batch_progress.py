"""What a person sees of a batch: a bar on a terminal, a line for each job that ended anywhere else."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from idc_helpers.cleaning import clean
from idc_helpers.runner.batch.results import JobResult
from idc_helpers.runner.tables import seconds_in_words


class BatchProgress:
    """Counts jobs and tells of each that ended; on a terminal, a bar stands below.

    Parameters
    ----------
    stream
        A terminal, or a log in which no line ever changes.
    total
        How many jobs this batch has to run.
    clock
        Seconds that only grow.
    """

    def __init__(self, stream: TextIO, total: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = Console(file=stream, highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._clock, self._start = clock, clock()
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
        return self._clock() - self._start

    def say(self, text: str) -> None:
        """Write lines; above the bar where there is one."""
        self._console.print(clean(text))

    def job_started(self) -> None:
        """Count a job that runs now."""
        self.running += 1
        self._show()

    def job_dropped(self) -> None:
        """Take back a started job that will not end in this batch."""
        self.running -= 1
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
