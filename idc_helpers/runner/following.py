"""Follow a run's events while they are written."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from idc_helpers.json_lines import json_objects

Event = dict[str, Any]
_PERIOD_S = 0.1


class EventFollower:
    """Hands each new event of a file to a function, from a thread, until the block ends.

    Parameters
    ----------
    path
        ``events.jsonl``; need not exist yet.
    on_event
        Called once for each whole line, in order.
    """

    def __init__(self, path: Path, on_event: Callable[[Event], None]) -> None:
        self._path = path
        self._on_event = on_event
        self._offset = path.stat().st_size if path.exists() else 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="event-follower", daemon=True)

    def __enter__(self) -> EventFollower:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _follow(self) -> None:
        while not self._ended.wait(_PERIOD_S):
            self._hand_over()
        self._hand_over()  # what was written between the last look and the end

    def _hand_over(self) -> None:
        for entry in json_objects(self._new_lines()):
            self._on_event(entry)

    def _new_lines(self) -> bytes:
        if not self._path.exists():
            return b""
        with self._path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]  # a line still being written is left for the next look
        self._offset += len(whole)
        return whole
