"""What hangs on a thing, so that deleting it would destroy what others made, and what an instance holds."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Any

from idc_aws.access import (
    Assignment,
    assignment_identifier,
    assignment_key,
    assignments_of_pair,
    list_assignments_of_pairs,
    list_assignments_of_principals,
    list_permission_sets,
    provisioned_pairs,
)
from idc_aws.calls import by_key, found_or_none
from idc_aws.changes import Use, in_words
from idc_aws.connection import Connection
from idc_aws.errors import AccessDeniedError, AccountInstanceError
from idc_aws.failures import failed_read
from idc_aws.identity_store import (
    find_principal_names,
    list_memberships,
    list_principals,
    memberships_by_user,
)
from idc_aws.organization import is_management_account

Ours = Collection[tuple[str, str]]
"""Kind and identifier of what does not count."""
_MEMBERSHIP, _ASSIGNMENT, _PERMISSION_SET = "group_membership", "account_assignment", "permission_set"
_MOST_NAMED = 10
MOST_COUNTED = 1000
"""Of each kind in an instance: enough to see that it is not empty."""


def uses_of_principals(
    connection: Connection, principal_type: str, names: Mapping[str, str], ours: Ours, *, again: bool
) -> dict[str, list[Use]]:
    """Return memberships, account assignments and application assignments of groups or users."""
    found = _membership_uses(connection, principal_type, names, ours, again=again)
    for row in _assignments(connection, principal_type, names, ours, again=again):
        found[row.principal_id].append(_assignment_use(connection, row, names[row.principal_id]))
    if not again and (applications := {one["ApplicationArn"]: one for one in _applications(connection)}):
        for one in names:
            found[one] += _applications_of(connection, principal_type, one, applications)
    return found


def _membership_uses(
    connection: Connection, principal_type: str, ids: Collection[str], ours: Ours, *, again: bool
) -> dict[str, list[Use]]:
    if principal_type == "GROUP":
        word, other_type, listed = "member", "USER", by_key(partial(list_memberships, connection), ids)
    else:
        word, other_type, listed = "membership in", "GROUP", memberships_by_user(connection, ids, again=again)
    others = {
        one: [each for each in listed.get(one, ()) if (_MEMBERSHIP, each["MembershipId"]) not in ours]
        for one in ids
    }

    def other_id(membership: dict[str, Any]) -> str:
        member: dict[str, str] = membership["MemberId"]
        return member["UserId"] if other_type == "USER" else str(membership["GroupId"])

    # Nobody reads a thousand names.
    named = {(other_type, other_id(each)) for some in others.values() for each in some[:_MOST_NAMED]}
    names = find_principal_names(connection, sorted(named))
    return {
        one: [
            Use(
                _MEMBERSHIP,
                each["MembershipId"],
                f"{word} {names.get((other_type, other_id(each))) or each['MembershipId']}",
            )
            for each in some
        ]
        for one, some in others.items()
    }


def _assignments(
    connection: Connection, principal_type: str, names: Collection[str], ours: Ours, *, again: bool
) -> list[Assignment]:
    """Return the principals' own assignments: by principal, or by pair where that takes fewer calls."""
    is_in_charge = is_management_account(connection)
    if again and not is_in_charge:
        return []
    if again or (is_in_charge and len(names) <= _calls_by_pair(connection, ours, enough=len(names))):
        with suppress(AccessDeniedError, AccountInstanceError):  # reading by pair needs another permission
            return list_assignments_of_principals(connection, [(principal_type, one) for one in names])
    pairs = provisioned_pairs(connection, _permission_sets(connection).values())
    rows = list_assignments_of_pairs(connection, pairs)
    return [row for row in rows if row.principal_type == principal_type and row.principal_id in names]


def _calls_by_pair(connection: Connection, ours: Ours, *, enough: int) -> int:
    """Return how many calls reading by pair takes, where that is less than `enough`."""
    # What hangs on a permission set of ours is read by pair in the same look anyway.
    others = [one for one in _permission_sets(connection).values() if (_PERMISSION_SET, one) not in ours]
    return len(provisioned_pairs(connection, others)) if len(others) < enough else enough


def _permission_sets(connection: Connection) -> dict[str, str]:
    try:
        return list_permission_sets(connection)
    except AccountInstanceError:  # it has none, nor assignments
        return {}


def _assignment_use(connection: Connection, row: Assignment, name: str) -> Use:
    arn = row.permission_set_arn
    permission_set = connection.cache.get("permission_set_names", {}).get(arn, arn.rpartition("/")[2])
    key = assignment_key(row.principal_type, name, permission_set, row.account_id)
    return Use(_ASSIGNMENT, assignment_identifier(*row[1:]), in_words(_ASSIGNMENT, key), key)


def _applications(connection: Connection) -> Iterator[dict[str, Any]]:
    return connection.items("sso-admin", "list_applications")


def _applications_of(
    connection: Connection, principal_type: str, principal_id: str, applications: Mapping[str, dict[str, Any]]
) -> list[Use]:
    listed = connection.items(
        "sso-admin",
        "list_application_assignments_for_principal",
        PrincipalType=principal_type,
        PrincipalId=principal_id,
    )
    own = [one["ApplicationArn"] for one in listed if one.get("PrincipalId", principal_id) == principal_id]
    return [
        Use("application_assignment", arn, f"application {applications.get(arn, {}).get('Name') or arn}")
        for arn in own
    ]


def uses_of_permission_sets(
    connection: Connection, named: Mapping[str, str], ours: Ours
) -> dict[str, list[Use]]:
    """Return the account assignments of permission sets, by ARN."""
    rows = [
        row
        for row in list_assignments_of_pairs(connection, provisioned_pairs(connection, named))
        if (_ASSIGNMENT, assignment_identifier(*row[1:])) not in ours
    ]
    of_set = {arn: [row for row in rows if row.permission_set_arn == arn] for arn in named}
    shown = {row[:2] for some in of_set.values() for row in some[:_MOST_NAMED]}
    names = find_principal_names(connection, sorted(shown))
    return {
        arn: [_assignment_use(connection, row, names.get(row[:2]) or row.principal_id) for row in some]
        for arn, some in of_set.items()
    }


def uses_of_instance(connection: Connection) -> list[Use]:
    """Return what the connection's instance holds, up to `MOST_COUNTED` of each kind: all goes with it."""
    permission_sets = _permission_sets(connection)
    found = [Use(_PERMISSION_SET, arn, f"permission set {name}") for name, arn in permission_sets.items()]
    for row in islice(_assignments_in(connection, permission_sets.values()), MOST_COUNTED):
        found.append(_assignment_use(connection, row, row.principal_id))
    describe = "describe_instance_access_control_attribute_configuration"
    if found_or_none(connection.call, "sso-admin", describe):
        arn = connection.instance.instance_arn
        found.append(Use("access_control_attributes", arn, "attributes for access control"))
    for kind, listed, identifier, name in (
        ("user", list_principals(connection, "USER"), "UserId", "UserName"),
        ("group", list_principals(connection, "GROUP"), "GroupId", "DisplayName"),
        ("application", _applications(connection), "ApplicationArn", "Name"),
    ):
        for one in islice(listed, MOST_COUNTED):
            found.append(Use(kind, one[identifier], f"{kind} {one.get(name) or one[identifier]}"))
    return found


def _assignments_in(connection: Connection, arns: Iterable[str]) -> Iterator[Assignment]:
    """Yield the assignments of permission sets one pair after another: whoever counts may stop early."""
    for pair in provisioned_pairs(connection, arns):
        yield from assignments_of_pair(connection, *pair)


def count_holdings(connection: Connection) -> dict[str, int]:
    """Return how many things of each kind an instance holds, each counted to `MOST_COUNTED`."""
    with failed_read("what the instance holds"):
        permission_sets = _permission_sets(connection)
        return {
            "permission sets": len(permission_sets),
            "account assignments": _counted(_assignments_in(connection, permission_sets.values())),
            "applications": count_applications(connection),
            "users": _counted(list_principals(connection, "USER")),
            "groups": _counted(list_principals(connection, "GROUP")),
        }


def count_applications(connection: Connection) -> int:
    """Return how many applications an instance has, counted to `MOST_COUNTED`."""
    with failed_read("the applications"):
        return _counted(_applications(connection))


def list_application_names(connection: Connection) -> list[str]:
    """Return the names of an instance's applications, sorted; one without a name goes by its ARN."""
    with failed_read("the applications"):
        return sorted(str(one.get("Name") or one["ApplicationArn"]) for one in _applications(connection))


def _counted(items: Iterator[Any]) -> int:
    return sum(1 for _ in islice(items, MOST_COUNTED))
