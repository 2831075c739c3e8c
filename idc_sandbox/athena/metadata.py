"""Athena's workgroup and catalog, as clients look at them."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from idc_sandbox.athena.catalog import Catalog
from idc_sandbox.athena.shelf import require_glue
from idc_sandbox.context import Context
from idc_sandbox.errors import ServiceError
from idc_sandbox.wire.registry import Listing, operation

_operation = partial(operation, "athena")
WORKGROUP = "primary"
CATALOG = "AwsDataCatalog"
_ENGINE = {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3"}
_invalid = partial(ServiceError, "InvalidRequestException", AthenaErrorCode="INVALID_INPUT")
_missing = partial(ServiceError, "MetadataException")


def require_workgroup(request: dict[str, Any]) -> None:
    """Refuse another workgroup than the one that each account has from the beginning."""
    name = request.get("WorkGroup") or WORKGROUP
    if name != WORKGROUP:
        raise _invalid(f"WorkGroup {name} is not found.")


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
        "EngineVersion": _ENGINE,
    }
    return {"WorkGroup": {"Name": WORKGROUP, "State": "ENABLED", "Configuration": configuration}}


@_operation("ListWorkGroups")
def list_work_groups(_context: Context, _request: dict[str, Any]) -> Listing:
    """https://docs.aws.amazon.com/athena/latest/APIReference/API_ListWorkGroups.html."""
    about = {"Name": WORKGROUP, "State": "ENABLED", "Description": "", "EngineVersion": _ENGINE}
    return Listing([about], order=lambda item: item["Name"], most_on_a_page=50)


@_operation("ListEngineVersions")
def list_engine_versions(_context: Context, _request: dict[str, Any]) -> Listing:
    """https://docs.aws.amazon.com/athena/latest/APIReference/API_ListEngineVersions.html."""
    return Listing([_ENGINE], order=lambda item: item["SelectedEngineVersion"], most_on_a_page=10)


@_operation("ListDataCatalogs")
def list_data_catalogs(_context: Context, request: dict[str, Any]) -> Listing:
    """https://docs.aws.amazon.com/athena/latest/APIReference/API_ListDataCatalogs.html."""
    require_workgroup(request)
    about = {"CatalogName": CATALOG, "Type": "GLUE"}
    return Listing([about], order=lambda item: item["CatalogName"], most_on_a_page=50)


@_operation("GetDataCatalog")
def get_data_catalog(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/athena/latest/APIReference/API_GetDataCatalog.html."""
    _require_catalog(request["Name"], request)
    about = {"Name": CATALOG, "Type": "GLUE", "Parameters": {"catalog-id": context.caller.account_id}}
    return {"DataCatalog": about}


@_operation("ListDatabases")
def list_databases(context: Context, request: dict[str, Any]) -> Listing:
    """https://docs.aws.amazon.com/athena/latest/APIReference/API_ListDatabases.html."""
    _require_catalog(request["CatalogName"], request)
    _require_glue(context, "GetDatabases")
    is_named_only = request.get("AttributesToGet") == ["NAME"]
    shown = (_database(one, is_named_only=is_named_only) for one in _catalog(context).databases())
    return Listing(list(shown), order=lambda item: item["Name"], most_on_a_page=50)


@_operation("GetDatabase")
def get_database(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/athena/latest/APIReference/API_GetDatabase.html."""
    _require_catalog(request["CatalogName"], request)
    name = request["DatabaseName"].lower()
    _require_glue(context, "GetDatabase", name)
    return {"Database": _database(_require_database(context, name), is_named_only=False)}


@_operation("ListTableMetadata")
def list_table_metadata(context: Context, request: dict[str, Any]) -> Listing:
    """https://docs.aws.amazon.com/athena/latest/APIReference/API_ListTableMetadata.html."""
    _require_catalog(request["CatalogName"], request)
    database = request["DatabaseName"].lower()
    _require_glue(context, "GetTables", database)
    _require_database(context, database)
    pattern = fits_expression(request.get("Expression") or ".*", "InvalidRequestException")
    tables = [one for one in _catalog(context).tables(database) if pattern(one["name"])]
    return Listing([_table(one) for one in tables], order=lambda item: item["Name"], most_on_a_page=50)


@_operation("GetTableMetadata")
def get_table_metadata(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/athena/latest/APIReference/API_GetTableMetadata.html."""
    _require_catalog(request["CatalogName"], request)
    database, name = request["DatabaseName"].lower(), request["TableName"].lower()
    _require_glue(context, "GetTable", database, name)
    _require_database(context, database)
    table = _catalog(context).find_table(database, name)
    if table is None:
        raise _missing(f"EntityNotFoundException: Table {name} not found in the database {database}.")
    return {"TableMetadata": _table(table)}


def _require_catalog(name: str, request: dict[str, Any]) -> None:
    require_workgroup(request)
    if name.lower() != CATALOG.lower():  # some clients write it in lower case
        raise _invalid(f"The data catalog {name!r} does not exist; use {CATALOG}.")


def _require_glue(context: Context, action: str, database: str = "", table: str = "") -> None:
    require_glue(context.double, context.caller, context.region, action, database=database, table=table)


def _catalog(context: Context) -> Catalog:
    return Catalog(context.connection, context.caller.account_id, context.region, context.now)


def _require_database(context: Context, name: str) -> dict[str, str]:
    found = next((one for one in _catalog(context).databases() if one["name"] == name), None)
    if found is None:
        raise _missing(f"EntityNotFoundException: Database {name} not found.")
    return found


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
        "Columns": described_columns(table["columns"]),
        "PartitionKeys": described_columns(table["partitions"]),
        "Parameters": parameters,
    }


def described_columns(columns: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return columns as Athena's and Glue's operations say them."""
    return [
        {"Name": one["name"], "Type": one["type"], **({"Comment": one["comment"]} if one["comment"] else {})}
        for one in columns
    ]


def fits_expression(pattern: str, code: str) -> Callable[[str], bool]:
    """Return what tells whether a name fits: a regular expression, or with ``*`` as Hive's patterns."""
    # Of the whole of regular expressions only dots, stars and choices: others could take for ever.
    if not re.fullmatch(r"[A-Za-z0-9_.*|-]*", pattern):
        raise ServiceError(
            code, f"The Expression {pattern[:80]!r} may have letters, digits, _, -, ., * and | only."
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
