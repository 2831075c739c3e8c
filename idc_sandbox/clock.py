"""The sandbox's clock: the machine's, moved by an offset that lessons and tests may change."""

from __future__ import annotations

import json
import sqlite3
import time


def clock_offset_s(connection: sqlite3.Connection) -> float:
    """Return by how many seconds the sandbox's clock is ahead of the machine's."""
    row = connection.execute("SELECT value_json FROM switch WHERE name = 'clock_offset_s'").fetchone()
    return float(json.loads(row[0])) if row else 0.0


def now(connection: sqlite3.Connection) -> float:
    """Return the sandbox's time in epoch seconds."""
    return time.time() + clock_offset_s(connection)
