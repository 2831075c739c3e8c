"""Ctrl-C, a supervisor's SIGTERM, or a terminal that was closed, as one exception that lets a run tidy up."""

from __future__ import annotations

import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_AGAIN_S = 0.2


class Interrupted(KeyboardInterrupt):
    """The run was asked to end, by Ctrl-C, by whoever supervises it, or because its terminal is gone."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.signal_number = signal_number


@contextmanager
def signals_as_exceptions() -> Iterator[None]:
    """Turn the first such signal into `Interrupted`, and let nothing cut the tidying up short.

    One that is ignored already, as under ``nohup``, stays so.
    """
    asking = (signal.SIGINT, signal.SIGTERM, *((signal.SIGHUP,) if hasattr(signal, "SIGHUP") else ()))
    numbers = [each for each in asking if signal.getsignal(each) != signal.SIG_IGN or each == signal.SIGINT]

    def interrupt(number: int, _frame: FrameType | None) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        for name in ("asyncio", "traitlets"):
            # Kernels that we end now are no news: what they would say of their death is not for a person.
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        raise Interrupted(number)

    before: dict[int, Callable[..., object] | int | None] = {}
    with _heard_in_waits(interrupt):
        try:
            for each in numbers:
                before[each] = signal.signal(each, interrupt)
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def _heard_in_waits(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Send a signal again until its handler has run, which then ignores all others.

    One that arrives just before the main thread begins to wait, for a lock say, is otherwise not heard until
    that wait ends, which can be hours.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "pthread_kill"):
        yield
        return
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    main, ended = threading.get_ident(), threading.Event()

    def remind() -> None:
        while number := reader.recv(1):
            while not ended.wait(_AGAIN_S) and signal.getsignal(number[0]) is handler:
                signal.pthread_kill(main, number[0])

    reminder = threading.Thread(target=remind, name="signals", daemon=True)
    former = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    reminder.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(former)
        ended.set()
        writer.close()
        reminder.join()
        reader.close()
