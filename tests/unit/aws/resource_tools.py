"""Changes as plans hold them, and what applying them reported."""

from __future__ import annotations

from idc_aws.changes import Action, Change


def create(resource, key, state):
    return Change(Action.CREATE, resource.kind, key, None, state, "")


def update(resource, key, before, after):
    return Change(Action.UPDATE, resource.kind, key, before, after, "")


def delete(resource, key, identifier, before=None):
    return Change(Action.DELETE, resource.kind, key, before or {}, None, "", identifier)


def apply(resource, *changes):
    """Apply and return the results by key, after a check that each change was started before it was done."""
    started, results = [], {}
    for change, result in resource.write_all(changes, started.append):
        assert any(change is one for one in started)
        results[change.key] = result
    return results
