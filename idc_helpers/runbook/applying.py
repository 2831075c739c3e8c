"""Make a plan true, with a receipt for every write: what is reviewed, applied and rehearsed."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Generic, Literal, TypeVar

from idc_aws.calls import Call, end_look
from idc_aws.changes import Change, Plan, WriteResult
from idc_aws.connection import Connection
from idc_aws.errors import (
    ApplyRefusedError,
    CancelledError,
    KitError,
    ReceiptError,
    TargetError,
    ThrottledError,
    WriteFailedError,
)
from idc_aws.rehearsal import Rehearsal
from idc_aws.resource import Resource
from idc_helpers.runbook.comparing import CheckResults
from idc_helpers.runbook.records import Origin, Receipt, ReceiptBook
from idc_helpers.runbook.run import RunContext
from idc_helpers.runbook.words import format_thing

Progress = Callable[[Literal["started", "done"], Change, int, int], None]


@dataclass
class Outcome:
    """What was applied."""

    plan: Plan
    done: list[tuple[Change, WriteResult]] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Return how many things were created, updated, deleted, were unchanged, and were skipped if any."""
        made = Plan(tuple(change for change, _ in self.done))
        planned = self.plan.counts()
        return {
            **made.counts(),
            **{name: planned[name] for name in ("unchanged", "skipped") if name in planned},
        }


_STOPS = (TargetError, ThrottledError, CancelledError, ReceiptError)
"""Errors that the next change would meet too, and a person's word."""


def no_progress(event: str, change: Change, made: int, total: int) -> None:
    """Report nothing."""


def undoes_nothing(change: Change) -> str:  # noqa: ARG001 - the signature of every naming of receipts
    """Name no receipt: the change is not an undo."""
    return ""


@dataclass(frozen=True)
class Applier:
    """Applies plans through resources and keeps the receipts."""

    resources: Mapping[str, Resource]
    receipts: ReceiptBook
    origin: Origin
    is_rehearsal: bool = False

    def apply(
        self,
        plan: Plan,
        *,
        progress: Progress = no_progress,
        undoes: Callable[[Change], str] = undoes_nothing,
        goes_on: bool = False,
    ) -> Outcome:
        """Write the plan's changes in order; an empty plan calls nothing that writes."""
        outcome = Outcome(plan)
        if plan.writes and not self.is_rehearsal:
            end_look()  # what is looked at before a write is looked at now
        with nullcontext() if self.is_rehearsal else _told_what_is_done(outcome):
            obstacles = self._write(outcome, progress, undoes, goes_on=goes_on)
        if obstacles:
            raise _obstacles_left(obstacles)
        # What is made at the same time ends in any order; people read the plan's.
        place = {id(change): number for number, change in enumerate(plan.writes)}
        outcome.done.sort(key=lambda made: place[id(made[0])])
        return outcome

    def _write(
        self, outcome: Outcome, progress: Progress, undoes: Callable[[Change], str], *, goes_on: bool
    ) -> list[KitError]:
        """Write each change, and return what was in the way where others resume."""
        plan, total = outcome.plan, len(outcome.plan.writes)
        obstacles: list[KitError] = []
        for kind, changes in groupby(plan.writes, key=lambda change: change.kind):
            started: dict[int, Receipt] = {}

            def on_start(change: Change, started: dict[int, Receipt] = started) -> None:
                started[id(change)] = self.receipts.start(change, self.origin, undoes=undoes(change))
                progress("started", change, len(outcome.done), total)

            waiting = {id(change): change for change in changes}
            while waiting:
                try:
                    for change, result in self.resources[kind].write_all(list(waiting.values()), on_start):
                        self.receipts.finish(started.pop(id(change)), result)
                        outcome.done.append((change, result))
                        del waiting[id(change)]
                        progress("done", change, len(outcome.done), total)
                except KitError as error:
                    failed = _failed(error, started)
                    for one, receipt in started.items():
                        if one in failed and failed[one].nothing_written:
                            self.receipts.refuse(receipt)
                    for cause in failed.values():
                        if isinstance(cause, _STOPS):
                            raise cause from error.__cause__
                    if not (goes_on and started):
                        raise
                    obstacles += dict.fromkeys(failed.values())
                    waiting = {one: change for one, change in waiting.items() if one not in started}
                    started.clear()
                else:
                    waiting = {}
        return obstacles


@contextmanager
def _told_what_is_done(outcome: Outcome) -> Iterator[None]:
    """Let an error that ends an apply say how much was written before it."""
    try:
        yield
    except CancelledError:
        raise  # a person's word, which says it
    except KitError as error:
        if made := len(outcome.done):
            are = "is" if made == 1 else "are"
            words = (
                f"{made} of {len(outcome.plan.writes)} changes {are} done, with receipts: "
                "review and apply again to make the rest."
            )
            error.remedy = "\n".join(filter(None, (error.remedy, words)))
        raise


def _failed(error: KitError, started: Mapping[int, Receipt]) -> dict[int, KitError]:
    """Return what failed of what was started, by change."""
    if error.failed:
        return {id(change): cause for change, cause in error.failed}
    return dict.fromkeys(started, error) or {0: error}


def _obstacles_left(obstacles: list[KitError]) -> KitError:
    if len(obstacles) == 1:
        return obstacles[0]
    told = "\n".join(f"- {error.message}. {error.remedy}".rstrip() for error in obstacles)
    return WriteFailedError(
        f"{len(obstacles)} things are in the way:\n{told}",
        remedy="The rest is done. Remove what is in the way, and run again.",
    )


@dataclass(frozen=True)
class PlannedCalls:
    """The calls that applying a plan would make, in order, and the error that would stop it."""

    calls: tuple[Call, ...] = ()
    stopped_by: str = ""


class _Unwritten(ReceiptBook):
    """Receipts of what is not done: not written."""

    def __init__(self) -> None:
        super().__init__(Path(os.devnull))

    def _append(self, receipt: Receipt) -> None:
        """Write nothing."""


P = TypeVar("P")


class Reviewed(ABC, Generic[P]):
    """A step or a teardown, applied only as it was reviewed; cells and buttons hold the same one."""

    def __init__(self, context: RunContext, title: str) -> None:
        self.context, self.title = context, title
        self.reviewed: P | None = None
        self.running = False
        self._watchers: list[Callable[[], None]] = []
        self._generation = 0

    @abstractmethod
    def plan(self) -> P:
        """Return what applying would change; reads only."""

    @abstractmethod
    def apply(self, plan: P | None = None, *, progress: Progress = no_progress) -> Outcome:
        """Make a plan true, a fresh one unless one is given, and return what was done; writes."""

    @abstractmethod
    def changed_since(self, plan: P) -> Change | None:
        """Return a change that is not as the plan showed it any more, or None; reads the target again."""

    @abstractmethod
    def check(self) -> CheckResults:
        """Read the target again and return a check for each thing; reads only."""

    @abstractmethod
    def changes(self, plan: P) -> Plan:
        """Return the changes of a plan."""

    @abstractmethod
    def resources(self, connection: Connection) -> Mapping[str, Resource]:
        """Return what it writes, by kind."""

    def watch(self, watcher: Callable[[], None]) -> None:
        """Call this whenever a review begins or ends to count, and an apply begins or ends."""
        self._watchers.append(watcher)

    def review(self) -> P:
        """Return a fresh plan, which is from now on the one that may be applied; reads only."""
        self.context.opening.require()
        self.reviewed = None
        generation = self._generation
        try:
            plan = self.plan()
            self.reviewed = plan if generation == self._generation else None
        finally:
            self._tell()
        return plan

    @contextmanager
    def shown_or_dropped(self) -> Iterator[None]:
        """End the review where the block, which shows its plan, fails."""
        try:
            yield
        except BaseException:
            self._end_review()
            raise

    def changed(self) -> None:
        """End the review: a value is not what was shown any more."""
        self._generation += 1
        self._end_review()

    def _end_review(self) -> None:
        self.reviewed = None
        self._tell()

    def apply_reviewed(self, progress: Progress = no_progress, *, looks_again: bool = True) -> Outcome:
        """Apply the plan that was reviewed, if the target still is as it showed; writes to the target."""
        self.context.opening.require()
        if self.reviewed is None:
            raise ApplyRefusedError(
                f"no plan of the present values of “{self.title}” was shown",
                remedy="Review it first, and read the plan.",
            )
        plan, self.reviewed, self.running = self.reviewed, None, True
        self._tell()
        try:
            # A person may read for minutes. What another notebook or the console made meanwhile is not ours:
            # a receipt for it would let an undo delete it.
            if looks_again:
                end_look()  # what the plan was made from is not what is there now
                if change := self.changed_since(plan):
                    raise ApplyRefusedError(
                        f"the {format_thing(change.kind, change.key)} has changed since the plan was shown",
                        remedy="Nothing was written. Review again, and read the new plan.",
                    )
            return self.apply(plan, progress=progress)
        finally:
            self.running = False
            self._tell()

    def calls(self, plan: P) -> PlannedCalls:
        """Return the calls that applying a plan would make, from applying it where no write is sent."""
        rehearsal = Rehearsal(self.context.connection)
        try:
            resources, origin = self.resources(rehearsal.connection), self.context.origin("rehearsal")
            Applier(resources, _Unwritten(), origin, is_rehearsal=True).apply(self.changes(plan))
        except KitError as error:
            return PlannedCalls(tuple(rehearsal.calls), str(error))
        return PlannedCalls(tuple(rehearsal.calls))

    def _tell(self) -> None:
        for watcher in self._watchers:
            watcher()
