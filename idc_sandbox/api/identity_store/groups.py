"""Groups, group memberships, and lookups by name.

Source: https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_CreateGroup.html and its
neighbours.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from idc_sandbox.api.identity_store.profiles import (
    apply_operations,
    check_group_profile,
    folded,
    group_attributes,
    group_profile_of,
)
from idc_sandbox.api.identity_store.references import (
    COLUMN_OF_UNIQUE_PATH,
    creation_order,
    filter_value,
    find_by_attribute,
    find_by_external_id,
    find_row,
    missing,
    require_revision,
    require_room,
    require_store,
    require_unique_group,
    resource_arn,
    stamps,
)
from idc_sandbox.context import Context
from idc_sandbox.errors import conflict, validation_error
from idc_sandbox.wire.registry import operation, paginate

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


# CreateGroupMembership, DescribeGroupMembership, DeleteGroupMembership and the two lists; members are users.


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


# GetUserId, GetGroupId, GetGroupMembershipId and IsMemberInGroups: from what people know to ids.


@operation("identitystore", "GetUserId")
def get_user_id(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Answer the id of the user with a user name, an e-mail address or an external id."""
    store_id = require_store(context, request)
    user_id = _find(context, store_id, "user", request["AlternateIdentifier"])
    return {"IdentityStoreId": store_id, "UserId": user_id, "UserArn": resource_arn("user", user_id)}


@operation("identitystore", "GetGroupId")
def get_group_id(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Answer the id of the group with a display name or an external id."""
    store_id = require_store(context, request)
    group_id = _find(context, store_id, "group", request["AlternateIdentifier"])
    return {"IdentityStoreId": store_id, "GroupId": group_id, "GroupArn": resource_arn("group", group_id)}


@operation("identitystore", "GetGroupMembershipId")
def get_group_membership_id(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Answer the id of a user's membership in a group."""
    store_id = require_store(context, request)
    group = find_row(context, store_id, request["GroupId"], "group")
    user = find_row(context, store_id, request["MemberId"]["UserId"], "user")
    membership_id = find_membership(context, group["group_id"], user["user_id"])
    if membership_id is None:
        raise missing("membership", f"{group['group_id']}/{user['user_id']}", store_id)
    return membership_key(store_id, membership_id)


@operation("identitystore", "IsMemberInGroups")
def is_member_in_groups(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Answer for each of at most 100 groups, in their order, whether a user is a member."""
    store_id = require_store(context, request)
    user = find_row(context, store_id, request["MemberId"]["UserId"], "user")
    groups = [find_row(context, store_id, reference, "group") for reference in request["GroupIds"]]
    return {
        "Results": [
            {
                "GroupId": group["group_id"],
                "MemberId": {"UserId": user["user_id"]},
                "MembershipExists": find_membership(context, group["group_id"], user["user_id"]) is not None,
            }
            for group in groups
        ]
    }


def _find(context: Context, store_id: str, kind: str, alternate_identifier: dict[str, Any]) -> str:
    external_id = alternate_identifier.get("ExternalId")
    if external_id is not None:
        found = find_by_external_id(context, store_id, kind, external_id)
        named = f"{external_id['Issuer']}/{external_id['Id']}"
    else:
        path, named = _unique_attribute(kind, alternate_identifier["UniqueAttribute"])
        found = find_by_attribute(context, store_id, kind, path, named)
    if found is None:
        raise missing(kind, named, store_id)
    return found


def _unique_attribute(kind: str, attribute: dict[str, Any]) -> tuple[str, str]:
    path, value = attribute["AttributePath"], attribute["AttributeValue"]
    known = {spelling.casefold(): spelling for spelling in COLUMN_OF_UNIQUE_PATH[kind]}
    if path.casefold() not in known:
        raise validation_error(
            f"The attribute {path!r} is not a unique attribute of a {kind}; there is "
            f"{' and '.join(known.values())}."
        )
    if not isinstance(value, str) or not value:
        raise validation_error(
            f"attribute value cannot be empty or null for attribute path {path!r}: a text is needed, not "
            f"{value!r}."
        )
    return known[path.casefold()], value
