"""What a process that was forked for one notebook tells whoever asked for it, and what it saves when.

papermill saves twice for each cell, which takes longer than most cells. Here the file is saved at the start,
at the end, when the run is ended from outside, and at most once a second between. What is not in the file yet
is in a journal in memory, which whoever asked for the notebook still holds when this process is killed.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from idc_helpers.runner.fast.captured_streams import Capture

SAVE_PERIOD_S = 1.0
ENDED_STATUS = 128 + signal.SIGTERM


class ForkedRun:
    """The execution of one notebook in a process of its own.

    Parameters
    ----------
    tell
        Sends an object to whoever asked for the notebook.
    capture_files
        Descriptors of the files that descriptors 1 and 2 are led into.
    journal
        Descriptor of the file that gets the cells which are not saved yet.
    """

    def __init__(
        self, tell: Callable[[dict[str, Any]], None], capture_files: tuple[int, int], journal: int
    ) -> None:
        self.capture_files = capture_files
        self._tell = tell
        self._journal = journal
        self._saved_at = time.monotonic()
        self._ended_cells = 0
        self._nb_man: Any = None
        self._index = -1

    def cell(self, event: str, index: int) -> None:
        """Tell that a code cell started or ended."""
        self._index = index
        self._tell({"cell": event, "index": index, "source": self._nb_man.nb.cells[index].source})

    @contextmanager
    def saving(self, nb_man: Any, capture: Capture) -> Iterator[None]:
        """Save sparingly for the length of a block, and at once when this process is asked to end."""
        self._nb_man, whole_save = nb_man, nb_man.save

        def save(**_options: Any) -> None:
            if time.monotonic() - self._saved_at < SAVE_PERIOD_S:
                self._write_journal()
                return
            whole_save()
            self._saved_at = time.monotonic()
            self._clear_journal()

        def end(_number: int, _frame: FrameType | None) -> None:
            capture.hand_over()
            self._mark_ended()
            whole_save()
            self._clear_journal()
            os._exit(ENDED_STATUS)

        nb_man.save = save
        before = signal.signal(signal.SIGTERM, end)
        try:
            yield
        finally:
            nb_man.save = whole_save
            signal.signal(signal.SIGTERM, before)

    def _mark_ended(self) -> None:
        if self._index >= 0:
            cell = self._nb_man.nb.cells[self._index]
            self._nb_man.cell_exception(cell, cell_index=self._index)
            self._nb_man.nb.metadata.papermill["end_time"] = self._nb_man.now().isoformat()

    def _write_journal(self) -> None:
        cells = self._nb_man.nb.cells
        while self._ended_cells < len(cells):
            cell = cells[self._ended_cells]
            if cell.metadata.papermill["status"] not in ("completed", "failed"):
                return
            line = json.dumps({"index": self._ended_cells, "cell": cell}) + "\n"
            os.write(self._journal, line.encode())
            self._ended_cells += 1

    def _clear_journal(self) -> None:
        os.ftruncate(self._journal, 0)
        os.lseek(self._journal, 0, os.SEEK_SET)
