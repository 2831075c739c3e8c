"""Athena's engines for tests: forks of one process that has imported what a query needs, once a worker."""

from __future__ import annotations

import functools
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

from idc_sandbox.athena import queue

# Each message is the folder of an engine, with its input and its output; the answer is the fork's number.
_PRELOADED = """
import os, socket, sys
sys.path.insert(0, sys.argv[1])
from idc_sandbox.athena.engine import running, session, worker
orders = socket.socket(fileno=0)
children = 0
while (order := socket.recv_fds(orders, 4096, 2))[0]:
    folder, (source, target) = order[:2]
    while children and os.waitpid(-1, os.WNOHANG)[0]:
        children -= 1
    pid = os.fork()
    if not pid:
        os.setsid()
        os.chdir(folder)
        os.dup2(source, 0)
        os.dup2(target, 1)
        os.closerange(3, 64)
        worker.main()
        os._exit(0)
    os.close(source)
    os.close(target)
    children += 1
    orders.send(str(pid).encode())
"""

_LOCK = threading.Lock()


@functools.cache
def _preloaded() -> socket.socket:
    """Return the line to this worker's process, which ends with it."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        subprocess.Popen(
            [sys.executable, "-I", "-c", _PRELOADED, str(queue._ROOT)],
            stdin=its,
            env={"LC_ALL": "C.UTF-8"},
            start_new_session=True,
        )
    return ours


class ForkedProcess:
    """What `queue.Engine` asks of its process; nobody but the preloaded process can wait for it."""

    def __init__(self, folder: Path) -> None:
        source, given = os.pipe()
        said, target = os.pipe()
        with _LOCK:
            socket.send_fds(_preloaded(), [str(folder).encode()], [source, target])
            self.pid = int(_preloaded().recv(64))
        self._end = os.pidfd_open(self.pid)
        os.close(source)
        os.close(target)
        self.stdin, self.stdout = os.fdopen(given, "wb"), os.fdopen(said, "rb")

    def poll(self) -> int | None:
        return 0 if select.select([self._end], [], [], 0)[0] else None

    def wait(self) -> int:
        select.select([self._end], [], [])
        return 0

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._end, signal.SIGKILL)

    def __del__(self) -> None:
        os.close(self._end)


class ForkedEngine(queue.Engine):
    """An engine that has nothing left to import when it starts."""

    def __init__(self, folder: Path) -> None:
        self._process = ForkedProcess(folder)
