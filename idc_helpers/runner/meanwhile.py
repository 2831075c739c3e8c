"""Work that goes on beside the next notebooks: one piece at a time, in a thread."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType


class Meanwhile:
    """Does what it is given in a thread; leaving the block waits for what is under way.

    A notebook is executed in another process, so what its own process has to write about the one before need
    not keep it waiting.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="meanwhile")
        self._pending: Future[object] | None = None

    def __enter__(self) -> Meanwhile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(wait=True)

    def offer(self, work: Callable[[], object]) -> None:
        """Begin a piece of work, unless the one before still goes on; raises what that one raised."""
        pending = self._pending
        if pending is not None:
            if not pending.done():
                return
            self._pending = None
            pending.result()
        self._pending = self._thread.submit(work)
