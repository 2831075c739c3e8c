"""Athena's workgroup and catalog, as clients look at them: by Athena's operations, and by Glue's."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from operator import itemgetter
from typing import Any

from idc_sandbox.athena.catalog import Catalog, require_glue
from idc_sandbox.context import Context
from idc_sandbox.errors import ServiceError, validation_error
from idc_sandbox.wire.registry import Listing, operation

_operation, _glue_operation = partial(operation, "athena"), partial(operation, "glue")
WORKGROUP = "primary"
CATALOG = "AwsDataCatalog"
ENGINE_VERSION = {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3"}
_Missing = Callable[[str], ServiceError]
_missing_in_glue = partial(ServiceError, "EntityNotFoundException")


def _missing_in_athena(message: str) -> ServiceError:
    return ServiceError("MetadataException", f"EntityNotFoundException: {message}")


def require_workgroup(request: dict[str, Any]) -> None:
    """Refuse another workgroup than the one that each account has from the beginning."""
    name = request.get("WorkGroup") or WORKGROUP
    if name != WORKGROUP:
        raise validation_error(f"WorkGroup {name} is not found.")


@_operation("GetWorkGroup")
def get_work_group(_context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/athena/latest/APIReference/API_GetWorkGroup.html."""
    require_workgroup(request)
    configuration = {
        "ResultConfiguration": {},
        "EnforceWorkGroupConfiguration": False,
        "PublishCloudWatchMetricsEnabled": False,
        "RequesterPaysEnabled": False,
        "ManagedQueryResultsConfiguration": {"Enabled": False},
        "EngineVersion": ENGINE_VERSION,
    }
    return {"WorkGroup": {"Name": WORKGROUP, "State": "ENABLED", "Configuration": configuration}}


@_operation("ListWorkGroups")
def list_work_groups(_context: Context, _request: dict[str, Any]) -> Listing:
    """https://docs.aws.amazon.com/athena/latest/APIReference/API_ListWorkGroups.html."""
    about = {"Name": WORKGROUP, "State": "ENABLED", "Description": "", "EngineVersion": ENGINE_VERSION}
    return Listing([about], order=itemgetter("Name"), most_on_a_page=50)


@_operation("ListEngineVersions")
def list_engine_versions(_context: Context, _request: dict[str, Any]) -> Listing:
    """https://docs.aws.amazon.com/athena/latest/APIReference/API_ListEngineVersions.html."""
    return Listing([ENGINE_VERSION], order=itemgetter("SelectedEngineVersion"), most_on_a_page=10)


@_operation("ListDataCatalogs")
def list_data_catalogs(_context: Context, request: dict[str, Any]) -> Listing:
    """https://docs.aws.amazon.com/athena/latest/APIReference/API_ListDataCatalogs.html."""
    require_workgroup(request)
    about = {"CatalogName": CATALOG, "Type": "GLUE"}
    return Listing([about], order=itemgetter("CatalogName"), most_on_a_page=50)


@_operation("GetDataCatalog")
def get_data_catalog(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/athena/latest/APIReference/API_GetDataCatalog.html."""
    require_workgroup(request)
    require_catalog(request["Name"])
    about = {"Name": CATALOG, "Type": "GLUE", "Parameters": {"catalog-id": context.caller.account_id}}
    return {"DataCatalog": about}


@_operation("ListDatabases")
def list_databases(context: Context, request: dict[str, Any]) -> Listing:
    """https://docs.aws.amazon.com/athena/latest/APIReference/API_ListDatabases.html."""
    catalog = _athena_catalog(context, request, "GetDatabases")
    is_named_only = request.get("AttributesToGet") == ["NAME"]
    shown = [_database(one, is_named_only=is_named_only) for one in catalog.databases()]
    return Listing(shown, itemgetter("Name"), most_on_a_page=50)


@_operation("GetDatabase")
def get_database(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/athena/latest/APIReference/API_GetDatabase.html."""
    name = request["DatabaseName"].lower()
    catalog = _athena_catalog(context, request, "GetDatabase", name)
    return {"Database": _database(_require_database(catalog, name, _missing_in_athena), is_named_only=False)}


@_operation("ListTableMetadata")
def list_table_metadata(context: Context, request: dict[str, Any]) -> Listing:
    """https://docs.aws.amazon.com/athena/latest/APIReference/API_ListTableMetadata.html."""
    database = request["DatabaseName"].lower()
    catalog = _athena_catalog(context, request, "GetTables", database)
    tables = _fitting_tables(catalog, database, request, _missing_in_athena)
    return Listing([_table(one) for one in tables], itemgetter("Name"), most_on_a_page=50)


@_operation("GetTableMetadata")
def get_table_metadata(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/athena/latest/APIReference/API_GetTableMetadata.html."""
    database, name = request["DatabaseName"].lower(), request["TableName"].lower()
    catalog = _athena_catalog(context, request, "GetTable", database, name)
    return {"TableMetadata": _table(_require_table(catalog, database, name, _missing_in_athena))}


def require_catalog(name: str) -> None:
    """Refuse another data catalog than the one that each account has."""
    if name.lower() != CATALOG.lower():  # some clients write it in lower case
        raise validation_error(f"The data catalog {name!r} does not exist; use {CATALOG}.")


def _athena_catalog(
    context: Context, request: dict[str, Any], action: str, database: str = "", table: str = ""
) -> Catalog:
    """Return the caller's catalog, when Athena has the one asked for and the caller may do this with it."""
    require_workgroup(request)
    require_catalog(request["CatalogName"])
    return _catalog(context, action, database, table)


def _catalog(context: Context, action: str, database: str, table: str) -> Catalog:
    require_glue(context.double, context.caller, context.region, action, database=database, table=table)
    return Catalog(context.connection, context.caller.account_id, context.region, context.now)


def _require_database(catalog: Catalog, name: str, missing: _Missing) -> dict[str, str]:
    found = catalog.find_database(name)
    if found is None:
        raise missing(f"Database {name} not found.")
    return found


def _require_table(catalog: Catalog, database: str, name: str, missing: _Missing) -> dict[str, Any]:
    _require_database(catalog, database, missing)
    table = catalog.find_table(database, name)
    if table is None:
        raise missing(f"Table {name} not found in the database {database}.")
    return table


def _fitting_tables(
    catalog: Catalog, database: str, request: dict[str, Any], missing: _Missing
) -> list[dict[str, Any]]:
    """Return the tables of a database whose names fit the expression of a request."""
    _require_database(catalog, database, missing)
    fits = _fits_expression(request.get("Expression") or ".*")
    return [one for one in catalog.tables(database) if fits(one["name"])]


def _database(database: dict[str, str], *, is_named_only: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {"Name": database["name"]}
    if database["description"] and not is_named_only:
        shown["Description"] = database["description"]
    if database["location"] and not is_named_only:
        shown["Parameters"] = {"location": database["location"]}
    return shown


def _table(table: dict[str, Any]) -> dict[str, Any]:
    is_view = table["kind"] == "VIRTUAL_VIEW"
    parameters = dict(table["properties"])
    if not is_view:
        parameters |= {
            "EXTERNAL": "TRUE",
            "location": table["location"],
            "inputformat": table["input_format"],
            "outputformat": table["output_format"],
            "serde.serialization.lib": table["serde"],
            **{f"serde.param.{name}": value for name, value in table["serde_properties"].items()},
        }
    return {
        "Name": table["name"],
        "CreateTime": table["created_at"],
        "TableType": table["kind"],
        "Columns": _described_columns(table["columns"]),
        "PartitionKeys": _described_columns(table["partitions"]),
        "Parameters": parameters,
    }


def _described_columns(columns: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return columns as Athena's and Glue's operations say them."""
    return [
        {"Name": one["name"], "Type": one["type"], **({"Comment": one["comment"]} if one["comment"] else {})}
        for one in columns
    ]


def _fits_expression(pattern: str) -> Callable[[str], bool]:
    """Return what tells whether a name fits: a regular expression, or with ``*`` as Hive's patterns."""
    # Of the whole of regular expressions only dots, stars and choices: others could take for ever.
    if not re.fullmatch(r"[A-Za-z0-9_.*|-]*", pattern):
        raise validation_error(
            f"The Expression {pattern[:80]!r} may have letters, digits, _, -, ., * and | only."
        )
    choices = [re.sub(r"(?:\.?\*)+", "*", one).split("*") for one in pattern.lower().split("|")]
    return lambda name: any(_fits(name, parts) for parts in choices)


def _fits(name: str, parts: list[str]) -> bool:
    """Tell whether a name is these parts with anything between them."""
    if len(parts) == 1:
        return name == parts[0]
    if not name.startswith(parts[0]):
        return False
    at = len(parts[0])
    for part in parts[1:-1]:
        found = name.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(name) - at >= len(parts[-1]) and name.endswith(parts[-1])


# What clients of Athena ask Glue for: the same catalog under Glue's names, and a table taken out of it.


@_glue_operation("GetDatabases")
def get_databases(context: Context, request: dict[str, Any]) -> Listing:
    """https://docs.aws.amazon.com/glue/latest/webapi/API_GetDatabases.html."""
    catalog = _glue_catalog(context, request, "GetDatabases")
    shown = [_glue_database(context, one) for one in catalog.databases()]
    return Listing(shown, order=itemgetter("Name"))


@_glue_operation("GetDatabase")
def get_database_of_glue(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/glue/latest/webapi/API_GetDatabase.html."""
    name = request["Name"].lower()
    catalog = _glue_catalog(context, request, "GetDatabase", name)
    return {"Database": _glue_database(context, _require_database(catalog, name, _missing_in_glue))}


@_glue_operation("GetTables")
def get_tables(context: Context, request: dict[str, Any]) -> Listing:
    """https://docs.aws.amazon.com/glue/latest/webapi/API_GetTables.html."""
    database = request["DatabaseName"].lower()
    catalog = _glue_catalog(context, request, "GetTables", database)
    shown = [
        _glue_table(context, one) for one in _fitting_tables(catalog, database, request, _missing_in_glue)
    ]
    return Listing(shown, order=itemgetter("Name"))


@_glue_operation("GetTable")
def get_table(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/glue/latest/webapi/API_GetTable.html."""
    database, name = request["DatabaseName"].lower(), request["Name"].lower()
    catalog = _glue_catalog(context, request, "GetTable", database, name)
    return {"Table": _glue_table(context, _require_table(catalog, database, name, _missing_in_glue))}


@_glue_operation("DeleteTable")
def delete_table(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/glue/latest/webapi/API_DeleteTable.html."""
    database, name = request["DatabaseName"].lower(), request["Name"].lower()
    catalog = _glue_catalog(context, request, "DeleteTable", database, name)
    table = _require_table(catalog, database, name, _missing_in_glue)
    is_view = table["kind"] == "VIRTUAL_VIEW"
    catalog.change("drop_table", {"database": database, "name": name, "is_view": is_view, "if_there": False})
    return {}


def _glue_catalog(
    context: Context, request: dict[str, Any], action: str, database: str = "", table: str = ""
) -> Catalog:
    """Return the caller's catalog, when the caller may do this with it."""
    if request.get("CatalogId", context.caller.account_id) != context.caller.account_id:
        raise _missing_in_glue(
            f"The catalog {request['CatalogId']!r} is not there: each account has its own."
        )
    return _catalog(context, action, database, table)


def _glue_database(context: Context, database: dict[str, str]) -> dict[str, Any]:
    return {
        "Name": database["name"],
        "Description": database["description"] or None,
        "LocationUri": database["location"] or None,
        "CatalogId": context.caller.account_id,
    }


def _glue_table(context: Context, table: dict[str, Any]) -> dict[str, Any]:
    is_view = table["kind"] == "VIRTUAL_VIEW"
    storage = {
        "Columns": _described_columns(table["columns"]),
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
        "PartitionKeys": _described_columns(table["partitions"]),
        "ViewOriginalText": table["view"] if is_view else None,
        "Parameters": {**table["properties"], **({} if is_view else {"EXTERNAL": "TRUE"})},
        "CatalogId": context.caller.account_id,
    }
