"""Policies of a permission set: AWS's, customers', inline, and its boundary."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from idc_sandbox.api.sso_admin.rules import find_manageable, find_permission_set, mark_changed
from idc_sandbox.context import Context
from idc_sandbox.errors import ServiceError, conflict, not_found, parse_json, quota_exceeded, validation_error
from idc_sandbox.wire.policies import policy_problem
from idc_sandbox.wire.registry import operation, paginate

MAXIMUM_POLICIES = 25
DEFAULT_PATH = "/"


@operation("sso-admin", "AttachManagedPolicyToPermissionSet")
def attach_managed_policy(context: Context, request: dict[str, Any]) -> None:
    """Attach an AWS managed policy, whatever its path.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_AttachManagedPolicyToPermissionSet.html
    """
    row, policy_arn = find_manageable(context, request), request["ManagedPolicyArn"]
    require_managed_policy(context, policy_arn)
    if policy_arn in managed_policy_arns(context, row["permission_set_arn"]):
        raise conflict(
            f"The managed policy {policy_arn!r} is attached to the permission set {row['name']!r} already."
        )
    order = _require_room(context, row)
    context.connection.execute(
        "INSERT INTO permission_set_managed_policy VALUES (?, ?, ?)",
        (row["permission_set_arn"], policy_arn, order),
    )
    mark_changed(context, row)


@operation("sso-admin", "DetachManagedPolicyFromPermissionSet")
def detach_managed_policy(context: Context, request: dict[str, Any]) -> None:
    """Detach an AWS managed policy.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_DetachManagedPolicyFromPermissionSet.html
    """
    row, policy_arn = find_manageable(context, request), request["ManagedPolicyArn"]
    deleted = context.connection.execute(
        "DELETE FROM permission_set_managed_policy WHERE permission_set_arn = ? AND policy_arn = ?",
        (row["permission_set_arn"], policy_arn),
    )
    if not deleted.rowcount:
        raise _not_attached(row, f"managed policy {policy_arn!r}")
    mark_changed(context, row)


@operation("sso-admin", "ListManagedPoliciesInPermissionSet")
def list_managed_policies(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """List the AWS managed policies in the order in which they were attached.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_ListManagedPoliciesInPermissionSet.html
    """
    row = find_permission_set(context, request["InstanceArn"], request["PermissionSetArn"])
    page, token = paginate(
        _attached(context, "permission_set_managed_policy", row["permission_set_arn"]),
        operation_name="ListManagedPoliciesInPermissionSet",
        key=_attachment_order,
        request=request,
    )
    policies = [{"Name": _policy_name(policy["policy_arn"]), "Arn": policy["policy_arn"]} for policy in page]
    return {"AttachedManagedPolicies": policies, "NextToken": token}


@operation("sso-admin", "AttachCustomerManagedPolicyReferenceToPermissionSet")
def attach_customer_managed_policy(context: Context, request: dict[str, Any]) -> None:
    """Attach a reference to a policy that must exist, by name and path, in every account of an assignment.

    Source:
    https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_AttachCustomerManagedPolicyReferenceToPermissionSet.html
    """
    row = find_manageable(context, request)
    path, name = reference_key(request["CustomerManagedPolicyReference"])
    if (path, name) in customer_managed_policies(context, row["permission_set_arn"]):
        raise conflict(f"The customer managed policy {path + name!r} is attached to {row['name']!r} already.")
    order = _require_room(context, row)
    context.connection.execute(
        "INSERT INTO permission_set_customer_managed_policy VALUES (?, ?, ?, ?)",
        (row["permission_set_arn"], name, path, order),
    )
    mark_changed(context, row)


@operation("sso-admin", "DetachCustomerManagedPolicyReferenceFromPermissionSet")
def detach_customer_managed_policy(context: Context, request: dict[str, Any]) -> None:
    """Detach a customer managed policy reference; name and path must both match.

    Source:
    https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_DetachCustomerManagedPolicyReferenceFromPermissionSet.html
    """
    row = find_manageable(context, request)
    path, name = reference_key(request["CustomerManagedPolicyReference"])
    deleted = context.connection.execute(
        "DELETE FROM permission_set_customer_managed_policy WHERE permission_set_arn = ? AND name ="
        " ? AND path = ?",
        (row["permission_set_arn"], name, path),
    )
    if not deleted.rowcount:
        raise _not_attached(row, f"customer managed policy {path + name!r}")
    mark_changed(context, row)


@operation("sso-admin", "ListCustomerManagedPolicyReferencesInPermissionSet")
def list_customer_managed_policies(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """List the customer managed policy references in the order in which they were attached.

    Source:
    https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_ListCustomerManagedPolicyReferencesInPermissionSet.html
    """
    row = find_permission_set(context, request["InstanceArn"], request["PermissionSetArn"])
    page, token = paginate(
        _attached(context, "permission_set_customer_managed_policy", row["permission_set_arn"]),
        operation_name="ListCustomerManagedPolicyReferencesInPermissionSet",
        key=_attachment_order,
        request=request,
    )
    references = [{"Name": policy["name"], "Path": policy["path"]} for policy in page]
    return {"CustomerManagedPolicyReferences": references, "NextToken": token}


def managed_policy_arns(context: Context, permission_set_arn: str) -> list[str]:
    """Return the ARNs of a permission set's AWS managed policies, in attachment order."""
    return [
        row["policy_arn"] for row in _attached(context, "permission_set_managed_policy", permission_set_arn)
    ]


def customer_managed_policies(context: Context, permission_set_arn: str) -> list[tuple[str, str]]:
    """Return (path, name) of a permission set's customer managed policy references, in attachment order."""
    rows = _attached(context, "permission_set_customer_managed_policy", permission_set_arn)
    return [(row["path"], row["name"]) for row in rows]


def reference_key(reference: dict[str, str]) -> tuple[str, str]:
    """Return (path, name) of a customer managed policy reference; a missing path is ``/``."""
    return reference.get("Path") or DEFAULT_PATH, reference["Name"]


def require_managed_policy(context: Context, policy_arn: str) -> None:
    """Refuse the ARN of a policy that AWS does not manage."""
    if not context.double.is_managed_policy(policy_arn):
        raise not_found(
            f"No AWS managed policy {policy_arn!r} exists. Mind the path: job functions are "
            "'arn:aws:iam::aws:policy/job-function/NAME'."
        )


def _attached(context: Context, table: str, permission_set_arn: str) -> Sequence[sqlite3.Row]:
    return context.connection.execute(
        f"SELECT * FROM {table} WHERE permission_set_arn = ? ORDER BY attached_order",  # noqa: S608  ours
        (permission_set_arn,),
    ).fetchall()


def _attachment_order(row: sqlite3.Row) -> str:
    return f"{row['attached_order']:012d}"


def _require_room(context: Context, permission_set: sqlite3.Row) -> int:
    """Return the order of the next policy; both kinds share one quota and one order."""
    permission_set_arn = permission_set["permission_set_arn"]
    orders = [
        row["attached_order"]
        for table in ("permission_set_managed_policy", "permission_set_customer_managed_policy")
        for row in _attached(context, table, permission_set_arn)
    ]
    if len(orders) >= MAXIMUM_POLICIES:
        raise quota_exceeded(
            f"The permission set {permission_set['name']!r} has {len(orders)} managed and customer "
            "managed policies; "
            f"at most {MAXIMUM_POLICIES} are allowed."
        )
    return max(orders, default=0) + 1


def _policy_name(policy_arn: str) -> str:
    return policy_arn.rpartition("/")[2]


def _not_attached(permission_set: sqlite3.Row, policy: str) -> ServiceError:
    return not_found(f"The {policy} is not attached to the permission set {permission_set['name']!r}.")


# The two single policies of a permission set: its inline policy and its permissions boundary.

MAXIMUM_NON_WHITESPACE_BYTES = 10_240


@operation("sso-admin", "PutInlinePolicyToPermissionSet")
def put_inline_policy(context: Context, request: dict[str, Any]) -> None:
    """Set or replace the inline policy; the document is kept as it was sent.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_PutInlinePolicyToPermissionSet.html
    """
    row = find_manageable(context, request)
    document = request["InlinePolicy"]
    _require_size(document)
    _require_policy_document(document)
    _set_column(context, row, "inline_policy", document)


@operation("sso-admin", "GetInlinePolicyForPermissionSet")
def get_inline_policy(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Return the inline policy; AWS answers an empty string when there is none, and so does this.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_GetInlinePolicyForPermissionSet.html
    """
    row = find_permission_set(context, request["InstanceArn"], request["PermissionSetArn"])
    return {"InlinePolicy": row["inline_policy"] or ""}


@operation("sso-admin", "DeleteInlinePolicyFromPermissionSet")
def delete_inline_policy(context: Context, request: dict[str, Any]) -> None:
    """Remove the inline policy; when there is none, nothing happens (UNCONFIRMED at AWS).

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_DeleteInlinePolicyFromPermissionSet.html
    """
    _set_column(context, find_manageable(context, request), "inline_policy", None)


@operation("sso-admin", "PutPermissionsBoundaryToPermissionSet")
def put_permissions_boundary(context: Context, request: dict[str, Any]) -> None:
    """Set or replace the permissions boundary: an AWS managed policy or a customer managed one, exactly one.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_PutPermissionsBoundaryToPermissionSet.html
    """
    row = find_manageable(context, request)
    boundary = {name: value for name, value in request["PermissionsBoundary"].items() if value is not None}
    given = sorted({"CustomerManagedPolicyReference", "ManagedPolicyArn"} & boundary.keys())
    if len(given) != 1:
        raise validation_error(
            "PermissionsBoundary must have exactly one of CustomerManagedPolicyReference and "
            "ManagedPolicyArn; "
            f"found {' and '.join(given) or 'none'}."
        )
    if given == ["ManagedPolicyArn"]:
        require_managed_policy(context, boundary["ManagedPolicyArn"])
    else:
        boundary["CustomerManagedPolicyReference"].setdefault("Path", DEFAULT_PATH)
    _set_column(
        context, row, "permissions_boundary_json", json.dumps({given[0]: boundary[given[0]]}, sort_keys=True)
    )


@operation("sso-admin", "GetPermissionsBoundaryForPermissionSet")
def get_permissions_boundary(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Return the permissions boundary; ResourceNotFoundException when there is none.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_GetPermissionsBoundaryForPermissionSet.html
    """
    row = find_permission_set(context, request["InstanceArn"], request["PermissionSetArn"])
    return {"PermissionsBoundary": json.loads(_require_boundary(row))}


@operation("sso-admin", "DeletePermissionsBoundaryFromPermissionSet")
def delete_permissions_boundary(context: Context, request: dict[str, Any]) -> None:
    """Remove the permissions boundary; ResourceNotFoundException when there is none (UNCONFIRMED at AWS).

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_DeletePermissionsBoundaryFromPermissionSet.html
    """
    row = find_manageable(context, request)
    _require_boundary(row)
    _set_column(context, row, "permissions_boundary_json", None)


def _require_boundary(row: Any) -> str:
    boundary: str | None = row["permissions_boundary_json"]
    if boundary is None:
        raise not_found(f"The permission set {row['name']!r} has no permissions boundary.")
    return boundary


def _set_column(context: Context, row: Any, column: str, value: str | None) -> None:
    if row[column] == value:
        return
    context.connection.execute(
        f"UPDATE permission_set SET {column} = ? WHERE permission_set_arn = ?",  # noqa: S608  the column's name is ours
        (value, row["permission_set_arn"]),
    )
    mark_changed(context, row)


def _require_size(document: str) -> None:
    size = len("".join(document.split()).encode())
    if size > MAXIMUM_NON_WHITESPACE_BYTES:
        raise validation_error(
            "Current size of the non-whitespace characters present in the InlinePolicy Document is "
            f"{size} bytes "
            f"which has exceeded the maximum limit of {MAXIMUM_NON_WHITESPACE_BYTES} bytes"
        )


def _require_policy_document(document: str) -> None:
    # AWS answers so at once to a document without statements. That it does for every broken rule, and none of
    # them shows only in the failed provisioning, is UNCONFIRMED.
    try:
        problem = policy_problem(parse_json(document))
    except ValueError as error:
        problem = f"Syntax errors in policy. It is not JSON: {error}"
    if problem:
        raise validation_error(f"Invalid PermissionsPolicy Document: {problem.rstrip('.')}.")
