"""A whole run, from what a person asked for to the run's folder."""

from __future__ import annotations

import datetime
import os
import shlex
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from idc_helpers.aws.connection import Connection, connect, require_apply_allowed
from idc_helpers.aws.instance_lookup import require_home_region
from idc_helpers.aws.personal_data import list_personal_data
from idc_helpers.masking import masking
from idc_helpers.models import Scenario
from idc_helpers.parameters import scenario_parameters, scenario_warnings
from idc_helpers.runner.carrying_out import Execution, RunOutcome, carry_out
from idc_helpers.runner.edited import edited_line, edited_notebooks
from idc_helpers.runner.engines import Engine
from idc_helpers.runner.interruption import signals_as_exceptions
from idc_helpers.runner.preparing import PreparedRun, RunRequest, prepare_run
from idc_helpers.runner.progress import Progress
from idc_helpers.runner.run_folder import RunRecord, create_run_folder, write_record
from idc_helpers.runner.sandboxes import STATE_VARIABLE, sandbox_of_its_own

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
            connection = _require_target(prepared, state)
        else:
            state = None
            connection = _require_target(prepared, state)
            folder = create_run_folder(request.runs_folder, now=started)
        if request.mask_personal_data:
            stack.enter_context(masking(people_of_run(prepared.scenario, connection)))
        where = str(connection)
        write_record(folder, _record(prepared, state, connection.state_id))
        environment = _kernel_environment(folder, state)
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


def _require_target(prepared: PreparedRun, state: Path | None) -> Connection:
    """Connect once before any notebook does: a wrong account or missing credentials are said at once."""
    scenario = prepared.scenario
    connection = connect(
        target=scenario.target, region=scenario.region, profile=scenario.profile, state_folder=state
    )
    require_home_region(connection, scenario.instance.kind)
    if prepared.mode == "apply":
        require_apply_allowed(connection, scenario.expected_account)
    return connection


def _record(prepared: PreparedRun, state: Path | None, state_id: str) -> RunRecord:
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


def _kernel_environment(folder: Path, state: Path | None) -> dict[str, str]:
    environment = {"IDC_RUN_FOLDER": str(folder), "IDC_INTERACTIVE": "headless"}
    if state is not None:
        environment[STATE_VARIABLE] = str(state)
    return environment
