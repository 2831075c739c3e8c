"""The sandbox's state in one SQLite file: what was acknowledged survives ``kill -9``.

WAL with ``synchronous=FULL``, one connection, one lock: the sandbox serves a handful of people, and one
writer keeps every rule ("this name is unique", "this set is still assigned") a plain look at the tables
inside the transaction.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from idc_sandbox.errors import DISK_FULL, SandboxStartError, is_disk_full
from idc_sandbox.state_damage import damage_inside, damage_of

SCHEMA_VERSION = 3
# What makes a file of one version one of the next: a state folder outlives the kit that made it.
_UPGRADES = {
    2: (
        "ALTER TABLE sign_in ADD COLUMN browser_hash TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE portal_session ADD COLUMN browser_hash TEXT NOT NULL DEFAULT ''",
    )
}


class Store:
    """One open state file.

    Parameters
    ----------
    path
        The SQLite file; it is created, readable by its owner only, when it is not there.
    seed
        Kept in a new file: all ids are derived from it. Ignored for a file that exists.
    was_used
        Whether a sandbox has run with this file: then none that is missing or empty is made anew.

    Raises
    ------
    SandboxStartError
        When the file is of another schema version, is missing, damaged or no sandbox state, or cannot be
        written. Nothing was changed then.
    """

    def __init__(self, path: Path, *, seed: int = 0, was_used: bool = False) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._depth = 0
        try:
            if damage := damage_of(path, was_used=was_used):
                raise _damaged(path, damage)
            is_new = not path.exists() or not path.stat().st_size
            if is_new:
                path.touch(mode=0o600)
            elif damage := damage_inside(path, {SCHEMA_VERSION, *_UPGRADES}, _schema()):
                raise _damaged(path, damage)
            self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._connection.row_factory = sqlite3.Row
            self._configure(is_new=is_new)
            self._open_schema(seed)
            if is_new:
                self._make_lasting()
        except (sqlite3.DatabaseError, OSError) as error:
            raise _unusable(path, error) from error

    def _configure(self, *, is_new: bool) -> None:
        # Nobody has been told of a new file yet: it is written through to the disk once, when it is whole.
        synchronous = "OFF" if is_new else "FULL"
        pragmas = ("busy_timeout=5000", f"synchronous={synchronous}", "journal_mode=WAL", "foreign_keys=ON")
        for pragma in pragmas:
            self._connection.execute(f"PRAGMA {pragma}")

    def _make_lasting(self) -> None:
        """Write a new file and its log through to the disk, and every commit from now on."""
        for path in (self.path, self.path.with_name(f"{self.path.name}-wal"), self.path.parent):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        self._connection.execute("PRAGMA synchronous=FULL")

    def _open_schema(self, seed: int) -> None:
        version = self._upgrade()
        if version == 0:
            schema = _schema()
            self._connection.executescript(
                f"BEGIN IMMEDIATE;\n{schema}\n"
                f"INSERT INTO metadata VALUES ('seed', '{int(seed)}');\n"
                f"INSERT INTO metadata VALUES ('state_id', '{secrets.token_hex(16)}');\n"
                f"PRAGMA user_version = {SCHEMA_VERSION};\nCOMMIT;"
            )
        elif version != SCHEMA_VERSION:
            age = "newer" if version > SCHEMA_VERSION else "older"
            raise SandboxStartError(
                f"the state file {str(self.path)!r} has version {version}, which is {age} than this kit's "
                f"version {SCHEMA_VERSION}. Use the kit that made it, choose another folder with --state, "
                "or start over with `idc sandbox reset`."
            )
        # State from before there were ids gets one that says so: receipts without an id may be of it.
        self._connection.execute(
            "INSERT OR IGNORE INTO metadata VALUES ('state_id', ?)", (f"older-{secrets.token_hex(16)}",)
        )

    def _upgrade(self) -> int:
        """Make an older file one of this version, where that is possible, and return its version."""
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        while version in _UPGRADES:
            statements = ";\n".join(_UPGRADES[version])
            version += 1
            self._connection.executescript(
                f"BEGIN IMMEDIATE;\n{statements};\nPRAGMA user_version = {version};\nCOMMIT;"
            )
        return int(version)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection inside a transaction; commit at the end, roll back on any exception.

        Nested use joins the outer transaction. Holds the store's lock, so that one request is handled at a
        time.
        """
        with self._lock:
            if self._depth:
                yield self._connection
                return
            self._depth += 1
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                # After some errors SQLite has rolled back by itself: what followed was no transaction.
                if not self._connection.in_transaction:
                    raise sqlite3.OperationalError("the transaction was rolled back meanwhile")
                self._connection.commit()
            except BaseException:
                self._connection.rollback()  # also when the commit itself failed: the next one must begin
                raise
            finally:
                self._depth -= 1

    @property
    def seed(self) -> int:
        """The number from which this state's ids are derived."""
        return int(self._metadata("seed"))

    @property
    def state_id(self) -> str:
        """What tells this state from every other one, of the same seed too: random, kept for its life."""
        return self._metadata("state_id")

    def _metadata(self, name: str) -> str:
        with self._lock:
            row = self._connection.execute("SELECT value FROM metadata WHERE name = ?", (name,)).fetchone()
        return str(row[0])

    def close(self) -> None:
        """Write the log back into the file and close it."""
        with self._lock:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._connection.close()


def _schema() -> str:
    return resources.files("idc_sandbox").joinpath("schema.sql").read_text("utf-8")


def _damaged(path: Path, damage: str) -> SandboxStartError:
    return SandboxStartError(
        f"the state file {str(path)!r} cannot be used: {damage}. Nothing was changed. Put back a copy of the "
        "state folder from before, or start over with `idc sandbox reset`."
    )


def _unusable(path: Path, error: Exception) -> SandboxStartError:
    if is_disk_full(error):
        return SandboxStartError(f"the state file {str(path)!r} cannot be written. {DISK_FULL}")
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return _damaged(path, str(error))
    return SandboxStartError(
        f"the state file {str(path)!r} cannot be used: {error}. "
        "Choose a folder that you can write with --state, or start over with `idc sandbox reset`."
    )
