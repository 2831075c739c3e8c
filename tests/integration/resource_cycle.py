"""What holds for every resource: planning, applying, planning again, and taking it back."""

from __future__ import annotations

from idc_aws.changes import Action, Change
from idc_helpers.runbook.comparing import plan_changes


def plan(resource, wanted):
    return plan_changes(resource.kind, wanted, resource.read(wanted), by_hand=resource.by_hand)


def apply(resource, wanted):
    """Make the states true, check that a second plan is empty, and return AWS's ids by key."""
    made = plan(resource, wanted)
    results = {}
    if made.writes:
        done = resource.write_all(made.writes, lambda _change: None)
        results = {change.key: result.identifier for change, result in done}
    assert set(results) == {change.key for change in made.writes}
    again = plan(resource, wanted)
    assert again.is_empty, again.writes
    return results


def delete(resource, identifiers):
    """Delete things by the ids that applying gave, newest first, and check that they are gone."""
    states = resource.read(list(identifiers))
    changes = [
        Change(Action.DELETE, resource.kind, key, states[key], None, "", identifier)
        for key, identifier in reversed(identifiers.items())
    ]
    assert [change.key for change, _ in resource.write_all(changes, lambda _change: None)] != []
    assert resource.read(list(identifiers)) == {}
