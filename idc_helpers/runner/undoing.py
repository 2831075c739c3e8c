"""Undo of a run from the command line: where its receipts say, what they name, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from idc_helpers.aws.connection import connect
from idc_helpers.changes import Plan
from idc_helpers.errors import ReceiptError, SandboxError
from idc_helpers.parameters import validate_scenario
from idc_helpers.runbook.applying import Outcome, Progress, no_progress
from idc_helpers.runbook.checks import CheckResults
from idc_helpers.runbook.lesson import make_teardown
from idc_helpers.runbook.receipts import Receipt, ReceiptBook
from idc_helpers.runbook.run_context import RunContext
from idc_helpers.runbook.teardown import Teardown
from idc_helpers.runbook.undo import UndoPlan
from idc_helpers.runner.run_folder import read_record
from idc_helpers.runner.sandboxes import sandbox_of_its_own


@dataclass(frozen=True)
class Undo:
    """What takes a run back, planned and not yet applied.

    Attributes
    ----------
    where
        The target in one readable line; empty when there is nothing to take back.
    """

    where: str
    _teardown: Teardown | None = None
    _planned: UndoPlan | None = None

    @property
    def plan(self) -> Plan:
        """The changes, newest receipt first; empty when nothing is left to take back."""
        return self._planned.plan if self._planned else Plan()

    def apply(self, progress: Progress = no_progress) -> Outcome | None:
        """Take back what the plan says; writes to the target. None when there was nothing to do."""
        return self._teardown.apply(self._planned, progress=progress) if self._teardown else None

    def check(self) -> CheckResults:
        """Return whether anything is left; reads only."""
        return self._teardown.check() if self._teardown else CheckResults(())


@contextmanager
def opened_undo(folder: Path, *, profile: str | None = None) -> Iterator[Undo]:
    """Connect to where a run's receipts say and plan the undo; reads only, until `Undo.apply`.

    A sandbox of the run's own is started for the length of the block.

    Parameters
    ----------
    folder
        The run's folder.
    profile
        The AWS profile; None: the run's own.

    Raises
    ------
    ReceiptError
        When the receipts are of several targets or accounts.
    TargetError
        When the target cannot be reached, or is not the one that the receipts name.
    """
    receipts = ReceiptBook(folder / "receipts.jsonl").open_receipts()
    if not receipts:
        yield Undo("")
        return
    receipt = _require_one_place(receipts)
    record = read_record(folder)
    state = (
        Path(record.sandbox_state)
        if record and record.sandbox_state and receipt.target == "sandbox"
        else None
    )
    if state is not None and not state.is_dir():
        raise SandboxError(
            f"the sandbox that the run changed is gone: there is no folder {str(state)!r}",
            remedy="Everything that the run made went with it, so there is nothing to take back.",
        )
    chosen = profile or (record.profile if record else None)
    if state is not None and folder in state.parents:
        with sandbox_of_its_own(state, seed=None):
            yield _planned(folder, receipt, chosen, state)
    else:
        yield _planned(folder, receipt, chosen, state)


def _require_one_place(receipts: list[Receipt]) -> Receipt:
    places = sorted({(receipt.target, receipt.account_id, receipt.region) for receipt in receipts})
    if len(places) > 1:
        names = "; ".join(
            f"{target} account {account_id} in {region}" for target, account_id, region in places
        )
        raise ReceiptError(
            f"the receipts are of several places: {names}",
            remedy="Take each back with notebook 99_teardown, connected to that place.",
        )
    return receipts[0]


def _planned(folder: Path, receipt: Receipt, profile: str | None, state: Path | None) -> Undo:
    scenario = validate_scenario(
        {
            "target": receipt.target,
            "mode": "apply",
            "region": receipt.region,
            "expected_account": receipt.account_id,
            "profile": profile,
        },
        source="the run's receipts",
    )
    connection = connect(
        target=scenario.target, region=scenario.region, profile=scenario.profile, state_folder=state
    )
    teardown = make_teardown(RunContext(connection, scenario, "apply", "undo", folder))
    return Undo(str(connection), teardown, teardown.plan())
