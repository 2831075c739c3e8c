"""The key that signs client registrations: a file beside the state, which outlives a reset.

Clients keep their registration for 90 days and never ask for a new one when it is refused. So what a client
was told is signed into its secret, and a registration of a state that is gone is accepted still.
"""

from __future__ import annotations

import secrets
import sqlite3
from pathlib import Path

KEY_FILE_NAME = "registration.key"


def registration_key(connection: sqlite3.Connection) -> bytes:
    """Return the key of the folder in which a state file lies; a new one when there is none. Writes."""
    database = connection.execute("SELECT file FROM pragma_database_list WHERE name = 'main'").fetchone()[0]
    path = Path(database).with_name(KEY_FILE_NAME)
    try:
        key = bytes.fromhex(path.read_text("ascii"))
    except (OSError, ValueError):
        key = b""
    return key if len(key) == 32 else _new_key(path)


def _new_key(path: Path) -> bytes:
    key = secrets.token_bytes(32)
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    new.write_text(key.hex(), "ascii")
    new.replace(path)
    return key
