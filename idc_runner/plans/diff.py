"""A change as lines with signs: ``-`` what is there, ``+`` what will be; readable without colours."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from idc_aws.changes import Change, State
from idc_helpers.runbook.comparing import describe_difference, differing_fields
from idc_helpers.runbook.words import format_field, format_thing, format_value
from idc_runner.plans.document import PlannedChange

_SAID_BY_THE_KEY = ("account_assignment", "group_membership", "delegated_administrator")
_WITH_KEYS_OF_PEOPLE = ("tags", "attributes")
_EMPTY: tuple[Any, ...] = (None, {}, [], "")


class Line(NamedTuple):
    """One line of a diff: ``"-"``, ``"+"`` or ``" "``, and a text."""

    sign: str
    text: str

    def __str__(self) -> str:
        return f"{self.sign} {self.text}"


def printable(text: str) -> str:
    """Return a text as one line that does nothing to a terminal: its control characters are written out."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def name_of(change: Change) -> str:
    """Return kind and name, such as ``"permission set Auditors"``."""
    return printable(format_thing(change.kind, change.key))


def diff_lines(planned: PlannedChange) -> list[Line]:
    """Return what a change does, field by field: only what differs, and of a new thing what it has."""
    change, wanted = planned.change, planned.wanted
    if change.kind in _SAID_BY_THE_KEY and change.before is None:
        return []
    before = change.before or {}
    return [
        line
        for name in differing_fields(wanted, before)
        if not (before.get(name) in _EMPTY and wanted[name] in _EMPTY)
        for line in _field_lines(name, before.get(name), wanted[name])
    ]


def change_between(before: State, after: State) -> str:
    """Return in one line how two states of a thing differ, such as ``"Description: 'a' → 'b'"``."""
    names = differing_fields({**dict.fromkeys(before), **after}, before)
    return printable(describe_difference(after, before, names))


def _field_lines(name: str, before: Any, after: Any) -> Iterator[Line]:
    label = format_field(name)
    if _is_policy(before) or _is_policy(after):
        yield Line(" ", f"{label}:")
        yield from _policy_lines(before, after)
    elif isinstance(before, dict | None) and isinstance(after, dict | None):
        yield from _mapping_lines(name, label, before or {}, after or {})
    elif isinstance(before, list | None) and isinstance(after, list | None):
        yield from (Line("-", _line(name, label, item)) for item in before or [] if item not in (after or []))
        yield from (Line("+", _line(name, label, item)) for item in after or [] if item not in (before or []))
    else:
        yield from (Line("-", _line(name, label, value)) for value in [before] if value not in _EMPTY)
        yield from (Line("+", _line(name, label, value)) for value in [after] if value not in _EMPTY)


def _line(name: str, label: str, value: Any) -> str:
    return f"{label}: {printable(format_value(name, value))}"


def _mapping_lines(name: str, label: str, before: dict[str, Any], after: dict[str, Any]) -> Iterator[Line]:
    for part in {**before, **after}:
        if before.get(part) == after.get(part):
            continue
        for sign, values in (("-", before), ("+", after)):
            if values.get(part) not in _EMPTY:
                value = format_value(part, values[part])
                called = str(part) if name in _WITH_KEYS_OF_PEOPLE else format_field(part)
                yield Line(sign, f"{label}, {printable(called)}: {printable(value)}")


def _is_policy(value: Any) -> bool:
    return isinstance(value, dict) and "Statement" in value


def _policy_lines(before: Any, after: Any) -> Iterator[Line]:
    """Yield the lines of two policies that differ, with a few around them."""
    old, new = (_policy_text(policy) for policy in (before, after))
    for line in difflib.unified_diff(old, new, lineterm="", n=2):
        if line.startswith(("---", "+++")):
            continue
        if not line.startswith("@@"):
            yield Line(line[0], f"  {printable(line[1:])}")
        elif not line.startswith(("@@ -0", "@@ -1,", "@@ -1 ")):
            yield Line(" ", "  …")


def _policy_text(policy: Any) -> list[str]:
    if policy in _EMPTY:
        return []
    return (
        json.dumps(policy, indent=2, ensure_ascii=False).splitlines()
        if isinstance(policy, dict)
        else [str(policy)]
    )
