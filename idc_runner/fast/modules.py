"""Orders of command lines at the preloaded process: forks in place of new Pythons."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import IO, Any

from idc_aws import sandbox
from idc_runner.fast.messages import Lines, send_order


class ForkedModule:
    """A module that runs in a fork; see `idc_aws.sandbox.ModuleProcess`."""

    def __init__(
        self,
        control: socket.socket,
        module: str,
        arguments: Sequence[str],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._control = control
        ours, theirs = socket.socketpair()
        read_input, write_input = os.pipe()
        read_output, write_output = os.pipe()
        read_errors, write_errors = os.pipe()
        given = (read_input, write_output, write_errors)
        self._answers = Lines(ours)
        self.stdin: IO[str] | None = open(write_input, "w", encoding="utf-8")  # noqa: SIM115, PTH123
        self.stdout: IO[str] | None = open(read_output, encoding="utf-8")  # noqa: SIM115, PTH123
        self.stderr: IO[str] | None = open(read_errors, encoding="utf-8")  # noqa: SIM115, PTH123
        self.args = [module, *arguments]
        self.returncode: int | None = None
        self._pid = 0
        variables = dict(os.environ if environment is None else environment)
        order = {"module": module, "arguments": list(arguments), "environment": variables}
        try:
            with theirs:
                send_order(control, {"do": "module"}, [theirs.fileno(), *given])
            self._answers.send({**order, "folder": os.getcwd()})  # noqa: PTH109
        except OSError:
            for end in (self.stdin, self.stdout, self.stderr, self._answers):
                end.close()
            raise
        finally:
            for descriptor in given:
                os.close(descriptor)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit status."""
        while self.returncode is None:
            try:
                answer = self._answers.receive(timeout)
            except TimeoutError as error:
                raise subprocess.TimeoutExpired(self.args, timeout or 0) from error
            if answer is None:
                self.returncode = -signal.SIGKILL  # the preloaded process is gone, and its forks with it
            elif "pid" in answer:
                self._pid = answer["pid"]
            elif "not_forked" in answer:
                self.returncode = 1
            elif "ended" in answer:
                self.returncode = answer["ended"]
        self._answers.close()
        return self.returncode

    def communicate(self, *, timeout: float | None = None) -> tuple[str, str]:
        """Return all of its output and errors when it has ended."""
        assert self.stdin is not None
        self.stdin.close()
        deadline = None if timeout is None else time.monotonic() + timeout
        texts = self._read_all(deadline)
        self.wait(None if deadline is None else max(0.001, deadline - time.monotonic()))
        return texts

    def _read_all(self, deadline: float | None) -> tuple[str, str]:
        parts: dict[Any, list[bytes]] = {self.stdout: [], self.stderr: []}
        with selectors.DefaultSelector() as selector:
            for stream in parts:
                selector.register(stream, selectors.EVENT_READ)
            while selector.get_map():
                ready = selector.select(None if deadline is None else max(0.0, deadline - time.monotonic()))
                if not ready:
                    raise subprocess.TimeoutExpired(self.args, 0)
                for key, _events in ready:
                    data = os.read(key.fd, 65_536)
                    parts[key.fileobj].append(data)
                    if not data:
                        selector.unregister(key.fileobj)
        output, errors = (b"".join(data).decode("utf-8", "replace") for data in parts.values())
        return output, errors

    def kill(self) -> None:
        """End it without a word."""
        if self.returncode is None:
            answer = None if self._pid else self._answers.receive()
            self._pid = answer["pid"] if answer and "pid" in answer else self._pid
            send_order(self._control, {"do": "end", "pid": self._pid, "signal": int(signal.SIGKILL)})


def fork_modules_over(control: socket.socket) -> None:
    """Let this process start modules as forks of the preloaded process, from now on."""
    sandbox.start_modules_by(partial(ForkedModule, control))
