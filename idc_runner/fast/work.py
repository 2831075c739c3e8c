"""What a fork does: executes a notebook or runs a module, and reports to who ordered it."""

from __future__ import annotations

import atexit
import logging
import os
import random
import runpy
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from idc_runner.executing import execute_with_papermill
from idc_runner.fast.kernel import ForkedRun
from idc_runner.fast.messages import Lines
from idc_runner.fast.modules import fork_modules_over
from idc_runner.fast.papermill_engine import ENGINE_NAME
from idc_runner.notebooks import LessonNotebook

# Makes of a fork a process as it would be when it had been started for its task.


def begin_anew(environment: Mapping[str, str], folder: str, arguments: Sequence[str]) -> None:
    """Take over variables, folder and arguments, and leave nothing of the parent that must not be shared."""
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(folder)
    sys.argv[:] = arguments
    if sys.path[:1] == [_PARENT_FOLDER]:
        del sys.path[0]
    random.seed()
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()


# What `python -m` puts before all else; a variable or an installation may name the same folder once more.
_PARENT_FOLDER = None if sys.flags.safe_path else os.getcwd()  # noqa: PTH109


def end_now(status: int) -> int:
    """Do what a process does at its end, except waiting for threads, and return the status."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            stream.flush()
    logging.shutdown()
    return status


_ARGUMENTS = ("ipykernel_launcher.py",)


def run_notebook(answers: Lines, descriptors: Sequence[int], control: socket.socket) -> int:
    """Execute the notebook that the order's socket names, and answer with its failure or None."""
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


# A fork's work on a command line: the module runs as ``python -m`` would run it.


def run_module(answers: Lines, descriptors: Sequence[int], control: socket.socket) -> int:
    """Run the module that the order's socket names, and return its exit status."""
    order = answers.receive()
    control.close()
    answers.close()
    if order is None:
        return 1
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    begin_anew(order["environment"], order["folder"], [order["module"], *order["arguments"]])
    if not sys.flags.safe_path:
        sys.path.insert(0, order["folder"])
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    name = order["module"]
    is_package = hasattr(sys.modules.get(name), "__path__")
    # As in a new Python, what is run is not imported before.
    sys.modules.pop(f"{name}.__main__" if is_package else name, None)
    try:
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    except SystemExit as error:
        return end_now(_status(error.code))
    return end_now(0)


def _status(code: object) -> int:
    if code is None or isinstance(code, int):
        return (code or 0) & 0xFF
    print(code, file=sys.stderr)
    return 1
