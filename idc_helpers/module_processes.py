"""Starts ``python -m MODULE ARGUMENTS``: by a new Python, or faster where somebody has a way.

A fork of a preloaded process takes the place of a new Python there; who starts a module sees no difference.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
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


Starter = Callable[[str, Sequence[str]], ModuleProcess]


def new_python(module: str, arguments: Sequence[str]) -> ModuleProcess:
    """Start a module in a new Python."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


_starter: Starter = new_python


def start_module(module: str, arguments: Sequence[str]) -> ModuleProcess:
    """Start a module with pipes for its input, output and errors."""
    return _starter(module, arguments)


def start_modules_by(starter: Starter) -> Starter:
    """Let modules be started another way in this process, and return the way before."""
    global _starter
    before, _starter = _starter, starter
    return before
