"""From parameters to a run: the scenario read and checked, the target connected, the run's folder named."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from idc_helpers.aws.connection import connect
from idc_helpers.aws.instance_lookup import require_home_region
from idc_helpers.models import Scenario
from idc_helpers.parameters import load_scenario, scenario_parameters, validate_scenario
from idc_helpers.project import find_scenario, runs_folder
from idc_helpers.runbook.run_context import RunContext

RUN_FOLDER_VARIABLE = "IDC_RUN_FOLDER"


def open_run(
    notebook: str, *, scenario_file: str = "", run_folder: str = "", **parameters: Any
) -> RunContext:
    """Return what a notebook's steps need, connected.

    Starts the sandbox when the target is the sandbox and none runs; changes nothing on AWS.

    Parameters
    ----------
    notebook
        Name without folder and ending.
    scenario_file
        YAML; empty: ``parameters/sandbox.yaml`` of the work folder, or else of the kit.
    run_folder
        Where receipts go; empty: the environment's ``IDC_RUN_FOLDER``, else ``runs/notebooks`` of the work
        folder.
    **parameters
        Keys of the scenario; those that are None or empty take what the scenario says.

    Raises
    ------
    ParametersError
        When a value is refused, before any call.
    TargetError
        When the target cannot be reached.
    InstanceNotFoundError
        When an instance is in another Region: whatever was planned here would be wrong.
    """
    path = find_scenario(str(scenario_file))  # papermill's -p makes a number of a name of digits
    scenario = _scenario(path, parameters)
    connection = connect(target=scenario.target, region=scenario.region, profile=scenario.profile)
    require_home_region(connection, scenario.instance.kind)
    default_mode = "apply" if scenario.target == "sandbox" else "plan"
    folder = str(run_folder) or os.environ.get(RUN_FOLDER_VARIABLE) or str(runs_folder() / "notebooks")
    mode = scenario.mode or default_mode
    return RunContext(connection, scenario, mode, notebook, Path(folder).absolute(), path)


def _scenario(path: Path, parameters: dict[str, Any]) -> Scenario:
    given = {name: value for name, value in parameters.items() if value not in (None, "")}
    scenario = load_scenario(path)
    if not given:
        return scenario
    return validate_scenario({**scenario_parameters(scenario), **given}, source="the notebook's parameters")
