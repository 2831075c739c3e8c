"""A run that a notebook works in: opened from its parameters, and what all its steps share."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from idc_aws.access import name_accounts
from idc_aws.connection import Connection, Place, connect, require_apply_allowed, require_home_region
from idc_aws.errors import ApplyRefusedError, ClosedRunbookError, ParametersError, Problem
from idc_aws.project import RUN_FOLDER_VARIABLE, find_scenario, runs_folder
from idc_aws.scenario.reading import load_scenario, scenario_parameters, validate_scenario
from idc_aws.scenario.scenario import Scenario
from idc_helpers.runbook.comparing import CheckResults
from idc_helpers.runbook.records import (
    Attestation,
    AttestationBook,
    EventLog,
    Origin,
    ReceiptBook,
    ReceiptPlace,
)

_OPEN_AGAIN = (
    "Nothing was called. Run the cell with `open_runbook` until it ends without an error,"
    " then the cells below it."
)


class Opening:
    """Whether what was opened may still be used; all steps, forms and gates of one runbook share it."""

    def __init__(self) -> None:
        self._closed_because = ""
        self._watchers: list[Callable[[], None]] = []

    @property
    def is_closed(self) -> bool:
        """Whether something else was opened since, or failed to open."""
        return bool(self._closed_because)

    @property
    def refusal(self) -> str:
        """Why it may not be used any more, and what to do; empty while it may."""
        return f"{self._closed_because}\n{_OPEN_AGAIN}" if self.is_closed else ""

    def close(self, because: str) -> None:
        """Refuse all use from now on, and tell those that watch; an apply that is running goes on."""
        if not self.is_closed:
            self._closed_because = because
            for watcher in self._watchers:
                watcher()

    def watch(self, watcher: Callable[[], None]) -> None:
        """Call this when it is closed."""
        self._watchers.append(watcher)

    def require(self) -> None:
        """Return while it may be used."""
        if self.is_closed:
            raise ClosedRunbookError(self._closed_because, remedy=_OPEN_AGAIN)


@dataclass(frozen=True)
class RunContext:
    """One notebook's work on one target."""

    target_connection: Connection
    scenario: Scenario
    mode: str
    notebook: str
    run_folder: Path
    scenario_file: Path | None = None
    opening: Opening = field(default_factory=Opening)

    @property
    def connection(self) -> Connection:
        """To the sandbox or to AWS."""
        self.opening.require()
        return self.target_connection

    @property
    def place(self) -> Place:
        """Where this run works, in words; also of one that is closed."""
        return self.target_connection.place

    @property
    def receipts(self) -> ReceiptBook:
        """The receipts in the run's folder: those of this place are read, and none of another."""
        return ReceiptBook(self.run_folder / "receipts.jsonl", self.receipt_place)

    @property
    def receipt_place(self) -> ReceiptPlace:
        """The target, the account, the Region and, in the sandbox, the state that this run works on."""
        connection = self.target_connection
        return ReceiptPlace(
            connection.target, connection.caller.account_id, connection.region, connection.state_id
        )

    @property
    def events(self) -> EventLog:
        """The run's events, under this notebook's name."""
        return EventLog(self.run_folder / "events.jsonl", self.notebook)

    @property
    def attestations(self) -> AttestationBook:
        """The attestations of the run and of the scenario."""
        given = tuple(
            Attestation(entry.setting, dict(entry.value), entry.by, str(entry.on), entry.seen)
            for entry in self.scenario.attestations
        )
        return AttestationBook(self.run_folder / "attestations.jsonl", given)

    def name_accounts(self, text: str) -> str:
        """Return a text with each account's name beside its id; may read, once."""
        return name_accounts(self.target_connection, text)

    def record(self, step: str, results: CheckResults) -> CheckResults:
        """Write the results of a step's checks into the run's events and return them, accounts named."""
        results = results.map(self.name_accounts)
        checks = [
            {"name": each.name, "passed": each.passed, "detail": each.detail, **each.lesson()}
            for each in results
        ]
        self.events.write("checked", step=step, checks=checks, place=str(self.receipt_place))
        return results

    def origin(self, step: str) -> Origin:
        """Return what the receipts of a step say of where they come from."""
        instance = self.connection.instance_or_none()
        return Origin(
            run_id=self.run_folder.name,
            notebook=self.notebook,
            step=step,
            target=self.connection.target,
            account_id=self.connection.caller.account_id,
            region=self.connection.region,
            instance_arn=instance.instance_arn if instance else "",
            state_id=self.connection.state_id,
        )

    def require_apply(self) -> None:
        """Return when this run may write."""
        if self.mode != "apply":
            raise ApplyRefusedError(
                f"mode is {self.mode!r}: nothing is written",
                remedy='Set `mode = "apply"` in the parameters to apply the plan that you have read.',
            )
        require_apply_allowed(self.connection, self.scenario.expected_account)


def open_run(
    notebook: str, *, scenario_file: str = "", run_folder: str = "", **parameters: Any
) -> RunContext:
    """Return what a notebook's steps need, connected."""
    given = str(run_folder) or os.environ.get(RUN_FOLDER_VARIABLE) or str(runs_folder() / "notebooks")
    folder = Path(given).absolute()
    if folder.exists() and not folder.is_dir():
        found = f"{str(folder)!r} is a file, not a folder"
        remedy = "Name a folder; one that is not there is made."
        raise ParametersError([Problem("the notebook's parameters", None, "run_folder", found, remedy)])
    path = find_scenario(str(scenario_file))  # papermill's -p makes a number of a name of digits
    scenario = _scenario(path, parameters)
    connection = connect(target=scenario.target, region=scenario.region, profile=scenario.profile)
    require_home_region(connection, scenario.instance.kind)
    return RunContext(connection, scenario, scenario.mode_or_default, notebook, folder, path)


def _scenario(path: Path, parameters: dict[str, Any]) -> Scenario:
    given = {name: value for name, value in parameters.items() if value not in (None, "")}
    scenario = load_scenario(path)
    known = {"mode": scenario.mode_or_default, **scenario_parameters(scenario)}
    if {**known, **given} == known:
        return scenario
    return validate_scenario({**known, **given}, source="the notebook's parameters")
