"""Desired against actual, pure: what a plan changes, what a check finds, and what undo sets back."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from idc_aws.changes import Action, Change, Plan, State
from idc_aws.errors import CheckFailedError
from idc_aws.scrubbing import scrub_values
from idc_helpers.runbook.lesson import Place
from idc_helpers.runbook.words import PARTED, format_field, format_fields, format_thing, format_value

_LONGEST_VALUE_SHOWN = 60
_SET_BY_AWS = {"session_duration", "email_type", "accounts_to_provision"}
"""Fields that a thing may have although its creation did not say so."""


def plan_changes(
    kind: str, desired: Mapping[str, State], actual: Mapping[str, State], *, by_hand: bool = False
) -> Plan:
    """Return what makes the actual states satisfy the desired ones."""
    return Plan(
        tuple(_change(kind, key, wanted, actual.get(key), by_hand) for key, wanted in desired.items())
    )


def _change(kind: str, key: str, wanted: State, found: State | None, by_hand: bool) -> Change:
    if found is None:
        action = Action.BY_HAND if by_hand else Action.CREATE
        reason = "to be set in the AWS console" if by_hand else "does not exist yet"
        return Change(action, kind, key, None, dict(wanted), reason)
    differing = differing_fields(wanted, found)
    if not differing:
        return Change(Action.UNCHANGED, kind, key, found, found, "is as wanted")
    action = Action.BY_HAND if by_hand else Action.UPDATE
    return Change(
        action, kind, key, found, {**found, **wanted}, describe_difference(wanted, found, differing)
    )


def differing_fields(wanted: State, found: State) -> list[str]:
    """Return the fields that `wanted` names and `found` holds differently; a missing one is as None."""
    return [name for name, value in wanted.items() if value != found.get(name)]


def describe_difference(wanted: State, found: State, fields: list[str]) -> str:
    """Return the difference in words, such as ``"Session duration: 1 hour → 4 hours"``."""
    differing = ((name, *_differing_parts(name, wanted.get(name), found.get(name))) for name in fields)
    return "; ".join(
        f"{format_field(name)}: {_shown(name, there)} → {_shown(name, asked)}"
        for name, asked, there in differing
    )


def _differing_parts(name: str, wanted: Any, found: Any) -> tuple[Any, Any]:
    """Return of two addresses, or their like, only the fields that differ: all of them would not fit."""
    if name not in PARTED or not (isinstance(wanted, dict) and isinstance(found, dict)):
        return wanted, found
    fields = [part for part in {**wanted, **found} if wanted.get(part) != found.get(part)]
    of_wanted, of_found = ({part: one.get(part, "nothing") for part in fields} for one in (wanted, found))
    return of_wanted, of_found


def format_state(state: State) -> str:
    """Return a state in one line, such as ``"Session duration: 4 hours, Relay state: nothing"``."""
    return ", ".join(
        f"{format_field(name)}: {_shown(name, value)}" for name, value in format_fields(state).items()
    )


def _shown(name: str, value: Any) -> str:
    words = "nothing" if value in (None, {}, []) else format_value(name, value)
    text = repr(value) if words == value else words  # a text that somebody chose
    return text if len(text) <= _LONGEST_VALUE_SHOWN else f"{text[: _LONGEST_VALUE_SHOWN - 1]}…"


def undo_creation(
    kind: str, key: str, identifier: str, actual: State | None, actual_identifier: str
) -> Change:
    """Return the change that takes a creation back."""
    # Only the very thing that the receipt names is deleted, never another one of its name.
    if actual is None:
        return Change(Action.UNCHANGED, kind, key, None, None, "is already gone")
    if identifier and identifier != actual_identifier:
        reason = f"is another one ({actual_identifier}) than the receipt names ({identifier}): left alone"
        return Change(Action.UNCHANGED, kind, key, actual, actual, reason)
    return Change(Action.DELETE, kind, key, actual, None, "was created by this run", actual_identifier)


def others_fields(ours: State, found: State, derived: Collection[str] = ()) -> list[str]:
    """Return the fields of a thing that are not as this kit left them: somebody else set them."""
    clean = scrub_values(found)
    named = [name for name in ours if ours[name] not in (found.get(name), clean.get(name))]
    added = [name for name, value in found.items() if name not in ours and value not in (None, "", [], {})]
    return [name for name in (*named, *added) if name not in derived]


def keeps_part_of(before: Any, after: Any, found: Any) -> bool:
    """Tell whether a value that somebody changed since still holds something that the update put there."""
    if isinstance(after, dict) and isinstance(found, dict):
        earlier = before if isinstance(before, dict) else {}
        return any(found.get(name) == value != earlier.get(name) for name, value in after.items())
    if isinstance(after, list) and isinstance(found, list):
        earlier_items = before if isinstance(before, list) else []
        return any(item in found for item in after if item not in earlier_items)
    return False


def could_come_from(wanted: State, found: State) -> bool:
    """Tell whether a thing may be what an interrupted creation left: it holds the wanted values, or less."""
    added = [name for name, value in found.items() if name not in wanted and value not in (None, "", [], {})]
    return not set(added) - _SET_BY_AWS and all(
        _is_part(found.get(name), value) for name, value in wanted.items()
    )


def _is_part(found: Any, wanted: Any) -> bool:
    if found in (None, [], {}) or found == wanted:
        return True
    if isinstance(found, list) and isinstance(wanted, list):
        return all(item in wanted for item in found)
    if isinstance(found, dict) and isinstance(wanted, dict):
        return all(name in wanted and _is_part(value, wanted[name]) for name, value in found.items())
    return False


def undo_update(
    kind: str, key: str, before: State, after: State, actual: State | None, *, derived: Collection[str] = ()
) -> Change:
    """Return the change that takes an update back."""
    # What somebody changed after the update is left alone, and so are fields that nobody sets.
    if actual is None:
        return Change(Action.UNCHANGED, kind, key, None, None, "is already gone")
    updated = [name for name in differing_fields(after, before) if name not in derived]
    clean = scrub_values(actual)  # as receipts hold it
    ours = [name for name in updated if after.get(name) in (actual.get(name), clean.get(name))]
    theirs = [name for name in updated if name not in ours and actual.get(name) != before.get(name)]
    if not ours:
        changed = ", ".join(map(format_field, theirs))
        words = f"was changed again since ({changed}): left alone" if theirs else "is as before"
        return Change(Action.UNCHANGED, kind, key, actual, actual, words)
    restored = {name: before.get(name) for name in ours}
    reason = describe_difference(restored, actual, ours)
    if theirs:
        reason += f"; left alone, because changed again since: {', '.join(map(format_field, theirs))}"
    return Change(Action.UPDATE, kind, key, actual, {**actual, **restored}, reason)


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    passed: bool
    detail: str
    remedy: str = ""
    expected: str = ""
    found: str = ""
    cause: str = ""
    go_back: Place | None = None
    source: str = ""

    def lesson(self) -> dict[str, str]:
        """Return what a failed check teaches, by name, in reading order; what it cannot say is left out."""
        link = self.go_back.link if self.go_back else ""
        told = {
            "expected": self.expected,
            "found": self.found,
            "cause": self.cause,
            "go_back": link,
            "source": self.source,
        }
        return {name: text for name, text in told.items() if text and not self.passed}

    def __str__(self) -> str:
        lines = [f"{self.name}: {self.detail}"]
        if self.cause and not self.passed:
            lines.append(f"likely cause: {self.cause}")
        if self.go_back and not self.passed:
            lines.append(f"go back to: {self.go_back} ({self.go_back.link})")
        if self.source and not self.passed:
            lines.append(f"AWS's page: {self.source}")
        return "\n    ".join(lines)


Teach = Callable[[Check, str, State, State | None], Check]
"""Given a failed check, its key, what was wanted and what was found: the check with cause and place."""


@dataclass(frozen=True)
class CheckResults:
    """The checks of one step."""

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that did not pass."""
        return tuple(check for check in self.checks if not check.passed)

    def map(self, words: Callable[[str], str]) -> CheckResults:
        """Return the results with other words for what each says."""
        texts = ("name", "detail", "remedy", "expected", "found", "cause")

        def said(check: Check) -> Check:
            values: dict[str, Any] = {text: words(getattr(check, text)) for text in texts}
            return replace(check, **values)

        return CheckResults(tuple(map(said, self)))

    def __iter__(self) -> Iterator[Check]:
        return iter(self.checks)

    def require(self) -> CheckResults:
        """Return the results when all passed."""
        if self.failed:
            lines = "\n".join(f"  {check}" for check in self.failed)
            remedies = dict.fromkeys(check.remedy for check in self.failed if check.remedy)
            raise CheckFailedError(
                f"{len(self.failed)} of {len(self.checks)} checks failed:\n{lines}",
                remedy=" ".join(remedies),
            )
        return self


def check_states(
    kind: str,
    desired: Mapping[str, State],
    actual: Mapping[str, State],
    *,
    remedy: str,
    teach: Teach | None = None,
) -> list[Check]:
    """Return one check for each desired key: it exists, and every field that was asked for holds."""
    checks = []
    for key, wanted in desired.items():
        found = actual.get(key)
        check = _check(format_thing(kind, key), wanted, found)
        if not check.passed:
            check = replace(check, remedy=remedy)
            check = teach(check, key, wanted, found) if teach else check
        checks.append(check)
    return checks


def _check(name: str, wanted: State, found: State | None) -> Check:
    if found is None:
        expected = format_state(wanted)
        expected = f"it exists, with {expected}" if expected else "it exists"
        detail = "expected it to exist, found nothing"
        return Check(name, False, detail, expected=expected, found="nothing of that name")
    differing = differing_fields(wanted, found)
    if differing:
        detail = f"found → expected: {describe_difference(wanted, found, differing)}"
        parts = [_differing_parts(at, wanted.get(at), found.get(at)) for at in differing]
        expected, there = (
            format_state(dict(zip(differing, side, strict=True))) for side in zip(*parts, strict=True)
        )
        return Check(name, False, detail, expected=expected, found=there)
    named = (name for name, value in format_fields(wanted).items() if value not in (None, {}, []))
    fields = ", ".join(map(format_field, named))
    return Check(name, True, f"exists as wanted ({fields})" if fields else "exists")
