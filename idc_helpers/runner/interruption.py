"""Ctrl-C, a supervisor's SIGTERM, or a terminal that was closed, as one exception that lets a run tidy up."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


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
    try:
        for each in numbers:
            before[each] = signal.signal(each, interrupt)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
