"""The server's process: a new Python, or a fork of one that has much of it imported already."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Protocol

FORKS = sys.platform == "linux"  # elsewhere a library of the system may not bear it


class ServerProcess(Protocol):
    """What whoever starts a server needs of its process."""

    pid: int

    def poll(self) -> int | None:
        """Return its exit status once it has ended, else None."""

    def kill(self) -> None:
        """End it at once."""

    def wait(self) -> int:
        """Wait for its end and return its exit status."""


def spawn(
    arguments: Sequence[str],
    descriptors: Sequence[int],
    log: IO[bytes],
    *,
    run_in_fork: Callable[[list[str]], int] | None,
) -> ServerProcess:
    """Start ``python -m idc_sandbox`` in a process of its own, which outlives this one.

    Parameters
    ----------
    arguments
        Its command line.
    descriptors
        What it takes over: a listening socket, so that no port is lost between looking and binding, and the
        lock of who starts it.
    log
        Gets what it prints.
    run_in_fork
        What a fork of this process runs with the arguments, where this process may be forked: it must have
        one thread. A fork need not import again what is imported here. None: a new Python.
    """
    if run_in_fork is not None:
        return _fork(run_in_fork, list(arguments), descriptors, log)
    return subprocess.Popen(
        [sys.executable, "-m", "idc_sandbox", *arguments],
        pass_fds=descriptors,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=_child_environment(),
        start_new_session=True,  # Ctrl-C in the terminal that started it must not end it
    )


def _child_environment() -> dict[str, str]:
    """Return this process's environment, in which the child finds this very package."""
    variables = dict(os.environ)
    root = Path(__file__).resolve().parent.parent
    if root.name not in ("site-packages", "dist-packages"):
        variables["PYTHONPATH"] = os.pathsep.join(filter(None, [str(root), variables.get("PYTHONPATH")]))
    return variables


def _fork(
    run: Callable[[list[str]], int], arguments: list[str], descriptors: Sequence[int], log: IO[bytes]
) -> ServerProcess:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()  # what waits in a buffer is this process's to say, once
    pid = os.fork()
    if pid:
        return _Forked(pid)
    status = 1
    try:
        _become_a_process_of_its_own(descriptors, log.fileno())
        status = run(arguments)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)  # nothing of the process that it was forked from may run at its end


def _become_a_process_of_its_own(kept: Sequence[int], log: int) -> None:
    """Leave the session, the streams, the signal handlers and every open file of the parent but a few."""
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    signal.set_wakeup_fd(-1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    last = os.sysconf("SC_OPEN_MAX")
    first = 3
    for descriptor in sorted(kept):
        os.closerange(first, descriptor)
        first = descriptor + 1
    os.closerange(first, last if last > 0 else 65_536)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  for as long as the process lives
    sys.stdout = open(1, "w", encoding="utf-8", buffering=1, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", buffering=1, closefd=False)  # noqa: SIM115


class _Forked:
    """A child of this process."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._status: int | None = None

    def poll(self) -> int | None:
        """Return its exit status once it has ended, else None."""
        return self._ask(os.WNOHANG)

    def wait(self) -> int:
        """Wait for its end and return its exit status."""
        status = self._ask(0)
        return 0 if status is None else status

    def kill(self) -> None:
        """End it at once."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)

    def _ask(self, options: int) -> int | None:
        if self._status is None:
            pid, status = os.waitpid(self.pid, options)
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
        return self._status
