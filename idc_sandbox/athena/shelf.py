"""What a running query may see and change, with the permissions of who asked."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from idc_sandbox import store as state
from idc_sandbox.athena.catalog import Catalog
from idc_sandbox.athena.engine.failures import (
    MISSING_BUCKET,
    NO_S3_PERMISSION,
    RESULTS_NOT_WRITTEN,
    QueryFailedError,
)
from idc_sandbox.context import AwsServices, Caller, Signature
from idc_sandbox.errors import Request, ServiceError
from idc_sandbox.store import Store
from idc_sandbox.wire.permissions import require_permission

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
    """Answers a query's questions, each in a transaction of its own.

    Parameters
    ----------
    store, double
        The state, and S3.
    caller, region
        Who asked, and where.
    folder
        Where objects are put for the query.
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
