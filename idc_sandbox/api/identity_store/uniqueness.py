"""What occurs once in an identity store, and who holds it: user names, e-mail addresses, group names, ids."""

from __future__ import annotations

import sqlite3
from typing import Any

from idc_sandbox.api.identity_store.profiles import folded, primary_email
from idc_sandbox.context import Context
from idc_sandbox.errors import ServiceError, conflict

# kind -> (table, column of the id)
_TABLE_OF_KIND = {"user": ("identity_user", "user_id"), "group": ("identity_group", "group_id")}

# kind -> attribute path -> column that holds the value, folded
COLUMN_OF_UNIQUE_PATH = {
    "user": {"userName": "user_name_folded", "emails.value": "email_folded"},
    "group": {"displayName": "display_name_folded"},
}


def find_by_attribute(context: Context, store_id: str, kind: str, path: str, value: str) -> str | None:
    """Return the id of the user or group that holds a unique value, without regard to case, or None.

    Parameters
    ----------
    kind
        ``"user"`` or ``"group"``.
    path
        A key of ``COLUMN_OF_UNIQUE_PATH[kind]``.
    """
    column = COLUMN_OF_UNIQUE_PATH[kind][path]
    return _find(context, store_id, kind, f"{column} = ?", (folded(value),))


def find_by_external_id(
    context: Context, store_id: str, kind: str, external_id: dict[str, str]
) -> str | None:
    """Return the id of the user or group to which an identity provider gave an id, or None."""
    condition = (
        "EXISTS (SELECT 1 FROM json_each(profile_json, '$.ExternalIds') AS given WHERE "
        "json_extract(given.value, '$.Issuer') = ? AND json_extract(given.value, '$.Id') = ?)"
    )
    return _find(context, store_id, kind, condition, (external_id["Issuer"], external_id["Id"]))


def require_unique_user(
    context: Context, store_id: str, profile: dict[str, Any], user_id: str | None = None
) -> None:
    """Refuse a profile whose user name, e-mail address or external id another user of the store holds.

    Raises
    ------
    ServiceError
        ``ConflictException`` with the Reason ``UNIQUENESS_CONSTRAINT_VIOLATION``.
    """
    holder = find_by_attribute(context, store_id, "user", "userName", profile["UserName"])
    if holder not in (None, user_id):
        raise _taken("UserName", profile["UserName"])
    address = primary_email(profile)
    if address is not None:
        holder = find_by_attribute(context, store_id, "user", "emails.value", address)
        if holder not in (None, user_id):
            raise _taken("Email", address)
    _require_unique_external_ids(context, store_id, "user", profile, user_id)


def require_unique_group(
    context: Context, store_id: str, profile: dict[str, Any], group_id: str | None = None
) -> None:
    """Refuse a profile whose display name or external id another group of the store holds.

    Raises
    ------
    ServiceError
        ``ConflictException`` with the Reason ``UNIQUENESS_CONSTRAINT_VIOLATION``.
    """
    holder = find_by_attribute(context, store_id, "group", "displayName", profile["DisplayName"])
    if holder not in (None, group_id):
        raise _taken("GroupDisplayName", profile["DisplayName"])
    _require_unique_external_ids(context, store_id, "group", profile, group_id)


def _require_unique_external_ids(
    context: Context, store_id: str, kind: str, profile: dict[str, Any], own_id: str | None
) -> None:
    for external_id in profile.get("ExternalIds", ()):
        if find_by_external_id(context, store_id, kind, external_id) not in (None, own_id):
            raise _taken("ExternalId", f"{external_id['Issuer']}/{external_id['Id']}")


def _find(context: Context, store_id: str, kind: str, condition: str, values: tuple[str, ...]) -> str | None:
    table, column = _TABLE_OF_KIND[kind]
    row: sqlite3.Row | None = context.connection.execute(
        f"SELECT {column} FROM {table} WHERE identity_store_id = ? AND {condition}",  # noqa: S608
        (store_id, *values),
    ).fetchone()
    return None if row is None else str(row[0])


def _taken(attribute: str, value: str) -> ServiceError:
    # AWS's words ("Duplicate UserName"), then the value.
    return conflict(
        f"Duplicate {attribute}: {value!r} is in use in this identity store (capitals make no difference to "
        "names).",
        Reason="UNIQUENESS_CONSTRAINT_VIOLATION",
    )
