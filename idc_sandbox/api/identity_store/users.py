"""CreateUser, DescribeUser, ListUsers, UpdateUser and DeleteUser.

Source: https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_CreateUser.html and its
neighbours.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import Any

from idc_sandbox.api.identity_store.profiles import (
    apply_operations,
    check_user_profile,
    folded,
    primary_email,
    require_extension_names,
    user_attributes,
    user_profile_of,
)
from idc_sandbox.api.identity_store.references import (
    creation_order,
    filter_value,
    find_row,
    require_revision,
    require_room,
    require_store,
    require_unique_user,
    resource_arn,
    stamps,
)
from idc_sandbox.context import Context
from idc_sandbox.wire.registry import operation, paginate

USERS_QUOTA = 200_000


@operation("identitystore", "CreateUser")
def create_user(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Create an enabled user who has no password: the API gives none."""
    store_id = require_store(context, request, write=True)
    profile = user_profile_of(request)
    require_unique_user(context, store_id, profile)
    require_room(context, store_id, "user", USERS_QUOTA)
    user_id, now = context.ids.identity_id("user", store_id), context.now
    columns = {
        "user_id": user_id,
        "identity_store_id": store_id,
        **_profile_columns(profile),
        "created_at": now,
        "created_by": context.caller.principal_arn,
        "updated_at": now,
        "updated_by": context.caller.principal_arn,
    }
    context.connection.execute(
        f"INSERT INTO identity_user ({', '.join(columns)}) VALUES (:{', :'.join(columns)})",  # noqa: S608
        columns,
    )
    return _revised(find_row(context, store_id, user_id, "user"))


@operation("identitystore", "DescribeUser")
def describe_user(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Answer a user's attributes; extensions only when they are asked for."""
    store_id = require_store(context, request)
    extension_names = require_extension_names(request.get("Extensions") or [])
    return user_answer(find_row(context, store_id, request["UserId"], "user"), extension_names)


@operation("identitystore", "ListUsers")
def list_users(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Answer one page of the users, oldest first; the filter by UserName is deprecated and works."""
    store_id = require_store(context, request)
    extension_names = require_extension_names(request.get("Extensions") or [])
    user_name = filter_value(request, "UserName")
    rows = context.connection.execute(
        "SELECT * FROM identity_user WHERE identity_store_id = :store AND (:name IS NULL OR "
        "user_name_folded = :name)",
        {"store": store_id, "name": None if user_name is None else folded(user_name)},
    ).fetchall()
    page, token = paginate(rows, operation_name="ListUsers", key=creation_order, request=request)
    return {"Users": [user_answer(row, extension_names) for row in page], "NextToken": token}


@operation("identitystore", "UpdateUser")
def update_user(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Apply attribute operations to a user: all of them or, when one is refused, none."""
    store_id = require_store(context, request, write=True)
    row = find_row(context, store_id, request["UserId"], "user")
    require_revision(row, request)
    profile = apply_operations(
        json.loads(row["profile_json"]), request["Operations"], user_attributes(), with_extensions=True
    )
    check_user_profile(profile)
    require_unique_user(context, store_id, profile, row["user_id"])
    write_user(context, row, _profile_columns(profile))
    return _revised(find_row(context, store_id, row["user_id"], "user"))


@operation("identitystore", "DeleteUser")
def delete_user(context: Context, request: dict[str, Any]) -> None:
    """Delete a user with the memberships.

    Account assignments that name the user stay listed and give nobody access. UNCONFIRMED at AWS: people
    report them.
    """
    store_id = require_store(context, request, write=True)
    row = find_row(context, store_id, request["UserId"], "user")
    require_revision(row, request)
    context.connection.execute("DELETE FROM identity_user WHERE user_id = ?", (row["user_id"],))


def write_user(context: Context, row: sqlite3.Row, columns: dict[str, Any]) -> None:
    """Write columns of a user as a new revision by the caller, now."""
    written = {**columns, "revision": row["revision"] + 1}
    written |= {"updated_at": context.now, "updated_by": context.caller.principal_arn}
    assignments = ", ".join(f"{name} = :{name}" for name in written)
    context.connection.execute(
        f"UPDATE identity_user SET {assignments} WHERE user_id = :user_id",  # noqa: S608
        {**written, "user_id": row["user_id"]},
    )


def user_answer(row: sqlite3.Row, extension_names: Iterable[str] = ()) -> dict[str, Any]:
    """Return a user as DescribeUser and ListUsers answer it."""
    profile = json.loads(row["profile_json"])
    extensions = profile.pop("Extensions", {})
    asked_for = {name: extensions[name] for name in extension_names if name in extensions}
    return {
        **_revised(row),
        **profile,
        "UserStatus": row["user_status"],
        **stamps(row),
        "Extensions": asked_for or None,
    }


def _revised(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "IdentityStoreId": row["identity_store_id"],
        "UserId": row["user_id"],
        "UserArn": resource_arn("user", row["user_id"]),
        "Revision": str(row["revision"]),
    }


def _profile_columns(profile: dict[str, Any]) -> dict[str, Any]:
    address = primary_email(profile)
    return {
        "user_name": profile["UserName"],
        "user_name_folded": folded(profile["UserName"]),
        "email_folded": None if address is None else folded(address),
        "profile_json": json.dumps(profile, ensure_ascii=False),
    }
