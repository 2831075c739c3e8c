"""The notebooks of a prepared run, one after another, and what it comes to, whatever happens on the way."""

from __future__ import annotations

import datetime
import os
import signal
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from idc_helpers.cleaning import clean
from idc_helpers.runner.engines import NO_LIMITS, Engine, NotebookFailure, TimeLimits
from idc_helpers.runner.following import EventFollower
from idc_helpers.runner.leaks import KERNEL_LOG, LeakSearch, clean_log, leak_failure
from idc_helpers.runner.meanwhile import Meanwhile
from idc_helpers.runner.notebooks import LessonNotebook
from idc_helpers.runner.outcome import Outcome
from idc_helpers.runner.preparing import PreparedRun
from idc_helpers.runner.progress import Progress
from idc_helpers.runner.report import Pages, write_report
from idc_helpers.runner.sandboxes import STATE_VARIABLE, sandbox_runs
from idc_helpers.runner.summary import NotebookResult, RunSummary, notebook_result

FAULT_FILE = "fault.txt"
_FAULT = (
    "The kit failed here, not a cell of the notebook; the traceback is in {}. What was done is kept, with its"
    " receipts. Run again: what is done is `unchanged` then."
)
RunOutcome = Outcome[RunSummary]


@dataclass
class Execution:
    """One run while it goes on.

    Attributes
    ----------
    prepared, folder
        What to run, and the run's folder.
    where
        The target in one readable line.
    environment
        Variables that the cells see besides the ones of this process.
    engine
        What executes the notebooks.
    progress, started
        Where it is told, and when it began.
    undo_command
        What takes the run back.
    limits
        How long cells and notebooks may take.
    pages
        Which executed notebooks get a page that browsers show: it takes longer than many a notebook.
    results
        Of the notebooks so far.
    passes_on
        Exceptions that are for the caller, and no fault of the run.
    current
        The notebook that is executed, or was last.
    leak_search
        Looks through what each notebook left.
    """

    prepared: PreparedRun
    folder: Path
    where: str
    environment: Mapping[str, str]
    engine: Engine
    progress: Progress
    started: datetime.datetime
    undo_command: str
    limits: TimeLimits = NO_LIMITS
    pages: Pages = "all"
    results: list[NotebookResult] = field(default_factory=list)
    passes_on: tuple[type[BaseException], ...] = ()
    current: str = ""
    leak_search: LeakSearch = field(init=False)

    def __post_init__(self) -> None:
        self.leak_search = LeakSearch(self.folder)

    def summary(self) -> RunSummary:
        """Return what the run came to so far."""
        done = {result.notebook for result in self.results}
        rest = [NotebookResult(n.name, "not run") for n in self.prepared.notebooks if n.name not in done]
        return RunSummary(
            run_id=self.folder.name,
            target=self.prepared.scenario.target,
            mode=self.prepared.mode,
            started=self.started.isoformat(timespec="seconds"),
            wall_s=self.progress.elapsed_s,
            notebooks=(*self.results, *rest),
        )

    def fault(self, error: BaseException) -> None:
        """Let the current notebook fail by an exception of ours; its traceback goes into the run's folder."""
        path = self.folder / FAULT_FILE
        text = "".join(traceback.format_exception(error))
        path.write_text(clean(text), "utf-8")
        message = f"{clean(str(error)) or 'no words'}\n{_FAULT.format(str(path))}"
        failure = NotebookFailure(type(error).__name__, message)
        known = [result for result in self.results if result.notebook == self.current]
        found = known[0] if known else NotebookResult(self.current, "failed")
        failed = replace(found, status="failed", failure=failure)
        self.results = [result for result in self.results if result is not found] + [failed]
        with suppress(Exception):  # a terminal that is gone may be the very fault
            self.progress.notebook_ended(failed)

    def write(self, summary: RunSummary) -> None:
        """Write summary and report."""
        summary.write(self.folder / "summary.json")
        write_report(self.folder, summary, where=self.where, undo_command=self.undo_command, pages=self.pages)


def carry_out(execution: Execution) -> RunOutcome:
    """Execute the notebooks in order until one fails or a signal comes; write summary and report.

    An exception of the runner itself fails the notebook that it came in: a run never ends without a report.
    """
    signal_number = None
    try:
        with Meanwhile() as meanwhile:
            _execute_all(execution, meanwhile)
    except KeyboardInterrupt as interruption:
        signal_number = getattr(interruption, "signal_number", int(signal.SIGINT))
    except execution.passes_on:
        raise
    except BaseException as error:
        execution.fault(error)
    summary = _written(execution)
    execution.progress.summary(summary, execution.folder / "index.html")
    if not summary.passed:
        execution.progress.say(_how_to_go_on(execution, signal_number))
    return RunOutcome(execution.folder, summary, signal_number)


def _written(execution: Execution) -> RunSummary:
    """Write summary and report, without the notebooks' pages where those cannot be made."""
    summary = execution.summary()
    try:
        execution.write(summary)
    except Exception as error:
        execution.fault(error)
        execution.pages = "none"
        summary = execution.summary()
        execution.write(summary)
    return summary


def _execute_all(execution: Execution, meanwhile: Meanwhile) -> None:
    """Execute the notebooks until one fails; the report of those so far is written beside the next ones."""
    notebooks = execution.prepared.notebooks
    for number, notebook in enumerate(notebooks, start=1):
        execution.current = notebook.name
        execution.progress.notebook_started(notebook.name, number, len(notebooks))
        result = _execute(execution, notebook)
        execution.results.append(result)
        execution.progress.notebook_ended(result)
        if result.status == "failed":
            return
        if number < len(notebooks):
            meanwhile.offer(partial(execution.write, execution.summary()))


def _execute(execution: Execution, notebook: LessonNotebook) -> NotebookResult:
    folder = execution.folder
    start = time.monotonic()

    def result(failure: NotebookFailure | None) -> NotebookResult:
        return notebook_result(
            folder,
            notebook.name,
            mode=execution.prepared.mode,
            wall_s=time.monotonic() - start,
            failure=failure,
        )

    output = folder / "notebooks" / f"{notebook.name}.ipynb"
    parameters = execution.prepared.parameters(notebook, folder)
    try:
        with EventFollower(folder / "events.jsonl", execution.progress.event):
            failure = execution.engine.execute(
                notebook, output, parameters, execution.environment, execution.limits
            )
    except KeyboardInterrupt:
        stopped = result(NotebookFailure("Interrupted", "the run was asked to end"))
        execution.results.append(stopped)
        execution.progress.notebook_ended(stopped)
        raise
    failure = _with_sandbox_news(execution, failure) if failure else None
    return result(_with_leaks(execution, failure))


def _with_leaks(execution: Execution, failure: NotebookFailure | None) -> NotebookFailure | None:
    """Let a notebook fail that left a secret in a file of the run; a failure of its own stays."""
    clean_log(execution.folder / "notebooks" / KERNEL_LOG)
    leaks = execution.leak_search.find()
    if not leaks:
        return failure
    leaked = leak_failure(leaks)
    if failure is None:
        return leaked
    return replace(failure, message=f"{failure.message}\nAlso, {leaked.message}")


def _with_sandbox_news(execution: Execution, failure: NotebookFailure) -> NotebookFailure:
    """Add to a failure that the sandbox is gone, where it is: that is the cause, whatever the cell says."""
    if execution.prepared.scenario.target != "sandbox":
        return failure
    state = execution.environment.get(STATE_VARIABLE) or os.environ.get(STATE_VARIABLE)
    if sandbox_runs(Path(state) if state else None):
        return failure
    news = "The sandbox stopped running. What was done is kept in its state: run again, and it starts again."
    return NotebookFailure(failure.error_name, f"{failure.message}\n{news}", failure.cell, failure.source)


def _how_to_go_on(execution: Execution, signal_number: int | None) -> str:
    receipts = execution.folder / "receipts.jsonl"
    lines = ["The run was ended before it was done."] if signal_number is not None else []
    if not receipts.exists():
        return "\n".join([*lines, "Nothing was written to the target."])
    lines.append(f"What was done is kept, with receipts in {receipts}.")
    if not execution.environment.get(STATE_VARIABLE):
        lines.append(
            "To continue: fix the cause and give the same command again; what is done is `unchanged` then."
        )
    lines.append(f"To undo it: {execution.undo_command}")
    return "\n".join(lines)
