"""States that a running sandbox can go back to: a test begins afresh in milliseconds, without a start."""

from __future__ import annotations

import re
import sqlite3

from idc_sandbox.errors import not_found, validation_error
from idc_sandbox.store import Store

_MOST = 20


class Checkpoints:
    """Copies of the state by name, in memory: they end with the process."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._copies: dict[str, sqlite3.Connection] = {}

    def keep(self, name: str) -> None:
        """Keep the state as it is now, in place of an earlier one of this name."""
        if not re.fullmatch("[a-z0-9-]{1,64}", name):
            raise validation_error(
                f"{name[:80]!r} is no name of a checkpoint: 1 to 64 lowercase letters, digits and hyphens."
            )
        if name not in self._copies and len(self._copies) >= _MOST:
            raise validation_error(f"There are {_MOST} checkpoints already: use one of their names again.")
        # Pages are copied by SQLite's own means, in one step each way; the second is one transaction.
        copy = self._copies.setdefault(name, sqlite3.connect(":memory:", check_same_thread=False))
        with self._store.alone() as connection:
            connection.backup(copy)

    def go_back(self, name: str) -> None:
        """Make the state again what it was; what was written since is gone. Writes."""
        if name not in self._copies:
            kept = ", ".join(sorted(self._copies)) or "none"
            raise not_found(f"There is no checkpoint {name[:80]!r} to go back to; kept are: {kept}.")
        with self._store.alone() as connection:
            self._copies[name].backup(connection)
