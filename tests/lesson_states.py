"""What the lesson leaves in a sandbox: the same, whichever way its steps were taken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import forked_sandboxes

from idc_aws.connection import connect
from idc_aws.organization import list_accounts
from idc_aws.project import DEFAULT_SCENARIO, project_folder
from idc_aws.scenario.reading import load_scenario
from idc_aws.scenario.scenario import Scenario
from idc_helpers.runbook.lesson import resources_by_kind, target_steps
from idc_helpers.runbook.run import RunContext
from idc_helpers.runbook.steps import Step
from idc_sandbox import launcher
from idc_sandbox.state_folder import StateFolder

States = dict[str, dict[str, Any]]


def default_scenario() -> Scenario:
    """Return the lesson's scenario."""
    return load_scenario(project_folder() / DEFAULT_SCENARIO)


def context_of(state_folder: Path, scenario: Scenario, run_folder: Path) -> RunContext:
    """Return a run that wants a scenario of the sandbox with this state."""
    return RunContext(connect(state_folder=state_folder), scenario, "apply", "lesson", run_folder)


def apply_all(context: RunContext) -> None:
    """Apply every step that the kit can write."""
    for name in target_steps():
        Step(context, name).apply()


def states_of(context: RunContext) -> States:
    """Return what is there of everything that the scenario wants, by kind and key; accounts by name."""
    resources = resources_by_kind(context.connection)
    keys: dict[str, set[str]] = {kind: set() for kind in resources}
    for name in target_steps():
        for desired in Step(context, name).desired:
            keys.setdefault(desired.resource.kind, set()).update(desired.states)
    states: Any = {kind: resource.read(keys[kind]) for kind, resource in resources.items()}
    text = json.dumps(states)
    for account in list_accounts(context.connection):  # their ids are another sandbox's
        text = text.replace(account.account_id, account.name)
    return json.loads(text)


def state_by_kit(scenario: Scenario, folder: Path) -> States:
    """Return what the kit makes of a scenario, in a sandbox of its own."""
    state_folder = StateFolder(folder / "state")
    forked_sandboxes.start(state_folder)
    try:
        context = context_of(state_folder.path, scenario, folder / "run")
        apply_all(context)
        return states_of(context)
    finally:
        launcher.stop(state_folder)
