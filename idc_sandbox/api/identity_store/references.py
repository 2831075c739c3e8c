"""Which identity store, user, group or membership a request names: by id or by ARN."""

from __future__ import annotations

import sqlite3
from typing import Any

from idc_sandbox.api.instance_rules import require_identity_store
from idc_sandbox.context import Context
from idc_sandbox.errors import (
    ServiceError,
    access_denied,
    conflict,
    not_found,
    quota_exceeded,
    validation_error,
)

# kind -> (ResourceType of ResourceNotFoundException, table, column of the id)
_RESOURCE_OF_KIND = {
    "user": ("USER", "identity_user", "user_id"),
    "group": ("GROUP", "identity_group", "group_id"),
    "membership": ("GROUP_MEMBERSHIP", "group_membership", "membership_id"),
}


def require_store(context: Context, request: dict[str, Any], *, write: bool = False) -> str:
    """Return the id of the identity store that a request names in ``IdentityStoreId``.

    Raises
    ------
    ServiceError
        ``ResourceNotFoundException`` for an unknown store, ``AccessDeniedException`` when the caller may not
        use it or when the ARN names another account than the store's.
    """
    reference = request["IdentityStoreId"]
    instance = require_identity_store(context, reference, write=write)
    if reference.startswith("arn:") and reference != store_arn(instance):
        raise access_denied(
            f"The identity store {instance['identity_store_id']!r} is not one of the account in "
            f"{reference!r}; its ARN is {store_arn(instance)!r}."
        )
    return str(instance["identity_store_id"])


def store_arn(instance: sqlite3.Row) -> str:
    """Return the ARN of an instance's identity store."""
    return (
        f"arn:aws:identitystore::{instance['owner_account_id']}:identitystore/{instance['identity_store_id']}"
    )


def resource_arn(kind: str, resource_id: str) -> str:
    """Return the ARN of a ``"user"``, ``"group"`` or ``"membership"``; no Region, no account."""
    return f"arn:aws:identitystore:::{kind}/{resource_id}"


def resource_id_of(reference: str, kind: str) -> str:
    """Return the id in an id or ARN.

    Raises
    ------
    ServiceError
        ``ValidationException`` for the ARN of another kind of resource.
    """
    prefix, _, resource_id = reference.rpartition("/")
    if prefix and not prefix.endswith(f":{kind}"):
        raise validation_error(
            f"The value {reference!r} names a {prefix.rpartition(':')[2]}; a {kind} is needed here."
        )
    return resource_id.lower()


def find_row(context: Context, identity_store_id: str, reference: str, kind: str) -> sqlite3.Row:
    """Return the row of a user, group or membership of a store.

    Raises
    ------
    ServiceError
        ``ResourceNotFoundException`` with ``ResourceType`` and ``ResourceId``.
    """
    resource_id = resource_id_of(reference, kind)
    _, table, column = _RESOURCE_OF_KIND[kind]
    row: sqlite3.Row | None = context.connection.execute(
        f"SELECT * FROM {table} WHERE {column} = ? AND identity_store_id = ?",  # noqa: S608
        (resource_id, identity_store_id),
    ).fetchone()
    if row is None:
        raise missing(kind, resource_id, identity_store_id)
    return row


def missing(kind: str, resource_id: str, identity_store_id: str) -> ServiceError:
    """Return the error for a user, group or membership that is not in the store."""
    resource_type = _RESOURCE_OF_KIND[kind][0]
    return not_found(
        f"{resource_type} not found. {resource_id!r} is not in the identity store {identity_store_id!r}.",
        ResourceType=resource_type,
        ResourceId=resource_id,
    )


def require_revision(row: sqlite3.Row, request: dict[str, Any]) -> None:
    """Refuse a write whose ``Revision`` is not the resource's; without one, any revision will do.

    Raises
    ------
    ServiceError
        ``ConflictException`` with the Reason ``CONCURRENT_MODIFICATION``.
    """
    expected = request.get("Revision")
    if expected is not None and expected != str(row["revision"]):
        raise conflict(
            f"The revision {expected!r} is not the current one, {str(row['revision'])!r}: somebody changed "
            "it since. Read it again and decide anew.",
            Reason="CONCURRENT_MODIFICATION",
        )


def stamps(row: sqlite3.Row) -> dict[str, Any]:
    """Return when and by whom a row was made and last changed; a membership never changes."""
    changed = row if "updated_at" in row.keys() else None  # noqa: SIM118  a Row iterates over values
    return {
        "CreatedAt": row["created_at"],
        "CreatedBy": row["created_by"],
        "UpdatedAt": changed["updated_at"] if changed else row["created_at"],
        "UpdatedBy": changed["updated_by"] if changed else row["created_by"],
    }


def creation_order(row: sqlite3.Row) -> str:
    """Return the key by which lists are ordered: oldest first, as a person made them."""
    return f"{row['created_at']:020.6f}/{row[0]}"


def filter_value(request: dict[str, Any], attribute_path: str) -> str | None:
    """Return the value of the one filter that a list takes, or None without a filter.

    Raises
    ------
    ServiceError
        ``ValidationException`` for a filter on another attribute.
    """
    for one in request.get("Filters") or ():
        if one["AttributePath"].casefold() != attribute_path.casefold():
            raise validation_error(
                f"The filter on {one['AttributePath']!r} is not supported; the only one is "
                f"{attribute_path!r}."
            )
        return str(one["AttributeValue"])
    return None


def require_room(context: Context, identity_store_id: str, kind: str, quota: int) -> None:
    """Require that a store may have one more user or group.

    Raises
    ------
    ServiceError
        ``ServiceQuotaExceededException`` when it has as many as ``quota`` already.
    """
    _, table, _ = _RESOURCE_OF_KIND[kind]
    (number,) = context.connection.execute(
        f"SELECT count(*) FROM {table} WHERE identity_store_id = ?",  # noqa: S608
        (identity_store_id,),
    ).fetchone()
    if number >= quota:
        raise quota_exceeded(
            f"The identity store {identity_store_id!r} has {number} {kind}s and may have {quota}; AWS raises "
            "this on request."
        )
