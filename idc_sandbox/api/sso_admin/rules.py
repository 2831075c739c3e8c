"""Rules that the operations share: which resource is meant, who may change it, requests, principals."""

from __future__ import annotations

import json
import re
import sqlite3
from typing import Any

from idc_sandbox.api.instance_rules import require_permission_sets
from idc_sandbox.context import Context
from idc_sandbox.errors import ServiceError, access_denied, conflict, not_found, validation_error
from idc_sandbox.switches import asynchronous_duration_s
from idc_sandbox.wire.registry import paginate

MINIMUM_SESSION_S = 3600
MAXIMUM_SESSION_S = 12 * 3600

_DURATION = re.compile(
    r"P(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?",
    re.ASCII,
)
_SECONDS_OF_UNIT = {"weeks": 604800, "days": 86400, "hours": 3600, "minutes": 60, "seconds": 1}


def find_permission_set(context: Context, instance_arn: str, permission_set_arn: str) -> sqlite3.Row:
    """Return a permission set of an instance."""
    instance = require_permission_sets(context, instance_arn)
    row: sqlite3.Row | None = context.connection.execute(
        "SELECT * FROM permission_set WHERE permission_set_arn = ? AND instance_arn = ?",
        (permission_set_arn, instance["instance_arn"]),
    ).fetchone()
    if row is None:
        raise not_found(
            f"Could not find PermissionSet with id {permission_set_arn.rpartition('/')[2]}: the instance "
            f"{instance_arn!r} has no permission set {permission_set_arn!r}. ListPermissionSets shows "
            "those that it has."
        )
    return row


def find_manageable(context: Context, request: dict[str, Any]) -> sqlite3.Row:
    """Return the permission set that a request names, for a change."""
    row = find_permission_set(context, request["InstanceArn"], request["PermissionSetArn"])
    require_manageable(context, row)
    return row


def require_manageable(context: Context, permission_set: sqlite3.Row) -> None:
    """Refuse a delegated administrator's change to a permission set that the management account uses.

    Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/delegated-admin.html
    """
    management_account_id = context.double.management_account_id
    if context.caller.account_id == management_account_id:
        return
    provisioned = context.connection.execute(
        "SELECT 1 FROM provisioned_permission_set WHERE permission_set_arn = ? AND account_id = ?",
        (permission_set["permission_set_arn"], management_account_id),
    ).fetchone()
    if provisioned:
        raise access_denied(
            f"The permission set {permission_set['name']!r} is provisioned in the management account "
            f"{management_account_id!r}: a delegated administrator ({context.caller.account_id!r}) "
            "cannot manage it. "
            "Keep separate permission sets for the management account."
        )


def require_not_delegated(context: Context, account_id: str) -> None:
    """Refuse a delegated administrator's change to access in the management account."""
    management_account_id = context.double.management_account_id
    if account_id == management_account_id != context.caller.account_id:
        raise access_denied(
            f"A delegated administrator ({context.caller.account_id!r}) cannot manage access to the "
            "management account "
            f"{management_account_id!r}."
        )


def require_known_account(context: Context, account_id: str) -> None:
    """Refuse an account that is not in the organization; a closed one is, and its requests fail later."""
    if account_id not in context.double.account_ids() | context.double.closed_account_ids():
        raise not_found(
            f"Account {account_id!r} is not an account of this organization; "
            "organizations:ListAccounts shows them."
        )


def mark_changed(context: Context, permission_set: sqlite3.Row) -> None:
    """Note that accounts now lag behind this permission set until it is provisioned again."""
    context.connection.execute(
        "UPDATE permission_set SET revision = revision + 1 WHERE permission_set_arn = ?",
        (permission_set["permission_set_arn"],),
    )


def instance_arn_of(resource_arn: str) -> str:
    """Return the ARN of the instance that an instance, a permission set or an application belongs to."""
    instance_id = resource_arn.rpartition(":")[2].split("/")[1]
    return f"arn:aws:sso:::instance/{instance_id}"


def require_session_duration(session_duration: str) -> float:
    """Return a session duration in seconds."""
    match = _DURATION.fullmatch(session_duration)
    duration_s = (
        sum(float(amount) * _SECONDS_OF_UNIT[unit] for unit, amount in match.groupdict(default="0").items())
        if match
        else None
    )
    if duration_s is None or not MINIMUM_SESSION_S <= duration_s <= MAXIMUM_SESSION_S:
        raise validation_error(
            f"SessionDuration {session_duration!r} must be an ISO 8601 duration from PT1H to PT12H, "
            "such as 'PT4H'."
        )
    return duration_s


# Asynchronous requests: an assignment or a provisioning is accepted first, and done a moment later.

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
    """Accept a request; `provisioning.settle_due_requests` completes it when it is due."""
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
    """Return a request of a kind."""
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


# Users and groups as holders of account assignments.

_QUERY_OF_TYPE = {
    "USER": "SELECT 1 FROM identity_user JOIN instance USING (identity_store_id)"
    " WHERE instance_arn = ? AND user_id = ?",
    "GROUP": "SELECT 1 FROM identity_group JOIN instance USING (identity_store_id)"
    " WHERE instance_arn = ? AND group_id = ?",
}


def principal_exists(context: Context, instance_arn: str, principal_type: str, principal_id: str) -> bool:
    """Tell whether the instance's identity store has this user or group."""
    found = context.connection.execute(
        _QUERY_OF_TYPE[principal_type], (instance_arn, principal_id)
    ).fetchone()
    return found is not None
