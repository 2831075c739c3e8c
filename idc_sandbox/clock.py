"""The sandbox's clock: the machine's, moved by an offset that lessons and tests may change."""

from __future__ import annotations

import json
import math
import sqlite3
import time
from typing import Any

from idc_sandbox.errors import validation_error

_LONGEST_ADVANCE_S = 10 * 366 * 86_400.0


def clock_offset_s(connection: sqlite3.Connection) -> float:
    """Return by how many seconds the sandbox's clock is ahead of the machine's."""
    row = connection.execute("SELECT value_json FROM switch WHERE name = 'clock_offset_s'").fetchone()
    return float(json.loads(row[0])) if row else 0.0


def now(connection: sqlite3.Connection) -> float:
    """Return the sandbox's time in epoch seconds."""
    return time.time() + clock_offset_s(connection)


def advance_clock(connection: sqlite3.Connection, seconds: Any) -> float:
    """Move the sandbox's clock ahead and return by how many seconds it is ahead now. Writes.

    Raises
    ------
    ServiceError
        ``ValidationException`` when `seconds` is no number from 0 to ten years: time does not run backwards.
    """
    is_number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and math.isfinite(seconds)
    if not is_number or not 0 <= seconds <= _LONGEST_ADVANCE_S:
        raise validation_error(
            f"advance_s must be a number of seconds from 0 to {_LONGEST_ADVANCE_S:.0f}, found {seconds!r}. "
            'To go back to the machine\'s time, send {"reset": true}.'
        )
    offset_s = clock_offset_s(connection) + float(seconds)
    connection.execute("INSERT OR REPLACE INTO switch VALUES ('clock_offset_s', ?)", (json.dumps(offset_s),))
    return offset_s


def reset_clock(connection: sqlite3.Connection) -> None:
    """Put the sandbox's clock back to the machine's. Writes."""
    connection.execute("DELETE FROM switch WHERE name = 'clock_offset_s'")
