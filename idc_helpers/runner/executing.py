"""One notebook through papermill, in a kernel of this Python, and what went wrong in it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import papermill
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillException, PapermillExecutionError

from idc_helpers.runner.kernels import KERNEL_NAME, kernel_manager_class
from idc_helpers.runner.notebooks import LessonNotebook
from idc_helpers.runner.scrubbed_files import scrubbed_path
from idc_helpers.scrubbing import scrub

KERNEL_LOG = "kernels.log"


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


def execute_notebook(
    notebook: LessonNotebook, output: Path, parameters: Mapping[str, Any], environment: Mapping[str, str]
) -> NotebookFailure | None:
    """Execute a notebook in its own folder and save it, scrubbed, after every cell.

    Parameters
    ----------
    notebook
        What to execute; it stays as it is.
    output
        The file of the executed notebook.
    parameters
        Values for its parameters cell.
    environment
        Variables that its kernel sees besides the ones of this process.

    Returns
    -------
    NotebookFailure or None
        None when every cell ran.
    """
    logging.getLogger("papermill").setLevel(logging.ERROR)  # unknown parameters were refused before
    try:
        papermill.execute_notebook(
            _literal(str(notebook.path)),
            _literal(scrubbed_path(output)),
            parameters=dict(parameters),
            kernel_name=KERNEL_NAME,
            progress_bar=False,
            cwd=str(notebook.path.parent),
            kernel_manager_class=kernel_manager_class(environment, output.parent / KERNEL_LOG),
        )
    except PapermillExecutionError as error:
        return _cell_failure(error)
    except DeadKernelError:
        return NotebookFailure(
            "DeadKernelError",
            "the kernel ended by itself; a machine that is short of memory does that. Run again.",
        )
    except (PapermillException, RuntimeError, OSError) as error:
        return NotebookFailure(type(error).__name__, scrub(str(error)))
    return None


def _literal(path: str) -> str:
    # papermill fills parameters into the braces of a path.
    return path.replace("{", "{{").replace("}", "}}")


def _cell_failure(error: PapermillExecutionError) -> NotebookFailure:
    cell = int(error.exec_count) if error.exec_count else None
    return NotebookFailure(error.ename, scrub(error.evalue.strip()), cell, scrub(error.source))
