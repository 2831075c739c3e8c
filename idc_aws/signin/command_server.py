"""A process that imports an AWS CLI once and forks for each command; `idc_aws.signin.commands` starts it.

``PYTHON command_server.py PROGRAM LISTENER LIFE`` runs in the CLI's own Python, 3.9 or newer, which has
nothing of this kit. It ends, and each command with it, when the other end of the socket LIFE is closed.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import fcntl
import gc
import importlib
import json
import os
import random
import runpy
import select
import signal
import socket
import struct
import sys
import termios
import threading
from typing import Any

_MODULES = ("awscli.clidriver", "awscli.handlers")  # each command imports both
_MOST_BYTES = 1 << 18
_STREAMS = 3
_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
# A command may have these otherwise than this process: no import reads them. With any other difference, such
# as another HOME, what was imported may not fit the command.
_MAY_DIFFER = {"BROWSER", "PAGER", "GIT_PAGER", "CLICOLOR", "CLICOLOR_FORCE", "FORCE_COLOR", "MPLBACKEND"}
_OWN = ("IDC_", "JPY_", "PYDEVD_", "PYTEST_")


def serve(program: str, listener: socket.socket, life: socket.socket) -> list[str]:
    """Fork for each connection until nobody is left; in the fork of a command, return its arguments."""
    given, file = _given_environment(), _identity(program)
    # Some systems have none, which is better known before a command begins.
    os.close(os.pidfd_open(os.getpid()))
    # Python 3.9 and 3.10 know -I, which leaves the script's folder out too, and no flag of that name.
    if not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
        sys.path[0] = os.path.dirname(os.path.realpath(program))  # noqa: PTH120
    sys.argv[:] = [program]
    for name in _MODULES:
        importlib.import_module(name)
    if len(os.listdir("/proc/self/task")) != 1:  # noqa: PTH208
        sys.exit("the AWS CLI starts threads at its import: a fork could wait for what one of them holds")
    gc.freeze()
    while True:
        ready, _, _ = select.select([listener, life], [], [])
        if life in ready:
            os._exit(0)
        connection, _address = listener.accept()
        if _fork() == 0:
            listener.close()
            life.close()
            return _keep(connection, given, file, program)
        connection.close()
        with contextlib.suppress(ChildProcessError):  # that fork may have ended already, as the last one
            while any(os.waitpid(-1, os.WNOHANG)):
                pass


def _keep(connection: socket.socket, given: dict[str, str], file: tuple[int, ...], program: str) -> list[str]:
    """Take one command, fork for it, and say how it ended; in that fork, return its arguments."""
    # The socket's name has no permissions: any user of the machine may know it.
    peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    if struct.unpack("3i", peer)[1] != os.geteuid():
        os._exit(1)
    connection.send(b"ready")
    data, streams, _flags, _address = socket.recv_fds(connection, _MOST_BYTES, _STREAMS)
    if not data:
        os._exit(0)  # the one who asked has waited long enough
    arguments, environment, folder = json.loads(data)
    if _identity(program) != file or not fits(given, environment):
        os._exit(0)
    pid = _fork()
    if pid == 0:
        connection.close()
        _become(given, environment, folder, streams)
        return list(arguments)
    for stream in streams:
        os.close(stream)
    connection.send(b"begun")
    watch = os.pidfd_open(pid)
    ready, _, _ = select.select([connection.fileno(), watch], [], [])
    if watch not in ready:  # the one who asked has ended, or wants the end
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    connection.send(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _fork() -> int:
    """Fork; the fork ends with its parent."""
    parent, pid = os.getpid(), os.fork()
    if pid == 0:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
    return pid


def _become(given: dict[str, str], environment: dict[str, str], folder: str, streams: list[int]) -> None:
    """Take over a command's environment, folder and streams; a terminal is its own."""
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    if os.isatty(0):
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    # What Python and the imports have set stays, as it would in a new process.
    for name in given.keys() - environment.keys():
        os.environ.pop(name, None)
    os.environ.update(set(environment.items()) - set(given.items()))
    os.chdir(folder)
    random.seed()
    # The streams stay what was imported has seen; this one behaves otherwise at a terminal.
    out: Any = sys.stdout
    out.reconfigure(line_buffering=out.isatty() and not out.write_through)


def _given_environment() -> dict[str, str]:
    with open("/proc/self/environ", "rb") as file:  # noqa: PTH123
        return dict(entry.split("=", 1) for entry in os.fsdecode(file.read()).split("\0") if "=" in entry)


def fits(given: dict[str, str], environment: dict[str, str]) -> bool:
    """Tell whether what was imported with one environment serves a command with another."""
    names = {name for name, _value in given.items() ^ environment.items()}
    return all(name in _MAY_DIFFER or name.startswith(_OWN) for name in names)


def _identity(program: str) -> tuple[int, ...]:
    status = os.stat(program)  # noqa: PTH116
    return status.st_dev, status.st_ino, status.st_mtime_ns


def run(program: str, arguments: list[str]) -> None:
    """Run the CLI's script with its arguments, and end as it does."""
    sys.argv[:] = [program, *arguments]
    try:
        runpy.run_path(program, run_name="__main__")
        code: Any = 0
    except SystemExit as end:
        code = end.code
        if code is not None and not isinstance(code, int):
            raise
    # As Python ends, except that it does not look through all that was imported.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit((code or 0) & 0xFF)


if __name__ == "__main__":
    _program, *_numbers = sys.argv[1:]
    _listener, _life = (socket.socket(fileno=int(number)) for number in _numbers)
    run(_program, serve(_program, _listener, _life))
