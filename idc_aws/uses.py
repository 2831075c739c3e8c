"""What hangs on a thing, so that deleting it would destroy what others made; reads only.

Sources: https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_DeleteGroup.html,
https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_DeletePermissionSet.html,
https://docs.aws.amazon.com/singlesignon/latest/userguide/delete-config.html
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from idc_aws.access import (
    AssignmentTuple,
    assignment_identifier,
    assignment_key,
    list_assignments_of_pair,
    list_assignments_of_principal,
    list_permission_sets,
    list_provisioned_accounts,
)
from idc_aws.calls import found_or_none, in_threads, pages
from idc_aws.changes import Use
from idc_aws.connection import Connection, management_account_id
from idc_aws.errors import AccessDeniedError, AccountInstanceError
from idc_aws.failures import error_code

Ours = Collection[tuple[str, str]]
"""Kind and identifier of what does not count."""
_MEMBERSHIP, _ASSIGNMENT = "group_membership", "account_assignment"
_MOST_NAMED = 10
_MOST_LISTED = 1000
"""Of each kind in an instance: enough to see that it is not empty."""


def uses_of_principals(
    connection: Connection, principal_type: str, names: Mapping[str, str], ours: Ours, *, again: bool
) -> dict[str, list[Use]]:
    """Return memberships, account assignments and application assignments of groups or users."""
    look = _members_of_group if principal_type == "GROUP" else _groups_of_user
    found = dict(zip(names, in_threads(lambda one: look(connection, one, ours), names), strict=True))
    for row in _assignments(connection, principal_type, names, again=again):
        found[row[1]].append(_assignment_use(connection, row, names[row[1]]))
    if not again and _has_applications(connection):
        for one in names:
            found[one] += _applications_of(connection, principal_type, one)
    return found


def _members_of_group(connection: Connection, group_id: str, ours: Ours) -> list[Use]:
    listed = _memberships(connection, ours, "list_group_memberships", GroupId=group_id)
    return [
        Use(_MEMBERSHIP, one["MembershipId"], f"member {name}")
        for one, name in _named(listed, lambda one: _user_name(connection, one["MemberId"]["UserId"]))
    ]


def _groups_of_user(connection: Connection, user_id: str, ours: Ours) -> list[Use]:
    member = {"UserId": user_id}
    listed = _memberships(connection, ours, "list_group_memberships_for_member", MemberId=member)
    return [
        Use(_MEMBERSHIP, one["MembershipId"], f"membership in {name}")
        for one, name in _named(listed, lambda one: _group_name(connection, one["GroupId"]))
    ]


def _memberships(connection: Connection, ours: Ours, operation: str, **whose: Any) -> list[dict[str, Any]]:
    store_id = connection.instance.identity_store_id
    client = connection.client("identitystore")
    listed = pages(client, operation, "GroupMemberships", IdentityStoreId=store_id, **whose)
    with _nothing_of_what_is_gone():
        return [one for one in listed if (_MEMBERSHIP, one["MembershipId"]) not in ours]
    return []


@contextmanager
def _nothing_of_what_is_gone() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error_code(error) != "ResourceNotFoundException":
            raise


def _named(
    listed: list[dict[str, Any]], name_of: Callable[[dict[str, Any]], str]
) -> Iterator[tuple[dict[str, Any], str]]:
    # A name costs a call, and nobody reads a thousand of them.
    for number, one in enumerate(listed):
        yield one, name_of(one) if number < _MOST_NAMED else one["MembershipId"]


def _user_name(connection: Connection, user_id: str) -> str:
    return _name(connection, "describe_user", "UserName", UserId=user_id) or user_id


def _group_name(connection: Connection, group_id: str) -> str:
    return _name(connection, "describe_group", "DisplayName", GroupId=group_id) or group_id


def _name(connection: Connection, operation: str, field: str, **which: str) -> str:
    describe = getattr(connection.client("identitystore"), operation)
    store_id = connection.instance.identity_store_id
    answer = found_or_none(lambda: describe(IdentityStoreId=store_id, **which))
    return str(answer.get(field, "")) if answer else ""


def _assignments(
    connection: Connection, principal_type: str, names: Mapping[str, str], *, again: bool
) -> list[AssignmentTuple]:
    """Return the principals' own assignments: by principal, or by pair where that takes fewer calls."""
    try:
        permission_sets = list_permission_sets(connection)
    except AccountInstanceError:  # it has no assignments
        return []
    pairs: list[tuple[str, str]] | None = None
    if management_account_id(connection) == connection.caller.account_id:
        if len(names) > len(permission_sets):
            pairs = _provisioned_pairs(connection, permission_sets.values())
        if pairs is None or len(names) <= len(pairs):
            with suppress(AccessDeniedError):  # reading by pair needs another permission
                return _by_principal(connection, principal_type, names)
    elif again:
        return []
    if pairs is None:
        pairs = _provisioned_pairs(connection, permission_sets.values())
    rows = in_threads(lambda pair: _by_pair(connection, *pair), pairs)
    return [row for found in rows for row in found if row[0] == principal_type and row[1] in names]


def _by_principal(connection: Connection, principal_type: str, names: Iterable[str]) -> list[AssignmentTuple]:
    def of(one: str) -> list[AssignmentTuple]:
        with _nothing_of_what_is_gone():
            return list_assignments_of_principal(connection, principal_type, one)
        return []

    return [row for found in in_threads(of, names) for row in found]


def _by_pair(connection: Connection, arn: str, account_id: str) -> list[AssignmentTuple]:
    with _nothing_of_what_is_gone():
        return list_assignments_of_pair(connection, arn, account_id)
    return []


def _provisioned_pairs(connection: Connection, arns: Iterable[str]) -> list[tuple[str, str]]:
    def of(arn: str) -> Collection[str]:
        with _nothing_of_what_is_gone():
            return list_provisioned_accounts(connection, arn)
        return []

    listed = list(arns)
    accounts = in_threads(of, listed)
    return [(arn, one) for arn, found in zip(listed, accounts, strict=True) for one in found]


def _assignment_use(connection: Connection, row: AssignmentTuple, principal_name: str) -> Use:
    principal_type, principal_id, arn, account_id = row
    name = connection.cache.get("permission_set_names", {}).get(arn, arn.rpartition("/")[2])
    key = assignment_key(principal_type, principal_name, name, account_id)
    identifier = assignment_identifier(principal_id, arn, account_id)
    return Use(_ASSIGNMENT, identifier, f"account assignment {key}", key)


def _has_applications(connection: Connection) -> bool:
    request = {"InstanceArn": connection.instance.instance_arn}
    listed = pages(connection.client("sso-admin"), "list_applications", "Applications", **request)
    return next(iter(listed), None) is not None


def _applications_of(connection: Connection, principal_type: str, principal_id: str) -> list[Use]:
    listed = pages(
        connection.client("sso-admin"),
        "list_application_assignments_for_principal",
        "ApplicationAssignments",
        InstanceArn=connection.instance.instance_arn,
        PrincipalType=principal_type,
        PrincipalId=principal_id,
    )
    return [
        Use("application_assignment", one["ApplicationArn"], f"application {one['ApplicationArn']}")
        for one in listed
        if one.get("PrincipalId", principal_id) == principal_id
    ]


def uses_of_permission_sets(
    connection: Connection, named: Mapping[str, str], ours: Ours
) -> dict[str, list[Use]]:
    """Return the account assignments of permission sets, by ARN."""
    pairs = _provisioned_pairs(connection, named)
    rows = in_threads(lambda pair: _by_pair(connection, *pair), pairs)
    found: dict[str, list[Use]] = {arn: [] for arn in named}
    for row in (row for listed in rows for row in listed):
        if (_ASSIGNMENT, assignment_identifier(*row[1:])) not in ours:
            look = _group_name if row[0] == "GROUP" else _user_name
            name = look(connection, row[1]) if len(found[row[2]]) < _MOST_NAMED else row[1]
            found[row[2]].append(_assignment_use(connection, row, name))
    return found


def uses_of_instance(connection: Connection) -> list[Use]:
    """Return what the connection's instance holds, up to a thousand of each kind: all goes with it."""
    store = {"IdentityStoreId": connection.instance.identity_store_id}
    where = {"InstanceArn": connection.instance.instance_arn}
    identity_store, sso_admin = connection.client("identitystore"), connection.client("sso-admin")
    try:
        permission_sets = list_permission_sets(connection)
    except AccountInstanceError:
        permission_sets = {}
    found = [Use("permission_set", arn, f"permission set {name}") for name, arn in permission_sets.items()]
    for row in _rows_in(connection, permission_sets.values()):
        found.append(_assignment_use(connection, row, row[1]))
    describe = sso_admin.describe_instance_access_control_attribute_configuration
    if found_or_none(lambda: describe(**where)):
        found.append(Use("access_control_attributes", where["InstanceArn"], "attributes for access control"))
    for kind, client, operation, list_name, identifier, name, request in (
        ("user", identity_store, "list_users", "Users", "UserId", "UserName", store),
        ("group", identity_store, "list_groups", "Groups", "GroupId", "DisplayName", store),
        ("application", sso_admin, "list_applications", "Applications", "ApplicationArn", "Name", where),
    ):
        listed = islice(pages(client, operation, list_name, **request), _MOST_LISTED)
        found += [Use(kind, one[identifier], f"{kind} {one.get(name) or one[identifier]}") for one in listed]
    return found


def _rows_in(connection: Connection, arns: Iterable[str]) -> Iterator[AssignmentTuple]:
    pairs = _provisioned_pairs(connection, arns)
    yield from islice((row for pair in pairs for row in _by_pair(connection, *pair)), _MOST_LISTED)
