"""GetUserId, GetGroupId, GetGroupMembershipId and IsMemberInGroups: from what people know to ids.

Source: https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_GetUserId.html and its
neighbours.
"""

from __future__ import annotations

from typing import Any

from idc_sandbox.api.identity_store.memberships import find_membership, membership_key
from idc_sandbox.api.identity_store.references import find_row, missing, require_store, resource_arn
from idc_sandbox.api.identity_store.uniqueness import (
    COLUMN_OF_UNIQUE_PATH,
    find_by_attribute,
    find_by_external_id,
)
from idc_sandbox.api.registry import operation
from idc_sandbox.context import Context
from idc_sandbox.errors import validation_error


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
