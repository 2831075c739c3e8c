"""Athena's catalog of one account in one Region: databases, tables, views and partitions."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from typing import Any

from idc_sandbox.athena.engine.failures import MISSING_TABLE, QueryFailedError, ddl_failed

DEFAULT_DATABASE = "default"
_MOST_TABLES = 10_000


class Catalog:
    """What is there, inside the current transaction.

    Parameters
    ----------
    connection
        The state's.
    account_id, region
        Whose catalog, and where.
    now
        The sandbox's time, epoch seconds.
    """

    def __init__(self, connection: sqlite3.Connection, account_id: str, region: str, now: float) -> None:
        self._connection = connection
        self._key = (account_id, region)
        self._now = now

    def databases(self) -> list[dict[str, str]]:
        """Return name, description and location of each database, by name; ``default`` is always there."""
        rows = self._connection.execute(
            "SELECT name, description, location FROM athena_database WHERE account_id = ? AND region = ?",
            self._key,
        ).fetchall()
        found = {row["name"]: dict(row) for row in rows}
        found.setdefault(DEFAULT_DATABASE, {"name": DEFAULT_DATABASE, "description": "", "location": ""})
        return [found[name] for name in sorted(found)]

    def has_database(self, name: str) -> bool:
        """Tell whether there is a database of a name."""
        return any(one["name"] == name for one in self.databases())

    def tables(self, database: str) -> list[dict[str, Any]]:
        """Return the definitions of a database's tables and views, by name, with ``created_at``."""
        rows = self._connection.execute(
            "SELECT definition_json, created_at FROM athena_table"
            " WHERE account_id = ? AND region = ? AND database_name = ? ORDER BY name",
            (*self._key, database),
        ).fetchall()
        return [{**json.loads(row["definition_json"]), "created_at": row["created_at"]} for row in rows]

    def find_table(self, database: str, name: str) -> dict[str, Any] | None:
        """Return the definition of a table or view, or None."""
        row = self._row(database, name)
        return (
            None if row is None else {**json.loads(row["definition_json"]), "created_at": row["created_at"]}
        )

    def partitions(self, database: str, name: str) -> list[tuple[list[str], str]]:
        """Return values and location of each partition that a table was told of."""
        row = self._row(database, name)
        rows = self._connection.execute(
            "SELECT values_json, location FROM athena_partition WHERE table_id = ? ORDER BY values_json",
            (row["table_id"] if row is not None else None,),
        ).fetchall()
        return [(json.loads(one["values_json"]), one["location"]) for one in rows]

    def change(self, kind: str, values: dict[str, Any]) -> None:
        """Carry out a change that a statement asks for; one that cannot be is refused. Writes."""
        changes: dict[str, Callable[..., None]] = {
            "create_database": self._create_database,
            "drop_database": self._drop_database,
            "create_table": self._create_table,
            "drop_table": self._drop_table,
            "add_partitions": self._add_partitions,
            "drop_partitions": self._drop_partitions,
            "change_partition": self._change_partition,
        }
        changes[kind](**values)

    def _row(self, database: str, name: str) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._connection.execute(
            "SELECT * FROM athena_table"
            " WHERE account_id = ? AND region = ? AND database_name = ? AND name = ?",
            (*self._key, database, name),
        ).fetchone()
        return row

    def _create_database(self, name: str, description: str, location: str, if_missing: bool) -> None:
        if self.has_database(name):
            if if_missing:
                return
            raise ddl_failed(f"FAILED: Execution Error: Database {name} already exists")
        self._connection.execute(
            "INSERT INTO athena_database VALUES (?, ?, ?, ?, ?)", (*self._key, name, description, location)
        )

    def _drop_database(self, name: str, if_there: bool, cascade: bool) -> None:
        if not self.has_database(name):
            if if_there:
                return
            raise ddl_failed(f"FAILED: SemanticException [Error 10072]: Database does not exist: {name}")
        if self.tables(name) and not cascade:
            raise ddl_failed(
                f"FAILED: Execution Error: Database {name} is not empty. One or more tables exist. Drop "
                f"them, or use DROP DATABASE {name} CASCADE"
            )
        if name == DEFAULT_DATABASE:
            raise ddl_failed("FAILED: Execution Error: the sandbox keeps the database 'default'")
        place = (*self._key, name)
        self._connection.execute(
            "DELETE FROM athena_table WHERE account_id = ? AND region = ? AND database_name = ?", place
        )
        self._connection.execute(
            "DELETE FROM athena_database WHERE account_id = ? AND region = ? AND name = ?", place
        )

    def _create_table(self, table: dict[str, Any], if_missing: bool = False, replace: bool = False) -> None:
        database, name = table["database"], table["name"]
        if not self.has_database(database):
            raise ddl_failed(f"FAILED: SemanticException [Error 10072]: Database does not exist: {database}")
        text = json.dumps({part: value for part, value in table.items() if part != "created_at"})
        present = self._row(database, name)
        if present is None:
            (count,) = self._connection.execute("SELECT count(*) FROM athena_table").fetchone()
            if count >= _MOST_TABLES:
                raise ddl_failed(f"FAILED: the sandbox holds {_MOST_TABLES} tables at most: drop some")
            self._connection.execute(
                "INSERT INTO athena_table"
                " (account_id, region, database_name, name, definition_json, created_at)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (*self._key, database, name, text, self._now),
            )
        elif replace and json.loads(present["definition_json"])["kind"] == table["kind"]:
            self._connection.execute(
                "UPDATE athena_table SET definition_json = ? WHERE table_id = ?", (text, present["table_id"])
            )
        elif not if_missing:
            kind = "VIEW" if table["kind"] == "VIRTUAL_VIEW" else "Table"
            raise ddl_failed(
                f"FAILED: Execution Error: AlreadyExistsException(message:{kind} {name} already exists)"
            )

    def _drop_table(self, database: str, name: str, is_view: bool, if_there: bool) -> None:
        row = self._row(database, name)
        if row is None:
            if if_there:
                return
            raise QueryFailedError(
                f"FAILED: SemanticException [Error 10001]: Table not found {database}.{name}", MISSING_TABLE
            )
        kind = json.loads(row["definition_json"])["kind"]
        if (kind == "VIRTUAL_VIEW") != is_view:
            wanted = "DROP VIEW" if kind == "VIRTUAL_VIEW" else "DROP TABLE"
            raise ddl_failed(f"FAILED: SemanticException: {database}.{name} needs {wanted}")
        self._connection.execute("DELETE FROM athena_table WHERE table_id = ?", (row["table_id"],))

    def _add_partitions(self, database: str, name: str, partitions: list[Any], if_missing: bool) -> None:
        row = self._row(database, name)
        known = {tuple(values) for values, _ in self.partitions(database, name)}
        for values, location in partitions:
            if tuple(values) in known:
                if if_missing:
                    continue
                raise ddl_failed(f"FAILED: Execution Error: Partition already exists: {values}")
            self._connection.execute(
                "INSERT INTO athena_partition VALUES (?, ?, ?)",
                (row["table_id"] if row is not None else None, json.dumps(values), location),
            )
            known.add(tuple(values))

    def _drop_partitions(self, database: str, name: str, partitions: list[Any], if_there: bool) -> None:
        row = self._row(database, name)
        for values in partitions:
            dropped = self._connection.execute(
                "DELETE FROM athena_partition WHERE table_id = ? AND values_json = ?",
                (row["table_id"] if row is not None else None, json.dumps(values)),
            )
            if not dropped.rowcount and not if_there:
                raise ddl_failed(f"FAILED: SemanticException [Error 10006]: Partition not found {values}")

    def _change_partition(
        self, database: str, name: str, values: list[str], new_values: list[str], location: str | None
    ) -> None:
        row = self._row(database, name)
        table_id = row["table_id"] if row is not None else None
        known = [one for one, _ in self.partitions(database, name)]
        if values not in known:
            raise ddl_failed(f"FAILED: SemanticException [Error 10006]: Partition not found {values}")
        if new_values != values and new_values in known:
            raise ddl_failed(f"FAILED: Execution Error: Partition already exists: {new_values}")
        self._connection.execute(
            "UPDATE athena_partition SET values_json = ?, location = ifnull(?, location)"
            " WHERE table_id = ? AND values_json = ?",
            (json.dumps(new_values), location, table_id, json.dumps(values)),
        )
