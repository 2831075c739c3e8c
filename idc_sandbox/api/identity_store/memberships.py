"""CreateGroupMembership, DescribeGroupMembership, DeleteGroupMembership and the two lists; members are users.

Source:
https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_CreateGroupMembership.html and
its neighbours.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from idc_sandbox.api.identity_store.references import (
    creation_order,
    find_row,
    require_store,
    resource_arn,
    stamps,
)
from idc_sandbox.api.pagination import paginate
from idc_sandbox.api.registry import operation
from idc_sandbox.context import Context
from idc_sandbox.errors import conflict


@operation("identitystore", "CreateGroupMembership")
def create_group_membership(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Make a user a member of a group; a second time is a conflict."""
    store_id = require_store(context, request, write=True)
    group = find_row(context, store_id, request["GroupId"], "group")
    user = find_row(context, store_id, request["MemberId"]["UserId"], "user")
    if find_membership(context, group["group_id"], user["user_id"]):
        raise conflict(
            f"Member and Group relationship already exists. The user {user['user_name']!r} is in the group "
            f"{group['display_name']!r}.",
            Reason="UNIQUENESS_CONSTRAINT_VIOLATION",
        )
    membership_id = context.ids.identity_id("membership", store_id)
    context.connection.execute(
        "INSERT INTO group_membership (membership_id, identity_store_id, group_id, user_id, created_at, "
        "created_by) VALUES (?, ?, ?, ?, ?, ?)",
        (
            membership_id,
            store_id,
            group["group_id"],
            user["user_id"],
            context.now,
            context.caller.principal_arn,
        ),
    )
    return membership_key(store_id, membership_id)


@operation("identitystore", "DescribeGroupMembership")
def describe_group_membership(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Answer who is in which group, since when and by whom."""
    store_id = require_store(context, request)
    return _membership_answer(find_row(context, store_id, request["MembershipId"], "membership"))


@operation("identitystore", "DeleteGroupMembership")
def delete_group_membership(context: Context, request: dict[str, Any]) -> None:
    """Take a user out of a group; user and group stay."""
    store_id = require_store(context, request, write=True)
    row = find_row(context, store_id, request["MembershipId"], "membership")
    context.connection.execute(
        "DELETE FROM group_membership WHERE membership_id = ?", (row["membership_id"],)
    )


@operation("identitystore", "ListGroupMemberships")
def list_group_memberships(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Answer one page of a group's memberships, oldest first."""
    store_id = require_store(context, request)
    group = find_row(context, store_id, request["GroupId"], "group")
    rows = context.connection.execute(
        "SELECT * FROM group_membership WHERE group_id = ?", (group["group_id"],)
    )
    return _membership_page(rows.fetchall(), "ListGroupMemberships", request)


@operation("identitystore", "ListGroupMembershipsForMember")
def list_group_memberships_for_member(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Answer one page of a user's memberships, oldest first."""
    store_id = require_store(context, request)
    user = find_row(context, store_id, request["MemberId"]["UserId"], "user")
    rows = context.connection.execute("SELECT * FROM group_membership WHERE user_id = ?", (user["user_id"],))
    return _membership_page(rows.fetchall(), "ListGroupMembershipsForMember", request)


def find_membership(context: Context, group_id: str, user_id: str) -> str | None:
    """Return the id of the membership of a user in a group, or None."""
    row = context.connection.execute(
        "SELECT membership_id FROM group_membership WHERE group_id = ? AND user_id = ?", (group_id, user_id)
    ).fetchone()
    return None if row is None else str(row[0])


def membership_key(store_id: str, membership_id: str) -> dict[str, Any]:
    """Return by what a membership is named."""
    return {
        "IdentityStoreId": store_id,
        "MembershipId": membership_id,
        "MembershipArn": resource_arn("membership", membership_id),
    }


def _membership_page(rows: list[sqlite3.Row], operation_name: str, request: dict[str, Any]) -> dict[str, Any]:
    page, token = paginate(rows, operation_name=operation_name, key=creation_order, request=request)
    return {"GroupMemberships": [_membership_answer(row) for row in page], "NextToken": token}


def _membership_answer(row: sqlite3.Row) -> dict[str, Any]:
    return {
        **membership_key(row["identity_store_id"], row["membership_id"]),
        "GroupId": row["group_id"],
        "MemberId": {"UserId": row["user_id"]},
        **stamps(row),
    }
