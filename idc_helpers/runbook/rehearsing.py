"""The calls that applying a plan would make, in order: applying it on a connection that sends no write."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from idc_helpers.aws.rehearsal import Rehearsal
from idc_helpers.aws.watching import Call
from idc_helpers.changes import Change, Plan, Resource
from idc_helpers.errors import KitError
from idc_helpers.runbook import lesson
from idc_helpers.runbook.applying import Applier
from idc_helpers.runbook.receipts import Receipt, ReceiptBook
from idc_helpers.runbook.run_context import RunContext


@dataclass(frozen=True)
class PlannedCalls:
    """What applying a plan would call.

    Attributes
    ----------
    calls
        Each with the change that it belongs to, in the order in which they would be sent.
    stopped_by
        Why applying would stop after them, as far as can be seen now; empty: it would not.
    """

    calls: tuple[tuple[Change, Call], ...]
    stopped_by: str = ""


def calls_of_step(context: RunContext, name: str, plan: Plan) -> PlannedCalls:
    """Return the calls that applying a step's plan would make; reads only.

    Parameters
    ----------
    name
        The step's, such as ``"permission_sets"``.
    """

    def resources(rehearsed: RunContext) -> Mapping[str, Resource]:
        desired = lesson.STEPS[name].build(rehearsed.connection, rehearsed.scenario)
        return {wanted.resource.kind: wanted.resource for wanted in desired}

    return _rehearse(context, plan, resources)


def calls_of_undo(context: RunContext, plan: Plan) -> PlannedCalls:
    """Return the calls that an undo or a teardown would make; reads only."""
    return _rehearse(context, plan, lambda rehearsed: lesson.make_teardown(rehearsed).resources)


def _rehearse(
    context: RunContext, plan: Plan, resources_of: Callable[[RunContext], Mapping[str, Resource]]
) -> PlannedCalls:
    rehearsal = Rehearsal(context.connection)
    rehearsed = replace(context, target_connection=rehearsal.connection)
    calls: list[tuple[Change, Call]] = []

    def keep(change: Change) -> None:
        calls.extend((change, call) for call in rehearsal.calls[len(calls) :])

    current: list[Change] = []

    def progress(event: str, change: Change, made: int, total: int) -> None:  # noqa: ARG001
        for earlier in current:
            keep(earlier)
        current[:] = [change]

    stopped_by = ""
    try:
        applier = Applier(resources_of(rehearsed), _Unwritten(), context.origin("rehearsal"))
        applier.apply(plan, progress=progress)
    except KitError as error:
        stopped_by = str(error)
    for change in current:
        keep(change)
    return PlannedCalls(tuple(calls), stopped_by)


class _Unwritten(ReceiptBook):
    """Receipts of what is not done: not written."""

    def __init__(self) -> None:
        super().__init__(Path(os.devnull))

    def _append(self, receipt: Receipt) -> None:
        """Write nothing."""


def only_calls(planned: PlannedCalls) -> list[Call]:
    """Return the calls alone, in order."""
    return [call for _, call in planned.calls]
