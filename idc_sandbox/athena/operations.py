"""Athena's operations on queries: run, looked at, stopped, read page by page; and saved under a name."""

from __future__ import annotations

import base64
import json
import re
import sqlite3
from functools import partial
from typing import Any

from idc_sandbox.athena.kinds import kind_of_statement
from idc_sandbox.athena.metadata import CATALOG, ENGINE_VERSION, WORKGROUP, require_catalog, require_workgroup
from idc_sandbox.context import Context
from idc_sandbox.errors import ServiceError, parse_json, validation_error
from idc_sandbox.store import next_number
from idc_sandbox.wire.registry import Listing, LongListing, operation

_PIECE = 256 * 1024
_CELL = re.compile(rb'(?:"((?:[^"]|"")*)")?([,\n])')


def read_page(context: Context, row: sqlite3.Row, token: str | None, most: int) -> dict[str, Any]:
    """Return a page of GetQueryResults; the first of a query begins with the names of its columns."""
    request, outcome = json.loads(row["request_json"]), json.loads(row["outcome_json"])
    bucket, _, key = request["address"].removeprefix("s3://").partition("/")
    context.double.require_objects(context.caller, "s3:GetObject", bucket, [key])
    start = _read_token(token, row["query_id"])
    lines, after, is_end = _lines(context, bucket, key, start, most)
    columns = outcome["done"]["columns"]
    next_token = None if is_end else _make_token(row["query_id"], after)
    return {
        "UpdateCount": 0,
        "ResultSet": {
            "Rows": [{"Data": [_datum(value) for value in line]} for line in lines],
            "ResultSetMetadata": {"ColumnInfo": columns},
        },
        "NextToken": next_token,
    }


def _datum(value: bytes | None) -> dict[str, str]:
    return {} if value is None else {"VarCharValue": value.decode("utf-8", "replace")}


def _lines(
    context: Context, bucket: str, key: str, start: int, most: int
) -> tuple[list[list[bytes | None]], int, bool]:
    """Return rows from a place in the object on, the place behind them, and whether it is the end."""
    is_csv, size = key.endswith(".csv"), _PIECE
    while True:
        piece = context.double.read_object(bucket, key, start, size + 1)
        if piece is None:
            raise validation_error(f"The result at s3://{bucket}/{key} is gone: start the query again.")
        is_whole = len(piece) <= size
        lines, used = _split(piece, most) if is_csv else _split_text(piece, most)
        if len(lines) >= most or is_whole:
            # Behind the last whole row is nothing more, whatever somebody has put in place of the result.
            return lines, start + used, is_whole and (len(lines) < most or used >= len(piece))
        size *= 4


def _split(piece: bytes, most: int) -> tuple[list[list[bytes | None]], int]:
    """Return the whole rows at the beginning of a piece of CSV, and how many bytes they take."""
    lines: list[list[bytes | None]] = []
    line: list[bytes | None] = []
    used = at = 0
    while len(lines) < most and (match := _CELL.match(piece, at)):
        cell = match[1]
        line.append(None if cell is None else cell.replace(b'""', b'"'))
        at = match.end()
        if match[2] == b"\n":
            lines.append(line)
            line, used = [], at
    return lines, used


def _split_text(piece: bytes, most: int) -> tuple[list[list[bytes | None]], int]:
    lines: list[list[bytes | None]] = []
    used = 0
    while len(lines) < most and (end := piece.find(b"\n", used)) >= 0:
        lines.append([piece[used:end]])
        used = end + 1
    return lines, used


def _make_token(query_id: str, place: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([query_id, place]).encode()).decode()


def _read_token(token: str | None, query_id: str) -> int:
    if token is None:
        return 0
    try:
        of_query, place = parse_json(base64.urlsafe_b64decode(token.encode()))
    except (ValueError, TypeError):
        of_query, place = None, None
    if of_query != query_id or type(place) is not int or not 0 <= place < 2**63:
        raise validation_error(
            f"The NextToken {token[:40]!r} was not given for this query; start over without one."
        )
    return place


_operation = partial(operation, "athena")
_MOST_WAITING = 100
_ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")
_KEYS = 10**12  # newest first: a list is ordered by what is left of this


@_operation("StartQueryExecution")
def start_query_execution(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/athena/latest/APIReference/API_StartQueryExecution.html."""
    require_workgroup(request)
    _check(context, request)
    kept = {name: value for name, value in request.items() if value is not None}
    if earlier := _earlier(context, "athena_query", kept):
        return {"QueryExecutionId": earlier["query_id"]}
    waiting = context.value("SELECT count(*) FROM athena_query WHERE state IN ('QUEUED', 'RUNNING')")
    if waiting >= _MOST_WAITING:
        raise ServiceError(
            "TooManyRequestsException",
            f"{_MOST_WAITING} queries wait or run: that is all that the sandbox takes at once",
            Reason="CONCURRENT_QUERY_LIMIT_EXCEEDED",
        )
    query_id = context.ids.uuid("athena_query")
    folder = kept["ResultConfiguration"]["OutputLocation"].rstrip("/")
    ending = kind_of_statement(kept["QueryString"]).ending
    context.insert(
        "athena_query",
        query_id=query_id,
        number=next_number(context.connection, "athena_query_number"),
        account_id=context.caller.account_id,
        region=context.region,
        principal_arn=context.caller.principal_arn,
        access_key_id=context.caller.access_key_id,
        request_json=json.dumps({**kept, "address": f"{folder}/{query_id}.{ending}"}),
        state="QUEUED",
        submitted_at=context.now,
    )
    return {"QueryExecutionId": query_id}


def _check(context: Context, request: dict[str, Any]) -> None:
    """Refuse what the sandbox's Athena cannot do, or what Athena says at once."""
    if request.get("EngineConfiguration"):
        raise validation_error(
            "EngineConfiguration is for workgroups with Apache Spark; the sandbox has none."
        )
    require_catalog((request.get("QueryExecutionContext") or {}).get("Catalog", CATALOG))
    result = request.get("ResultConfiguration") or {}
    location = result.get("OutputLocation")
    if not location:
        raise validation_error(
            "No output location provided. An output location is required either through the Workgroup result "
            "configuration setting or as an API input."
        )
    match = re.fullmatch(r"s3://([a-z0-9.-]{3,63})(?:/.*)?", location, re.DOTALL)
    if match is None or len(location) > 900:
        raise validation_error(f"outputLocation is not a valid S3 path: {location[:200]!r}.")
    if (result.get("EncryptionConfiguration") or {}).get("EncryptionOption", "SSE_S3") != "SSE_S3":
        raise validation_error("The sandbox has no KMS: use EncryptionOption SSE_S3, or none.")
    owner = context.double.bucket_owner(match[1])
    if owner is None:
        raise validation_error(f"Unable to verify/create output bucket {match[1]}. Create it first.")
    if result.get("ExpectedBucketOwner", owner) != owner:
        raise validation_error(f"The bucket {match[1]} is not of the account in ExpectedBucketOwner.")


def _earlier(context: Context, table: str, request: dict[str, Any]) -> sqlite3.Row | None:
    """Return what the same request with the same token has made already, or None."""
    if not request.get("ClientRequestToken"):
        return None
    row = context.row(
        f"SELECT * FROM {table} WHERE account_id = ? AND region = ?"  # noqa: S608  ours
        " AND json_extract(request_json, '$.ClientRequestToken') = ? ORDER BY rowid DESC",
        context.caller.account_id,
        context.region,
        request["ClientRequestToken"],
    )
    known = json.loads(row["request_json"]) if row else {}
    known.pop("address", None)
    if row and known != request:
        raise validation_error("Idempotent parameters do not match")
    return row


@_operation("GetQueryExecution")
def get_query_execution(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/athena/latest/APIReference/API_GetQueryExecution.html."""
    return {"QueryExecution": _execution(_require_query(context, request["QueryExecutionId"]))}


@_operation("BatchGetQueryExecution")
def batch_get_query_execution(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/athena/latest/APIReference/API_BatchGetQueryExecution.html."""
    rows = {query_id: _find_query(context, query_id) for query_id in request["QueryExecutionIds"]}
    return {
        "QueryExecutions": [_execution(row) for row in rows.values() if row is not None],
        "UnprocessedQueryExecutionIds": [
            {
                "QueryExecutionId": one,
                "ErrorCode": "QUERY_EXECUTION_NOT_FOUND",
                "ErrorMessage": f"QueryExecution {one} was not found",
            }
            for one, row in rows.items()
            if row is None
        ],
    }


@_operation("ListQueryExecutions")
def list_query_executions(context: Context, request: dict[str, Any]) -> LongListing:
    """https://docs.aws.amazon.com/athena/latest/APIReference/API_ListQueryExecutions.html."""
    require_workgroup(request)

    def read(last_key: str | None, number: int) -> list[sqlite3.Row]:
        is_key = re.fullmatch("[0-9]{13}", last_key or "")
        below = _KEYS - int(is_key[0]) if is_key else _KEYS
        return context.rows(
            "SELECT * FROM athena_query WHERE account_id = ? AND region = ? AND number < ?"
            " ORDER BY number DESC LIMIT ?",
            context.caller.account_id,
            context.region,
            below,
            number,
        )

    return LongListing(
        [],
        order=lambda row: f"{_KEYS - row['number']:013d}",
        shown=lambda row: row["query_id"],
        most_on_a_page=50,
        read=read,
    )


@_operation("StopQueryExecution")
def stop_query_execution(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/athena/latest/APIReference/API_StopQueryExecution.html."""
    row = _require_query(context, request["QueryExecutionId"])
    if row["state"] not in _ENDED:
        context.update("athena_query", row, state="CANCELLED", completed_at=context.now)
    return {}


@_operation("GetQueryResults")
def get_query_results(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/athena/latest/APIReference/API_GetQueryResults.html."""
    row = _require_query(context, request["QueryExecutionId"])
    if row["state"] in ("QUEUED", "RUNNING"):
        raise validation_error(f"Query has not yet finished. Current state: {row['state']}")
    if row["state"] != "SUCCEEDED":
        raise validation_error(f"Query did not finish successfully. Final query state: {row['state']}")
    if request.get("QueryResultType") == "DATA_MANIFEST":
        raise validation_error("The query has no data manifest: the sandbox's Athena writes no tables.")
    return read_page(context, row, request.get("NextToken"), int(request.get("MaxResults") or 1000))


@_operation("GetQueryRuntimeStatistics")
def get_query_runtime_statistics(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/athena/latest/APIReference/API_GetQueryRuntimeStatistics.html."""
    row = _require_query(context, request["QueryExecutionId"])
    statistics, done = _statistics(row), json.loads(row["outcome_json"]).get("done", {})
    timeline = {name: value for name, value in statistics.items() if name.endswith("Millis")}
    rows = {
        "InputBytes": done.get("scanned", 0),
        "OutputRows": done.get("rows", 0),
        "OutputBytes": done.get("output_bytes", 0),
    }
    return {"QueryRuntimeStatistics": {"Timeline": timeline, "Rows": rows}}


def _find_query(context: Context, query_id: str) -> sqlite3.Row | None:
    key = {"account_id": context.caller.account_id, "region": context.region}
    return context.find("athena_query", query_id=query_id, **key)


def _require_query(context: Context, query_id: str) -> sqlite3.Row:
    row = _find_query(context, query_id)
    if row is None:
        raise validation_error(f"QueryExecution {query_id} was not found")
    return row


def _execution(row: sqlite3.Row) -> dict[str, Any]:
    request, outcome = json.loads(row["request_json"]), json.loads(row["outcome_json"])
    kind = kind_of_statement(request["QueryString"])
    status: dict[str, Any] = {"State": row["state"], "SubmissionDateTime": row["submitted_at"]}
    if row["completed_at"] is not None:
        status["CompletionDateTime"] = row["completed_at"]
    if row["state"] == "FAILED":
        failed = outcome["failed"]
        status["StateChangeReason"] = failed["reason"]
        status["AthenaError"] = {
            "ErrorCategory": failed["category"],
            "ErrorType": failed["error_type"],
            "Retryable": False,
            "ErrorMessage": failed["reason"],
        }
    elif row["state"] == "CANCELLED":
        status["StateChangeReason"] = "Query cancelled by user"
    reuse = request.get("ResultReuseConfiguration") or {"ResultReuseByAgeConfiguration": {"Enabled": False}}
    return {
        "QueryExecutionId": row["query_id"],
        "Query": request["QueryString"],
        "StatementType": kind.type,
        "SubstatementType": kind.substatement,
        "ResultConfiguration": {**request["ResultConfiguration"], "OutputLocation": request["address"]},
        "ResultReuseConfiguration": reuse,
        "QueryExecutionContext": request.get("QueryExecutionContext", {}),
        "ExecutionParameters": request.get("ExecutionParameters"),
        "Status": status,
        "Statistics": _statistics(row),
        "WorkGroup": request.get("WorkGroup", WORKGROUP),
        "EngineVersion": ENGINE_VERSION,
    }


def _statistics(row: sqlite3.Row) -> dict[str, Any]:
    done = json.loads(row["outcome_json"]).get("done", {})
    started, ended = row["started_at"], row["completed_at"]
    queued = (started if started is not None else ended or row["submitted_at"]) - row["submitted_at"]
    total = (ended if ended is not None else row["submitted_at"]) - row["submitted_at"]
    engine = done.get("engine_s", 0.0)
    # The sandbox's clock may be moved while a query runs: no time is below 0.
    times = {
        "EngineExecutionTimeInMillis": engine,
        "TotalExecutionTimeInMillis": max(total, engine),
        "QueryQueueTimeInMillis": queued,
        "QueryPlanningTimeInMillis": done.get("planning_s", 0.0),
        "ServiceProcessingTimeInMillis": total - queued - engine,
    }
    counted = {name: max(round(value * 1000), 0) for name, value in times.items()}
    return {
        **counted,
        "DataScannedInBytes": done.get("scanned", 0),
        "ResultReuseInformation": {"ReusedPreviousResult": False},
    }


# Queries that are saved under a name.

_PARTS = ("Name", "Description", "Database", "QueryString")


@_operation("CreateNamedQuery")
def create_named_query(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/athena/latest/APIReference/API_CreateNamedQuery.html."""
    require_workgroup(request)
    kept = {name: value for name, value in request.items() if value is not None}
    if earlier := _earlier(context, "athena_named_query", kept):
        return {"NamedQueryId": earlier["named_query_id"]}
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
    return {"NamedQuery": _shown_named(_require_named(context, request["NamedQueryId"]))}


@_operation("BatchGetNamedQuery")
def batch_get_named_query(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/athena/latest/APIReference/API_BatchGetNamedQuery.html."""
    found = {row["named_query_id"]: row for row in _named(context)}
    wanted = request["NamedQueryIds"]
    return {
        "NamedQueries": [_shown_named(found[one]) for one in wanted if one in found],
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
    return Listing([row["named_query_id"] for row in _named(context)], most_on_a_page=50)


@_operation("UpdateNamedQuery")
def update_named_query(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/athena/latest/APIReference/API_UpdateNamedQuery.html."""
    row = _require_named(context, request["NamedQueryId"])
    changed = {name: request[name] for name in _PARTS if request.get(name) is not None}
    kept = json.loads(row["request_json"]) | changed
    context.update("athena_named_query", row, request_json=json.dumps(kept))
    return {}


@_operation("DeleteNamedQuery")
def delete_named_query(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/athena/latest/APIReference/API_DeleteNamedQuery.html."""
    row = _require_named(context, request["NamedQueryId"])
    context.delete("athena_named_query", named_query_id=row["named_query_id"])
    return {}


def _named(context: Context) -> list[sqlite3.Row]:
    return context.find_all("athena_named_query", account_id=context.caller.account_id, region=context.region)


def _require_named(context: Context, query_id: str) -> sqlite3.Row:
    key = {"account_id": context.caller.account_id, "region": context.region}
    row = context.find("athena_named_query", named_query_id=query_id, **key)
    if row is None:
        raise validation_error(f"NamedQuery {query_id} was not found")
    return row


def _shown_named(row: sqlite3.Row) -> dict[str, Any]:
    request = json.loads(row["request_json"])
    parts = {name: request[name] for name in _PARTS if request.get(name)}
    return {**parts, "NamedQueryId": row["named_query_id"], "WorkGroup": request.get("WorkGroup", WORKGROUP)}
