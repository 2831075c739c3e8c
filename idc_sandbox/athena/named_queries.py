"""Queries that are saved under a name."""

from __future__ import annotations

import json
import sqlite3
from functools import partial
from typing import Any

from idc_sandbox.athena.metadata import require_workgroup
from idc_sandbox.context import Context
from idc_sandbox.errors import ServiceError
from idc_sandbox.wire.registry import Listing, operation

_operation = partial(operation, "athena")
_PARTS = ("Name", "Description", "Database", "QueryString")


@_operation("CreateNamedQuery")
def create_named_query(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/athena/latest/APIReference/API_CreateNamedQuery.html."""
    require_workgroup(request)
    kept = {name: value for name, value in request.items() if value is not None}
    token = kept.get("ClientRequestToken")
    for row in _rows(context) if token else []:
        known = json.loads(row["request_json"])
        if known.get("ClientRequestToken") == token:
            if known != kept:
                raise ServiceError(
                    "InvalidRequestException",
                    "Idempotent parameters do not match",
                    AthenaErrorCode="INVALID_INPUT",
                )
            return {"NamedQueryId": row["named_query_id"]}
    query_id = context.ids.uuid("athena_named_query")
    context.insert(
        "athena_named_query",
        named_query_id=query_id,
        account_id=context.caller.account_id,
        region=context.region,
        request_json=json.dumps(kept),
    )
    return {"NamedQueryId": query_id}


@_operation("GetNamedQuery")
def get_named_query(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/athena/latest/APIReference/API_GetNamedQuery.html."""
    return {"NamedQuery": _shown(_require(context, request["NamedQueryId"]))}


@_operation("BatchGetNamedQuery")
def batch_get_named_query(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/athena/latest/APIReference/API_BatchGetNamedQuery.html."""
    found = {row["named_query_id"]: row for row in _rows(context)}
    wanted = request["NamedQueryIds"]
    return {
        "NamedQueries": [_shown(found[one]) for one in wanted if one in found],
        "UnprocessedNamedQueryIds": [
            {
                "NamedQueryId": one,
                "ErrorCode": "NAMED_QUERY_NOT_FOUND",
                "ErrorMessage": f"NamedQuery {one} was not found",
            }
            for one in wanted
            if one not in found
        ],
    }


@_operation("ListNamedQueries")
def list_named_queries(context: Context, request: dict[str, Any]) -> Listing:
    """https://docs.aws.amazon.com/athena/latest/APIReference/API_ListNamedQueries.html."""
    require_workgroup(request)
    return Listing([row["named_query_id"] for row in _rows(context)], most_on_a_page=50)


@_operation("UpdateNamedQuery")
def update_named_query(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/athena/latest/APIReference/API_UpdateNamedQuery.html."""
    row = _require(context, request["NamedQueryId"])
    changed = {name: request[name] for name in _PARTS if request.get(name) is not None}
    kept = json.loads(row["request_json"]) | changed
    context.update("athena_named_query", row, request_json=json.dumps(kept))
    return {}


@_operation("DeleteNamedQuery")
def delete_named_query(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/athena/latest/APIReference/API_DeleteNamedQuery.html."""
    row = _require(context, request["NamedQueryId"])
    context.delete("athena_named_query", named_query_id=row["named_query_id"])
    return {}


def _rows(context: Context) -> list[sqlite3.Row]:
    return context.find_all("athena_named_query", account_id=context.caller.account_id, region=context.region)


def _require(context: Context, query_id: str) -> sqlite3.Row:
    key = {"account_id": context.caller.account_id, "region": context.region}
    row = context.find("athena_named_query", named_query_id=query_id, **key)
    if row is None:
        raise ServiceError(
            "InvalidRequestException", f"NamedQuery {query_id} was not found", AthenaErrorCode="INVALID_INPUT"
        )
    return row


def _shown(row: sqlite3.Row) -> dict[str, Any]:
    request = json.loads(row["request_json"])
    parts = {name: request[name] for name in _PARTS if request.get(name)}
    return {**parts, "NamedQueryId": row["named_query_id"], "WorkGroup": request.get("WorkGroup", "primary")}
