"""Starts ``python -m MODULE ARGUMENTS``: by a new Python, or faster where somebody has a way.

A fork of a preloaded process takes the place of a new Python there; who starts a module sees no difference.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Protocol


class ModuleProcess(Protocol):
    """A module while it runs, as `subprocess.Popen` has it.

    Attributes
    ----------
    stdin, stdout, stderr
        Pipes, as text.
    """

    stdin: IO[str] | None
    stdout: IO[str] | None
    stderr: IO[str] | None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit status; raises `subprocess.TimeoutExpired`."""

    def kill(self) -> None:
        """End it without a word."""

    def communicate(self, *, timeout: float | None = None) -> tuple[str, str]:
        """Return all of its output and errors when it has ended; raises `subprocess.TimeoutExpired`."""


Variables = Mapping[str, str]
Starter = Callable[[str, Sequence[str], Variables | None], ModuleProcess]


def new_python(
    module: str, arguments: Sequence[str], environment: Variables | None = None
) -> subprocess.Popen[str]:
    """Start a module in a new Python."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


_starter: Starter = new_python


def start_module(
    module: str, arguments: Sequence[str], environment: Variables | None = None
) -> ModuleProcess:
    """Start a module with pipes for its input, output and errors.

    Parameters
    ----------
    module
        As for ``python -m``.
    arguments
        Its command line.
    environment
        All its variables; None: those of this process.
    """
    return _starter(module, arguments, environment)


def run_module(
    module: str, arguments: Sequence[str], *, timeout_s: float, environment: Variables | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a module without input, as `start_module`, and return its exit status, output and errors.

    Raises
    ------
    subprocess.TimeoutExpired
        When it has not ended after so many seconds; it is ended then.
    """
    process = start_module(module, arguments, environment)
    try:
        output, errors = process.communicate(timeout=timeout_s)
    except BaseException:
        process.kill()
        process.wait()
        raise
    return subprocess.CompletedProcess([module, *arguments], process.wait(), output, errors)


def start_modules_by(starter: Starter) -> Starter:
    """Let modules be started another way in this process, and return the way before."""
    global _starter
    before, _starter = _starter, starter
    return before
