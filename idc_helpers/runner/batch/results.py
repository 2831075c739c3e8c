"""What a job came to: small, plain data that goes into the journal and between machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from idc_helpers.cleaning import clean
from idc_helpers.runner.summary import ACTIONS, NotebookResult, RunSummary

Status = Literal["passed", "failed"]
_LONGEST_REASON = 2000


@dataclass(frozen=True)
class JobResult:
    """How one job ended; one line of the journal.

    Attributes
    ----------
    job
        The job's name.
    status
        ``"passed"``: every check in every notebook passed; or ``"failed"``.
    fingerprint
        Of the inputs that it ran with.
    started
        ISO 8601, UTC.
    wall_s
        Seconds.
    mode, where
        Of the run; ``where`` is the target in one readable line.
    changes
        How many things were created, updated, deleted and unchanged.
    checks, checks_passed
        How many checks were made, and how many of them passed.
    reason
        Why it failed, in words; empty when it passed.
    attempts
        1, and one more for each notebook that was begun again because the engine's process was killed.
    stored
        Where its files are; empty: in the batch's folder.
    """

    job: str
    status: Status
    fingerprint: Mapping[str, str]
    started: str
    wall_s: float
    mode: str = ""
    where: str = ""
    changes: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(ACTIONS, 0))
    checks: int = 0
    checks_passed: int = 0
    reason: str = ""
    attempts: int = 1
    stored: str = ""

    @property
    def passed(self) -> bool:
        """Whether every check in every notebook passed."""
        return self.status == "passed"

    def as_json(self) -> dict[str, Any]:
        """Return what a line of the journal holds."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> JobResult:
        """Return the result that a line of the journal holds; fields of other versions are passed over."""
        known = {each.name for each in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in known})


def reason_of(summary: RunSummary) -> str:
    """Return why a run failed: its first notebook that did, and what it said; empty when it passed."""
    failed = next((result for result in summary.notebooks if result.status == "failed"), None)
    if failed is None:
        return "" if summary.passed else "it was not run to its end"
    return shortened_reason(f"{failed.notebook}: {_why(failed)}")


def _why(result: NotebookResult) -> str:
    if result.failure is not None:
        return str(result.failure)
    checks = "; ".join(f"{check.name}: {check.detail}" for check in result.failed_checks)
    return f"not every check passed: {checks}"


def shortened_reason(text: str) -> str:
    """Return a reason without secrets, cut where it is longer than a table of a thousand jobs can bear."""
    text = clean(text)
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}…"
