"""Permission sets: created, described, changed, deleted, listed, with the policies in them."""

from __future__ import annotations

import json
import sqlite3
from operator import itemgetter
from typing import Any

from idc_sandbox.api.instance_rules import require_permission_sets
from idc_sandbox.api.sso_admin.rules import (
    delete_tags,
    find_permission_set,
    mark_changed,
    put_tags,
    requests_in_progress,
    require_session_duration,
)
from idc_sandbox.context import Context
from idc_sandbox.errors import conflict, not_found, parse_json, quota_exceeded, validation_error
from idc_sandbox.wire.policies import policy_problem
from idc_sandbox.wire.registry import Listing, operation

MAXIMUM_PERMISSION_SETS = 3500
DEFAULT_SESSION_DURATION = "PT1H"


@operation("sso-admin", "CreatePermissionSet")
def create_permission_set(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Create a permission set; its name is unique in the instance and cannot be changed later."""
    instance_arn, name = request["InstanceArn"], request["Name"]
    require_permission_sets(context, instance_arn)
    session_duration = request.get("SessionDuration") or DEFAULT_SESSION_DURATION
    require_session_duration(session_duration)
    if context.find("permission_set", instance_arn=instance_arn, name=name):
        raise conflict(f"PermissionSet with name {name} already exists.")
    count = context.value("SELECT count(*) FROM permission_set WHERE instance_arn = ?", instance_arn)
    if count >= MAXIMUM_PERMISSION_SETS:
        raise quota_exceeded(
            f"The instance {instance_arn!r} has its {MAXIMUM_PERMISSION_SETS} permission sets already."
        )
    permission_set_arn = context.ids.permission_set_arn(instance_arn)
    context.insert(
        "permission_set",
        permission_set_arn=permission_set_arn,
        instance_arn=instance_arn,
        name=name,
        description=request.get("Description"),
        session_duration=session_duration,
        relay_state=request.get("RelayState"),
        created_at=context.now,
    )
    put_tags(context, permission_set_arn, request.get("Tags") or [])
    return describe_permission_set(context, request | {"PermissionSetArn": permission_set_arn})


@operation("sso-admin", "DescribePermissionSet")
def describe_permission_set(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Return a permission set without its policies, which have operations of their own."""
    row = find_permission_set(context, request)
    shown = {
        "Name": row["name"],
        "PermissionSetArn": row["permission_set_arn"],
        "Description": row["description"],
        "CreatedDate": row["created_at"],
        "SessionDuration": row["session_duration"],
        "RelayState": row["relay_state"],
    }
    return {"PermissionSet": shown}


@operation("sso-admin", "UpdatePermissionSet")
def update_permission_set(context: Context, request: dict[str, Any]) -> None:
    """Change description, session duration or relay state."""
    row = find_permission_set(context, request, for_change=True)
    session_duration = request.get("SessionDuration") or row["session_duration"]
    require_session_duration(session_duration)
    context.update(
        "permission_set",
        row,
        description=request.get("Description") or row["description"],
        session_duration=session_duration,
        # One that is not given is cleared, as users of AWS report (UNCONFIRMED):
        # https://github.com/hashicorp/terraform-provider-aws/issues/17411
        relay_state=request.get("RelayState"),
    )
    if session_duration != row["session_duration"]:
        mark_changed(context, row)


@operation("sso-admin", "DeletePermissionSet")
def delete_permission_set(context: Context, request: dict[str, Any]) -> None:
    """Delete a permission set that no account uses."""
    row = find_permission_set(context, request, for_change=True)
    permission_set_arn = row["permission_set_arn"]
    accounts = context.rows(
        "SELECT account_id FROM account_assignment WHERE permission_set_arn = :arn"
        " UNION SELECT account_id FROM provisioned_permission_set WHERE permission_set_arn = :arn"
        " ORDER BY account_id",
        arn=permission_set_arn,
    )
    in_progress = requests_in_progress(context, row["instance_arn"])
    named = (json.loads(request["detail_json"])["PermissionSetArn"] for request in in_progress)
    if accounts or permission_set_arn in named:
        used_in = f"in {', '.join(account['account_id'] for account in accounts)}"
        where = used_in if accounts else "by a request that is still in progress"
        raise conflict(
            "Could not delete because PermissionSet has ApplicationProfile associated with it: "
            f"{row['name']!r} is used {where}. Delete its account assignments, wait until they are "
            "gone, then try again."
        )
    delete_tags(context, permission_set_arn)
    context.delete("permission_set", permission_set_arn=permission_set_arn)


@operation("sso-admin", "ListPermissionSets")
def list_permission_sets(context: Context, request: dict[str, Any]) -> Listing:
    """List the ARNs of an instance's permission sets."""
    require_permission_sets(context, request["InstanceArn"])
    rows = context.find_all("permission_set", instance_arn=request["InstanceArn"])
    return Listing([row["permission_set_arn"] for row in rows])


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
