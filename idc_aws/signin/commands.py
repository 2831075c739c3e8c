"""How a command of the AWS CLI is started: as a program or, where the CLI is a script of Python, as a fork.

A short command takes half a second, nearly all of it the CLI's own imports. `CommandForks` starts a process
of the CLI's own Python that imports once. Each command is a fork of it, in which the CLI's script runs as it
always does. Anything else starts as a program: a CLI that is no script of Python, as AWS's installer brings
it; one that was changed; a command whose environment is not that of the process. So no command gets what
another environment, such as another ``HOME``, has left in what was imported.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Protocol

from idc_aws.project import FORKS_VARIABLE

_READY_S = 1.0  # for a process that still imports; then the command starts as a program
_MOST_BYTES = 1 << 18
_SCRIPT = b"import awscli.clidriver"


class Command(Protocol):
    """A command while it runs, as `subprocess.Popen` has it."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit status; raises `subprocess.TimeoutExpired`."""

    def kill(self) -> None:
        """End it without a word."""


class CommandForks:
    """A process that imports an AWS CLI and forks for its commands; it ends with this one at the latest.

    Parameters
    ----------
    program
        The CLI. For one that is no script of Python, and on other systems than Linux, nothing is started.
    environment
        The commands' environment; what they may have otherwise is in `idc_aws.signin.command_server`.
    """

    def __init__(self, program: str, environment: Mapping[str, str]) -> None:
        self.variables: dict[str, str] = {}
        """What lets `start_command` find it, here or in another process of this user."""
        self._process: subprocess.Popen[bytes] | None = None
        interpreter = _interpreter(program)
        if not interpreter:
            return
        address = f"idc-{secrets.token_hex(16)}"
        self._life, theirs = socket.socketpair()
        with theirs, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(f"\0{address}")  # a name that is no file: nothing is left behind
            listener.listen()
            given = (listener.fileno(), theirs.fileno())
            self._process = subprocess.Popen(
                [*interpreter, str(Path(__file__).with_name("command_server.py")), program, *map(str, given)],
                env=environment,
                pass_fds=given,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        self.variables = {FORKS_VARIABLE: json.dumps([program, address])}

    def close(self) -> None:
        """End the process, and each command that still runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._life.close()


def _interpreter(program: str) -> list[str]:
    """Return what runs a script of Python that is an AWS CLI; empty: it is something else."""
    if sys.platform != "linux":
        return []
    with contextlib.suppress(OSError), Path(program).open("rb") as file:
        first, rest = file.readline(_MOST_BYTES), file.read(_MOST_BYTES)
        words = first[2:].decode(errors="replace").split()
        if first[:2] == b"#!" and any(Path(word).name.startswith("python") for word in words):
            return words if _SCRIPT in rest else []
    return []


def start_command(
    words: Sequence[str], *, environment: Mapping[str, str], streams: Sequence[int], at_terminal: bool = False
) -> Command:
    """Start a program with descriptors for its input, output and errors, perhaps a terminal of its own."""
    if forked := _fork(words, environment, streams):
        return forked
    source, output, errors = streams
    return subprocess.Popen(
        words,
        env=environment,
        stdin=source,
        stdout=output,
        stderr=errors,
        start_new_session=at_terminal,
        preexec_fn=_take_terminal if at_terminal else None,  # noqa: PLW1509 -- it takes no lock
    )


def run_command(
    words: Sequence[str], *, environment: Mapping[str, str], timeout_s: float
) -> subprocess.CompletedProcess[str]:
    """Run a program without input; return its exit status and what it said; raises `TimeoutExpired`."""
    with _kept() as output, _kept() as errors, Path(os.devnull).open() as nothing:
        streams = (nothing.fileno(), output.fileno(), errors.fileno())
        command = start_command(words, environment=environment, streams=streams)
        try:
            status = command.wait(timeout_s)
        finally:
            command.kill()
            command.wait()
        for file in (output, errors):
            file.seek(0)
        return subprocess.CompletedProcess(words, status, output.read(), errors.read())


def _kept() -> IO[str]:
    """Return a nameless file for what a program says, in memory if possible: keys may be in it."""
    if hasattr(os, "memfd_create"):
        return open(os.memfd_create("said"), "w+")  # noqa: PTH123
    return TemporaryFile("w+")


def start_at_terminal(
    words: Sequence[str], *, environment: Mapping[str, str], size: tuple[int, int]
) -> tuple[Command, int]:
    """Start a program at a terminal of rows and columns, and return both; the terminal is to be closed."""
    import termios  # noqa: PLC0415  not on Windows

    screen, own = os.openpty()
    try:
        termios.tcsetwinsize(own, size)
        command = start_command(words, environment=environment, streams=[own] * 3, at_terminal=True)
    except BaseException:
        os.close(screen)
        raise
    finally:
        os.close(own)
    return command, screen


def _take_terminal() -> None:
    import fcntl  # noqa: PLC0415
    import termios  # noqa: PLC0415

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def has_echo(screen: int) -> bool:
    """Return whether a terminal shows what is typed: a program that reads key by key turns that off."""
    import termios  # noqa: PLC0415

    return bool(termios.tcgetattr(screen)[3] & termios.ECHO)


class _ForkedCommand:
    """A command that runs in a fork, of whose end the process that forked it tells."""

    def __init__(self, words: Sequence[str], connection: socket.socket) -> None:
        self._words = words
        self._connection = connection
        self._status: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        if self._status is None:
            self._connection.settimeout(timeout)
            try:
                said = self._connection.recv(_MOST_BYTES)
            except (TimeoutError, BlockingIOError):  # the latter where nothing is waited for
                raise subprocess.TimeoutExpired([*self._words], timeout or 0) from None
            except OSError:
                said = b""
            self._status = int(said or -signal.SIGKILL)  # without a word: it ended with the process
            self._connection.close()
        return self._status

    def kill(self) -> None:
        if self._status is None:
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_WR)


def _fork(
    words: Sequence[str], environment: Mapping[str, str], streams: Sequence[int]
) -> _ForkedCommand | None:
    """Return a command that runs in a fork, or None: it has not begun."""
    program, address = json.loads(os.environ.get(FORKS_VARIABLE, '["", ""]'))
    if words[0] != program:
        return None
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with contextlib.suppress(OSError):  # it has ended, does not answer, or that is too much for one message
        connection.settimeout(_READY_S)
        connection.connect(f"\0{address}")
        if _is_ours(connection) and connection.recv(_MOST_BYTES) == b"ready":
            connection.settimeout(None)
            order = [list(words[1:]), dict(environment), str(Path.cwd())]
            socket.send_fds(connection, [json.dumps(order).encode()], list(streams))
            if connection.recv(_MOST_BYTES) == b"begun":
                return _ForkedCommand(words, connection)
    connection.close()
    return None


def _is_ours(connection: socket.socket) -> bool:
    # A name without a file has no permissions: once it is free, any user of the machine may take it.
    peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return bool(struct.unpack("3i", peer)[1] == os.geteuid())
