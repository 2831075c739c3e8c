"""Finding users and groups in the identity store, listing a few of them, and knowing personal data.

Source: https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_GetUserId.html
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

from idc_aws.calls import found_or_none, in_threads, known_or_none, pages
from idc_aws.connection import Connection
from idc_aws.failures import failed_read


def find_user_id(connection: Connection, user_name: str) -> str | None:
    """Return the id of the user of that name, or None where there is none; reads only."""
    return _find(connection, "get_user_id", "userName", user_name, "UserId")


def find_group_id(connection: Connection, display_name: str) -> str | None:
    """Return the id of the group of that display name, or None where there is none; reads only."""
    return _find(connection, "get_group_id", "displayName", display_name, "GroupId")


def find_principal_id(connection: Connection, principal_type: str, principal_name: str) -> str | None:
    """Return the id of a ``"USER"`` or ``"GROUP"``, or None where there is none; reads only."""
    find = find_group_id if principal_type == "GROUP" else find_user_id
    return find(connection, principal_name)


def _find(connection: Connection, operation: str, path: str, value: str, answer_name: str) -> str | None:
    unique_attribute = {"AttributePath": path, "AttributeValue": value}
    call: Callable[..., dict[str, Any]] = getattr(connection.client("identitystore"), operation)
    answer = found_or_none(
        lambda: call(
            IdentityStoreId=connection.instance.identity_store_id,
            AlternateIdentifier={"UniqueAttribute": unique_attribute},
        )
    )
    return str(answer[answer_name]) if answer else None


# Names of groups, and who is in one: a few of them, for people to look at. Reads only.

_MOST_READ = 100


def list_names_of_groups(connection: Connection) -> list[str]:
    """Return display names of groups, sorted; no more than a hundred are read.

    Source: https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_ListGroups.html
    """
    with failed_read("the groups"):
        store_id = connection.instance.identity_store_id
        listed = pages(connection.client("identitystore"), "list_groups", "Groups", IdentityStoreId=store_id)
        return sorted(group.get("DisplayName", "") for group in islice(listed, _MOST_READ))


def list_group_members(connection: Connection, group_id: str) -> list[tuple[str, str]]:
    """Return (user name, membership id) of a group's members, sorted; no more than a hundred are read.

    Source: https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_ListGroupMemberships.html
    """
    identity_store = connection.client("identitystore")
    store = {"IdentityStoreId": connection.instance.identity_store_id}
    with failed_read("the group's members"):
        listed = pages(
            identity_store, "list_group_memberships", "GroupMemberships", GroupId=group_id, **store
        )
        found = [
            (one.get("MemberId", {}).get("UserId", ""), one["MembershipId"])
            for one in islice(listed, _MOST_READ)
        ]
        users = in_threads(
            lambda pair: known_or_none(lambda: identity_store.describe_user(UserId=pair[0], **store)), found
        )
    members = zip(found, users, strict=True)
    return sorted(
        (str((user or {}).get("UserName") or user_id), membership_id)
        for (user_id, membership_id), user in members
        if user is not None
    )


# What the target says of its users that is personal, in the fields of a scenario's user. Reads only.

_FIELDS = {
    "user_name": "UserName",
    "display_name": "DisplayName",
    "nick_name": "NickName",
    "profile_url": "ProfileUrl",
    "website": "Website",
    "birthdate": "Birthdate",
}
_NAMES = {"given_name": "GivenName", "middle_name": "MiddleName", "family_name": "FamilyName"}
_ADDRESS = {
    "formatted": "Formatted",
    "street_address": "StreetAddress",
    "locality": "Locality",
    "postal_code": "PostalCode",
}


def list_personal_data(connection: Connection, *, at_most: int) -> list[dict[str, Any]]:
    """Return the personal fields of an instance's users; none without an instance.

    Source: https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_ListUsers.html
    """
    instance = connection.instance_or_none()
    if instance is None:
        return []
    request = {"IdentityStoreId": instance.identity_store_id}
    with failed_read("the users, whose names are to be masked"):
        users = pages(connection.client("identitystore"), "list_users", "Users", **request)
        return [_personal(user) for user in islice(users, at_most)]


def _personal(user: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {ours: user.get(theirs) for ours, theirs in _FIELDS.items()}
    found |= {ours: user.get("Name", {}).get(theirs) for ours, theirs in _NAMES.items()}
    address = (user.get("Addresses") or [{}])[0]
    found["address"] = {ours: address.get(theirs) for ours, theirs in _ADDRESS.items()}
    found["email"] = (user.get("Emails") or [{}])[0].get("Value")
    found["phone_number"] = (user.get("PhoneNumbers") or [{}])[0].get("Value")
    return found
