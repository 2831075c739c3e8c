"""Checks: what was expected, what was found, the likely cause, and where to go back to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from idc_aws.changes import State, in_words
from idc_aws.errors import CheckFailedError
from idc_helpers.runbook.lesson import Place
from idc_helpers.runbook.planning import describe_difference, differing_fields, state_in_words


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


def untaught(check: Check, _key: str, _wanted: State, _found: State | None) -> Check:
    """Return the check as it is: for those who know nothing of its cause."""
    return check


def check_states(
    kind: str,
    desired: Mapping[str, State],
    actual: Mapping[str, State],
    *,
    remedy: str,
    teach: Teach = untaught,
) -> list[Check]:
    """Return one check for each desired key: it exists, and every field that was asked for holds."""
    checks = []
    for key, wanted in desired.items():
        found = actual.get(key)
        check = _check(in_words(kind, key), wanted, found)
        if not check.passed:
            check = teach(replace(check, remedy=remedy), key, wanted, found)
        checks.append(check)
    return checks


def _check(name: str, wanted: State, found: State | None) -> Check:
    if found is None:
        expected = state_in_words(wanted)
        expected = f"it exists, with {expected}" if expected else "it exists"
        detail = "expected it to exist, found nothing"
        return Check(name, False, detail, expected=expected, found="nothing of that name")
    differing = differing_fields(wanted, found)
    if differing:
        detail = f"found → expected: {describe_difference(wanted, found, differing)}"
        expected, there = (
            state_in_words({at: state.get(at) for at in differing}) for state in (wanted, found)
        )
        return Check(name, False, detail, expected=expected, found=there)
    fields = ", ".join(field for field in wanted if wanted[field] not in (None, {}, []))
    return Check(name, True, f"exists as wanted ({fields})" if fields else "exists")
