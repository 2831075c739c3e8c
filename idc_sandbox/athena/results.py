"""The rows of a result, read page by page from the object that they lie in."""

from __future__ import annotations

import base64
import json
import re
import sqlite3
from typing import Any

from idc_sandbox.context import Context
from idc_sandbox.errors import ServiceError

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
            raise ServiceError(
                "InvalidRequestException",
                f"The result at s3://{bucket}/{key} is gone: start the query again.",
                AthenaErrorCode="INVALID_INPUT",
            )
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
        of_query, place = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (ValueError, TypeError, RecursionError):
        of_query, place = None, None
    if of_query != query_id or type(place) is not int or not 0 <= place < 2**63:
        raise ServiceError(
            "InvalidRequestException",
            f"The NextToken {token[:40]!r} was not given for this query; start over without one.",
            AthenaErrorCode="INVALID_INPUT",
        )
    return place
