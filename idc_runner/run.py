"""A run of the lesson: prepared, carried out, interrupted with care, and what it came to."""

from __future__ import annotations

import datetime
import logging
import os
import shlex
import signal
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Generic, Protocol, TextIO, TypeVar

from idc_aws.connection import Connection, connect, require_apply_allowed, require_home_region
from idc_aws.errors import InvalidValueError, ParametersError, Problem, RunFailedError
from idc_aws.identifiers import did_you_mean
from idc_aws.identity_store import list_personal_data
from idc_aws.project import INTERACTIVE_VARIABLE, RUN_FOLDER_VARIABLE, STATE_VARIABLE, find_scenario
from idc_aws.scenario.reading import (
    PERSON_PARAMETERS,
    load_scenario,
    scenario_parameters,
    scenario_warnings,
    validate_scenario,
)
from idc_aws.scenario.scenario import Scenario
from idc_aws.scrubbing import clean, masking
from idc_runner.engine import NO_LIMITS, Engine, NotebookFailure, TimeLimits
from idc_runner.notebooks import (
    LessonNotebook,
    RunRecord,
    create_run_folder,
    find_notebooks,
    known_parameters,
    select_notebooks,
    write_record,
)
from idc_runner.outputs import KERNEL_LOG, LeakSearch, clean_log, leak_failure
from idc_runner.progress import EventFollower, Meanwhile, Progress
from idc_runner.report import Pages, write_report
from idc_runner.sandboxes import sandbox_of_its_own, sandbox_runs
from idc_runner.summary import NotebookResult, RunSummary, notebook_result
from idc_runner.working_copy import edited_line, edited_notebooks, require_unedited

# Everything about a run that can be refused before anything is called, started or written.

ALWAYS_GIVEN = ("target", "mode", "region", "expected_account", "profile", "scenario_file", "run_folder")


@dataclass(frozen=True)
class RunRequest:
    """What a person asked for.

    Attributes
    ----------
    project
        The kit's folder: its notebooks are executed.
    scenario_file
        The scenario; None: ``parameters/sandbox.yaml``.
    only
        Numbers or names of notebooks; empty: all.
    target, mode
        In place of what the scenario says.
    runs
        The folder that holds the runs; None: ``runs/`` of the work folder.
    teardown
        Whether the last notebook takes everything back.
    fresh_sandbox
        Whether the run gets a sandbox of its own, empty at the start and stopped at the end.
    mask_personal_data
        Whether people's names, e-mail addresses, phone numbers and addresses have stand-ins in all that the
        run writes but its receipts.
    work
        The folder in which the person works; None: the kit's.
    edited_notebooks
        Whether notebooks that were edited may write to AWS.
    limits
        For each cell and notebook.
    """

    project: Path
    scenario_file: Path | None = None
    only: tuple[str, ...] = ()
    target: str | None = None
    mode: str | None = None
    runs: Path | None = None
    teardown: bool = True
    fresh_sandbox: bool = False
    mask_personal_data: bool = False
    work: Path | None = None
    edited_notebooks: bool = False
    limits: TimeLimits = NO_LIMITS

    @property
    def runs_folder(self) -> Path:
        """Where the run's folder is made."""
        return self.runs.absolute() if self.runs else ((self.work or self.project) / "runs").resolve()


@dataclass(frozen=True)
class PreparedRun:
    """A run that may start."""

    scenario: Scenario
    scenario_file: Path
    mode: str
    notebooks: tuple[LessonNotebook, ...]
    known: Mapping[str, frozenset[str]]
    extra: Mapping[str, Any] = field(default_factory=dict)
    edited: tuple[str, ...] = ()

    def parameters(self, notebook: LessonNotebook, run_folder: Path) -> dict[str, Any]:
        """Return what papermill sets in a notebook: what all of them get, and its parts of the scenario.

        The keys of ``person`` are parameters of their own.
        """
        sections = scenario_parameters(self.scenario)
        sections |= sections.get("person", {})
        given = {
            "target": self.scenario.target,
            "mode": self.mode,
            "region": self.scenario.region,
            "expected_account": self.scenario.expected_account,
            "profile": self.scenario.profile,
            "scenario_file": str(self.scenario_file),
            "run_folder": str(run_folder),
        }
        everything = {**self.extra, **sections, **given}
        return {name: value for name, value in everything.items() if name in self.known[notebook.name]}


def prepare_run(request: RunRequest) -> PreparedRun:
    """Read and check everything; reads files only."""
    scenario_file = find_scenario(request.scenario_file, request.work or request.project, request.project)
    scenario = _overridden(load_scenario(scenario_file), request)
    if request.fresh_sandbox and scenario.target != "sandbox":
        raise InvalidValueError(
            f"a fresh sandbox was asked for, but the target is {scenario.target!r}",
            remedy="Leave --fresh-sandbox out, or add --target sandbox.",
        )
    found = find_notebooks(request.project / "notebooks")
    notebooks = tuple(select_notebooks(found, only=request.only, teardown=request.teardown))
    for notebook in notebooks:
        require_known(notebook)
    prepared = prepared_run(scenario, scenario_file, notebooks)
    edited = edited_notebooks(notebooks, request.project)
    if scenario.target == "aws" and prepared.mode == "apply":
        require_unedited(edited, allowed=request.edited_notebooks)
    return replace(prepared, edited=edited)


def prepared_run(
    scenario: Scenario,
    scenario_file: Path,
    notebooks: tuple[LessonNotebook, ...],
    extra: Mapping[str, Any] | None = None,
) -> PreparedRun:
    """Return a run of a scenario that is checked already, in its own mode or the target's usual one."""
    known = {notebook.name: known_parameters(notebook) for notebook in notebooks}
    return PreparedRun(scenario, scenario_file, scenario.mode_or_default, notebooks, known, extra or {})


def _overridden(scenario: Scenario, request: RunRequest) -> Scenario:
    overrides = {name: value for name in ("target", "mode") if (value := getattr(request, name)) is not None}
    if not overrides:
        return scenario
    return validate_scenario({**scenario_parameters(scenario), **overrides}, source="the command line")


def require_known(notebook: LessonNotebook) -> None:
    """Return when a notebook of the lesson takes what each run gives, and nothing that no scenario has."""
    known = known_parameters(notebook)
    missing = [name for name in ALWAYS_GIVEN if name not in known]
    if missing:
        raise RunFailedError(
            f"the notebook {notebook.name!r} does not know the parameters {', '.join(missing)}",
            remedy="Give them a default in its cell with the tag `parameters`.",
        )
    sections = set(Scenario.model_fields) | set(ALWAYS_GIVEN)
    unknown = sorted(known - sections - set(PERSON_PARAMETERS))
    if unknown:
        raise ParametersError([_unknown(notebook, name, sections) for name in unknown])


def _unknown(notebook: LessonNotebook, name: str, choices: set[str]) -> Problem:
    remedy = did_you_mean(name, choices) or "Scenarios have no such key, so nothing would ever set it."
    return Problem(
        str(notebook.path), None, name, "the parameters cell has a name that no scenario has", remedy
    )


# What a run or a batch left, and the exit status that says so.


class Summary(Protocol):
    """What went well or not."""

    @property
    def passed(self) -> bool:
        """Whether everything did."""


SummaryT = TypeVar("SummaryT", bound=Summary)


@dataclass(frozen=True)
class Outcome(Generic[SummaryT]):
    """What a run or a batch left."""

    folder: Path
    summary: SummaryT
    signal_number: int | None = None

    @property
    def exit_status(self) -> int:
        """0 only if everything passed; 128 + its number after a signal, as in shells."""
        if self.signal_number is not None:
            return 128 + self.signal_number
        return 0 if self.summary.passed else 1


FAULT_FILE = "fault.txt"
_FAULT = (
    "The kit failed here, not a cell of the notebook; the traceback is in {}. What was done is kept, with its"
    " receipts. Run again: what is done is `unchanged` then."
)
RunOutcome = Outcome[RunSummary]


@dataclass
class Execution:
    """One run while it goes on."""

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


# Ctrl-C, a supervisor's SIGTERM, or a terminal that was closed, as one exception that lets a run tidy up.

_AGAIN_S = 0.2


class Interrupted(KeyboardInterrupt):
    """The run was asked to end, by Ctrl-C, by the one who supervises it, or because its terminal is gone."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.signal_number = signal_number


@contextmanager
def signals_as_exceptions() -> Iterator[None]:
    """Turn the first such signal into `Interrupted`, and let nothing cut the tidying up short.

    One that is ignored already, as under ``nohup``, stays so.
    """
    asking = (signal.SIGINT, signal.SIGTERM, *((signal.SIGHUP,) if hasattr(signal, "SIGHUP") else ()))
    numbers = [each for each in asking if signal.getsignal(each) != signal.SIG_IGN or each == signal.SIGINT]

    def interrupt(number: int, _frame: FrameType | None) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        for name in ("asyncio", "traitlets"):
            # Kernels that we end now are no news: what they would say of their death is not for a person.
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        raise Interrupted(number)

    before: dict[int, Callable[..., object] | int | None] = {}
    with _heard_in_waits(interrupt):
        try:
            for each in numbers:
                before[each] = signal.signal(each, interrupt)
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def _heard_in_waits(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Send a signal again until its handler has run, which then ignores all others.

    One that arrives just before the main thread begins to wait, for a lock say, is otherwise not heard until
    that wait ends, which can be hours.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "pthread_kill"):
        yield
        return
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    main, ended = threading.get_ident(), threading.Event()

    def remind() -> None:
        while number := reader.recv(1):
            while not ended.wait(_AGAIN_S) and signal.getsignal(number[0]) is handler:
                signal.pthread_kill(main, number[0])

    reminder = threading.Thread(target=remind, name="signals", daemon=True)
    former = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    reminder.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(former)
        ended.set()
        writer.close()
        reminder.join()
        reader.close()


# A whole run, from what a person asked for to the run's folder.

MOST_PEOPLE_MASKED = 10_000  # by name; e-mail addresses and phone numbers are masked whosesoever they are


def run_lesson(request: RunRequest, stream: TextIO, engine: Engine) -> RunOutcome:
    """Execute notebooks as asked, say what happens, and leave the run's folder.

    Writes to the target in mode ``apply``. A notebook that fails ends the run; what was done keeps its
    receipts.

    Parameters
    ----------
    request
        What to run, and where.
    stream
        Where progress is written.
    engine
        Executes the notebooks.

    Raises
    ------
    KitError
        When the run cannot start; nothing has been changed then.
    """
    prepared = prepare_run(request)
    started = datetime.datetime.now(datetime.UTC)
    progress = Progress(stream, prepared.mode)
    with ExitStack() as stack:
        stack.enter_context(signals_as_exceptions())
        if request.fresh_sandbox:
            folder = create_run_folder(request.runs_folder, now=started)
            state = folder / "sandbox"
            stack.enter_context(sandbox_of_its_own(state))
            connection = require_target(prepared, state)
        else:
            state = None
            connection = require_target(prepared, state)
            folder = create_run_folder(request.runs_folder, now=started)
        if request.mask_personal_data:
            stack.enter_context(masking(people_of_run(prepared.scenario, connection)))
        where = str(connection)
        write_record(folder, run_record(prepared, state, connection.state_id))
        environment = kernel_environment(folder, state)
        progress.say(f"Run {folder.name}: {where}; mode {prepared.mode}")
        for warning in scenario_warnings(prepared.scenario, prepared.scenario_file):
            progress.say(f"warning: {warning}")
        for line in _about_notebooks(prepared, request):
            progress.say(line)
        # A run in the usual folder is found by its id, another one by its path.
        undo_command = f"idc undo {folder.name if request.runs is None else shlex.quote(str(folder))}"
        execution = Execution(
            prepared,
            folder,
            where,
            environment,
            engine,
            progress,
            started,
            undo_command,
            limits=request.limits,
        )
        return carry_out(execution)


def _about_notebooks(prepared: PreparedRun, request: RunRequest) -> Iterator[str]:
    """Yield what a person should know about which cells run."""
    if prepared.edited:
        yield edited_line(prepared.edited)
    copy = (request.work or request.project) / "notebooks"
    twins = [replace(notebook, path=copy / notebook.path.name) for notebook in prepared.notebooks]
    theirs = [notebook for notebook in twins if notebook.path.is_file()]
    changed = edited_notebooks(theirs, request.project) if copy != request.project / "notebooks" else ()
    if changed:
        yield f"The kit's own notebooks run. These differ from them, and do not run: {', '.join(changed)}"


def people_of_run(scenario: Scenario, connection: Connection) -> list[dict[str, Any]]:
    """Return a scenario's users, and those of the target that it does not name; reads the target."""
    users = scenario_parameters(scenario)["users"]
    known = {user["user_name"] for user in users}
    present = list_personal_data(connection, at_most=MOST_PEOPLE_MASKED)
    return [*users, *(user for user in present if user["user_name"] not in known)]


def require_target(prepared: PreparedRun, state: Path | None) -> Connection:
    """Connect once before any notebook does: a wrong account or missing credentials are said at once."""
    scenario = prepared.scenario
    connection = connect(
        target=scenario.target, region=scenario.region, profile=scenario.profile, state_folder=state
    )
    require_home_region(connection, scenario.instance.kind)
    if prepared.mode == "apply":
        require_apply_allowed(connection, scenario.expected_account)
    return connection


def run_record(prepared: PreparedRun, state: Path | None, state_id: str) -> RunRecord:
    """Return where a run goes, so that its undo goes to the same place."""
    scenario = prepared.scenario
    return RunRecord(
        target=scenario.target,
        mode=prepared.mode,
        region=scenario.region,
        profile=scenario.profile,
        scenario_file=str(prepared.scenario_file),
        sandbox_state=str(state) if state else os.environ.get(STATE_VARIABLE, ""),
        sandbox_state_id=state_id,
    )


def kernel_environment(folder: Path, state: Path | None) -> dict[str, str]:
    """Return the variables that a run's notebooks get."""
    environment = {RUN_FOLDER_VARIABLE: str(folder), INTERACTIVE_VARIABLE: "headless"}
    if state is not None:
        environment[STATE_VARIABLE] = str(state)
    return environment
