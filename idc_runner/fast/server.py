"""The preloaded process, ``python -m idc_runner.fast.server DESCRIPTOR``: its imports, and its forks."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import importlib
import logging
import os
import random
import runpy
import select
import selectors
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from idc_runner import NEEDLESS_MODULES, kept_for_good, without_modules
from idc_runner.fast.messages import Lines, Object, receive_order

_END_S = 3.0  # for forks that are asked to end, before they are made to
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)

Work = Callable[[Lines, Sequence[int], socket.socket], int]


@dataclass
class Fork:
    """One fork while it lives."""

    pid: int
    answers: Lines
    customer: socket.socket
    control: socket.socket
    watch: int


class Forks:
    """Forks this process for each order until the one who started it is gone."""

    def __init__(
        self, control: socket.socket, work: dict[str, Work], meanwhile: Sequence[Callable[[], object]] = ()
    ) -> None:
        self._control = control
        self._work = work
        self._meanwhile = list(meanwhile)
        self._has_forked = False
        self._forks: dict[int, Fork] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)

    def serve(self) -> None:
        """Serve orders until the control socket closes; end every fork then."""
        while True:
            # A piece each time that one was forked: it runs now, and its end is seen a little later at most.
            ready = self._selector.select(0 if self._meanwhile and self._has_forked else None)
            if not ready:
                self._has_forked = False
                self._meanwhile.pop(0)()
            for key, _events in ready:
                if isinstance(key.data, Fork):
                    self._ended(key.data)
                elif not self._serve_order(key.fileobj):  # type: ignore[arg-type]
                    return self._end_all()

    def _serve_order(self, control: socket.socket) -> bool:
        """Serve one order; False: nobody is left to order anything."""
        received = receive_order(control)
        if received is None:
            if control is self._control:
                return False
            self._selector.unregister(control)
            return True
        order, descriptors = received
        if order["do"] == "end":
            self._end(int(order["pid"]), int(order["signal"]))
        else:
            self._fork(order, descriptors, control)
        return True

    def _fork(self, order: Object, descriptors: list[int], customer: socket.socket) -> None:
        connection = socket.socket(fileno=descriptors[0])
        own, of_fork = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:  # too many processes, too little memory: the one who ordered it is told
            with contextlib.suppress(OSError):
                Lines(connection).send({"not_forked": str(error)})
            for each in (own, of_fork, connection):
                each.close()
            _close(descriptors[1:])
            return
        if pid == 0:
            own.close()
            self._become_fork(parent)
            # The fork says its id itself: a message of the parent could arrive after others of the fork.
            answers = Lines(connection)
            with contextlib.suppress(OSError):
                answers.send({"pid": os.getpid()})
            os._exit(_status_of(lambda: self._work[order["do"]](answers, descriptors[1:], of_fork)))
        self._has_forked = True
        of_fork.close()
        _close(descriptors[1:])
        fork = Fork(pid, Lines(connection), customer, own, os.pidfd_open(pid))
        self._forks[pid] = fork
        self._selector.register(own, selectors.EVENT_READ)
        self._selector.register(fork.watch, selectors.EVENT_READ, fork)

    def _become_fork(self, parent: int) -> None:
        """Give up everything that is the preloaded process's, and die with it."""
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        os.setsid()
        self._selector.close()
        self._control.close()
        for fork in self._forks.values():
            fork.answers.close()
            fork.control.close()
            os.close(fork.watch)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def _ended(self, fork: Fork) -> None:
        """Tell how a fork ended, after ending what it left behind."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(fork.pid, signal.SIGKILL)
        _, status = os.waitpid(fork.pid, 0)
        del self._forks[fork.pid]
        self._selector.unregister(fork.watch)
        os.close(fork.watch)
        if fork.control in self._selector.get_map():
            self._selector.unregister(fork.control)
        for other in list(self._forks.values()):
            if other.customer is fork.control:
                self._end(other.pid, signal.SIGKILL)
        fork.control.close()
        with contextlib.suppress(OSError):
            fork.answers.send_after_another({"ended": os.waitstatus_to_exitcode(status)})
        fork.answers.close()

    def _end(self, pid: int, number: int) -> None:
        # A pid of ours cannot be somebody else's: it stays taken until we wait for it.
        if pid not in self._forks:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
            if number == signal.SIGKILL:
                os.killpg(pid, number)  # which a fork that has only just begun does not lead yet

    def _end_all(self) -> None:
        """Ask every fork to end, which saves what there is, and end those that do not."""
        for pid in self._forks:
            self._end(pid, signal.SIGTERM)
        deadline = time.monotonic() + _END_S
        while self._forks:
            watches = [fork.watch for fork in self._forks.values()]
            ready, _, _ = select.select(watches, [], [], max(0.0, deadline - time.monotonic()))
            for fork in list(self._forks.values()):
                if fork.watch in ready:
                    self._ended(fork)
                elif not ready:
                    self._end(fork.pid, signal.SIGKILL)


def _close(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _status_of(work: Callable[[], int]) -> int:
    try:
        return work()
    except BaseException:
        traceback.print_exc()
        return 1


# Libraries for linear algebra start a thread for each core when they are imported, and a process with several
# threads cannot be forked safely.
_ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
MODULES = (
    "papermill",
    "idc_aws.clients",
    "idc_helpers.notebook.runbook",
    "idc_helpers.notebook.tables",
    "idc_helpers.notebook.inventory",
    "idc_aws.signin.profile_call",
    "idc_runner.fast.kernel",
    "idc_runner.fast.modules",
    "idc_runner.kernel_engine",
)
# What the first notebooks of the lesson do not use, and others do.
LATER_MODULES = (
    "numpy",
    "pandas",
    "pandas.io.formats.style",
    "idc_helpers.notebook.frames",
    "ipywidgets",
    "pexpect.fdpexpect",
)
# What the kit's own code starts as processes: their forks find it imported.
STARTED_MODULES = ("idc_sandbox.__main__", "idc_sandbox.persona")
_REHEARSAL = ("a = 1", "print(a)")


def preload() -> None:
    """Import what notebooks use, make the kernel, and let the garbage collector forget all of it."""
    for name in _ONE_THREAD:
        os.environ[name] = "1"
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    with kept_for_good():
        with without_modules(*NEEDLESS_MODULES):
            for name in (*MODULES, *STARTED_MODULES):
                importlib.import_module(name)
        gc.freeze()  # a kernel that forgets its variables looks through everything that is not frozen
        prepare()
    _require_one_thread()


def preload_later(name: str) -> None:
    """Import a module beside the first notebooks, which are forked without it."""
    with kept_for_good():
        importlib.import_module(name)
    _require_one_thread()


def _require_one_thread() -> None:
    """End this process if a library has started a thread: a fork could wait for a lock that nobody holds."""
    threads = len(list(Path("/proc/self/task").iterdir()))  # those of libraries included
    if threads != 1:
        sys.exit(f"a library started {threads - 1} threads when it was imported")


def prepare() -> None:
    """Do once what each notebook would do alike."""
    from papermill.engines import papermill_engines  # noqa: PLC0415

    from idc_aws.clients import share_service_models  # noqa: PLC0415
    from idc_runner.fast.kernel import make_kernel  # noqa: PLC0415
    from idc_runner.fast.papermill_engine import ENGINE_NAME, PapermillFastEngine  # noqa: PLC0415

    share_service_models()
    papermill_engines.register(ENGINE_NAME, PapermillFastEngine)
    make_kernel()
    _rehearse()


def _rehearse() -> None:
    """Execute a small notebook: what libraries prepare at their first use is prepared then."""
    import nbformat  # noqa: PLC0415
    import papermill  # noqa: PLC0415

    from idc_runner.fast.kernel import forget_notebook  # noqa: PLC0415
    from idc_runner.fast.papermill_engine import ENGINE_NAME  # noqa: PLC0415

    kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [nbformat.v4.new_code_cell(source) for source in _REHEARSAL]
    cells[0].metadata["tags"] = ["parameters"]
    document = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernelspec})
    document = nbformat.reads(nbformat.writes(document), as_version=4)
    papermill.execute_notebook(
        document, None, {"a": 2}, engine_name=ENGINE_NAME, kernel_name="python3", progress_bar=False
    )
    forget_notebook()


def begin_anew(environment: Mapping[str, str], folder: str, arguments: Sequence[str]) -> None:
    """Take over variables, folder and arguments, and leave nothing of the parent that must not be shared."""
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


def run_notebook(answers: Lines, descriptors: Sequence[int], control: socket.socket) -> int:
    """Execute the notebook that the order's socket names, and answer with its failure or None."""
    from idc_runner.engine import NotebookOrder, TimeLimits  # noqa: PLC0415 -- as below: once it has preloaded
    from idc_runner.fast.kernel import ForkedRun  # noqa: PLC0415
    from idc_runner.fast.modules import fork_modules_over  # noqa: PLC0415
    from idc_runner.fast.papermill_engine import ENGINE_NAME  # noqa: PLC0415
    from idc_runner.kernel_engine import execute_with_papermill  # noqa: PLC0415
    from idc_runner.notebooks import LessonNotebook  # noqa: PLC0415

    given = answers.receive()
    if given is None or not answers.is_open():
        return 1
    output, errors, journal = descriptors
    _lead_away(output, errors)
    order = NotebookOrder(
        LessonNotebook(given["name"], Path(given["path"])),
        Path(given["output"]),
        given["parameters"],
        given["environment"],
        TimeLimits(**given["limits"]),
    )
    begin_anew(order.environment, str(order.notebook.path.parent), ["ipykernel_launcher.py"])
    fork_modules_over(control)
    run = ForkedRun(answers, (output, errors), journal)
    failure = execute_with_papermill(order, engine_name=ENGINE_NAME, forked_run=run)
    answers.send({"failure": asdict(failure) if failure is not None else None})
    return end_now(0)


def _lead_away(output: int, errors: int) -> None:
    """Let what is printed between cells reach nobody's terminal."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, descriptor in enumerate((nothing, output, errors)):
        os.dup2(descriptor, number)
    os.close(nothing)


def run_module(answers: Lines, descriptors: Sequence[int], control: socket.socket) -> int:
    """Run the module that the order's socket names, as ``python -m`` would, and return its exit status."""
    order = answers.receive()
    control.close()
    answers.close()
    if order is None:
        return 1
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    begin_anew(order["environment"], order["folder"], [order["module"], *order["arguments"]])
    if not sys.flags.safe_path:
        sys.path.insert(0, order["folder"])
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    name = order["module"]
    is_package = hasattr(sys.modules.get(name), "__path__")
    # As in a new Python, what is run is not imported before.
    sys.modules.pop(f"{name}.__main__" if is_package else name, None)
    try:
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    except SystemExit as error:
        return end_now(_status(error.code))
    return end_now(0)


def _status(code: object) -> int:
    if code is None or isinstance(code, int):
        return (code or 0) & 0xFF
    print(code, file=sys.stderr)
    return 1


def main(arguments: list[str]) -> int:
    """Preload, then serve until the other side of the socket is closed; end with 1 when that cannot be."""
    control = socket.socket(fileno=int(arguments[0]))
    control.set_inheritable(False)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the one who started it decides when it ends
    preload()
    meanwhile = [partial(preload_later, name) for name in LATER_MODULES]
    Forks(control, {"notebook": run_notebook, "module": run_module}, meanwhile).serve()
    os._exit(0)  # nothing here is worth the time of an orderly end


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
