"""What a check-up finds: one line each, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """One line of a check-up.

    Attributes
    ----------
    status
        ``"ok"``; ``"warn"``: a part cannot be used until it is mended; ``"fail"``: nothing works until it is.
    subject
        What was looked at.
    detail
        What was found.
    remedy
        What to do; empty when all is well.
    """

    status: Status
    subject: str
    detail: str
    remedy: str = ""


def findings_in_words(findings: Iterable[Finding]) -> str:
    """Return the findings as lines that line up, each remedy below its finding."""
    lines = []
    for finding in findings:
        lines.append(f"{finding.status:<5} {finding.subject}: {finding.detail}")
        lines += [f"      → {line}" for line in finding.remedy.splitlines() if line]
    return "\n".join(lines)
