"""Athena's catalog of one account in one Region, and what a query may see and change of it and of S3."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from idc_sandbox import store as state
from idc_sandbox.athena.kinds import (
    MISSING_BUCKET,
    MISSING_TABLE,
    NO_S3_PERMISSION,
    RESULTS_NOT_WRITTEN,
    QueryFailedError,
    ddl_failed,
)
from idc_sandbox.context import AwsServices, Caller, Signature
from idc_sandbox.errors import Request, ServiceError
from idc_sandbox.store import Store
from idc_sandbox.wire.permissions import require_permission

DEFAULT_DATABASE = "default"
_MOST_TABLES = 10_000


class Catalog:
    """What is there, inside the current transaction; `now` is the sandbox's time, epoch seconds."""

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

    def find_database(self, name: str) -> dict[str, str] | None:
        """Return name, description and location of a database, or None."""
        return next((one for one in self.databases() if one["name"] == name), None)

    def tables(self, database: str) -> list[dict[str, Any]]:
        """Return the definitions of a database's tables and views, by name, with ``created_at``."""
        rows = self._connection.execute(
            "SELECT definition_json, created_at FROM athena_table"
            " WHERE account_id = ? AND region = ? AND database_name = ? ORDER BY name",
            (*self._key, database),
        ).fetchall()
        return [_definition(row) for row in rows]

    def find_table(self, database: str, name: str) -> dict[str, Any] | None:
        """Return the definition of a table or view, or None."""
        row = self._row(database, name)
        return None if row is None else _definition(row)

    def partitions(self, database: str, name: str) -> list[tuple[list[str], str]]:
        """Return values and location of each partition that a table was told of."""
        rows = self._connection.execute(
            "SELECT values_json, location FROM athena_partition WHERE table_id = ? ORDER BY values_json",
            (self._table_id(database, name),),
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

    def _table_id(self, database: str, name: str) -> int | None:
        row = self._row(database, name)
        return None if row is None else row["table_id"]

    def _create_database(self, name: str, description: str, location: str, if_missing: bool) -> None:
        if self.find_database(name) is not None:
            if if_missing:
                return
            raise ddl_failed(f"FAILED: Execution Error: Database {name} already exists")
        self._connection.execute(
            "INSERT INTO athena_database VALUES (?, ?, ?, ?, ?)", (*self._key, name, description, location)
        )

    def _drop_database(self, name: str, if_there: bool, cascade: bool) -> None:
        if self.find_database(name) is None:
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
        if self.find_database(database) is None:
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
        table_id = self._table_id(database, name)
        known = {tuple(values) for values, _ in self.partitions(database, name)}
        for values, location in partitions:
            if tuple(values) in known:
                if if_missing:
                    continue
                raise ddl_failed(f"FAILED: Execution Error: Partition already exists: {values}")
            self._connection.execute(
                "INSERT INTO athena_partition VALUES (?, ?, ?)", (table_id, json.dumps(values), location)
            )
            known.add(tuple(values))

    def _drop_partitions(self, database: str, name: str, partitions: list[Any], if_there: bool) -> None:
        table_id = self._table_id(database, name)
        for values in partitions:
            dropped = self._connection.execute(
                "DELETE FROM athena_partition WHERE table_id = ? AND values_json = ?",
                (table_id, json.dumps(values)),
            )
            if not dropped.rowcount and not if_there:
                raise ddl_failed(f"FAILED: SemanticException [Error 10006]: Partition not found {values}")

    def _change_partition(
        self, database: str, name: str, values: list[str], new_values: list[str], location: str | None
    ) -> None:
        known = [one for one, _ in self.partitions(database, name)]
        if values not in known:
            raise ddl_failed(f"FAILED: SemanticException [Error 10006]: Partition not found {values}")
        if new_values != values and new_values in known:
            raise ddl_failed(f"FAILED: Execution Error: Partition already exists: {new_values}")
        self._connection.execute(
            "UPDATE athena_partition SET values_json = ?, location = ifnull(?, location)"
            " WHERE table_id = ? AND values_json = ?",
            (json.dumps(new_values), location, self._table_id(database, name), json.dumps(values)),
        )


def _definition(row: sqlite3.Row) -> dict[str, Any]:
    return {**json.loads(row["definition_json"]), "created_at": row["created_at"]}


# The permissions that Athena's statements need of Glue, whose catalog it is at AWS.
_GLUE_ACTIONS = {
    "create_database": "CreateDatabase",
    "drop_database": "DeleteDatabase",
    "create_table": "CreateTable",
    "drop_table": "DeleteTable",
    "add_partitions": "BatchCreatePartition",
    "drop_partitions": "DeletePartition",
    "change_partition": "UpdatePartition",
}


def require_glue(
    double: AwsServices,
    caller: Caller,
    region: str,
    action: str,
    *,
    database: str = "",
    table: str = "",
) -> None:
    """Return when a caller may do something with the catalog, a database of it, or a table."""
    prefix = f"arn:aws:glue:{region}:{caller.account_id}"
    resources = [f"{prefix}:catalog"]
    if database:
        resources.append(f"{prefix}:database/{database}")
    if table:
        resources.append(f"{prefix}:table/{database}/{table}")
    require_permission(double, caller, f"glue:{action}", *resources)


class CallersShelf:
    """Answers a query's questions with the permissions of who asked, each in a transaction of its own.

    Objects of S3 are put into a folder for it.
    """

    def __init__(self, store: Store, double: AwsServices, caller: Caller, region: str, folder: Path) -> None:
        self._store = store
        self._double = double
        self._caller = caller
        self._region = region
        self._folder = folder

    def answer(self, name: str, values: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a question, or why there is none."""
        questions: dict[str, Callable[..., Any]] = {
            "find_table": self._find_table,
            "partitions": self._partitions,
            "objects": self._objects,
            "allow_objects": self._allow_objects,
            "fetch": self._fetch,
            "databases": self._databases,
            "tables": self._tables,
            "change": self._change,
        }
        try:
            with self._store.transaction():
                return {"answer": questions[name](**values)}
        except QueryFailedError as error:
            return {"failed": error.as_values()}
        except ServiceError as error:
            said = QueryFailedError(f"{error.code}: {error.message}", NO_S3_PERMISSION)
            return {"failed": said.as_values()}

    def write(self, address: str, body: bytes) -> None:
        """Put the result where the request said, as the caller. Writes."""
        bucket, _, key = address.removeprefix("s3://").partition("/")
        request = Request("PUT", f"/{bucket}/{quote(key)}", "", {"content-type": "text/csv"}, body)
        signature = Signature(self._caller, self._region, "s3")
        try:
            response = self._double.handle(request, signature)
        except ServiceError as error:
            raise _not_written(address, error.message) from None
        if response.status >= 300:
            raise _not_written(address, f"S3 answered {response.status}")

    def _catalog(self) -> Catalog:
        with self._store.transaction() as connection:
            return Catalog(connection, self._caller.account_id, self._region, state.now(connection))

    def _require_glue(self, action: str, database: str = "", table: str = "") -> None:
        require_glue(self._double, self._caller, self._region, action, database=database, table=table)

    def _find_table(self, database: str, name: str) -> dict[str, Any] | None:
        self._require_glue("GetTable", database, name)
        return self._catalog().find_table(database, name)

    def _partitions(self, database: str, name: str) -> list[tuple[list[str], str]]:
        self._require_glue("GetPartitions", database, name)
        return self._catalog().partitions(database, name)

    def _databases(self) -> list[str]:
        self._require_glue("GetDatabases")
        return [one["name"] for one in self._catalog().databases()]

    def _tables(self, database: str) -> list[dict[str, Any]]:
        self._require_glue("GetTables", database)
        return self._catalog().tables(database)

    def _change(self, kind: str, change: dict[str, Any]) -> None:
        about = change.get("table") or change
        is_database = kind.endswith("_database")
        database = str(about["name"] if is_database else about["database"])
        action = "UpdateTable" if kind == "create_table" and change.get("replace") else _GLUE_ACTIONS[kind]
        self._require_glue(action, database, "" if is_database else str(about["name"]))
        self._catalog().change(kind, change)

    def _objects(self, bucket: str, prefix: str) -> list[tuple[str, int, str]]:
        if self._double.bucket_owner(bucket) is None:
            raise QueryFailedError(f"The specified bucket does not exist: {bucket}", MISSING_BUCKET)
        try:
            self._double.require_objects(self._caller, "s3:ListBucket", bucket, [])
        except ServiceError as error:
            raise _no_permission(f"s3://{bucket}/{prefix}", error) from None
        return self._double.list_objects(bucket, prefix)

    def _allow_objects(self, bucket: str, keys: list[str]) -> None:
        if not keys:
            return
        try:
            self._double.require_objects(self._caller, "s3:GetObject", bucket, keys)
        except ServiceError as error:
            raise _no_permission(f"s3://{bucket}/{keys[0]}", error) from None

    def _fetch(self, bucket: str, key: str) -> str:
        self._allow_objects(bucket, [key])
        body = self._double.read_object(bucket, key, 0, None)
        if body is None:
            raise QueryFailedError(f"HIVE_CANNOT_OPEN_SPLIT: s3://{bucket}/{key} is gone", MISSING_BUCKET)
        path = self._folder / f"{uuid.uuid4().hex}.raw"
        path.write_bytes(body)
        path.chmod(0o600)
        return str(path)


def _no_permission(address: str, error: ServiceError) -> QueryFailedError:
    return QueryFailedError(f"Permission denied on S3 path: {address}. {error.message}", NO_S3_PERMISSION)


def _not_written(address: str, reason: str) -> QueryFailedError:
    return QueryFailedError(
        f"Access denied when writing output to url: {address}. {reason}", RESULTS_NOT_WRITTEN
    )
