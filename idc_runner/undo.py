"""Undo of a run from the command line: where its receipts say, what they name, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from idc_aws.connection import Connection, connect
from idc_aws.errors import NotFoundError, ReceiptError, SandboxError
from idc_aws.files import lock_folder
from idc_aws.sandbox import sandbox_of_its_own
from idc_aws.scenario.reading import validate_scenario
from idc_helpers.runbook.applying import Outcome, Progress, no_progress
from idc_helpers.runbook.comparing import CheckResults
from idc_helpers.runbook.records import Receipt, ReceiptBook, ReceiptPlace
from idc_helpers.runbook.run import RunContext
from idc_helpers.runbook.teardown import Teardown, Verdict
from idc_helpers.runbook.undo import UndoPlan
from idc_runner.notebooks import RunRecord, read_record


@dataclass(frozen=True)
class Undo:
    """The undo of a run, planned and not yet applied.

    Attributes
    ----------
    where
        The target, in one readable line; empty when the run left nothing to undo.
    planned
        What is undone, newest receipt first, what is left alone, unreadable, or done in another place.
    """

    where: str
    planned: UndoPlan
    _teardown: Teardown | None = None

    def apply(self, progress: Progress = no_progress) -> Outcome | None:
        """Undo what the plan says; writes to the target. None when there was nothing to do.

        Parameters
        ----------
        progress
            Called before and after each change.

        Raises
        ------
        KitError
            When the target refuses a change. What was undone until then has receipts.
        """
        return self._teardown.apply_reviewed(progress) if self._teardown else None

    def name_accounts(self, text: str) -> str:
        """Return a text with each account's name beside its id; may read, once."""
        return self._teardown.context.name_accounts(text) if self._teardown else text

    def check(self) -> CheckResults:
        """Return whether anything is left; reads only."""
        return self._teardown.check() if self._teardown else CheckResults(())

    def verdict(self) -> Verdict:
        """Return how many receipts are undone, left alone and unreadable; reads the target again."""
        return self._teardown.verdict() if self._teardown else Verdict(0, 0, len(self.planned.unreadable))


@contextmanager
def open_undo(
    folder: Path,
    *,
    target: str | None = None,
    account_id: str | None = None,
    region: str | None = None,
    profile: str | None = None,
    include_used: bool = False,
) -> Iterator[Undo]:
    """Connect to where a run's receipts say and plan the undo; reads only, until `Undo.apply`.

    A sandbox of the run's own is started for the length of the block. One undo of a folder waits for another.

    Parameters
    ----------
    folder
        The run's folder.
    target, account_id, region
        Where to undo. Where the receipts are of several places and none is asked for, it is the run's own,
        else the sandbox, else the last one.
    profile
        The AWS profile; None: the run's own.
    include_used
        Whether things that the run created are deleted also where others use or changed them.

    Raises
    ------
    KitError
        When no receipt is of the place, its sandbox is gone, or it cannot be reached.
    """
    with lock_folder(folder):
        book = ReceiptBook(folder / "receipts.jsonl")
        receipts = book.open_receipts()
        if not receipts:
            yield Undo("", UndoPlan((), tuple(book.unreadable())))
            return
        record = read_record(folder)
        asked_for = {"target": target, "account": account_id, "Region": region}
        places = _fitting_places(receipts, asked_for, usual=record.target if record else "sandbox")
        profile = profile or (record.profile if record else None)
        state = _state_folder(record, places[0])
        is_own = state is not None and folder in state.parents
        with sandbox_of_its_own(state, seed=None) if state and is_own else nullcontext():
            place, connection = _connected(places, profile, state)
            teardown = Teardown(_context(folder, place, connection, profile), include_used=include_used)
            yield Undo(str(connection), teardown.review(), teardown)


def _fitting_places(
    receipts: Sequence[Receipt], asked_for: Mapping[str, str | None], *, usual: str
) -> list[ReceiptPlace]:
    """Return the places that were asked for, those of the usual target first, the newest of these first."""
    present = list(dict.fromkeys(receipt.place for receipt in receipts))
    wanted = list(asked_for.values())
    fitting = [
        place
        for place in present
        if all(one in (None, found) for one, found in zip(wanted, place[:3], strict=True))
    ]
    if not fitting:
        named = ", ".join(f"{name} {value!r}" for name, value in asked_for.items() if value)
        raise NotFoundError(
            f"no receipt that is not undone yet is of {named}",
            remedy=f"There are receipts of: {'; '.join(str(place) for place in present)}.",
        )
    return sorted(fitting, key=lambda place: place.target != usual)


def _state_folder(record: RunRecord | None, place: ReceiptPlace) -> Path | None:
    if record is None or not record.sandbox_state or place.target != "sandbox":
        return None
    state = Path(record.sandbox_state)
    if not state.is_dir():
        raise SandboxError(
            f"the sandbox that the run changed is gone: there is no folder {str(state)!r}",
            remedy="Everything that the run made went with it, so there is nothing to undo.",
        )
    return state


def _context(folder: Path, place: ReceiptPlace, connection: Connection, profile: str | None) -> RunContext:
    values = {
        "target": place.target,
        "mode": "apply",
        "region": place.region,
        "expected_account": place.account_id,
        "profile": profile,
    }
    scenario = validate_scenario(values, source="the run's receipts")
    return RunContext(connection, scenario, "apply", "undo", folder)


def _connected(
    places: list[ReceiptPlace], profile: str | None, state: Path | None
) -> tuple[ReceiptPlace, Connection]:
    """Connect to the first place; in the sandbox, to the first one of the state that it has now."""
    first = places[0]
    connection = _connect(first, profile, state)
    if first.target != "sandbox":
        return first, connection
    for place in (place for place in places if place.target == "sandbox"):
        present = place._replace(state_id=connection.state_id)
        if present.includes(place):
            return present, connection if place.region == first.region else _connect(place, profile, state)
    raise ReceiptError(
        f"what is not undone yet was made in another state of the sandbox ({first}); this sandbox, in "
        f"{connection.console.state_folder if connection.console else ''!r}, was reset since or is another "
        f"one: its state is {connection.state_id[-8:]}",
        remedy="Nothing was changed. What the run made went with its state; if you still have that state's "
        "folder, name it in IDC_SANDBOX_STATE.",
    )


def _connect(place: ReceiptPlace, profile: str | None, state: Path | None) -> Connection:
    is_sandbox = place.target == "sandbox"
    return connect(
        target="sandbox" if is_sandbox else "aws",
        region=place.region,
        profile=None if is_sandbox else profile,
        state_folder=state,
    )
