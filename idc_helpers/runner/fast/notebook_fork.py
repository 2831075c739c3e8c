"""A fork's work on one notebook: papermill executes it in this process, and its customer is told of it."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from idc_helpers.runner.executing import execute_with_papermill
from idc_helpers.runner.fast.forked_run import ForkedRun
from idc_helpers.runner.fast.messages import Lines
from idc_helpers.runner.fast.module_orders import fork_modules_over
from idc_helpers.runner.fast.new_process import begin_anew, end_now
from idc_helpers.runner.notebooks import LessonNotebook
from idc_helpers.runner.papermill_engine import ENGINE_NAME

_ARGUMENTS = ("ipykernel_launcher.py",)


def run_notebook(answers: Lines, descriptors: Sequence[int], control: socket.socket) -> int:
    """Execute the notebook that the order's socket names, and answer with its failure or None.

    Parameters
    ----------
    answers
        Has the order; gets each cell's start and end, and the result.
    descriptors
        Of the files for output, errors and the journal.
    control
        For orders of the notebook's own.
    """
    order = answers.receive()
    if order is None or not answers.is_open():
        return 1
    output, errors, journal = descriptors
    _lead_away(output, errors)
    notebook = LessonNotebook(order["name"], Path(order["path"]))
    begin_anew(order["environment"], str(notebook.path.parent), _ARGUMENTS)
    fork_modules_over(control)
    run = ForkedRun(answers.send, (output, errors), journal)
    failure = execute_with_papermill(
        notebook,
        Path(order["output"]),
        order["parameters"],
        engine_name=ENGINE_NAME,
        forked_run=run,
        most_printed=order["most_printed"],
    )
    answers.send({"failure": _as_json(failure)})
    return end_now(0)


def _lead_away(output: int, errors: int) -> None:
    """Let what is printed between cells reach nobody's terminal."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, descriptor in enumerate((nothing, output, errors)):
        os.dup2(descriptor, number)
    os.close(nothing)


def _as_json(failure: Any) -> dict[str, Any] | None:
    return asdict(failure) if failure is not None else None
