"""What a permission set is now, in one comparable state."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from idc_helpers.aws.assignment_lists import list_provisioned_accounts
from idc_helpers.aws.calls import pages, read_tags
from idc_helpers.aws.connected import Connection
from idc_helpers.aws.failures import error_code
from idc_helpers.aws.organization import closed_accounts
from idc_helpers.changes import State
from idc_helpers.errors import InvalidValueError
from idc_helpers.identifiers import format_duration, parse_duration

DEFAULT_SESSION_DURATION = "PT1H"


def read_permission_set(connection: Connection, permission_set_arn: str) -> State:
    """Return the state of a permission set; reads only, seven calls.

    What somebody else made is returned as it is where it cannot be understood: a session duration that is
    none, an inline policy that is no JSON.

    Returns
    -------
    State
        ``description`` and ``relay_state`` where there are any, ``session_duration`` (in hours and minutes,
        such as ``"PT1H30M"``), ``managed_policies`` (ARNs, sorted), ``customer_managed_policies`` (``name``
        and ``path``, sorted by path and name), ``inline_policy`` (a mapping, a text, or None),
        ``permissions_boundary`` (``managed_policy`` or ``customer_managed_policy``, or None), ``tags``, and
        ``accounts_to_provision``: the accounts that an older version of it is still provisioned to, sorted.

    Raises
    ------
    ClientError
        When AWS refuses.

    Notes
    -----
    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_DescribePermissionSet.html
    """
    sso_admin = connection.client("sso-admin")
    instance_arn = connection.instance.instance_arn
    request = {"InstanceArn": instance_arn, "PermissionSetArn": permission_set_arn}
    described = sso_admin.describe_permission_set(**request)["PermissionSet"]
    texts = {"description": described.get("Description"), "relay_state": described.get("RelayState")}
    return {
        **{name: text for name, text in texts.items() if text},
        "session_duration": canonical_duration(described.get("SessionDuration") or DEFAULT_SESSION_DURATION),
        **_read_policies(sso_admin, request),
        "tags": read_tags(sso_admin, InstanceArn=instance_arn, ResourceArn=permission_set_arn),
        "accounts_to_provision": list_outdated_accounts(connection, permission_set_arn),
    }


def _read_policies(sso_admin: Any, request: dict[str, str]) -> State:
    managed = pages(
        sso_admin, "list_managed_policies_in_permission_set", "AttachedManagedPolicies", **request
    )
    customer_managed = pages(
        sso_admin,
        "list_customer_managed_policy_references_in_permission_set",
        "CustomerManagedPolicyReferences",
        **request,
    )
    return {
        "managed_policies": sorted(policy["Arn"] for policy in managed),
        "customer_managed_policies": sorted(
            ({"name": policy["Name"], "path": policy.get("Path", "/")} for policy in customer_managed),
            key=lambda policy: (policy["path"], policy["name"]),
        ),
        "inline_policy": _read_inline_policy(sso_admin, request),
        "permissions_boundary": _read_boundary(sso_admin, request),
    }


def _read_inline_policy(sso_admin: Any, request: dict[str, str]) -> dict[str, Any] | str | None:
    text = sso_admin.get_inline_policy_for_permission_set(**request).get("InlinePolicy") or ""
    try:
        policy = json.loads(text) if text.strip() else None
    except (ValueError, RecursionError):
        return str(text)
    return policy if policy is None or isinstance(policy, dict) else str(text)


def _read_boundary(sso_admin: Any, request: dict[str, str]) -> State | None:
    try:
        answer = sso_admin.get_permissions_boundary_for_permission_set(**request)
    except ClientError as error:
        # AWS answers so where there is no boundary.
        if error_code(error) == "ResourceNotFoundException":
            return None
        raise
    boundary = answer.get("PermissionsBoundary") or {}
    if boundary.get("ManagedPolicyArn"):
        return {"managed_policy": boundary["ManagedPolicyArn"]}
    reference = boundary.get("CustomerManagedPolicyReference")
    if not reference:
        return None
    return {"customer_managed_policy": {"name": reference["Name"], "path": reference.get("Path", "/")}}


def list_outdated_accounts(connection: Connection, permission_set_arn: str) -> list[str]:
    """Return the accounts that have not got the latest version of a permission set, sorted; reads only.

    A closed account keeps the old version for good, and is no reason to provision: it is left out.
    """
    outdated = list_provisioned_accounts(
        connection, permission_set_arn, "LATEST_PERMISSION_SET_NOT_PROVISIONED"
    )
    closed = closed_accounts(connection, outdated)
    return [account_id for account_id in outdated if account_id not in closed]


def canonical_duration(text: str) -> str:
    """Return a duration in one spelling, so that ``PT60M`` equals ``PT1H``; another text as it is."""
    try:
        return format_duration(parse_duration(text))
    except InvalidValueError:
        return text
