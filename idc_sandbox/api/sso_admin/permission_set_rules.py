"""Rules that the operations on permission sets share: which one is meant, and who may change it."""

from __future__ import annotations

import re
import sqlite3
from typing import Any

from idc_sandbox.api.instance_rules import require_permission_sets
from idc_sandbox.context import Context
from idc_sandbox.errors import access_denied, not_found, validation_error

MINIMUM_SESSION_S = 3600
MAXIMUM_SESSION_S = 12 * 3600

_DURATION = re.compile(
    r"P(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?",
    re.ASCII,
)
_SECONDS_OF_UNIT = {"weeks": 604800, "days": 86400, "hours": 3600, "minutes": 60, "seconds": 1}


def find_permission_set(context: Context, instance_arn: str, permission_set_arn: str) -> sqlite3.Row:
    """Return a permission set of an instance.

    Raises
    ------
    ServiceError
        As `require_permission_sets`; ``ResourceNotFoundException`` for one that does not exist in this
        instance.
    """
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
    """Return the permission set that a request names, for a change.

    Raises
    ------
    ServiceError
        As `find_permission_set` and `require_manageable`.
    """
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
    """Return a session duration in seconds.

    Raises
    ------
    ServiceError
        ``ValidationException`` unless it is between PT1H and PT12H; the service model's pattern allows any
        duration.
        Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/howtosessionduration.html
    """
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
