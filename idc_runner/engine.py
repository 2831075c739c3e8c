"""What an engine is that executes notebooks: its time limits, and what its failure says."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from idc_aws.errors import InvalidValueError
from idc_aws.scrubbing import clean
from idc_runner.notebooks import LessonNotebook


@dataclass(frozen=True)
class NotebookFailure:
    """Why a notebook stopped."""

    error_name: str
    message: str
    cell: int | None = None
    source: str = ""

    def __str__(self) -> str:
        place = f"cell [{self.cell}]: " if self.cell is not None else ""
        return f"{place}{self.error_name}: {self.message}"


MOST_PRINTED = 1_000_000


@dataclass(frozen=True)
class TimeLimits:
    """How long a notebook may take, whatever still runs then is ended; and how much a cell may print."""

    cell_s: float | None = None
    notebook_s: float | None = None
    most_printed: int = MOST_PRINTED

    def __post_init__(self) -> None:
        for name in ("cell_s", "notebook_s"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InvalidValueError(
                    f"the time limit {name} is {value!r}",
                    remedy="Give a number of seconds above 0, or None for no limit.",
                )
        if self.most_printed < 1:
            raise InvalidValueError(
                f"the limit most_printed is {self.most_printed!r}", remedy="Give a number above 0."
            )


NO_LIMITS = TimeLimits()


def cut_note(name: str, cut: int, limit: int) -> str:
    """Return the line that stands for what was cut."""
    return (
        f"\n[{cut:,} characters of this cell's {name} were cut here: {limit:,} are kept. "
        "To keep more, give --max-output, in millions of characters.]\n"
    )


@dataclass(frozen=True)
class NotebookOrder:
    """What an engine is asked to do: which notebook to execute, where to save it, with which values.

    Attributes
    ----------
    output
        The file of the executed notebook; its folder is there.
    parameters
        What papermill sets in the notebook.
    environment
        Variables in addition to those of this process.
    """

    notebook: LessonNotebook
    output: Path
    parameters: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    limits: TimeLimits = NO_LIMITS


class Engine(Protocol):
    """Executes notebooks, several at a time when threads ask for it."""

    def execute(self, order: NotebookOrder) -> NotebookFailure | None:
        """Execute a notebook in its own folder and save it, scrubbed, as it goes on."""

    def begin(self, order: NotebookOrder) -> None:
        """Do beside a notebook that runs what can be done for the next one; its cells wait for `execute`."""

    def close(self) -> None:
        """End what the engine started, and the notebooks that it still executes; again: nothing."""


class TimeLeft:
    """Counts the time of one notebook, from its making."""

    def __init__(self, limits: TimeLimits, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._start = clock()
        self._cell: Any = None
        self._number = 0

    @property
    def cell_number(self) -> int | None:
        """The number of the code cell that started last, None before the first."""
        return self._number or None

    def for_cell(self, cell: Any) -> float | None:
        """Return the seconds that a code cell has which starts now; None: no limit."""
        self._cell, self._number = cell, self._number + 1
        rest = self.rest_of_notebook()
        given = [seconds for seconds in (self._limits.cell_s, rest) if seconds is not None]
        return min(given, default=None)

    def rest_of_notebook(self) -> float | None:
        """Return the seconds that the notebook has; None: no limit."""
        if self._limits.notebook_s is None:
            return None
        # Never 0: that means "no limit" to some.
        return max(0.001, self._start + self._limits.notebook_s - self._clock())

    def failure(self) -> NotebookFailure:
        """Return the failure of the cell that started last: it, or the notebook, took too long."""
        source = clean(self._cell.source) if self._cell is not None else ""
        return NotebookFailure("TimeLimitError", self._words(), self.cell_number, source)

    def _words(self) -> str:
        cell_s, notebook_s = self._limits.cell_s, self._limits.notebook_s
        whole = notebook_s is not None and self._clock() - self._start >= notebook_s
        what, limit_s = ("the notebook", notebook_s) if whole or cell_s is None else ("the cell", cell_s)
        return (
            f"{what} took longer than its limit of {limit_s:g} s and was ended; its output is kept.\n"
            "Give it more time, or look at what it waits for, and run again."
        )
