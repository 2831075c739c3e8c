"""What somebody else changed: things that this run's receipts name, and that are not as the run left them."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress

from idc_helpers.changes import Resource, State, in_words
from idc_helpers.errors import KitError
from idc_helpers.models import Scenario
from idc_helpers.runbook.events import read_events
from idc_helpers.runbook.lesson import Build
from idc_helpers.runbook.planning import differing_fields
from idc_helpers.runbook.receipts import Receipt
from idc_helpers.runbook.run_context import RunContext
from idc_helpers.runbook.step import Desired, Step

OWN_VALUES, APPLIED = "own_values", "applied"


def changed_outside(context: RunContext, step: Step) -> list[str]:
    """Return what of a step's things is not as this run's receipts left it, in words; reads only.

    Such as ``"permission set Auditor is gone"``. Receipts that were taken back, and those of another place or
    instance, say nothing.
    """
    resources = {part.resource.kind: part.resource for part in step.desired}
    words = []
    for (kind, key), fields in _left_by(context, step.name).items():
        if kind in resources:
            words += _differences(resources[kind], key, fields)
    return words


def _left_by(context: RunContext, step: str) -> Mapping[tuple[str, str], State]:
    """Return the fields that the run's open receipts set, by kind and key of the thing."""
    found: dict[tuple[str, str], State] = {}
    for receipt in reversed(context.receipts.open_receipts()):
        if receipt.step == step and receipt.status == "done" and _is_of_here(receipt, context):
            after, before = receipt.after or {}, receipt.before or {}
            fields = {name: after.get(name) for name in differing_fields(after, before)}
            found.setdefault((receipt.kind, receipt.key), {}).update(fields)
    return found


def _differences(resource: Resource, key: str, left: State) -> list[str]:
    name = in_words(resource.kind, key)
    actual = resource.read([key]).get(key)
    if actual is None:
        return [f"{name} is gone"]
    fields = differing_fields(left, actual)
    return [f"{name}: {', '.join(fields)}"] if fields else []


def _is_of_here(receipt: Receipt, context: RunContext) -> bool:
    origin = context.origin(receipt.step)
    if receipt.kind == "instance":
        return True
    # A sandbox that was reset gives its next instance the same ARN: only its age tells them apart.
    instance = context.connection.instance_or_none()
    created = instance.created_at if instance else None
    is_older = created is not None and datetime.datetime.fromisoformat(receipt.at) < created
    return receipt.instance_arn == origin.instance_arn and not is_older


def has_own_values(context: RunContext, step: Step) -> bool:
    """Return whether the last apply of a step was of a form's values and not of this scenario; reads only."""
    last, here = None, str(context.receipt_place)
    for entry in read_events(context.events.path):
        is_here = entry.get("place", here) == here
        if is_here and entry.get("step") == step.name and entry.get("event") in (APPLIED, OWN_VALUES):
            last = entry
    is_own = bool(last and last["event"] == OWN_VALUES and last.get("scenario") == digest(step.desired))
    return is_own and not _is_taken_back(context, step.name)


def _is_taken_back(context: RunContext, step: str) -> bool:
    """Return whether the run wrote something for a step, and all of it was taken back."""
    written = any(receipt.step == step for receipt in context.receipts.read())
    return written and not any(receipt.step == step for receipt in context.receipts.open_receipts())


def note_own_values(step: Step, scenario: Scenario, build: Build) -> None:
    """Write down when what a step just applied came from a form and is not what the scenario wants.

    Parameters
    ----------
    scenario, build
        What the run was opened with, and what makes a step's wanted states of it.
    """
    with suppress(KitError):  # what the scenario names may not be there: no reason to fail what is done
        # Of an apply that has ended, whether or not the runbook was closed meanwhile.
        of_scenario = digest(build(step.context.target_connection, scenario))
        if of_scenario != digest(step.desired):
            place = str(step.context.receipt_place)
            step.context.events.write(OWN_VALUES, step=step.name, scenario=of_scenario, place=place)


def digest(desired: Iterable[Desired]) -> str:
    """Return a text that is the same for the same desired states, and tells nothing of them."""
    states = [[part.resource.kind, part.states] for part in desired]
    return hashlib.sha256(json.dumps(states, sort_keys=True, default=dict).encode()).hexdigest()
