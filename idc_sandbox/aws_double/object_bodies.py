"""The bytes of S3's objects, each kept once in the state file under its hash.

A snapshot names them, so that a small write does not write all objects again.
"""

from __future__ import annotations

import hashlib
import sqlite3
from typing import Any

import moto

_PREFIX = "s3 object "
_LONGEST_INLINE = 1024  # smaller bodies stay in the snapshot: a row costs more


class ObjectBodies:
    """Bodies of objects in the current transaction.

    Attributes
    ----------
    named
        Hashes that the snapshot being written has named.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.named: set[str] = set()

    def name(self, key: Any) -> str | None:
        """Return the hash under which an object's bytes are kept, or None for a small one. Writes."""
        if key.contentsize <= _LONGEST_INLINE or key.disposed:
            return None
        digest: str | None = getattr(key, "sandbox_digest", None)  # moto never gives an object other bytes
        if digest is None:
            body = key.value
            digest = key.sandbox_digest = hashlib.sha256(body).hexdigest()
        if digest not in self.named and not self._is_kept(digest):
            self._connection.execute(
                "INSERT INTO double_state VALUES (?, ?, ?)", (_PREFIX + digest, moto.__version__, key.value)
            )
        self.named.add(digest)
        return digest

    def read(self, digest: str) -> bytes:
        """Return the bytes of a hash.

        Raises
        ------
        LookupError
            When the state file does not have them.
        """
        row = self._connection.execute(
            "SELECT state FROM double_state WHERE service = ?", (_PREFIX + digest,)
        ).fetchone()
        if row is None:
            raise LookupError(f"the bytes of an object, {digest!r}, are missing")
        return bytes(row[0])

    def drop_unnamed(self) -> None:
        """Delete the bytes that no object has any more. Writes."""
        rows = self._connection.execute(
            "SELECT service FROM double_state WHERE service GLOB ?", (_PREFIX + "*",)
        ).fetchall()
        gone = [(row[0],) for row in rows if row[0].removeprefix(_PREFIX) not in self.named]
        self._connection.executemany("DELETE FROM double_state WHERE service = ?", gone)

    def _is_kept(self, digest: str) -> bool:
        row = self._connection.execute("SELECT 1 FROM double_state WHERE service = ?", (_PREFIX + digest,))
        return row.fetchone() is not None
