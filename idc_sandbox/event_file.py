"""Events of calls that changed nothing: beside the state, until the next change takes them into it."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

Row = Sequence[Any]


class EventFile:
    """Rows of the trail in a file, a line each: it outlives the process, and waits for no disk.

    Attributes
    ----------
    rows
        Those with a number above `after`, oldest first: the number of an event, and its other columns.
    """

    def __init__(self, path: Path, *, after: int) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        text = path.read_bytes()
        self._size = text.rfind(b"\n") + 1
        if self._size < len(text):  # a power cut may leave a torn line
            os.ftruncate(self._file, self._size)
        rows = [row for line in text[: self._size].splitlines() if (row := _read(line)) is not None]
        self.rows: list[Row] = [row for row in rows if row[0] > after]
        self._taken = 0

    def add(self, rows: Sequence[Row]) -> None:
        """Add rows, all of them or none; a full disk is an `OSError`. Writes."""
        text = b"".join(orjson.dumps(row) + b"\n" for row in rows)
        if os.write(self._file, text) != len(text):
            os.ftruncate(self._file, self._size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._size += len(text)
        self.rows += rows

    def take(self) -> list[Row]:
        """Return the rows that nobody has taken yet; they stay until the state has them."""
        rows = self.rows[self._taken :]
        self._taken = len(self.rows)
        return rows

    def give_back(self) -> None:
        """Have all rows to take again: the transaction that took some was undone."""
        self._taken = 0

    def clear(self) -> None:
        """Forget all rows: the state has them. Writes."""
        if self._size:
            os.ftruncate(self._file, 0)
            self._size = self._taken = 0
            self.rows = []

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def _read(line: bytes) -> Row | None:
    try:
        row = orjson.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, list) and len(row) == 6 and isinstance(row[0], int) else None
