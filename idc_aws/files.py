"""Files that others share: locks that end with their process, and lines of JSON that survive a kill."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from idc_aws.errors import RunFailedError

try:
    import fcntl
except ImportError:  # a platform without it has no locks of this kind
    fcntl = None  # type: ignore[assignment]


@contextmanager
def lock_file(path: Path, *, wait: bool) -> Iterator[int | None]:
    """Hold the lock of a file for the length of a block, and yield the file's descriptor."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor if _locked(descriptor, wait=wait) else None
    finally:
        os.close(descriptor)


@contextmanager
def lock_folder(path: Path) -> Iterator[None]:
    """Hold the lock of a folder for the length of a block, and wait for it; no file is made for that.

    A folder that is missing, or of a file system without locks, is not locked.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        yield
        return
    try:
        with suppress(OSError):
            _locked(descriptor, wait=True)
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int, *, wait: bool) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


# Files of one JSON object a line, which a process that was killed may have left with a torn line.


def append_json_line(path: Path, entry: Mapping[str, Any], *, to_disk: bool = False) -> None:
    """Append an object to a file of a run's folder, which is made if need be. Writes."""
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
