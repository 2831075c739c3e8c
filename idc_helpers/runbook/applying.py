"""Make a plan true, with a receipt for every write.

Also what undo runs on: undoing is applying a plan that was made from receipts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Literal

from idc_aws.changes import Change, Plan, Resource, WriteResult
from idc_aws.errors import (
    CancelledError,
    KitError,
    ReceiptError,
    TargetError,
    ThrottledError,
    WriteFailedError,
)
from idc_helpers.runbook.records import Origin, Receipt, ReceiptBook

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
        total = len(plan.writes)
        obstacles: list[KitError] = []
        for kind, changes in groupby(plan.writes, key=lambda change: change.kind):
            started: dict[int, Receipt] = {}

            def on_start(change: Change, started: dict[int, Receipt] = started) -> None:
                started[id(change)] = self.receipts.start(change, self.origin, undoes=undoes(change))
                progress("started", change, len(outcome.done), total)

            waiting = list(changes)
            while waiting:
                try:
                    for change, result in self.resources[kind].write_all(list(waiting), on_start):
                        self.receipts.finish(started.pop(id(change)), result)
                        outcome.done.append((change, result))
                        waiting = [each for each in waiting if each is not change]
                        progress("done", change, len(outcome.done), total)
                except KitError as error:
                    if error.nothing_written:
                        for receipt in started.values():
                            self.receipts.refuse(receipt)
                    if not (goes_on and started) or isinstance(error, _STOPS):
                        raise
                    obstacles.append(error)
                    waiting = [change for change in waiting if id(change) not in started]
                    started.clear()
                else:
                    waiting = []
        if obstacles:
            raise _obstacles_left(obstacles)
        return outcome


def _obstacles_left(obstacles: list[KitError]) -> KitError:
    if len(obstacles) == 1:
        return obstacles[0]
    told = "\n".join(f"- {error.message}. {error.remedy}".rstrip() for error in obstacles)
    return WriteFailedError(
        f"{len(obstacles)} things are in the way:\n{told}",
        remedy="The rest is done. Remove what is in the way, and run again.",
    )
