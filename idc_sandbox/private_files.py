"""Files that only their owner reads: locks between processes, and small JSON objects replaced in one step."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from idc_sandbox.errors import DISK_FULL, SandboxStartError, is_disk_full

_POLL_S = 0.01


@contextmanager
def locked(path: Path, timeout_s: float, trouble: str) -> Iterator[int]:
    """Hold the lock of a file, and yield the file's descriptor.

    Parameters
    ----------
    trouble
        What to say is going on when the lock is not free within `timeout_s` seconds.

    Raises
    ------
    SandboxStartError
        When the lock is not free in time, or the file cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise cannot_use(path, error) from error
    try:
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise SandboxStartError(
                        f"the folder {str(path.parent)!r} is in use: {trouble}. Wait for it, or stop it."
                    ) from None
                time.sleep(_POLL_S)
        yield descriptor
    finally:
        os.close(descriptor)


def cannot_use(path: Path, error: OSError) -> SandboxStartError:
    """Return the error for a file or folder that the system does not let us use."""
    if is_disk_full(error):
        return SandboxStartError(f"the sandbox's {str(path)!r} cannot be written. {DISK_FULL}")
    return SandboxStartError(
        f"the sandbox's {str(path)!r} cannot be used: {error.strerror or error}. "
        "Choose a folder that you can write with --state."
    )


def read_object(path: Path) -> dict[str, Any] | None:
    """Return the JSON object in a file, or None when there is none."""
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def write_private(path: Path, values: dict[str, Any], *, lasting: bool = True) -> None:
    """Replace a file in one step, so that a reader sees the old text or the new one, never half of it.

    Parameters
    ----------
    lasting
        Whether it must survive a loss of power; what only a running process means need not.

    Raises
    ------
    SandboxStartError
        When it cannot be written; the old text stays.
    """
    new = path.with_name(f"{path.name}.new")
    try:
        new.unlink(missing_ok=True)
        new.touch(mode=0o600)
        with new.open("w", encoding="utf-8") as file:
            json.dump(values, file)
            file.flush()
            if lasting:
                os.fsync(file.fileno())
        new.replace(path)
    except OSError as error:
        raise cannot_use(path, error) from error
