"""Files of one JSON object a line, which a process that was killed may have left with a torn line."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from idc_helpers.errors import RunFailedError


def append_json_line(path: Path, entry: Mapping[str, Any], *, to_disk: bool = False) -> None:
    """Append an object to a file of a run's folder, which is made if need be. Writes.

    Parameters
    ----------
    to_disk
        Whether it has to be on disk before this returns.

    Raises
    ------
    RunFailedError
        When it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")
            if to_disk:
                file.flush()
                os.fsync(file.fileno())
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise RunFailedError(
            f"{str(path)!r} cannot be written: {getattr(error, 'strerror', None) or error}",
            remedy="Make room, or name another `run_folder`.",
        ) from error


def read_json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a file, if there is one; a line that is torn or holds none is passed over."""
    if path.exists():
        yield from json_objects(path.read_bytes())


def json_objects(data: bytes) -> Iterator[dict[str, Any]]:
    """Yield the objects of the lines of some bytes.

    Lines end with a line feed and nothing else: texts may hold other line boundaries, such as U+2028. Each
    is decoded by itself, because one may be torn within a character.
    """
    for _, entry in numbered_lines(data):
        if entry is not None:
            yield entry


def numbered_lines(data: bytes) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Yield number and object of each line that is not blank; None for a line that holds no object."""
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line.decode("utf-8"))
        except (ValueError, RecursionError):
            entry = None
        yield number, entry if isinstance(entry, dict) else None
