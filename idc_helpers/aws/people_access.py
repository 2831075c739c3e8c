"""Account assignments with their groups unfolded: what people ask, and what no call of the API answers."""

from __future__ import annotations

from idc_helpers.aws.access import AssignmentRow, list_all_account_assignments
from idc_helpers.aws.calls import in_threads, pages
from idc_helpers.aws.connected import Connection
from idc_helpers.aws.failures import failed_read
from idc_helpers.aws.identity_store import known_or_none


def list_people_access(connection: Connection) -> list[AssignmentRow]:
    """Return what each user reaches, directly or by a group; all rows are of type ``"USER"``; reads only.

    A user who reaches the same permission set in the same account in two ways has one row. Sorted by user
    name, account and permission set. Empty groups and deleted principals reach nothing.

    Raises
    ------
    KitError
        When AWS refuses.

    Notes
    -----
    Source: https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_ListGroupMemberships.html
    """
    rows = list_all_account_assignments(connection)
    group_ids = sorted(
        {row.principal_id for row in rows if row.principal_type == "GROUP" and row.principal_name}
    )
    with failed_read("the members of the assigned groups"):
        members = dict(
            zip(group_ids, in_threads(lambda one: _member_ids(connection, one), group_ids), strict=True)
        )
        named = {
            row.principal_id: row.principal_name
            for row in rows
            if row.principal_type == "USER" and row.principal_name
        }
        unnamed = sorted({user for users in members.values() for user in users} - set(named))
        named |= dict(zip(unnamed, in_threads(lambda one: _user_name(connection, one), unnamed), strict=True))
    people = {
        row._replace(principal_type="USER", principal_name=named[user_id], principal_id=user_id)
        for row in rows
        for user_id in (
            members.get(row.principal_id, []) if row.principal_type == "GROUP" else [row.principal_id]
        )
        if named.get(user_id)
    }
    return sorted(
        people, key=lambda row: (row.principal_name, row.account_name, row.account_id, row.permission_set)
    )


def _member_ids(connection: Connection, group_id: str) -> list[str]:
    memberships = pages(
        connection.client("identitystore"),
        "list_group_memberships",
        "GroupMemberships",
        IdentityStoreId=connection.instance.identity_store_id,
        GroupId=group_id,
    )
    members = (membership.get("MemberId", {}).get("UserId") for membership in memberships)
    return [user_id for user_id in members if user_id]


def _user_name(connection: Connection, user_id: str) -> str:
    client, store_id = connection.client("identitystore"), connection.instance.identity_store_id
    user = known_or_none(lambda: client.describe_user(IdentityStoreId=store_id, UserId=user_id))
    return str(user.get("UserName", "")) if user else ""
