"""Checks: what was expected, what was found, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from idc_helpers.changes import State, in_words
from idc_helpers.errors import CheckFailedError
from idc_helpers.runbook.planning import describe_difference, differing_fields


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes
    ----------
    name
        What is checked, such as ``"permission set AdministratorAccess"``.
    passed
        Whether it is as expected.
    detail
        What was found, and for a failed check what was expected.
    remedy
        For a failed check: the step to go back to.
    """

    name: str
    passed: bool
    detail: str
    remedy: str = ""


@dataclass(frozen=True)
class CheckResults:
    """The checks of one step."""

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    def __iter__(self) -> Iterator[Check]:
        return iter(self.checks)

    def require(self) -> CheckResults:
        """Return the results when all passed.

        Raises
        ------
        CheckFailedError
            Naming every check that failed, what was found and what to do.
        """
        failed = [check for check in self.checks if not check.passed]
        if failed:
            lines = "\n".join(f"  {check.name}: {check.detail}" for check in failed)
            remedies = dict.fromkeys(check.remedy for check in failed if check.remedy)
            raise CheckFailedError(
                f"{len(failed)} of {len(self.checks)} checks failed:\n{lines}", remedy=" ".join(remedies)
            )
        return self


def check_states(
    kind: str, desired: Mapping[str, State], actual: Mapping[str, State], *, remedy: str
) -> list[Check]:
    """Return one check for each desired key: it exists, and every field that was asked for holds."""
    return [_check(in_words(kind, key), wanted, actual.get(key), remedy) for key, wanted in desired.items()]


def _check(name: str, wanted: State, found: State | None, remedy: str) -> Check:
    if found is None:
        return Check(name, False, "expected it to exist, found nothing", remedy)
    differing = differing_fields(wanted, found)
    if differing:
        return Check(
            name, False, f"found → expected: {describe_difference(wanted, found, differing)}", remedy
        )
    fields = ", ".join(field for field in wanted if wanted[field] not in (None, {}, []))
    return Check(name, True, f"exists as wanted ({fields})" if fields else "exists")
