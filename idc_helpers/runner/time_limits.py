"""The time that a notebook still has, cell by cell, and the failure of the one that took too long."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from idc_helpers.cleaning import clean
from idc_helpers.runner.engines import NotebookFailure, TimeLimits


class TimeLeft:
    """Counts the time of one notebook, from its making.

    Parameters
    ----------
    limits
        How long it may take.
    clock
        Seconds that only grow.
    """

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
