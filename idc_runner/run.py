"""A run of the lesson, from what a person asked for to the run's folder."""

from __future__ import annotations

import datetime
import shlex
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from typing import Any, TextIO

from idc_aws.calls import one_look
from idc_aws.connection import Connection, connect, require_apply_allowed, require_home_region
from idc_aws.errors import InvalidValueError
from idc_aws.project import find_scenario
from idc_aws.sandbox import sandbox_of_its_own
from idc_aws.scenario.reading import (
    load_scenario,
    refused_on_target,
    scenario_parameters,
    scenario_warnings,
    validate_scenario,
)
from idc_aws.scenario.scenario import Scenario
from idc_aws.scrubbing import masking
from idc_aws.users import list_personal_data
from idc_runner.engine import NO_LIMITS, Engine, TimeLimits
from idc_runner.execution import (
    Execution,
    PreparedRun,
    RunOutcome,
    notebook_order,
    prepared_run,
    record_run,
    require_known,
    run_variables,
    signals_as_exceptions,
)
from idc_runner.notebooks import create_run_folder, find_notebooks, select_notebooks
from idc_runner.progress import Progress
from idc_runner.working_copy import edited_line, edited_notebooks, require_unedited

_MOST_PEOPLE_MASKED = 10_000  # by name; e-mail addresses and phone numbers are masked whosesoever they are


@dataclass(frozen=True)
class Request:
    """What a person asks for of a run or of a batch.

    Attributes
    ----------
    project
        The kit's folder: its notebooks are executed.
    mode
        In place of what the scenario or the table of jobs says.
    mask_personal_data
        Whether people's names, e-mail addresses, phone numbers and addresses have stand-ins in all that is
        written but the receipts.
    work
        The folder in which the person works; None: the kit's.
    edited_notebooks
        Whether notebooks that were edited may write to AWS.
    limits
        For each cell and notebook.
    """

    project: Path
    _: KW_ONLY
    mode: str | None = None
    mask_personal_data: bool = False
    work: Path | None = None
    edited_notebooks: bool = False
    limits: TimeLimits = NO_LIMITS

    @property
    def usual_runs_folder(self) -> Path:
        """Where runs and batches are kept unless the person says otherwise."""
        return ((self.work or self.project) / "runs").resolve()


@dataclass(frozen=True)
class RunRequest(Request):
    """What a person asks for of a run, in addition to `Request`: which notebooks, and where.

    Attributes
    ----------
    scenario_file
        The scenario; None: ``parameters/sandbox.yaml``.
    only
        Numbers or names of notebooks; empty: all.
    target
        In place of what the scenario says.
    runs
        The folder that holds the runs; None: ``runs/`` of the work folder.
    teardown
        Whether the last notebook takes everything back.
    fresh_sandbox
        Whether the run gets a sandbox of its own, empty at the start and stopped at the end.
    organization
        The organization of that sandbox, a YAML or JSON file; None: the usual one.
    """

    scenario_file: Path | None = None
    only: tuple[str, ...] = ()
    target: str | None = None
    runs: Path | None = None
    teardown: bool = True
    fresh_sandbox: bool = False
    organization: Path | None = None

    @property
    def runs_folder(self) -> Path:
        """Where the run's folder is made."""
        return self.runs.absolute() if self.runs else self.usual_runs_folder


def prepare_run(request: RunRequest) -> PreparedRun:
    """Read and check everything; reads files only."""
    scenario, scenario_file = chosen_scenario(request)
    if request.fresh_sandbox and scenario.target != "sandbox":
        raise InvalidValueError(
            f"a fresh sandbox was asked for, but the target is {scenario.target!r}",
            remedy="Leave --fresh-sandbox out, or add --target sandbox.",
        )
    if request.organization is not None and not request.fresh_sandbox:
        raise InvalidValueError(
            "an organization was given, but no fresh sandbox was asked for",
            remedy="Add --fresh-sandbox; your standing one takes it by `idc sandbox start --organization`.",
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


def chosen_scenario(request: RunRequest) -> tuple[Scenario, Path]:
    """Return the scenario that is asked for, with the command line's values in place of its own; its file."""
    scenario_file = named_scenario(request)
    return _overridden(load_scenario(scenario_file), request), scenario_file


def named_scenario(request: RunRequest) -> Path:
    """Return the file of the scenario that is asked for, which need not exist."""
    return find_scenario(request.scenario_file, request.work or request.project, request.project)


def _overridden(scenario: Scenario, request: RunRequest) -> Scenario:
    overrides = {name: value for name in ("target", "mode") if (value := getattr(request, name)) is not None}
    if not overrides:
        return scenario
    return validate_scenario({**scenario_parameters(scenario), **overrides}, source="the command line")


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
            stack.enter_context(sandbox_of_its_own(state, organization=request.organization))
            # It is read while the sandbox, which has only just begun, makes the first look at it wait.
            first, variables = prepared.notebooks[0], run_variables(folder, state)
            engine.begin(notebook_order(prepared, first, folder, variables, request.limits))
            connection = require_target(prepared, state)
        else:
            state = None
            connection = require_target(prepared, state)
            folder = create_run_folder(request.runs_folder, now=started)
        if request.mask_personal_data:
            stack.enter_context(masking(people_of_run(prepared.scenario, connection)))
        environment = record_run(prepared, folder, state, connection.state_id)
        progress.say(f"Run {folder.name}: {connection}; mode {prepared.mode}")
        for warning in scenario_warnings(prepared.scenario, prepared.scenario_file):
            progress.say(f"warning: {warning}")
        for line in _about_notebooks(prepared, request):
            progress.say(line)
        return Execution(
            prepared,
            folder,
            str(connection),
            environment,
            engine,
            progress,
            started,
            # A run in the usual folder is found by its id, another one by its path.
            f"idc undo {folder.name if request.runs is None else shlex.quote(str(folder))}",
            limits=request.limits,
        ).carry_out()


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
    return with_people_there(scenario_parameters(scenario)["users"], connection)


def with_people_there(users: Iterable[dict[str, Any]], connection: Connection) -> list[dict[str, Any]]:
    """Return users, and those of the target that are not among them; reads the target."""
    named = {user["user_name"]: user for user in users}
    present = list_personal_data(connection, at_most=_MOST_PEOPLE_MASKED)
    return [*named.values(), *(user for user in present if user["user_name"] not in named)]


def require_target(prepared: PreparedRun, state: Path | None) -> Connection:
    """Connect once before any notebook does: a wrong account or missing credentials are said at once."""
    scenario = prepared.scenario
    connection = connect(
        target=scenario.target, region=scenario.region, profile=scenario.profile, state_folder=state
    )
    require_home_region(connection, scenario.instance.kind)
    if prepared.mode == "apply":
        require_apply_allowed(connection, scenario.expected_account)
    # The notebooks' processes have it already.
    from idc_helpers.runbook.lesson import steps_of_notebook  # noqa: PLC0415

    steps = [step for notebook in prepared.notebooks for step in steps_of_notebook(notebook.name)]
    with one_look():
        wants = [want for step in steps for want in step.wants]
        refusals = [refusal for want in wants for refusal in want.missing(connection, scenario)]
    if refusals:
        raise refused_on_target(refusals, prepared.scenario_file)
    return connection
