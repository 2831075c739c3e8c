"""Undo of a run from the command line: where its receipts say, what they name, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from idc_aws.changes import Plan
from idc_aws.connection import Connection, connect
from idc_aws.errors import NotFoundError, ReceiptError, SandboxError
from idc_aws.files import lock_folder
from idc_aws.scenario.reading import validate_scenario
from idc_helpers.runbook.applying import Outcome, Progress, no_progress
from idc_helpers.runbook.checks import CheckResults
from idc_helpers.runbook.records import Receipt, ReceiptBook, ReceiptPlace, place_of
from idc_helpers.runbook.run import RunContext
from idc_helpers.runbook.steps import make_teardown
from idc_helpers.runbook.undo import Teardown, UndoPlan, Verdict
from idc_runner.notebooks import RunRecord, read_record
from idc_runner.sandboxes import sandbox_of_its_own


@dataclass(frozen=True)
class Wanted:
    """Which of several places an undo is for, and how; what is None is not asked for."""

    target: str | None = None
    account_id: str | None = None
    region: str | None = None
    profile: str | None = None
    include_used: bool = False

    @property
    def names_a_place(self) -> bool:
        """Whether only a part of the receipts was asked for."""
        return any((self.target, self.account_id, self.region))

    def fits(self, place: ReceiptPlace) -> bool:
        """Return whether a place is one that was asked for."""
        wanted = (self.target, self.account_id, self.region)
        return all(one in (None, found) for one, found in zip(wanted, place[:3], strict=True))


@dataclass(frozen=True)
class Undo:
    """What takes a run back, planned and not yet applied."""

    where: str
    unreadable: tuple[str, ...] = ()
    skipped: tuple[tuple[ReceiptPlace, int], ...] = ()
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

    def verdict(self) -> Verdict:
        """Return what the undo came to; reads the target again."""
        return self._teardown.verdict() if self._teardown else Verdict(0, 0, len(self.unreadable))


@contextmanager
def opened_undo(folder: Path, wanted: Wanted = Wanted()) -> Iterator[Undo]:
    """Connect to where a run's receipts say and plan the undo; reads only, until `Undo.apply`.

    A sandbox of the run's own is started for the length of the block. Where the receipts are of several
    places and none is asked for, it is the run's own, else the sandbox, else the last one. One undo of a
    folder waits for another.
    """
    with lock_folder(folder):
        book = ReceiptBook(folder / "receipts.jsonl")
        receipts, unreadable = book.open_receipts(), tuple(book.unreadable())
        if not receipts:
            yield Undo("", unreadable)
            return
        record = read_record(folder)
        places = _places(receipts, wanted, record)
        state = _state_folder(record, places[0])
        is_own = state is not None and folder in state.parents
        with sandbox_of_its_own(state, seed=None) if state and is_own else nullcontext():
            yield _planned(folder, places, wanted, record, state)


def _places(receipts: Sequence[Receipt], wanted: Wanted, record: RunRecord | None) -> list[ReceiptPlace]:
    """Return the places that fit, the one to begin with first."""
    present = list(dict.fromkeys(place_of(receipt) for receipt in receipts))
    fitting = [place for place in present if wanted.fits(place)]
    if not fitting:
        raise NotFoundError(
            f"no receipt that is not undone yet is of {_asked_for(wanted)}",
            remedy=f"There are receipts of: {'; '.join(str(place) for place in present)}.",
        )
    usual = record.target if record else "sandbox"
    return sorted(fitting, key=lambda place: place.target != usual)  # stable: newest first


def _asked_for(wanted: Wanted) -> str:
    named = {"target": wanted.target, "account": wanted.account_id, "Region": wanted.region}
    return ", ".join(f"{name} {value!r}" for name, value in named.items() if value)


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


def _planned(
    folder: Path, places: list[ReceiptPlace], wanted: Wanted, record: RunRecord | None, state: Path | None
) -> Undo:
    profile = wanted.profile or (record.profile if record else None)
    place, connection = _connected(places, profile, state)
    scenario = validate_scenario(
        {
            "target": place.target,
            "mode": "apply",
            "region": place.region,
            "expected_account": place.account_id,
            "profile": profile,
        },
        source="the run's receipts",
    )
    context = RunContext(connection, scenario, "apply", "undo", folder)
    teardown = make_teardown(context, include_used=wanted.include_used)
    planned = teardown.plan()
    return Undo(str(connection), planned.unreadable, planned.elsewhere, teardown, planned)


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
    target: Literal["sandbox", "aws"] = "sandbox" if place.target == "sandbox" else "aws"
    return connect(
        target=target,
        region=place.region,
        profile=profile if target == "aws" else None,
        state_folder=state,
    )
