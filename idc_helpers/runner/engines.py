"""What executes a notebook: the interface, its time limits, and what a failure says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from idc_helpers.errors import InvalidValueError
from idc_helpers.runner.notebooks import LessonNotebook


@dataclass(frozen=True)
class NotebookFailure:
    """Why a notebook stopped.

    Attributes
    ----------
    error_name
        The exception's class, such as ``"SandboxError"``.
    message
        What it said, scrubbed; from the kit's errors: what failed, and what to do next.
    cell
        The number in the cell's brackets, where there is one.
    source
        The cell's code, scrubbed.
    """

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
    """How long a notebook may take, whatever still runs then is ended; and how much a cell may print.

    Attributes
    ----------
    cell_s
        Seconds for each cell; None: no limit.
    notebook_s
        Seconds for all cells together; None: no limit.
    most_printed
        Characters that are kept of each stream of a cell; the rest is cut, with a note.
    """

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

    @property
    def is_timed(self) -> bool:
        """Whether anything is ended after a time."""
        return self.cell_s is not None or self.notebook_s is not None


NO_LIMITS = TimeLimits()


def cut_note(name: str, cut: int, limit: int) -> str:
    """Return the line that stands for what was cut.

    Parameters
    ----------
    name
        The stream, such as ``"stdout"``.
    cut, limit
        Characters that are gone, and that are kept at most.
    """
    return (
        f"\n[{cut:,} characters of this cell's {name} were cut here: {limit:,} are kept. "
        "To keep more, give --max-output, in millions of characters.]\n"
    )


class Engine(Protocol):
    """Executes notebooks, several at a time when threads ask for it."""

    @property
    def name(self) -> str:
        """What a person calls it, such as ``"kernel"``."""

    def execute(
        self,
        notebook: LessonNotebook,
        output: Path,
        parameters: Mapping[str, Any],
        environment: Mapping[str, str],
        limits: TimeLimits = NO_LIMITS,
    ) -> NotebookFailure | None:
        """Execute a notebook in its own folder and save it, scrubbed, as it goes on.

        Parameters
        ----------
        notebook
            What to execute; it stays as it is.
        output
            The file of the executed notebook; its folder exists.
        parameters
            Values for its parameters cell.
        environment
            Variables that its cells see besides the ones of this process.
        limits
            How long it may take.

        Returns
        -------
        NotebookFailure or None
            None when every cell ran.
        """

    def close(self) -> None:
        """End what the engine started, and the notebooks that it still executes; again: nothing."""
