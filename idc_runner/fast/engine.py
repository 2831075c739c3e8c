"""The choice of an engine; the fast one, and the processes of notebooks that its preloaded one forks."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from types import SimpleNamespace
from typing import TYPE_CHECKING

from idc_aws.errors import InvalidValueError
from idc_aws.identifiers import did_you_mean
from idc_runner.engine import Engine, NotebookFailure, NotebookOrder, TimeLeft, cut_note
from idc_runner.fast.messages import Lines, Object, send_order
from idc_runner.outputs import KeptOutput, mark_unfinished

if TYPE_CHECKING:
    from idc_aws.sandbox import ModuleProcess

_END_S = 3.0  # for a process that is asked to end, before it is made to
_FILES = ("stdout", "stderr", "journal")
ENGINE_NAMES = ("fast", "kernel")


class NotebookProcess:
    """Holds what outlives the process of a notebook: what it printed last, and its journal."""

    def __init__(self, order: NotebookOrder) -> None:
        self._output, self._limits = order.output, order.limits
        self._given: Object = {
            "name": order.notebook.name,
            "path": str(order.notebook.path),
            "output": str(order.output.absolute()),
            "parameters": dict(order.parameters),
            "environment": {**os.environ, **order.environment},
            "limits": asdict(order.limits),
        }
        self._files = [os.memfd_create(f"idc-{name}") for name in _FILES]
        ours, self._theirs = socket.socketpair()
        self._answers = Lines(ours)
        self._left: TimeLeft | None = None
        self._deadline: float | None = None
        self._pid = 0
        self._cell: int | None = None
        self._answer: Object | None = None

    def __enter__(self) -> NotebookProcess:
        return self

    def __exit__(self, *_raised: object) -> None:
        self.end()

    def end(self) -> None:
        """Close what it holds; a process that still waits ends."""
        self._answers.close()
        self._theirs.close()
        for file in self._files:
            os.close(file)

    @property
    def descriptors(self) -> list[int]:
        """What the fork gets."""
        return [self._theirs.fileno(), *self._files]

    def sent(self) -> None:
        """Leave the other end to the fork, which has it now."""
        self._theirs.close()

    def give(self) -> None:
        """Tell the process which notebook to read, and how to execute it."""
        self._send(self._given)

    def go(self) -> None:
        """Let it execute the notebook."""
        self._send({"go": True})

    def _send(self, order: Object) -> None:
        with contextlib.suppress(OSError):  # when the preloaded process is gone, `follow` says so
            self._answers.send(order)

    def can_replace(self, other: NotebookProcess) -> bool:
        """Return whether this one has the very order of another, and still waits."""
        return self._given == other._given and self._answers.is_open()

    def follow(self, control: socket.socket) -> NotebookFailure | None:
        """Wait until the notebook's process has ended, and return why it failed, or None."""
        try:
            status = self._wait_for_end()
        except TimeoutError:
            assert self._left is not None
            failure = self._left.failure()
            self._stop(control)
            return self._marked(failure)
        except BaseException:
            self._stop(control)
            raise
        if self._answer is not None:
            if "not_forked" in self._answer:
                return NotebookFailure(
                    "EngineError",
                    f"no process could be made for the notebook: {self._answer['not_forked']}. It did not "
                    "begin.\nRun fewer at a time, or close other programs, and run again.",
                )
            failure = self._answer["failure"]
            return NotebookFailure(**failure) if failure else None
        cell = self._left.cell_number if self._left is not None else None
        return self._marked(_lost() if status is None else _died(status, cell))

    def _wait_for_end(self) -> int | None:
        """Return the exit status, None when the preloaded process is gone; raises TimeoutError when late."""
        while True:
            left_s = None if self._deadline is None else max(0.001, self._deadline - time.monotonic())
            answer = self._answers.receive(left_s)
            if answer is None:
                # The notebook's process died with the preloaded one; what it had started may not have.
                if self._pid:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.killpg(self._pid, signal.SIGKILL)
                return None
            self._note(answer)
            if "ended" in answer or "not_forked" in answer:
                return int(answer.get("ended", 1))

    def _note(self, answer: Object) -> None:
        if "pid" in answer:
            self._pid = answer["pid"]
            self._left = TimeLeft(self._limits)
            self._deadline = self._deadline_in(self._limits.notebook_s)
        elif answer.get("cell") == "started":
            self._cell = answer["index"]
            assert self._left is not None
            self._deadline = self._deadline_in(self._left.for_cell(SimpleNamespace(source=answer["source"])))
        elif answer.get("cell") == "ended":
            assert self._left is not None
            self._deadline = self._deadline_in(self._left.rest_of_notebook())
        elif "failure" in answer or "not_forked" in answer:
            # Only its end is left to wait for: what hangs there is not the notebook's failure.
            self._answer, self._deadline = answer, None

    @staticmethod
    def _deadline_in(seconds: float | None) -> float | None:
        return None if seconds is None else time.monotonic() + seconds

    def _stop(self, control: socket.socket) -> None:
        """Ask the process to end, which saves its notebook, and make it end when it does not."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(OSError):
                if self._pid:
                    send_order(control, {"do": "end", "pid": self._pid, "signal": int(number)})
            if self._has_ended_within(_END_S):
                return

    def _has_ended_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                answer = self._answers.receive(left)
            except TimeoutError:
                return False
            if answer is None or "ended" in answer:
                return True
            self._pid = answer.get("pid", self._pid)
        return False

    def _marked(self, failure: NotebookFailure) -> NotebookFailure:
        *printed, journal = (os.fstat(file).st_size for file in self._files)
        sizes = [*(min(size, self._limits.most_printed) for size in printed), journal]
        texts = [
            os.pread(file, size, 0).decode("utf-8", "replace")
            for file, size in zip(self._files, sizes, strict=True)
        ]
        for number, (name, size) in enumerate(zip(_FILES, printed, strict=False)):
            if size > sizes[number]:
                texts[number] += cut_note(name, size - sizes[number], sizes[number])
        mark_unfinished(self._output, failure, self._cell, KeptOutput(*texts))
        return failure


def _lost() -> NotebookFailure:
    return NotebookFailure(
        "EngineLostError",
        "the preloaded process that runs the notebooks is gone, and this notebook's process with it.\n"
        "Completed work is kept, with its receipts. Run again: completed steps will then show `unchanged`.",
    )


def _died(status: int, cell: int | None) -> NotebookFailure:
    """Return the failure of a process with this exit status, as `subprocess` has it."""
    if status >= 0:
        end = f"with exit status {status}"
    elif -status in set(signal.Signals):
        end = f"by the signal {signal.Signals(-status).name}"
    else:
        end = f"by signal {-status}"
    why = "; a machine that is short of memory does that" if status == -signal.SIGKILL else ""
    return NotebookFailure("DeadKernelError", f"the kernel ended by itself, {end}{why}. Run again.", cell)


_PROCESS_END_S = 5.0
_MOST_BEGUN = 2  # the notebook that is executed next, and the one after it


def fork_is_safe() -> bool:
    """Return whether this platform can safely fork a process that has imported much, and watch its forks."""
    return sys.platform == "linux" and hasattr(os, "pidfd_open") and hasattr(os, "memfd_create")


class FastEngine:
    """Executes notebooks in forks of one process, which preloads while its user prepares; see `Engine`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 -- closed by `close`; it has no name to leave behind
        self._ordered = False
        self._begun: list[tuple[NotebookProcess, socket.socket]] = []
        self._start()

    def execute(self, order: NotebookOrder) -> NotebookFailure | None:
        """Execute a notebook in a process of its own; see `Engine.execute`."""
        with contextlib.ExitStack() as stack:
            process = stack.enter_context(NotebookProcess(order))
            begun = self._take_begun(process)
            if begun is not None:
                process, control = stack.enter_context(begun[0]), begun[1]
            else:
                control = self._send(process)
                process.give()
            process.go()
            failure = process.follow(control)
        if failure is not None and failure.error_name == "EngineLostError":
            return NotebookFailure(failure.error_name, failure.message + self._last_words())
        return failure

    def begin(self, order: NotebookOrder) -> None:
        """Let a process of its own read the next notebook, and wait; see `Engine.begin`."""
        process = NotebookProcess(order)
        with contextlib.suppress(OSError):  # `execute` tries again, and says why
            control = self._send(process)
            process.give()
            with self._lock:
                self._begun.append((process, control))
                while len(self._begun) > _MOST_BEGUN:
                    self._begun.pop(0)[0].end()
            return
        process.end()

    def _take_begun(self, wanted: NotebookProcess) -> tuple[NotebookProcess, socket.socket] | None:
        """Return what was begun of this very notebook, no longer the engine's own, or None."""
        with self._lock:
            for number, (process, _control) in enumerate(self._begun):
                if process.can_replace(wanted):
                    return self._begun.pop(number)
        return None

    def _send(self, process: NotebookProcess) -> socket.socket:
        """Ask the preloaded process for a fork, a new one if need be."""
        with self._lock:
            self._ordered = True
            try:
                control = self._running()
                send_order(control, {"do": "notebook"}, process.descriptors)
            except OSError:  # it ended between the look and the order
                self._stop()
                control = self._running()
                send_order(control, {"do": "notebook"}, process.descriptors)
            process.sent()
            return control

    def start_module(
        self, module: str, arguments: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> ModuleProcess:
        """Start a module as a fork once notebooks run, which need the preloaded process too."""
        from idc_aws.sandbox import new_python  # noqa: PLC0415
        from idc_runner.fast.modules import ForkedModule  # noqa: PLC0415

        # The process may be gone, and no notebook has asked for another.
        with contextlib.suppress(OSError), self._lock:
            if self._ordered and self._control is not None:
                return ForkedModule(self._control, module, arguments, environment)
        return new_python(module, arguments, environment)

    def _running(self) -> socket.socket:
        if self._process is None or self._process.poll() is not None:
            self._stop()
            self._start()
        assert self._control is not None
        return self._control

    def _start(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        module = "idc_runner.fast.server"
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
            self._process.wait(_PROCESS_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """End the preloaded process and every fork of it."""
        with self._lock:
            while self._begun:
                self._begun.pop()[0].end()
            self._stop()
            self._process = None
            self._log.close()

    def _last_words(self) -> str:
        with self._lock:
            size = os.fstat(self._log.fileno()).st_size
            text = os.pread(self._log.fileno(), 4096, max(0, size - 4096)).decode("utf-8", "replace").strip()
        return f"\nIts last words: {text.splitlines()[-1]}" if text else ""


@contextmanager
def open_engine(name: str | None = None) -> Iterator[Engine]:
    """Open an engine for the length of a block; what it started is ended with the block.

    Parameters
    ----------
    name
        One of `ENGINE_NAMES`. ``"fast"``: a preloaded process forks for each notebook. ``"kernel"``: a kernel
        for each. None: the fast one where the platform has it.

    Raises
    ------
    InvalidValueError
        When no engine has that name, or not on this platform.
    """
    if name is not None and name not in ENGINE_NAMES:
        raise InvalidValueError(
            f"no engine is called {name!r}. {did_you_mean(name, ENGINE_NAMES)}".rstrip(),
            remedy=f"One of: {', '.join(ENGINE_NAMES)}.",
        )
    if name == "fast" and not fork_is_safe():
        raise InvalidValueError(
            f"the engine 'fast' needs Linux, and this is {sys.platform!r}",
            remedy="Leave --engine out: real kernels are used then.",
        )
    if name == "kernel" or not fork_is_safe():
        from idc_runner.kernel_engine import KernelEngine  # noqa: PLC0415 -- papermill takes a while

        kernels = KernelEngine()
        try:
            yield kernels
        finally:
            kernels.close()
        return
    engine = FastEngine()
    from idc_aws.sandbox import start_modules_by  # noqa: PLC0415 -- while the engine's process preloads

    starter = start_modules_by(engine.start_module)
    try:
        yield engine
    finally:
        start_modules_by(starter)
        engine.close()
