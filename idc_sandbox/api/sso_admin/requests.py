"""Asynchronous requests: an assignment or a provisioning is accepted first, and done a moment later."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from idc_sandbox.api.instance_rules import require_permission_sets
from idc_sandbox.api.pagination import paginate
from idc_sandbox.context import Context
from idc_sandbox.errors import ServiceError, conflict, not_found
from idc_sandbox.switches import asynchronous_duration_s

CREATE_ASSIGNMENT = "CREATE_ASSIGNMENT"
DELETE_ASSIGNMENT = "DELETE_ASSIGNMENT"
PROVISION = "PROVISION"

# AWS's limits on requests in progress; creations and deletions of assignments count together.
_ASSIGNMENT_KINDS = (CREATE_ASSIGNMENT, DELETE_ASSIGNMENT)
_KINDS_AND_LIMIT = {
    CREATE_ASSIGNMENT: (_ASSIGNMENT_KINDS, 15),
    DELETE_ASSIGNMENT: (_ASSIGNMENT_KINDS, 15),
    PROVISION: ((PROVISION,), 3),
}


def start_request(context: Context, instance_arn: str, kind: str, detail: dict[str, Any]) -> sqlite3.Row:
    """Accept a request; `provisioning.settle_due_requests` completes it when it is due.

    Raises
    ------
    ServiceError
        ``ThrottlingException`` over AWS's limit of requests in progress, ``ConflictException`` while an
        assignment of the same principal, permission set and account is being created or deleted.
        Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/limits.html
    """
    kinds, limit = _KINDS_AND_LIMIT[kind]
    outstanding = [row for row in requests_in_progress(context, instance_arn) if row["kind"] in kinds]
    if kind in _ASSIGNMENT_KINDS and any(json.loads(row["detail_json"]) == detail for row in outstanding):
        raise conflict("There is a conflicting operation in process.")
    if len(outstanding) >= limit:
        raise ServiceError(
            "ThrottlingException", "There are too many requests processing. Please try again later."
        )
    request_id = context.ids.uuid("request")
    now = context.now
    context.connection.execute(
        "INSERT INTO asynchronous_request (request_id, instance_arn, kind, status, detail_json,"
        " created_at, due_at)"
        " VALUES (?, ?, ?, 'IN_PROGRESS', ?, ?, ?)",
        (
            request_id,
            instance_arn,
            kind,
            json.dumps(detail, sort_keys=True),
            now,
            now + asynchronous_duration_s(context.connection),
        ),
    )
    return find_request(context, instance_arn, kind, request_id)


def requests_in_progress(context: Context, instance_arn: str) -> list[sqlite3.Row]:
    """Return the requests of an instance that are not done yet."""
    return context.connection.execute(
        "SELECT * FROM asynchronous_request WHERE status = 'IN_PROGRESS' AND instance_arn = ?",
        (instance_arn,),
    ).fetchall()


def is_in_progress(context: Context, instance_arn: str, permission_set_arn: str) -> bool:
    """Tell whether any request about a permission set is not done yet."""
    return any(
        json.loads(row["detail_json"])["PermissionSetArn"] == permission_set_arn
        for row in requests_in_progress(context, instance_arn)
    )


def find_request(context: Context, instance_arn: str, kind: str, request_id: str) -> sqlite3.Row:
    """Return a request of a kind.

    Raises
    ------
    ServiceError
        ``ResourceNotFoundException`` for an id that this instance did not give for this kind of request.
    """
    row: sqlite3.Row | None = context.connection.execute(
        "SELECT * FROM asynchronous_request WHERE request_id = ? AND instance_arn = ? AND kind = ?",
        (request_id, instance_arn, kind),
    ).fetchone()
    if row is None:
        what = kind.lower().replace("_", " ")
        raise not_found(f"No {what} request {request_id!r} exists in the instance {instance_arn!r}.")
    return row


def request_status(row: sqlite3.Row, *, with_detail: bool) -> dict[str, Any]:
    """Return a request as the Describe operations (with detail) and the List operations (without) show it."""
    status = {"Status": row["status"], "RequestId": row["request_id"], "CreatedDate": row["created_at"]}
    if with_detail:
        status |= {"FailureReason": row["failure_reason"]} | json.loads(row["detail_json"])
    return status


def list_statuses(
    context: Context, request: dict[str, Any], *, kind: str, operation_name: str
) -> tuple[list[dict[str, Any]], str | None]:
    """Return a page of an instance's requests of a kind, oldest first, and the next page's token."""
    instance_arn = require_permission_sets(context, request["InstanceArn"])["instance_arn"]
    status = (request.get("Filter") or {}).get("Status")
    rows = context.connection.execute(
        "SELECT * FROM asynchronous_request WHERE instance_arn = ? AND kind = ? AND status ="
        " coalesce(?, status)",
        (instance_arn, kind, status),
    )
    page, token = paginate(
        rows,
        operation_name=operation_name,
        key=lambda row: f"{row['created_at']:020.6f} {row['request_id']}",
        request=request,
    )
    return [request_status(row, with_detail=False) for row in page], token
