"""One job: its notebooks executed in order in a folder, interrupted with care, and what it came to."""

from __future__ import annotations

import datetime
import logging
import os
import signal
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from types import FrameType
from typing import Any, Generic, Protocol, TypeVar

from idc_aws.errors import KitError, ParametersError, Problem, RunFailedError
from idc_aws.files import write_whole
from idc_aws.identifiers import did_you_mean
from idc_aws.project import INTERACTIVE_VARIABLE, RUN_FOLDER_VARIABLE, STATE_VARIABLE
from idc_aws.sandbox import find_sandbox
from idc_aws.scenario.reading import PERSON_PARAMETERS, load_scenario, scenario_parameters
from idc_aws.scenario.scenario import Scenario
from idc_aws.scrubbing import clean
from idc_aws.signin.commands import CommandForks
from idc_aws.signin.terminal import ask_command_lines, known_versions, terminal_of
from idc_runner.engine import NO_LIMITS, Engine, NotebookFailure, NotebookOrder, TimeLimits
from idc_runner.notebooks import LessonNotebook, RunRecord, known_parameters, write_record
from idc_runner.outputs import KERNEL_LOG, LeakSearch, clean_log, leak_failure
from idc_runner.progress import EventFollower, Meanwhile, Progress
from idc_runner.report import Pages, write_report
from idc_runner.summary import NotebookResult, RunSummary, notebook_result

ALWAYS_GIVEN = ("target", "mode", "region", "expected_account", "profile", "scenario_file", "run_folder")
FAULT_FILE = "fault.txt"
_LARGEST_INJECTED = 50_000  # characters: some two hundred users
_FAULT = (
    "The kit failed here, not a cell of the notebook; the traceback is in {}. Completed work is kept, with"
    " its receipts. Run again: completed steps will then show `unchanged`."
)


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
        """Return what papermill sets in a notebook: what all of them get, and its parts of the scenario."""
        sections = scenario_parameters(self.scenario)
        sections |= sections.get("person", {})  # its keys are parameters of their own
        given = {
            "target": self.scenario.target,
            "mode": self.mode,
            "region": self.scenario.region,
            "expected_account": self.scenario.expected_account,
            "profile": self.scenario.profile,
            "scenario_file": str(self.scenario_file),
            "run_folder": str(run_folder),
        }
        large = {name for name, value in sections.items() if len(repr(value)) > _LARGEST_INJECTED}
        if large:
            # A notebook shows it and papermill keeps it twice: where the file says the same, it is read.
            in_file = self._sections_of_file
            sections |= {name: None for name in large if in_file.get(name) == sections[name]}
        everything = {**self.extra, **sections, **given}
        return {name: value for name, value in everything.items() if name in self.known[notebook.name]}

    @cached_property
    def _sections_of_file(self) -> dict[str, Any]:
        return scenario_parameters(load_scenario(self.scenario_file))


def prepared_run(
    scenario: Scenario,
    scenario_file: Path,
    notebooks: tuple[LessonNotebook, ...],
    extra: Mapping[str, Any] | None = None,
) -> PreparedRun:
    """Return a run of a scenario that is checked already, in its own mode or the target's usual one."""
    known = {notebook.name: known_parameters(notebook) for notebook in notebooks}
    return PreparedRun(scenario, scenario_file, scenario.mode_or_default, notebooks, known, extra or {})


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


def record_run(prepared: PreparedRun, folder: Path, state: Path | None, state_id: str) -> dict[str, str]:
    """Write where a run goes into its folder, and return the variables that its notebooks get."""
    scenario = prepared.scenario
    record = RunRecord(
        target=scenario.target,
        mode=prepared.mode,
        region=scenario.region,
        profile=scenario.profile,
        scenario_file=str(prepared.scenario_file),
        sandbox_state=str(state) if state else os.environ.get(STATE_VARIABLE, ""),
        sandbox_state_id=state_id,
    )
    write_record(folder, record)
    return run_variables(folder, state)


def run_variables(folder: Path, state: Path | None) -> dict[str, str]:
    """Return the variables that a run's notebooks get."""
    own_sandbox = {STATE_VARIABLE: str(state)} if state else {}
    return {RUN_FOLDER_VARIABLE: str(folder), INTERACTIVE_VARIABLE: "headless", **own_sandbox}


def notebook_order(
    prepared: PreparedRun,
    notebook: LessonNotebook,
    folder: Path,
    environment: Mapping[str, str],
    limits: TimeLimits,
) -> NotebookOrder:
    """Return what the engine is asked to do of a notebook of a run."""
    output = folder / "notebooks" / f"{notebook.name}.ipynb"
    return NotebookOrder(notebook, output, prepared.parameters(notebook, folder), environment, limits)


class Summary(Protocol):
    """What went well or not, of a run or of a batch."""

    @property
    def passed(self) -> bool:
        """Whether everything did."""


SummaryT = TypeVar("SummaryT", bound=Summary)


@dataclass(frozen=True)
class Outcome(Generic[SummaryT]):
    """What a run or a batch left.

    Attributes
    ----------
    folder
        Where it is.
    summary
        What became of each notebook or job.
    signal_number
        The signal that ended it; None: none did.
    """

    folder: Path
    summary: SummaryT
    signal_number: int | None = None

    @property
    def exit_status(self) -> int:
        """0 only if everything passed; 128 + its number after a signal, as in shells."""
        if self.signal_number is not None:
            return 128 + self.signal_number
        return 0 if self.summary.passed else 1


RunOutcome = Outcome[RunSummary]


@dataclass
class Execution:
    """The notebooks of one job while they run; the runner's own exceptions fail the current notebook."""

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
    _events: EventFollower = field(init=False)
    _until_executed: ExitStack = field(init=False)
    _executed: threading.Event = field(init=False, default_factory=threading.Event)
    _command_forks: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.leak_search = LeakSearch(self.folder)
        self._events = EventFollower(self.folder / "events.jsonl", self.progress.event)

    def carry_out(self) -> RunOutcome:
        """Execute the notebooks until one fails or a signal comes; a run never ends without a report."""
        signal_number = None
        try:
            with ExitStack() as self._until_executed, Meanwhile() as meanwhile, self._events:
                self._until_executed.callback(self._executed.set)
                self._execute_all(meanwhile)
        except KeyboardInterrupt as interruption:
            signal_number = getattr(interruption, "signal_number", int(signal.SIGINT))
        except self.passes_on:
            raise
        except BaseException as error:
            self._fault(error)
        summary = self._report()
        self.progress.summary(summary, self.folder / "index.html")
        if not summary.passed:
            self.progress.say(self._how_to_go_on(signal_number))
        return RunOutcome(self.folder, summary, signal_number)

    def _execute_all(self, meanwhile: Meanwhile) -> None:
        """Execute the notebooks; the report of those so far is written beside the next ones."""
        notebooks = self.prepared.notebooks
        self.current = notebooks[0].name
        order = self._order(notebooks[0])
        for number, notebook in enumerate(notebooks, start=1):
            self.current = notebook.name
            self.progress.notebook_started(notebook.name, number, len(notebooks))
            if not self._signs_in(notebook) and any(map(self._signs_in, notebooks[number:][:_SOON])):
                meanwhile.prepare(self._prepare_sign_in)
            following = None
            if number < len(notebooks):
                if self._signs_in(notebooks[number]):
                    meanwhile.wait_for_preparation()  # its order, made here, says what was prepared
                following = self._order(notebooks[number])
                self.engine.begin(following)
            result = self._execute(order)
            self.results.append(result)
            self.progress.notebook_ended(result)
            if result.status == "failed":
                return
            if following is not None:
                order = following
                meanwhile.offer(partial(self._write, self._summary()))

    def _prepare_sign_in(self) -> None:
        """Do what takes a second of a notebook that signs in, beside those that do not."""
        ask_command_lines()
        if (self.prepared.scenario.target, self.prepared.mode) == ("sandbox", "apply"):
            with suppress(KitError, OSError):  # the notebook does the same, and says what is wrong
                terminal = terminal_of(self.environment.get(STATE_VARIABLE))  # writes endpoint rules
                if terminal.command_line is not None:
                    forks = CommandForks(terminal.command_line.program, terminal.variables)
                    self._until_executed.callback(forks.close)
                    self._command_forks = forks.variables
                    if self._executed.is_set():  # the run did not wait for it, and closes nothing any more
                        forks.close()

    def _signs_in(self, notebook: LessonNotebook) -> bool:
        """Return whether a notebook signs in with a profile, by the AWS CLI where there is one."""
        return "profile_name" in self.prepared.known[notebook.name]

    def _execute(self, order: NotebookOrder) -> NotebookResult:
        start = time.monotonic()
        result = partial(notebook_result, self.folder, order.notebook.name, mode=self.prepared.mode)
        try:
            try:
                failure = self.engine.execute(order)
            finally:
                self._events.catch_up()
        except KeyboardInterrupt:
            interrupted = NotebookFailure("Interrupted", "the run was asked to end")
            stopped = result(wall_s=time.monotonic() - start, failure=interrupted)
            self.results.append(stopped)
            self.progress.notebook_ended(stopped)
            raise
        failure = self._with_leaks(self._with_sandbox_news(failure) if failure else None)
        return result(wall_s=time.monotonic() - start, failure=failure)

    def _order(self, notebook: LessonNotebook) -> NotebookOrder:
        """Return what the engine is asked to do of a notebook; one that signs in gets what was prepared."""
        prepared = known_versions() | self._command_forks if self._signs_in(notebook) else {}
        environment = {**self.environment, **prepared}
        return notebook_order(self.prepared, notebook, self.folder, environment, self.limits)

    def _with_leaks(self, failure: NotebookFailure | None) -> NotebookFailure | None:
        """Let a notebook fail that left a secret in a file of the run; a failure of its own stays."""
        clean_log(self.folder / "notebooks" / KERNEL_LOG)
        leaks = self.leak_search.find()
        if not leaks:
            return failure
        leaked = leak_failure(leaks)
        if failure is None:
            return leaked
        return replace(failure, message=f"{failure.message}\nAlso, {leaked.message}")

    def _with_sandbox_news(self, failure: NotebookFailure) -> NotebookFailure:
        """Add to a failure that the sandbox is gone, where it is: that is the cause."""
        if self.prepared.scenario.target != "sandbox":
            return failure
        state = self.environment.get(STATE_VARIABLE) or os.environ.get(STATE_VARIABLE)
        if find_sandbox(state or None):
            return failure
        news = "The sandbox stopped running. Completed work is kept in its state: run again, and it restarts."
        return replace(failure, message=f"{failure.message}\n{news}")

    def _summary(self) -> RunSummary:
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

    def _write(self, summary: RunSummary) -> None:
        summary.write(self.folder / "summary.json")
        write_report(self.folder, summary, where=self.where, undo_command=self.undo_command, pages=self.pages)

    def _report(self) -> RunSummary:
        """Write summary and report, without the notebooks' pages where those cannot be made."""
        summary = self._summary()
        try:
            self._write(summary)
        except Exception as error:
            self._fault(error)
            self.pages = "none"
            summary = self._summary()
            self._write(summary)
        return summary

    def _fault(self, error: BaseException) -> None:
        """Let the current notebook fail by an exception of ours; its traceback goes into the run's folder."""
        path = self.folder / FAULT_FILE
        write_whole(path, clean("".join(traceback.format_exception(error))))
        message = f"{clean(str(error)) or 'no words'}\n{_FAULT.format(str(path))}"
        failure = NotebookFailure(type(error).__name__, message)
        known = [result for result in self.results if result.notebook == self.current]
        found = known[0] if known else NotebookResult(self.current, "failed")
        failed = replace(found, status="failed", failure=failure)
        self.results = [result for result in self.results if result is not found] + [failed]
        with suppress(Exception):  # a terminal that is gone may be the very fault
            self.progress.notebook_ended(failed)

    def _how_to_go_on(self, signal_number: int | None) -> str:
        receipts = self.folder / "receipts.jsonl"
        lines = ["The run was ended before it was done."] if signal_number is not None else []
        if not receipts.exists():
            return "\n".join([*lines, "Nothing was written to the target."])
        lines.append(f"Completed work is kept, with receipts in {receipts}.")
        if not self.environment.get(STATE_VARIABLE):
            lines.append(
                "To continue: fix the cause and give the same command again;"
                " completed steps will then show `unchanged`."
            )
        lines.append(f"To undo it: {self.undo_command}")
        return "\n".join(lines)


_SOON = 4  # notebooks
_AGAIN_S = 0.2


class Interrupted(KeyboardInterrupt):
    """The run was asked to end, by Ctrl-C, by the one who supervises it, or because its terminal is gone."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.signal_number = signal_number


@contextmanager
def signals_as_exceptions() -> Iterator[None]:
    """Turn the first such signal into `Interrupted`, and let nothing cut the tidying up short."""
    # One that is ignored already, as under ``nohup``, stays so.
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
    """Send a signal again until its handler has run, which then ignores all others."""
    # One that arrives just before the main thread begins to wait, for a lock say, is otherwise not heard
    # until that wait ends, which can be hours.
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
