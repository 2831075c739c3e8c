"""Policies of a permission set: AWS's, customers', inline, and its boundary."""

from __future__ import annotations

import json
import sqlite3
from operator import itemgetter
from typing import Any

from idc_sandbox.api.sso_admin.rules import find_permission_set, mark_changed
from idc_sandbox.context import Context
from idc_sandbox.errors import conflict, not_found, parse_json, quota_exceeded, validation_error
from idc_sandbox.wire.policies import policy_problem
from idc_sandbox.wire.registry import Listing, operation

MAXIMUM_POLICIES = 25
DEFAULT_PATH = "/"
_MANAGED, _CUSTOMER_MANAGED = "permission_set_managed_policy", "permission_set_customer_managed_policy"


def policy_name(arn: str) -> str:
    """Return what people call a managed policy: its name without the path."""
    return arn.rpartition("/")[2]


@operation("sso-admin", "AttachManagedPolicyToPermissionSet")
def attach_managed_policy(context: Context, request: dict[str, Any]) -> None:
    """Attach an AWS managed policy, whatever its path."""
    row, policy_arn = find_permission_set(context, request, for_change=True), request["ManagedPolicyArn"]
    _require_managed_policy(context, policy_arn)
    if policy_arn in managed_policy_arns(context, row["permission_set_arn"]):
        raise conflict(
            f"The managed policy {policy_arn!r} is attached to the permission set {row['name']!r} already."
        )
    _attach(context, row, _MANAGED, policy_arn=policy_arn)


@operation("sso-admin", "DetachManagedPolicyFromPermissionSet")
def detach_managed_policy(context: Context, request: dict[str, Any]) -> None:
    """Detach an AWS managed policy."""
    row, policy_arn = find_permission_set(context, request, for_change=True), request["ManagedPolicyArn"]
    _detach(context, row, _MANAGED, f"managed policy {policy_arn!r}", policy_arn=policy_arn)


@operation("sso-admin", "ListManagedPoliciesInPermissionSet")
def list_managed_policies(context: Context, request: dict[str, Any]) -> Listing:
    """List the AWS managed policies in the order in which they were attached."""
    return _attached_listing(
        context,
        request,
        _MANAGED,
        lambda policy: {"Name": policy_name(policy["policy_arn"]), "Arn": policy["policy_arn"]},
    )


@operation("sso-admin", "AttachCustomerManagedPolicyReferenceToPermissionSet")
def attach_customer_managed_policy(context: Context, request: dict[str, Any]) -> None:
    """Attach a reference to a policy that must exist, by name and path, in every account of an assignment."""
    row = find_permission_set(context, request, for_change=True)
    path, name = reference_key(request["CustomerManagedPolicyReference"])
    if (path, name) in customer_managed_policies(context, row["permission_set_arn"]):
        raise conflict(f"The customer managed policy {path + name!r} is attached to {row['name']!r} already.")
    _attach(context, row, _CUSTOMER_MANAGED, name=name, path=path)


@operation("sso-admin", "DetachCustomerManagedPolicyReferenceFromPermissionSet")
def detach_customer_managed_policy(context: Context, request: dict[str, Any]) -> None:
    """Detach a customer managed policy reference; name and path must both match."""
    row = find_permission_set(context, request, for_change=True)
    path, name = reference_key(request["CustomerManagedPolicyReference"])
    policy = f"customer managed policy {path + name!r}"
    _detach(context, row, _CUSTOMER_MANAGED, policy, name=name, path=path)


@operation("sso-admin", "ListCustomerManagedPolicyReferencesInPermissionSet")
def list_customer_managed_policies(context: Context, request: dict[str, Any]) -> Listing:
    """List the customer managed policy references in the order in which they were attached."""
    return _attached_listing(
        context,
        request,
        _CUSTOMER_MANAGED,
        lambda policy: {"Name": policy["name"], "Path": policy["path"]},
    )


def managed_policy_arns(context: Context, permission_set_arn: str) -> list[str]:
    """Return the ARNs of a permission set's AWS managed policies, in attachment order."""
    return [row["policy_arn"] for row in _attached(context, _MANAGED, permission_set_arn)]


def customer_managed_policies(context: Context, permission_set_arn: str) -> list[tuple[str, str]]:
    """Return (path, name) of a permission set's customer managed policy references, in attachment order."""
    rows = _attached(context, _CUSTOMER_MANAGED, permission_set_arn)
    return [(row["path"], row["name"]) for row in rows]


def reference_key(reference: dict[str, str]) -> tuple[str, str]:
    """Return (path, name) of a customer managed policy reference; a missing path is ``/``."""
    return reference.get("Path") or DEFAULT_PATH, reference["Name"]


def _require_managed_policy(context: Context, policy_arn: str) -> None:
    if not context.double.is_managed_policy(policy_arn):
        raise not_found(
            f"No AWS managed policy {policy_arn!r} exists. Mind the path: job functions are "
            "'arn:aws:iam::aws:policy/job-function/NAME'."
        )


def _attached(context: Context, table: str, permission_set_arn: str) -> list[sqlite3.Row]:
    rows = context.find_all(table, permission_set_arn=permission_set_arn)
    return sorted(rows, key=itemgetter("attached_order"))


def _attached_listing(context: Context, request: dict[str, Any], table: str, shown: Any) -> Listing:
    row = find_permission_set(context, request)
    policies = _attached(context, table, row["permission_set_arn"])
    return Listing(policies, lambda policy: f"{policy['attached_order']:012d}", shown)


def _attach(context: Context, permission_set: sqlite3.Row, table: str, **policy: str) -> None:
    """Attach a policy as the last one; both kinds share one quota and one order."""
    permission_set_arn = permission_set["permission_set_arn"]
    orders = [
        row["attached_order"]
        for kind in (_MANAGED, _CUSTOMER_MANAGED)
        for row in _attached(context, kind, permission_set_arn)
    ]
    if len(orders) >= MAXIMUM_POLICIES:
        raise quota_exceeded(
            f"The permission set {permission_set['name']!r} has {len(orders)} managed and customer "
            f"managed policies; at most {MAXIMUM_POLICIES} are allowed."
        )
    order = max(orders, default=0) + 1
    context.insert(table, permission_set_arn=permission_set_arn, attached_order=order, **policy)
    mark_changed(context, permission_set)


def _detach(context: Context, permission_set: sqlite3.Row, table: str, words: str, **policy: str) -> None:
    if not context.delete(table, permission_set_arn=permission_set["permission_set_arn"], **policy):
        raise not_found(f"The {words} is not attached to the permission set {permission_set['name']!r}.")
    mark_changed(context, permission_set)


MAXIMUM_NON_WHITESPACE_BYTES = 10_240


@operation("sso-admin", "PutInlinePolicyToPermissionSet")
def put_inline_policy(context: Context, request: dict[str, Any]) -> None:
    """Set or replace the inline policy; the document is kept as it was sent."""
    row, document = find_permission_set(context, request, for_change=True), request["InlinePolicy"]
    require_inline_policy(document)
    _set_policy(context, row, "inline_policy", document)


def require_inline_policy(document: str) -> None:
    """Refuse a document that is too large, no JSON or no policy."""
    size = len("".join(document.split()).encode())
    if size > MAXIMUM_NON_WHITESPACE_BYTES:
        raise validation_error(
            "Current size of the non-whitespace characters present in the InlinePolicy Document is "
            f"{size} bytes which has exceeded the maximum limit of {MAXIMUM_NON_WHITESPACE_BYTES} bytes"
        )
    # AWS answers so at once to a document without statements. That it does for every broken rule, and none of
    # them shows only in the failed provisioning, is UNCONFIRMED.
    try:
        problem = policy_problem(parse_json(document))
    except ValueError as error:
        problem = f"Syntax errors in policy. It is not JSON: {error}"
    if problem:
        raise validation_error(f"Invalid PermissionsPolicy Document: {problem.rstrip('.')}.")


@operation("sso-admin", "GetInlinePolicyForPermissionSet")
def get_inline_policy(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Return the inline policy; AWS answers an empty string when there is none, and so does this."""
    return {"InlinePolicy": find_permission_set(context, request)["inline_policy"] or ""}


@operation("sso-admin", "DeleteInlinePolicyFromPermissionSet")
def delete_inline_policy(context: Context, request: dict[str, Any]) -> None:
    """Remove the inline policy; when there is none, nothing happens (UNCONFIRMED at AWS)."""
    row = find_permission_set(context, request, for_change=True)
    _set_policy(context, row, "inline_policy", None)


@operation("sso-admin", "PutPermissionsBoundaryToPermissionSet")
def put_permissions_boundary(context: Context, request: dict[str, Any]) -> None:
    """Set or replace the permissions boundary: one AWS managed policy or one customer managed one."""
    row = find_permission_set(context, request, for_change=True)
    boundary = {name: value for name, value in request["PermissionsBoundary"].items() if value is not None}
    given = sorted({"CustomerManagedPolicyReference", "ManagedPolicyArn"} & boundary.keys())
    if len(given) != 1:
        raise validation_error(
            "PermissionsBoundary must have exactly one of CustomerManagedPolicyReference and "
            f"ManagedPolicyArn; found {' and '.join(given) or 'none'}."
        )
    if given == ["ManagedPolicyArn"]:
        _require_managed_policy(context, boundary["ManagedPolicyArn"])
    else:
        boundary["CustomerManagedPolicyReference"].setdefault("Path", DEFAULT_PATH)
    policy = json.dumps({given[0]: boundary[given[0]]}, sort_keys=True)
    _set_policy(context, row, "permissions_boundary_json", policy)


@operation("sso-admin", "GetPermissionsBoundaryForPermissionSet")
def get_permissions_boundary(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Return the permissions boundary; ResourceNotFoundException when there is none."""
    row = find_permission_set(context, request)
    _require_boundary(row)
    return {"PermissionsBoundary": json.loads(row["permissions_boundary_json"])}


@operation("sso-admin", "DeletePermissionsBoundaryFromPermissionSet")
def delete_permissions_boundary(context: Context, request: dict[str, Any]) -> None:
    """Remove the permissions boundary; ResourceNotFoundException when there is none (UNCONFIRMED at AWS)."""
    row = find_permission_set(context, request, for_change=True)
    _require_boundary(row)
    _set_policy(context, row, "permissions_boundary_json", None)


def _require_boundary(permission_set: sqlite3.Row) -> None:
    if permission_set["permissions_boundary_json"] is None:
        raise not_found(f"The permission set {permission_set['name']!r} has no permissions boundary.")


def _set_policy(context: Context, row: sqlite3.Row, column: str, value: str | None) -> None:
    if row[column] != value:
        context.update("permission_set", row, **{column: value})
        mark_changed(context, row)
