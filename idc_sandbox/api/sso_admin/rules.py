"""Rules that the operations share: which resource is meant, who may change it, requests, principals, tags."""

# What each operation does: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_Operations.html
from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from typing import Any

from idc_sandbox.api.instance_rules import require_permission_sets
from idc_sandbox.context import Context
from idc_sandbox.errors import (
    ServiceError,
    access_denied,
    conflict,
    not_found,
    quota_exceeded,
    validation_error,
)
from idc_sandbox.switches import read_switch
from idc_sandbox.wire.registry import Listing, operation

MINIMUM_SESSION_S = 3600
MAXIMUM_SESSION_S = 12 * 3600

_DURATION = re.compile(
    r"P(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?",
    re.ASCII,
)
_SECONDS_OF_UNIT = {"weeks": 604800, "days": 86400, "hours": 3600, "minutes": 60, "seconds": 1}


def find_permission_set(
    context: Context, request: dict[str, Any], *, for_change: bool = False
) -> sqlite3.Row:
    """Return the permission set that a request names."""
    instance_arn, permission_set_arn = request["InstanceArn"], request["PermissionSetArn"]
    require_permission_sets(context, instance_arn)
    row = context.find("permission_set", permission_set_arn=permission_set_arn, instance_arn=instance_arn)
    if row is None:
        raise not_found(
            f"Could not find PermissionSet with id {permission_set_arn.rpartition('/')[2]}: the instance "
            f"{instance_arn!r} has no permission set {permission_set_arn!r}. ListPermissionSets shows "
            "those that it has."
        )
    if for_change:
        _require_manageable(context, row)
    return row


def _require_manageable(context: Context, permission_set: sqlite3.Row) -> None:
    """Refuse a delegated administrator's change to a permission set that the management account uses."""
    # Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/delegated-admin.html
    management_account_id = context.double.management_account_id
    if context.caller.account_id == management_account_id:
        return
    key = {"permission_set_arn": permission_set["permission_set_arn"], "account_id": management_account_id}
    if context.find("provisioned_permission_set", **key):
        raise access_denied(
            f"The permission set {permission_set['name']!r} is provisioned in the management account "
            f"{management_account_id!r}: a delegated administrator ({context.caller.account_id!r}) "
            "cannot manage it. Keep separate permission sets for the management account."
        )


def require_not_delegated(context: Context, account_id: str) -> None:
    """Refuse a delegated administrator's change to access in the management account."""
    management_account_id = context.double.management_account_id
    if account_id == management_account_id != context.caller.account_id:
        raise access_denied(
            f"A delegated administrator ({context.caller.account_id!r}) cannot manage access to the "
            f"management account {management_account_id!r}."
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
    context.update("permission_set", permission_set, revision=permission_set["revision"] + 1)


def require_session_duration(session_duration: str) -> float:
    """Return a session duration in seconds."""
    match = _DURATION.fullmatch(session_duration)
    amounts = match.groupdict(default="0") if match else {}
    duration_s = sum(float(amount) * _SECONDS_OF_UNIT[unit] for unit, amount in amounts.items())
    if not MINIMUM_SESSION_S <= duration_s <= MAXIMUM_SESSION_S:
        raise validation_error(
            f"SessionDuration {session_duration!r} must be an ISO 8601 duration from PT1H to PT12H, "
            "such as 'PT4H'."
        )
    return duration_s


def assignment_key(request: dict[str, Any]) -> dict[str, str]:
    """Return the key of the account assignment that a request names."""
    return {
        "permission_set_arn": request["PermissionSetArn"],
        "account_id": request["TargetId"],
        "principal_type": request["PrincipalType"],
        "principal_id": request["PrincipalId"],
    }


def request_hash(request: dict[str, Any]) -> str:
    """Return what tells a request from every other one."""
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()


def parameter_mismatch(token: str) -> ServiceError:
    """Return the refusal of a ``ClientToken`` that came with another request before."""
    # AWS's documentation names IdempotentParameterMismatch, which its model does not have.
    return conflict(
        f"IdempotentParameterMismatch: the ClientToken {token!r} was used with other parameters. Use a "
        "new one for another request."
    )


def principal_exists(context: Context, instance_arn: str, request: dict[str, Any]) -> bool:
    """Tell whether the instance's identity store has the user or group that a request names."""
    kind = request["PrincipalType"].lower()
    found = context.row(
        f"SELECT 1 FROM identity_{kind} JOIN instance USING (identity_store_id)"  # noqa: S608  of an enum
        f" WHERE instance_arn = ? AND {kind}_id = ?",
        instance_arn,
        request["PrincipalId"],
    )
    return found is not None


def require_principal(context: Context, instance_arn: str, request: dict[str, Any]) -> None:
    """Refuse a user or group that the instance's identity store does not have."""
    if not principal_exists(context, instance_arn, request):
        raise not_found(
            f"No {request['PrincipalType']} {request['PrincipalId']!r} exists in the identity store of "
            f"{instance_arn!r}."
        )


# The assignments of a principal; of a user also those of the user's groups, under their names.
OF_PRINCIPAL = """
    instance_arn = :InstanceArn AND ((principal_type = :PrincipalType AND principal_id = :PrincipalId)
        OR (:PrincipalType = 'USER' AND principal_type = 'GROUP' AND principal_id IN (
            SELECT group_id FROM group_membership WHERE user_id = :PrincipalId)))
"""


def principal_in(request: dict[str, Any]) -> dict[str, str]:
    """Return the values of `OF_PRINCIPAL`."""
    return {name: request[name] for name in ("InstanceArn", "PrincipalType", "PrincipalId")}


MAXIMUM_TAGS = 75


def put_tags(context: Context, resource_arn: str, tags: list[dict[str, str]]) -> None:
    """Write tags of a resource, replacing values of the same keys."""
    require_tags(tags)
    for tag in tags:
        value = tag["Value"]
        context.replace("tag", resource_arn=resource_arn, tag_key=tag["Key"], tag_value=value)
    count = len(context.find_all("tag", resource_arn=resource_arn))
    if count > MAXIMUM_TAGS:
        raise quota_exceeded(f"{resource_arn!r} would have {count} tags; at most {MAXIMUM_TAGS} are allowed.")


def require_tags(tags: list[dict[str, str]]) -> None:
    """Refuse tags with one key twice, or with a key that is AWS's."""
    keys = [tag["Key"] for tag in tags]
    if len(set(keys)) != len(keys):
        raise validation_error(f"Each tag key may be given once; found {keys!r}.")
    reserved = [key for key in keys if key.lower().startswith("aws:")]
    if reserved:
        raise validation_error(
            f"Tag keys that begin with 'aws:' are reserved for AWS; found {reserved[0]!r}."
        )


def delete_tags(context: Context, resource_arn: str) -> None:
    """Forget the tags of a resource, and of all that is in it when it is an instance."""
    context.execute(
        "DELETE FROM tag WHERE resource_arn = :arn"
        " OR resource_arn IN (SELECT permission_set_arn FROM permission_set WHERE instance_arn = :arn)"
        " OR resource_arn IN (SELECT application_arn FROM application WHERE instance_arn = :arn)"
        " OR resource_arn IN"
        " (SELECT trusted_token_issuer_arn FROM trusted_token_issuer WHERE instance_arn = :arn)",
        arn=resource_arn,
    )


CREATE_ASSIGNMENT = "CREATE_ASSIGNMENT"
DELETE_ASSIGNMENT = "DELETE_ASSIGNMENT"
PROVISION = "PROVISION"

# Kind -> the status that its operations answer, the id by which it is described.
_STATUS_AND_ID = {
    CREATE_ASSIGNMENT: ("AccountAssignmentCreationStatus", "AccountAssignmentCreationRequestId"),
    DELETE_ASSIGNMENT: ("AccountAssignmentDeletionStatus", "AccountAssignmentDeletionRequestId"),
    PROVISION: ("PermissionSetProvisioningStatus", "ProvisionPermissionSetRequestId"),
}
# AWS's limits on requests in progress; creations and deletions of assignments count together.
_ASSIGNMENT_KINDS = (CREATE_ASSIGNMENT, DELETE_ASSIGNMENT)
_MOST_ASSIGNMENTS, _MOST_PROVISIONINGS = 15, 3


def start_request(context: Context, instance_arn: str, kind: str, detail: dict[str, Any]) -> dict[str, Any]:
    """Accept a request and return its status; `provisioning.settle_due_requests` completes it when due."""
    is_assignment = kind in _ASSIGNMENT_KINDS
    kinds, most = (_ASSIGNMENT_KINDS, _MOST_ASSIGNMENTS) if is_assignment else ((kind,), _MOST_PROVISIONINGS)
    outstanding = [row for row in requests_in_progress(context, instance_arn) if row["kind"] in kinds]
    if is_assignment and any(json.loads(row["detail_json"]) == detail for row in outstanding):
        raise conflict("There is a conflicting operation in process.")
    if len(outstanding) >= most:
        raise ServiceError(
            "ThrottlingException", "There are too many requests processing. Please try again later."
        )
    request_id, now = context.ids.uuid("request"), context.now
    context.insert(
        "asynchronous_request",
        request_id=request_id,
        instance_arn=instance_arn,
        kind=kind,
        status="IN_PROGRESS",
        detail_json=json.dumps(detail, sort_keys=True),
        created_at=now,
        due_at=now + read_switch(context.connection, "asynchronous_duration_s"),
    )
    return _describe_request(context, instance_arn, kind, request_id)


def requests_in_progress(context: Context, instance_arn: str) -> list[sqlite3.Row]:
    """Return the requests of an instance that are not done yet."""
    return context.find_all("asynchronous_request", status="IN_PROGRESS", instance_arn=instance_arn)


def _describe_request(context: Context, instance_arn: str, kind: str, request_id: str) -> dict[str, Any]:
    key = {"request_id": request_id, "instance_arn": instance_arn, "kind": kind}
    row = context.find("asynchronous_request", **key)
    if row is None:
        what = kind.lower().replace("_", " ")
        raise not_found(f"No {what} request {request_id!r} exists in the instance {instance_arn!r}.")
    detail = {"FailureReason": row["failure_reason"], **json.loads(row["detail_json"])}
    return {_STATUS_AND_ID[kind][0]: _status(row) | detail}


def _status(row: sqlite3.Row) -> dict[str, Any]:
    return {"Status": row["status"], "RequestId": row["request_id"], "CreatedDate": row["created_at"]}


def _register_status_operations(kind: str) -> None:
    noun, id_name = _STATUS_AND_ID[kind]

    @operation("sso-admin", f"Describe{noun}")
    def describe_status(context: Context, request: dict[str, Any]) -> dict[str, Any]:
        """Return how far a request has come."""
        require_permission_sets(context, request["InstanceArn"])
        return _describe_request(context, request["InstanceArn"], kind, request[id_name])

    @operation("sso-admin", f"List{noun}")
    def list_statuses(context: Context, request: dict[str, Any]) -> Listing:
        """List all requests of a kind with their status, oldest first: one call watches many."""
        require_permission_sets(context, request["InstanceArn"])
        status = (request.get("Filter") or {}).get("Status")
        key = {"instance_arn": request["InstanceArn"], "kind": kind, **({"status": status} if status else {})}
        rows = context.find_all("asynchronous_request", **key)
        return Listing(rows, lambda row: f"{row['created_at']:020.6f} {row['request_id']}", _status)


for _kind in _STATUS_AND_ID:
    _register_status_operations(_kind)
