"""What a run or a batch left, and the exit status that says so."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar


class Summary(Protocol):
    """What went well or not."""

    @property
    def passed(self) -> bool:
        """Whether everything did."""


SummaryT = TypeVar("SummaryT", bound=Summary)


@dataclass(frozen=True)
class Outcome(Generic[SummaryT]):
    """What a run or a batch left.

    Attributes
    ----------
    folder
        Its folder; a run's is named after the run's id.
    summary
        What ``summary.json`` or ``batch.json`` holds.
    signal_number
        The signal that cut it short, or None.
    """

    folder: Path
    summary: SummaryT
    signal_number: int | None = None

    @property
    def exit_status(self) -> int:
        """0 only if everything passed; 128 + its number after a signal, as in shells."""
        if self.signal_number is not None:
            return 128 + self.signal_number
        return 0 if self.summary.passed else 1
