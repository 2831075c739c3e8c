"""The fast engine: it keeps the preloaded process, orders notebooks from it and watches over them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from idc_helpers.runner.engines import NO_LIMITS, NotebookFailure, TimeLimits
from idc_helpers.runner.fast.messages import send_order
from idc_helpers.runner.fast.notebook_order import NotebookOrder
from idc_helpers.runner.notebooks import LessonNotebook

_END_S = 5.0


def fork_is_safe() -> bool:
    """Return whether this platform can safely fork a process that has imported much, and watch its forks."""
    return sys.platform == "linux" and hasattr(os, "pidfd_open") and hasattr(os, "memfd_create")


class FastEngine:
    """Executes notebooks in forks of one preloaded process; see `Engine`.

    The process is started at once and preloads while its user prepares. One that was killed is started anew
    by the next notebook.
    """

    name = "fast"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 -- closed by `close`; it has no name to leave behind
        self._ordered = False
        self._start()

    def execute(
        self,
        notebook: LessonNotebook,
        output: Path,
        parameters: Mapping[str, Any],
        environment: Mapping[str, str],
        limits: TimeLimits = NO_LIMITS,
    ) -> NotebookFailure | None:
        """Execute a notebook in a process of its own; see `Engine.execute`."""
        with NotebookOrder(notebook, output, limits) as order:
            control = self._send(order)
            order.give(parameters, {**os.environ, **environment})
            failure = order.follow(control)
        if failure is not None and failure.error_name == "EngineLostError":
            return NotebookFailure(failure.error_name, failure.message + self._last_words())
        return failure

    def _send(self, order: NotebookOrder) -> socket.socket:
        """Send an order to the preloaded process, to a new one if need be."""
        with self._lock:
            self._ordered = True
            try:
                control = self._running()
                send_order(control, {"do": "notebook"}, order.descriptors)
            except OSError:  # it ended between the look and the order
                self._stop()
                control = self._running()
                send_order(control, {"do": "notebook"}, order.descriptors)
            order.sent()
            return control

    def _running(self) -> socket.socket:
        if self._process is None or self._process.poll() is not None:
            self._stop()
            self._start()
        assert self._control is not None
        return self._control

    def _start(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        module = "idc_helpers.runner.fast.preloaded_process"
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                start_new_session=True,  # Ctrl-C is for the run, which ends what it must
            )

    def _stop(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._process is None:
            return
        if not self._ordered:
            self._process.kill()  # it may still be importing, for nobody
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """End the preloaded process and every fork of it."""
        with self._lock:
            self._stop()
            self._process = None
            self._log.close()

    def _last_words(self) -> str:
        with self._lock:
            size = os.fstat(self._log.fileno()).st_size
            text = os.pread(self._log.fileno(), 4096, max(0, size - 4096)).decode("utf-8", "replace").strip()
        return f"\nIts last words: {text.splitlines()[-1]}" if text else ""


@contextmanager
def fast_engine() -> Iterator[FastEngine]:
    """Open the fast engine for the length of a block."""
    engine = FastEngine()
    try:
        yield engine
    finally:
        engine.close()


def signal_in_words(status: int) -> str:
    """Return how a process ended, from its exit status as `subprocess` has it."""
    if status >= 0:
        return f"with exit status {status}"
    try:
        return f"by the signal {signal.Signals(-status).name}"
    except ValueError:
        return f"by signal {-status}"
