"""What an instance holds, for people to look at: names, and how many there are. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from idc_aws.access import list_permission_sets
from idc_aws.calls import in_threads, known_or_none, pages
from idc_aws.connection import Connection
from idc_aws.errors import AccountInstanceError
from idc_aws.failures import failed_read

MOST_COUNTED = 1000


@dataclass(frozen=True)
class ListedUser:
    """A user as a list shows one."""

    user_name: str
    display_name: str
    email: str
    user_status: str
    groups: tuple[str, ...]


def list_users(connection: Connection, *, at_most: int) -> tuple[list[ListedUser], bool]:
    """Return users sorted by name, and whether these are all.

    Source: https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_ListUsers.html
    """
    with failed_read("the users"):
        found = list(islice(_identity_pages(connection, "list_users", "Users"), at_most + 1))
        users = in_threads(lambda user: _listed(connection, user), found[:at_most])
    return sorted(users, key=lambda user: user.user_name.casefold()), len(found) <= at_most


def list_user_names(connection: Connection, *, at_most: int) -> list[str]:
    """Return names of users, in AWS's order and no more than `at_most`; reads only."""
    with failed_read("the users"):
        found = islice(_identity_pages(connection, "list_users", "Users"), at_most)
        return [str(user["UserName"]) for user in found if user.get("UserName")]


def list_group_names(connection: Connection, *, at_most: int) -> list[str]:
    """Return display names of groups, in AWS's order and no more than `at_most`; reads only.

    Source: https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_ListGroups.html
    """
    with failed_read("the groups"):
        found = islice(_identity_pages(connection, "list_groups", "Groups"), at_most)
        return [str(group["DisplayName"]) for group in found if group.get("DisplayName")]


def count_holdings(connection: Connection) -> dict[str, int]:
    """Return how many permission sets, account assignments, applications, users and groups an instance holds.

    In this order, each counted to `MOST_COUNTED` and no further: deleting the instance deletes all of them.

    Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/delete-config.html
    """
    with failed_read("what the instance holds"):
        permission_set_arns = _permission_set_arns(connection)
        return {
            "permission sets": len(permission_set_arns),
            "account assignments": _counted(_assignments(connection, permission_set_arns)),
            "applications": count_applications(connection),
            "users": _counted(_identity_pages(connection, "list_users", "Users")),
            "groups": _counted(_identity_pages(connection, "list_groups", "Groups")),
        }


def count_applications(connection: Connection) -> int:
    """Return how many applications an instance has, counted to `MOST_COUNTED` and no further.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_ListApplications.html
    """
    request = {"InstanceArn": connection.instance.instance_arn}
    with failed_read("the applications"):
        return _counted(pages(connection.client("sso-admin"), "list_applications", "Applications", **request))


def _identity_pages(connection: Connection, operation: str, list_name: str, **request: str) -> Iterator[Any]:
    store_id = connection.instance.identity_store_id
    return pages(
        connection.client("identitystore"), operation, list_name, IdentityStoreId=store_id, **request
    )


def _listed(connection: Connection, user: dict[str, Any]) -> ListedUser:
    emails = user.get("Emails") or [{}]
    return ListedUser(
        user_name=str(user.get("UserName", "")),
        display_name=str(user.get("DisplayName", "")),
        email=str(emails[0].get("Value", "")),
        user_status=str(user.get("UserStatus", "")),
        groups=tuple(sorted(_group_names_of(connection, str(user["UserId"])))),
    )


def _group_names_of(connection: Connection, user_id: str) -> Iterator[str]:
    client, store_id = connection.client("identitystore"), connection.instance.identity_store_id
    names = connection.cache.setdefault("group names", {})
    memberships = pages(
        client,
        "list_group_memberships_for_member",
        "GroupMemberships",
        IdentityStoreId=store_id,
        MemberId={"UserId": user_id},
    )
    for membership in memberships:
        group_id = membership["GroupId"]
        if group_id not in names:
            names[group_id] = _name_of_group(client, store_id, group_id)
        yield names[group_id]


def _name_of_group(client: Any, store_id: str, group_id: str) -> str:
    group = known_or_none(lambda: client.describe_group(IdentityStoreId=store_id, GroupId=group_id))
    return str((group or {}).get("DisplayName") or group_id)


def _permission_set_arns(connection: Connection) -> list[str]:
    try:
        return list(list_permission_sets(connection).values())
    except AccountInstanceError:
        return []


def _assignments(connection: Connection, permission_set_arns: list[str]) -> Iterator[Any]:
    client, instance_arn = connection.client("sso-admin"), connection.instance.instance_arn
    for permission_set_arn in permission_set_arns:
        where = {"InstanceArn": instance_arn, "PermissionSetArn": permission_set_arn}
        account_ids = pages(client, "list_accounts_for_provisioned_permission_set", "AccountIds", **where)
        for account_id in account_ids:
            yield from pages(
                client, "list_account_assignments", "AccountAssignments", AccountId=account_id, **where
            )


def _counted(items: Iterator[Any]) -> int:
    return sum(1 for _ in islice(items, MOST_COUNTED))
