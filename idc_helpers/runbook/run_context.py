"""What all steps of one notebook share: the connection, the mode, and the run's folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from idc_helpers.aws.connected import Place
from idc_helpers.aws.connection import Connection, require_apply_allowed
from idc_helpers.errors import ApplyRefusedError, ClosedRunbookError
from idc_helpers.models import Scenario
from idc_helpers.runbook.attestations import Attestation, AttestationBook
from idc_helpers.runbook.checks import CheckResults
from idc_helpers.runbook.events import EventLog
from idc_helpers.runbook.receipts import Origin, ReceiptBook, ReceiptPlace

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
        """Return while it may be used.

        Raises
        ------
        ClosedRunbookError
            Saying why not, and what to do.
        """
        if self.is_closed:
            raise ClosedRunbookError(self._closed_because, remedy=_OPEN_AGAIN)


@dataclass(frozen=True)
class RunContext:
    """One notebook's work on one target.

    Attributes
    ----------
    target_connection
        To the sandbox or to AWS; what works on the target takes `connection`.
    scenario
        What is desired, checked.
    mode
        ``"plan"`` (nothing is ever written) or ``"apply"``.
    notebook
        Name without folder and ending, such as ``"05_permission_sets"``.
    run_folder
        Where receipts, events and attestations go; its name is the run's id.
    scenario_file
        The file that the scenario was read from; None: no file.
    opening
        Whether the runbook may still be used.
    """

    target_connection: Connection
    scenario: Scenario
    mode: str
    notebook: str
    run_folder: Path
    scenario_file: Path | None = None
    opening: Opening = field(default_factory=Opening)

    @property
    def connection(self) -> Connection:
        """To the sandbox or to AWS.

        Raises
        ------
        ClosedRunbookError
            When another runbook was opened since, or failed to open.
        """
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

    def record(self, step: str, results: CheckResults) -> CheckResults:
        """Write the results of a step's checks into the run's events and return them."""
        checks = [
            {"name": each.name, "passed": each.passed, "detail": each.detail, **each.lesson()}
            for each in results
        ]
        self.events.write("checked", step=step, checks=checks)
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
        """Return when this run may write.

        Raises
        ------
        ApplyRefusedError
            In mode ``"plan"``.
        WrongAccountError
            On AWS, when the caller is not in the account that the parameters expect.
        """
        if self.mode != "apply":
            raise ApplyRefusedError(
                f"mode is {self.mode!r}: nothing is written",
                remedy='Set `mode = "apply"` in the parameters to apply the plan that you have read.',
            )
        require_apply_allowed(self.connection, self.scenario.expected_account)
