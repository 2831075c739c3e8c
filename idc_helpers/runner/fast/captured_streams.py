"""What cells print, and what processes that they start print, taken where both end up: at the descriptors.

Descriptors 1 and 2 are led into a file in memory while a cell runs. Nothing can block there as on a full
pipe, and no thread has to read.
"""

from __future__ import annotations

import codecs
import io
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from idc_helpers.runner.engines import MOST_PRINTED

_NAMES = ("stdout", "stderr")
_CHUNK = 1 << 20
_LONGEST_CHARACTER = 4  # bytes in UTF-8


class CapturedStream(io.TextIOWrapper):
    """A cell's ``sys.stdout`` or ``sys.stderr``: what is written is in the file at once; `flush` tells of it.

    Parameters
    ----------
    stream_name
        ``"stdout"`` or ``"stderr"``.
    on_flush
        Called after each flush.
    """

    def __init__(self, stream_name: str, on_flush: Callable[[], None]) -> None:
        descriptor = _NAMES.index(stream_name) + 1
        raw = io.FileIO(descriptor, "wb", closefd=False)
        super().__init__(io.BufferedWriter(raw), "utf-8", "backslashreplace", write_through=True)
        self._stream_name = stream_name
        self._on_flush = on_flush
        self._since_flush = 0

    @property
    def name(self) -> str:
        """The stream's name, as in a kernel."""
        return self._stream_name

    def write(self, text: str) -> int:
        """Write text to the descriptor, past all buffers."""
        written = super().write(text)
        self.buffer.flush()
        self._since_flush += written
        if self._since_flush >= _CHUNK:
            self.flush()
        return written

    def flush(self) -> None:
        """Tell of what was written so far."""
        super().flush()
        self._since_flush = 0
        self._on_flush()

    def close(self) -> None:
        """Stay open: a cell that closes it must not silence the cells after it."""


class Capture:
    """Leads descriptors 1 and 2 into files while a cell runs, and hands over what has come.

    Parameters
    ----------
    files
        Descriptors of the files for output and errors; None: new ones in memory.
    on_text
        Called with a stream's name and the text that came since the last time.
    most_printed
        Characters of each stream that are wanted of a cell. What goes beyond is not kept in memory, but for
        what programs print while no cell's code does.
    """

    def __init__(
        self,
        on_text: Callable[[str, str], None],
        files: tuple[int, int] | None = None,
        most_printed: int = MOST_PRINTED,
    ) -> None:
        self._most_bytes = _LONGEST_CHARACTER * most_printed
        self._own = files is None
        self._files = files or tuple(os.memfd_create(f"idc-{name}") for name in _NAMES)
        self._on_text = on_text
        self._owner = os.getpid()
        self._lock = threading.RLock()
        self._offsets = [0, 0]
        self._decoders = [codecs.getincrementaldecoder("utf-8")("replace") for _ in _NAMES]
        self._streams = [CapturedStream(name, self.hand_over) for name in _NAMES]

    def close(self) -> None:
        """Close the files, where they are its own."""
        if self._own:
            for file in self._files:
                os.close(file)

    @contextmanager
    def cell(self) -> Iterator[None]:
        """Capture for the length of a block; what was there before comes back after it."""
        self._empty()
        python_streams = sys.stdout, sys.stderr
        for stream in python_streams:
            stream.flush()
        kept = [os.dup(1), os.dup(2)]
        for number, file in enumerate(self._files, start=1):
            os.dup2(file, number)
        sys.stdout, sys.stderr = self._streams
        try:
            yield
        finally:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            self.hand_over(final=True)
            sys.stdout, sys.stderr = python_streams
            for number, before in enumerate(kept, start=1):
                os.dup2(before, number)
                os.close(before)

    def _empty(self) -> None:
        # What a cell printed is in the notebook; a file that only grows would be the run's memory twice.
        for index, file in enumerate(self._files):
            if os.fstat(file).st_size == self._offsets[index]:
                os.ftruncate(file, 0)
                os.lseek(file, 0, os.SEEK_SET)
                self._offsets[index] = 0

    def hand_over(self, final: bool = False) -> None:
        """Hand over what has come since the last time.

        Parameters
        ----------
        final
            Whether nothing more comes: half a character is told as a replacement character then.
        """
        if os.getpid() != self._owner:
            return  # a process that a cell forked writes to the same files; this one reads them
        with self._lock:
            for index, name in enumerate(_NAMES):
                while data := self._read(index):
                    if text := self._decoders[index].decode(data):
                        self._on_text(name, text)
                if final and (text := self._decoders[index].decode(b"", final=True)):
                    self._on_text(name, text)
            if max(self._offsets) > self._most_bytes:
                self._empty()

    def _read(self, index: int) -> bytes:
        file, offset = self._files[index], self._offsets[index]
        data = os.pread(file, min(_CHUNK, max(0, os.fstat(file).st_size - offset)), offset)
        self._offsets[index] += len(data)
        return data
