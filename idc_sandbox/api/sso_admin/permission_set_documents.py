"""The two single policies of a permission set: its inline policy and its permissions boundary."""

from __future__ import annotations

import json
from typing import Any

from idc_sandbox.api.registry import operation
from idc_sandbox.api.sso_admin.permission_set_policies import DEFAULT_PATH, require_managed_policy
from idc_sandbox.api.sso_admin.permission_set_rules import find_manageable, find_permission_set, mark_changed
from idc_sandbox.context import Context
from idc_sandbox.errors import not_found, validation_error
from idc_sandbox.json_documents import parse_json
from idc_sandbox.policy_grammar import policy_problem

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
