"""What is wrong with a state file, found before SQLite opens it and would make something new of it."""

from __future__ import annotations

import re
import sqlite3
import struct
from collections.abc import Container
from pathlib import Path
from urllib.parse import quote

_MAGIC = b"SQLite format 3\x00"
_WAL_MAGICS = (0x377F0682, 0x377F0683)
_WAL_HEADER, _FRAME_HEADER = struct.Struct(">8L"), struct.Struct(">6L")


def damage_of(path: Path, *, was_used: bool) -> str | None:
    """Return what is wrong with a state file as it lies there, or None. Reads only.

    Parameters
    ----------
    was_used
        Whether a sandbox has run with it: then a file that is not there, or empty, was lost.
    """
    log = path.with_name(f"{path.name}-wal")
    if path.exists() and not path.is_file():
        return "it is a folder, or no file at all; move it away"
    if not path.exists():
        is_lost = was_used or (log.exists() and log.stat().st_size > 0)
        return "it is missing, although a sandbox has run with it" if is_lost else None
    with path.open("rb") as file:
        beginning = file.read(len(_MAGIC))
    if not beginning:
        return "it is empty, although a sandbox has run with it" if was_used else None
    if beginning != _MAGIC:
        return "file is not a database"
    if log.is_file() and _has_lost_commits(log.read_bytes()):
        return f"its log {log.name!r} is damaged, so that what was written last would be lost"
    return None


def damage_inside(path: Path, versions: Container[int], schema: str) -> str | None:
    """Return what is wrong with the content of a state file of one of these versions, or None. Reads only.

    Raises
    ------
    sqlite3.DatabaseError
        When SQLite itself cannot read it.
    """
    # Such a connection writes nothing back when it is closed, whatever it found.
    connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            return "it is a database, but not a sandbox's" if tables else None
        return _damage_of_content(connection, schema) if version in versions else None
    finally:
        connection.close()


def _damage_of_content(connection: sqlite3.Connection, schema: str) -> str | None:
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        return f"it is damaged ({' '.join(found.split())})"
    present = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    missing = sorted(set(re.findall(r"CREATE (?:TABLE|INDEX|TRIGGER) ([a-z_]+)", schema)) - present)
    if missing:
        return f"it is a database, but not a sandbox's: it has no {missing[0]!r}"
    seed = connection.execute("SELECT value FROM metadata WHERE name = 'seed'").fetchone()
    if seed is None or not re.fullmatch("-?[0-9]{1,18}", seed[0]):
        return "it does not say from which seed it was made"
    return None


def _has_lost_commits(log: bytes) -> bool:
    """Tell whether SQLite would pass over something in a log that was committed.

    A log may end with a transaction that was never finished, and with frames of an older one: SQLite ignores
    them rightly. A commit behind a broken frame was told to somebody.
    Source: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
    """
    if not log:
        return False
    if len(log) < _WAL_HEADER.size:
        return True
    magic, _, page_size, _, *salts, first, second = _WAL_HEADER.unpack_from(log)
    order = ">" if magic & 1 else "<"
    sums = _checksum(log[:24], order, (0, 0))
    if magic not in _WAL_MAGICS or sums != (first, second):
        return True
    is_whole = True
    step = _FRAME_HEADER.size + page_size
    for start in range(_WAL_HEADER.size, len(log) - step + 1, step):
        _, pages_after_commit, *frame_salts, first, second = _FRAME_HEADER.unpack_from(log, start)
        if frame_salts != salts:  # of an older transaction, or overwritten
            is_whole = False
            continue
        if not is_whole and pages_after_commit:
            return True
        if is_whole:
            sums = _checksum(log[start : start + 8], order, sums)
            sums = _checksum(log[start + _FRAME_HEADER.size : start + step], order, sums)
            is_whole = sums == (first, second)
    return False


def _checksum(data: bytes, order: str, sums: tuple[int, int]) -> tuple[int, int]:
    first, second = sums
    for left, right in struct.iter_unpack(f"{order}2L", data):
        first = (first + left + second) & 0xFFFFFFFF
        second = (second + right + first) & 0xFFFFFFFF
    return first, second
