"""CreateGroup, DescribeGroup, ListGroups, UpdateGroup and DeleteGroup.

Source: https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_CreateGroup.html and its
neighbours.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from idc_sandbox.api.identity_store.attribute_paths import apply_operations
from idc_sandbox.api.identity_store.profiles import (
    check_group_profile,
    folded,
    group_attributes,
    group_profile_of,
)
from idc_sandbox.api.identity_store.references import (
    creation_order,
    filter_value,
    find_row,
    require_revision,
    require_room,
    require_store,
    resource_arn,
    stamps,
)
from idc_sandbox.api.identity_store.uniqueness import require_unique_group
from idc_sandbox.api.pagination import paginate
from idc_sandbox.api.registry import operation
from idc_sandbox.context import Context

GROUPS_QUOTA = 100_000


@operation("identitystore", "CreateGroup")
def create_group(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Create a group without members; groups do not nest."""
    store_id = require_store(context, request, write=True)
    profile = group_profile_of(request)
    require_unique_group(context, store_id, profile)
    require_room(context, store_id, "group", GROUPS_QUOTA)
    group_id = context.ids.identity_id("group", store_id)
    now, caller = context.now, context.caller.principal_arn
    context.connection.execute(
        "INSERT INTO identity_group (group_id, identity_store_id, display_name, display_name_folded, "
        "profile_json, created_at, created_by, updated_at, updated_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (group_id, store_id, *_profile_columns(profile), now, caller, now, caller),
    )
    return _revised(find_row(context, store_id, group_id, "group"))


@operation("identitystore", "DescribeGroup")
def describe_group(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Answer a group's attributes."""
    store_id = require_store(context, request)
    return group_answer(find_row(context, store_id, request["GroupId"], "group"))


@operation("identitystore", "ListGroups")
def list_groups(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Answer one page of the groups, oldest first; the filter by DisplayName is deprecated and works."""
    store_id = require_store(context, request)
    display_name = filter_value(request, "DisplayName")
    rows = context.connection.execute(
        "SELECT * FROM identity_group WHERE identity_store_id = :store AND (:name IS NULL OR "
        "display_name_folded = :name)",
        {"store": store_id, "name": None if display_name is None else folded(display_name)},
    ).fetchall()
    page, token = paginate(rows, operation_name="ListGroups", key=creation_order, request=request)
    return {"Groups": [group_answer(row) for row in page], "NextToken": token}


@operation("identitystore", "UpdateGroup")
def update_group(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Apply attribute operations to a group: all of them or, when one is refused, none."""
    store_id = require_store(context, request, write=True)
    row = find_row(context, store_id, request["GroupId"], "group")
    require_revision(row, request)
    profile = apply_operations(
        json.loads(row["profile_json"]), request["Operations"], group_attributes(), with_extensions=False
    )
    check_group_profile(profile)
    require_unique_group(context, store_id, profile, row["group_id"])
    context.connection.execute(
        "UPDATE identity_group SET display_name = ?, display_name_folded = ?, profile_json = ?, revision = "
        "revision + 1, updated_at = ?, updated_by = ? WHERE group_id = ?",
        (*_profile_columns(profile), context.now, context.caller.principal_arn, row["group_id"]),
    )
    return _revised(find_row(context, store_id, row["group_id"], "group"))


@operation("identitystore", "DeleteGroup")
def delete_group(context: Context, request: dict[str, Any]) -> None:
    """Delete a group with its memberships; account assignments that name it stay listed, as for users."""
    store_id = require_store(context, request, write=True)
    row = find_row(context, store_id, request["GroupId"], "group")
    require_revision(row, request)
    context.connection.execute("DELETE FROM identity_group WHERE group_id = ?", (row["group_id"],))


def group_answer(row: sqlite3.Row) -> dict[str, Any]:
    """Return a group as DescribeGroup and ListGroups answer it."""
    return {**_revised(row), **json.loads(row["profile_json"]), **stamps(row)}


def _revised(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "IdentityStoreId": row["identity_store_id"],
        "GroupId": row["group_id"],
        "GroupArn": resource_arn("group", row["group_id"]),
        "Revision": str(row["revision"]),
    }


def _profile_columns(profile: dict[str, Any]) -> tuple[str, str, str]:
    display_name = profile["DisplayName"]
    return display_name, folded(display_name), json.dumps(profile, ensure_ascii=False)
