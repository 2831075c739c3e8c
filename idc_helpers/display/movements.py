"""The four movements as tables: what is wanted, what a plan would do, what was done, what was checked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from idc_helpers.aws.connected import Place
from idc_helpers.changes import Action, Change, Plan, State, WriteResult
from idc_helpers.display.tables import Table
from idc_helpers.runbook.applying import Outcome
from idc_helpers.runbook.checks import CheckResults
from idc_helpers.runbook.step import Desired

SYMBOLS = {
    Action.CREATE: "+",
    Action.UPDATE: "~",
    Action.DELETE: "-",
    Action.UNCHANGED: "=",
    Action.BY_HAND: "✎",
    Action.SKIPPED: "⊘",
}
_MARKS = {Action.DELETE: "bad", Action.UNCHANGED: "", Action.BY_HAND: "change"}
_PAST = {Action.CREATE: "created", Action.UPDATE: "updated", Action.DELETE: "deleted"}
_NOT_DONE = {Action.BY_HAND: "not set yet: by hand", Action.SKIPPED: "skipped"}
WANTED_COLUMNS = ("kind", "key", "values")
PLAN_COLUMNS = ("action", "kind", "key", "reason", "values")
OUTCOME_COLUMNS = ("result", "kind", "key", "identifier")
CHECK_COLUMNS = ("result", "name", "detail")


def wanted_table(title: str, desired: Iterable[Desired], place: Place | None = None) -> Table:
    """Return what a step wants: columns kind, key, values (one ``field: value`` a line)."""
    rows = tuple(
        (kind_in_words(part.resource.kind), key, values_in_words(state))
        for part in desired
        for key, state in part.states.items()
    )
    caption = f"Wanted for “{title}”: {len(rows)} in all"
    return Table(caption, WANTED_COLUMNS, rows, row_header=1, place=place)


def plan_table(title: str, plan: Plan, place: Place | None = None) -> Table:
    """Return a plan: columns action (symbol and word), kind, key, reason, values (all that will be set)."""
    rows = tuple(
        (_action(change), kind_in_words(change.kind), change.key, change.reason, _values(change))
        for change in plan.changes
    )
    marks = tuple(_MARKS.get(change.action, "change") for change in plan.changes)
    caption = f"Plan for “{title}”: {plan_in_words(plan)}"
    return Table(caption, PLAN_COLUMNS, rows, row_header=2, marks=marks, place=place)


def plan_in_words(plan: Plan) -> str:
    """Return a plan's sum, such as ``"2 to create, 1 unchanged"``."""
    counts = {**plan.counts(), Action.BY_HAND.value: len(plan.by_hand)}
    words = {"create": "to create", "update": "to update", "delete": "to delete", "by hand": "to set by hand"}
    parts = [f"{number} {words.get(action, action)}" for action, number in counts.items() if number]
    return ", ".join(parts) or "nothing to do"


def outcome_table(title: str, outcome: Outcome, place: Place | None = None) -> Table:
    """Return what was done, in the plan's order, unchanged last: columns result, kind, key, identifier."""
    # Not in the order of completion: writes that wait side by side end in another order each time.
    places = {id(change): at for at, change in enumerate(outcome.plan.changes)}
    done = sorted(outcome.done, key=lambda pair: places.get(id(pair[0]), len(places)))
    rows = [_outcome_row(change, result) for change, result in done]
    marks = ["good"] * len(rows)
    for change in outcome.plan.changes:
        if not change.writes:
            word = _NOT_DONE.get(change.action, change.action.value)
            rows.append((f"{SYMBOLS[change.action]} {word}", kind_in_words(change.kind), change.key, ""))
            marks.append(_MARKS.get(change.action, "change"))
    caption = f"Done for “{title}”: {outcome_in_words(outcome)}"
    return Table(caption, OUTCOME_COLUMNS, tuple(rows), row_header=2, marks=tuple(marks), place=place)


def outcome_in_words(outcome: Outcome) -> str:
    """Return what was done, such as ``"2 created, 1 unchanged"``."""
    words = {action.value: word for action, word in _PAST.items()}
    parts = [f"{number} {words.get(action, action)}" for action, number in outcome.counts().items() if number]
    by_hand = len(outcome.plan.by_hand)
    return ", ".join([*parts, *([f"{by_hand} to set by hand"] if by_hand else [])]) or "nothing to do"


def checks_table(title: str, results: CheckResults) -> Table:
    """Return checks: columns result (✔ passed, ✘ failed), name, detail."""
    checks = results.checks
    rows = tuple(("✔ passed" if check.passed else "✘ failed", check.name, check.detail) for check in checks)
    marks = tuple("good" if check.passed else "bad" for check in checks)
    passed = sum(check.passed for check in checks)
    caption = f"Checks of “{title}”: {passed} of {len(checks)} passed"
    return Table(caption, CHECK_COLUMNS, rows, row_header=1, marks=marks)


def change_in_words(change: Change) -> str:
    """Return a change as a person says it, such as ``"create permission set 'ReadOnlyAccess'"``."""
    return f"{change.action.value} {kind_in_words(change.kind)} {change.key!r}"


def kind_in_words(kind: str) -> str:
    """Return ``"permission set"`` for ``"permission_set"``."""
    return kind.replace("_", " ")


def values_in_words(state: Mapping[str, Any] | None) -> str:
    """Return a state as lines ``field: value``; fields that are empty are left out."""
    return "\n".join(
        f"{name}: {value_in_words(value)}" for name, value in (state or {}).items() if not _empty(value)
    )


def value_in_words(value: Any) -> str:
    """Return a value as text: lists with commas, mappings as ``key=value``, what is nested deeper as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return ", ".join(value)
    if isinstance(value, dict) and all(isinstance(part, str) for part in value.values()):
        return ", ".join(f"{key}={part}" for key, part in value.items())
    return json.dumps(value, ensure_ascii=False)


def _empty(value: Any) -> bool:
    return value is None or value in ("", [], {})


def _action(change: Change) -> str:
    return f"{SYMBOLS[change.action]} {change.action.value}"


def _values(change: Change) -> str:
    if change.action in (Action.UNCHANGED, Action.DELETE, Action.SKIPPED):
        return ""
    before: State = change.before or {}
    after: State = change.after or {}
    return values_in_words({name: value for name, value in after.items() if value != before.get(name)})


def _outcome_row(change: Change, result: WriteResult) -> tuple[str, str, str, str]:
    # An account assignment has no id: what tells it from another one is for receipts alone.
    has_none = change.kind == "account_assignment" or result.identifier == change.key
    identifier = "" if has_none else result.identifier
    return (
        f"{SYMBOLS[change.action]} {_PAST[change.action]}",
        kind_in_words(change.kind),
        change.key,
        identifier,
    )
