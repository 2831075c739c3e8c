"""What clients of Athena ask Glue for: the same catalog under Glue's names, and a table taken out of it."""

from __future__ import annotations

from functools import partial
from typing import Any

from idc_sandbox.athena.catalog import Catalog
from idc_sandbox.athena.metadata import described_columns, fits_expression
from idc_sandbox.athena.shelf import require_glue
from idc_sandbox.context import Context
from idc_sandbox.errors import ServiceError
from idc_sandbox.wire.registry import Listing, operation

_operation = partial(operation, "glue")
_missing = partial(ServiceError, "EntityNotFoundException")


@_operation("GetDatabases")
def get_databases(context: Context, request: dict[str, Any]) -> Listing:
    """https://docs.aws.amazon.com/glue/latest/webapi/API_GetDatabases.html."""
    catalog = _catalog(context, request, "GetDatabases")
    shown = [_database(context, one) for one in catalog.databases()]
    return Listing(shown, order=lambda item: item["Name"])


@_operation("GetDatabase")
def get_database_of_glue(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/glue/latest/webapi/API_GetDatabase.html."""
    name = request["Name"].lower()
    catalog = _catalog(context, request, "GetDatabase", name)
    return {"Database": _database(context, _require_database(catalog, name))}


@_operation("GetTables")
def get_tables(context: Context, request: dict[str, Any]) -> Listing:
    """https://docs.aws.amazon.com/glue/latest/webapi/API_GetTables.html."""
    database = request["DatabaseName"].lower()
    catalog = _catalog(context, request, "GetTables", database)
    _require_database(catalog, database)
    fits = fits_expression(request.get("Expression") or ".*", "InvalidInputException")
    shown = [_table(context, one) for one in catalog.tables(database) if fits(one["name"])]
    return Listing(shown, order=lambda item: item["Name"])


@_operation("GetTable")
def get_table(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/glue/latest/webapi/API_GetTable.html."""
    database, name = request["DatabaseName"].lower(), request["Name"].lower()
    catalog = _catalog(context, request, "GetTable", database, name)
    return {"Table": _table(context, _require_table(catalog, database, name))}


@_operation("DeleteTable")
def delete_table(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/glue/latest/webapi/API_DeleteTable.html."""
    database, name = request["DatabaseName"].lower(), request["Name"].lower()
    catalog = _catalog(context, request, "DeleteTable", database, name)
    table = _require_table(catalog, database, name)
    is_view = table["kind"] == "VIRTUAL_VIEW"
    catalog.change("drop_table", {"database": database, "name": name, "is_view": is_view, "if_there": False})
    return {}


def _catalog(
    context: Context, request: dict[str, Any], action: str, database: str = "", table: str = ""
) -> Catalog:
    """Return the caller's catalog, when the caller may do this with it."""
    if request.get("CatalogId", context.caller.account_id) != context.caller.account_id:
        raise _missing(f"The catalog {request['CatalogId']!r} is not there: each account has its own.")
    require_glue(context.double, context.caller, context.region, action, database=database, table=table)
    return Catalog(context.connection, context.caller.account_id, context.region, context.now)


def _require_database(catalog: Catalog, name: str) -> dict[str, str]:
    found = next((one for one in catalog.databases() if one["name"] == name), None)
    if found is None:
        raise _missing(f"Database {name} not found.")
    return found


def _require_table(catalog: Catalog, database: str, name: str) -> dict[str, Any]:
    _require_database(catalog, database)
    table = catalog.find_table(database, name)
    if table is None:
        raise _missing(f"Table {name} not found in the database {database}.")
    return table


def _database(context: Context, database: dict[str, str]) -> dict[str, Any]:
    return {
        "Name": database["name"],
        "Description": database["description"] or None,
        "LocationUri": database["location"] or None,
        "CatalogId": context.caller.account_id,
    }


def _table(context: Context, table: dict[str, Any]) -> dict[str, Any]:
    is_view = table["kind"] == "VIRTUAL_VIEW"
    storage = {
        "Columns": described_columns(table["columns"]),
        "Location": table["location"],
        "InputFormat": table["input_format"],
        "OutputFormat": table["output_format"],
        "SerdeInfo": {"SerializationLibrary": table["serde"], "Parameters": table["serde_properties"]},
    }
    return {
        "Name": table["name"],
        "DatabaseName": table["database"],
        "CreateTime": table["created_at"],
        "TableType": table["kind"],
        "Description": table["comment"] or None,
        "StorageDescriptor": {"Columns": storage["Columns"]} if is_view else storage,
        "PartitionKeys": described_columns(table["partitions"]),
        "ViewOriginalText": table["view"] if is_view else None,
        "Parameters": {**table["properties"], **({} if is_view else {"EXTERNAL": "TRUE"})},
        "CatalogId": context.caller.account_id,
    }
