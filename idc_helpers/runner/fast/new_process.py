"""Makes of a fork a process as it would be when it had been started for its task."""

from __future__ import annotations

import atexit
import logging
import os
import random
import sys
import time
from collections.abc import Mapping, Sequence


def begin_anew(environment: Mapping[str, str], folder: str, arguments: Sequence[str]) -> None:
    """Take over variables, folder and arguments, and leave nothing of the parent that must not be shared.

    Parameters
    ----------
    environment
        All variables.
    folder
        The working folder.
    arguments
        ``sys.argv``.
    """
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
