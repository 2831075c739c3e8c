"""Names of groups, and who is in one: a few of them, for people to look at. Reads only."""

from __future__ import annotations

from itertools import islice

from idc_helpers.aws.calls import in_threads, pages
from idc_helpers.aws.connected import Connection
from idc_helpers.aws.failures import failed_read
from idc_helpers.aws.identity_store import known_or_none

_MOST_READ = 100


def list_group_names(connection: Connection) -> list[str]:
    """Return display names of groups, sorted; no more than a hundred are read.

    Notes
    -----
    Source: https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_ListGroups.html
    """
    with failed_read("the groups"):
        store_id = connection.instance.identity_store_id
        listed = pages(connection.client("identitystore"), "list_groups", "Groups", IdentityStoreId=store_id)
        return sorted(group.get("DisplayName", "") for group in islice(listed, _MOST_READ))


def list_group_members(connection: Connection, group_id: str) -> list[tuple[str, str]]:
    """Return (user name, membership id) of a group's members, sorted; no more than a hundred are read.

    Notes
    -----
    Source:
    https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_ListGroupMemberships.html
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
