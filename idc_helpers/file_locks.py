"""Locks between processes of one machine that end with the process that holds them, however it ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # a platform without it has no locks of this kind
    fcntl = None  # type: ignore[assignment]


@contextmanager
def lock_file(path: Path, *, wait: bool) -> Iterator[int | None]:
    """Hold the lock of a file for the length of a block, and yield the file's descriptor.

    Parameters
    ----------
    path
        Made when missing, readable by its owner only. It stays: were it deleted, two could hold one lock.
    wait
        Whether to wait for whoever holds it; otherwise None is yielded then.
    """
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
