"""A config file replaced as a whole, in one step; links and modes stay."""

from __future__ import annotations

import itertools
import os
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from idc_helpers.aws.config_file import (
    ConfigFile,
    parse_config,
    read_content,
    refuse,
    refused,
    text_encoding,
)
from idc_helpers.errors import ConfigFileError


def replace_config(
    before: ConfigFile, text: str, prove: Callable[[ConfigFile], None], *, keep: bool = True
) -> Path | None:
    """Put a new text in a config file's place, in one step, and return the backup of the old one. Writes.

    A link stays a link: the file that it leads to is replaced. Mode and owner stay.

    Parameters
    ----------
    before
        The file as it was read; when it is another by now, nothing is written.
    prove
        Called with the new file before it is used; it raises when that is not right.
    keep
        Whether the old file stays beside the new one, as ``config.backup-1`` and so on.

    Raises
    ------
    ConfigFileError
        When the file may not be written, has changed meanwhile, or the disk is full; the old file stays.
    """
    with refused(before.path, "was not written", "Make file and folder writable for you."):
        target = Path(os.path.realpath(before.path))
        _refuse_protected(before, target)
        if not before.path.is_symlink():
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = target.with_name(f"{target.name}.{secrets.token_hex(4)}.new")
        try:
            content = text.encode(text_encoding())
            _write_whole(new, content, like=target if before.content is not None else None)
            prove(ConfigFile(before.path, content, _parsed(before, new, content)))
            if read_content(before.path) != before.content:
                refuse(
                    before.path,
                    None,
                    "another program has changed this file meanwhile",
                    "Plan and run again.",
                )
            backup = _back_up(target) if before.content and keep else None
            new.replace(target)
        finally:
            new.unlink(missing_ok=True)
        _flush_folder(target.parent)
    return backup


def _parsed(before: ConfigFile, new: Path, content: bytes) -> dict[str, dict[str, Any]]:
    try:
        return parse_config(new, content)
    except ConfigFileError:  # its lines are not those of the file that the user sees
        refuse(before.path, None, "with this change no AWS tool could read the file", "Change it yourself.")


def _refuse_protected(before: ConfigFile, target: Path) -> None:
    if before.content is None:
        return
    status = target.stat()
    if not status.st_mode & stat.S_IWUSR or not os.access(target, os.W_OK):
        refuse(before.path, None, "this file is read-only", "Make it writable (chmod u+w), or name another.")
    backups = [path for path in target.parent.glob(f"{target.name}.backup-*") if path.samefile(target)]
    if status.st_nlink > 1 + len(backups):
        found = "this file has several names (hard links), and a new file would take only one of them"
        refuse(before.path, None, found, "Make it a file of its own (cp), or use a symbolic link.")


def _write_whole(path: Path, content: bytes, like: Path | None) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        if like is not None:
            _take_owner_and_mode(file.fileno(), like.stat())
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _take_owner_and_mode(descriptor: int, like: os.stat_result) -> None:
    own = os.fstat(descriptor)
    if own.st_uid != like.st_uid:
        os.fchown(descriptor, like.st_uid, -1)
    if own.st_gid != like.st_gid:
        with suppress(PermissionError):  # a group that the owner is not in
            os.fchown(descriptor, -1, like.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(like.st_mode))


def _back_up(target: Path) -> Path:
    """Give the old file a second name: no copy that could be cut short, and no disk that could be full."""
    for number in itertools.count(1):
        backup = target.with_name(f"{target.name}.backup-{number}")
        try:
            os.link(target, backup)
        except FileExistsError:
            continue
        except OSError:  # a file system without hard links
            _write_whole(backup, target.read_bytes(), like=target)
        return backup
    raise AssertionError  # pragma: no cover


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
