"""The forks of the preloaded process: made for an order, watched, and ended with all that they started."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import selectors
import signal
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from idc_helpers.runner.fast.messages import Lines, Object, receive_order

_END_S = 3.0  # for forks that are asked to end, before they are made to
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)

Work = Callable[[Lines, Sequence[int], socket.socket], int]


@dataclass
class Fork:
    """One fork while it lives.

    Attributes
    ----------
    pid
        Of the process, which leads a process group and a session of its own.
    answers
        To whoever ordered it.
    customer
        The control socket that the order came from.
    control
        The one for orders of the fork itself.
    watch
        Becomes readable when the process ends.
    """

    pid: int
    answers: Lines
    customer: socket.socket
    control: socket.socket
    watch: int


class Forks:
    """Forks this process for each order until whoever started it is gone.

    Parameters
    ----------
    control
        Where orders come from, of whoever started this process.
    work
        What a fork does for each kind of order; its result is the fork's exit status.
    """

    def __init__(self, control: socket.socket, work: dict[str, Work]) -> None:
        self._control = control
        self._work = work
        self._forks: dict[int, Fork] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)

    def serve(self) -> None:
        """Serve orders until the control socket closes; end every fork then."""
        while True:
            for key, _events in self._selector.select():
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
        except OSError as error:  # too many processes, too little memory: whoever ordered it is told
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
    import traceback  # noqa: PLC0415

    try:
        return work()
    except BaseException:
        traceback.print_exc()
        return 1
