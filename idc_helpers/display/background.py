"""Work behind a button: in a thread, so that the kernel keeps taking in what a person types.

A cell that waits while a form is on screen loses every change after the first on current kernels, so nothing
here waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Background(Generic[T]):
    """Runs work in a thread and hands its result back on the kernel's loop.

    Made where the kernel's loop runs (in a cell). Without a running loop, as in a plain script, work is done
    at once.
    """

    def __init__(self) -> None:
        try:
            self._loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None
        # The loop keeps only weak references: a task that nobody holds can vanish in the middle of its work.
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Callable[[], T], then: Callable[[T | Exception], None]) -> None:
        """Do the work, then call `then` with its result or with what it raised, on the loop.

        Parameters
        ----------
        work
            Called in a thread; it must not touch a widget, except through `soon`.
        then
            Called on the loop.
        """
        if self._loop is None:
            then(_result(work))
        else:
            self._loop.call_soon_threadsafe(self._schedule, work, then)

    def soon(self, call: Callable[[], None]) -> None:
        """Make a call on the loop; safe from any thread."""
        if self._loop is None:
            call()
        else:
            self._loop.call_soon_threadsafe(call)

    def _schedule(self, work: Callable[[], T], then: Callable[[T | Exception], None]) -> None:
        task = asyncio.ensure_future(self._run(work, then))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, work: Callable[[], T], then: Callable[[T | Exception], None]) -> None:
        then(await asyncio.to_thread(_result, work))


def _result(work: Callable[[], T]) -> T | Exception:
    try:
        return work()
    except Exception as error:
        return error
