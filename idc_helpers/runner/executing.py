"""One notebook through papermill, and what went wrong in it."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import papermill
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillException, PapermillExecutionError

from idc_helpers.cleaning import clean
from idc_helpers.runner.engines import NotebookFailure
from idc_helpers.runner.kernels import KERNEL_NAME
from idc_helpers.runner.notebooks import LessonNotebook
from idc_helpers.runner.scrubbed_files import scrubbed_path
from idc_helpers.runner.unfinished_notebook import mark_unfinished


def execute_with_papermill(
    notebook: LessonNotebook, output: Path, parameters: Mapping[str, Any], **options: Any
) -> NotebookFailure | None:
    """Let papermill execute a notebook; every save, its first one too, is scrubbed and whole.

    Parameters
    ----------
    notebook, output, parameters
        As for `Engine.execute`.
    **options
        More arguments of ``papermill.execute_notebook``, such as which of its engines.

    Returns
    -------
    NotebookFailure or None
        None when every cell ran. A time limit's error is raised: its engine knows which limit it was.

    Raises
    ------
    TimeoutError
        When an engine ended a cell that took too long.
    """
    logging.getLogger("papermill").setLevel(logging.ERROR)  # unknown parameters were refused before
    try:
        papermill.execute_notebook(
            _literal(str(notebook.path)),
            _literal(scrubbed_path(output)),
            parameters=dict(parameters),
            kernel_name=KERNEL_NAME,
            progress_bar=False,
            **options,
        )
    except PapermillExecutionError as error:
        return _cell_failure(error, output)
    except DeadKernelError:
        failure = NotebookFailure(
            "DeadKernelError",
            "the kernel ended by itself; a machine that is short of memory does that. Run again.",
        )
        mark_unfinished(output, failure, None)
        return failure
    except TimeoutError:
        raise
    except (PapermillException, RuntimeError, OSError) as error:
        return NotebookFailure(type(error).__name__, clean(str(error)))
    return None


def _literal(path: str) -> str:
    # papermill fills parameters into the braces of a path.
    return path.replace("{", "{{").replace("}", "}}")


def _cell_failure(error: PapermillExecutionError, output: Path) -> NotebookFailure:
    """Return the failure as the saved notebook has it: without what other cells announce."""
    cell = int(error.exec_count) if error.exec_count else None
    message, source = clean(error.evalue), clean(error.source)
    with suppress(OSError, ValueError):
        saved = json.loads(output.read_text("utf-8"))["cells"]
        for one in saved:
            said = [part["evalue"] for part in one.get("outputs", ()) if part["output_type"] == "error"]
            if said and one["execution_count"] == cell:
                message, source = said[0], "".join(one["source"])
    return NotebookFailure(error.ename, message.strip(), cell, source)
