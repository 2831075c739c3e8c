"""Clues to why something is not as wanted: asked for after a check has failed, and only then. Reads only.

A clue that the caller may not read is no clue: nothing here raises for a refusal.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from idc_aws.access import list_permission_sets
from idc_aws.calls import found_or_none, pages
from idc_aws.changes import State
from idc_aws.connection import Connection
from idc_aws.errors import InstanceNotFoundError, KitError
from idc_aws.failures import failed_read
from idc_aws.identity_store import find_principal_id, find_user_id

_MOST_FAILURES_READ = 20
_T = TypeVar("_T")


def why_no_instance(connection: Connection) -> str:
    """Return why no instance is visible, with the Regions where one is; empty where there is one."""
    try:
        connection.refresh_instance()
        connection.instance  # noqa: B018 - reading it asks AWS
    except InstanceNotFoundError as error:
        return error.message
    except KitError:
        return ""
    return ""


def absent_parts(connection: Connection, kind: str, wanted: State) -> tuple[tuple[str, str], ...]:
    """Return what an assignment or a membership names and is not there: pairs of kind and name."""
    return _clue(lambda: _absent_parts(connection, kind, wanted), ())


def _absent_parts(connection: Connection, kind: str, wanted: State) -> tuple[tuple[str, str], ...]:
    if kind == "group_membership":
        named = [("user", wanted["user_name"]), ("group", wanted["group"])]
    elif kind == "account_assignment":
        named = [(wanted["principal_type"].lower(), wanted["principal_name"])]
    else:
        return ()
    absent = [pair for pair in named if find_principal_id(connection, pair[0].upper(), pair[1]) is None]
    permission_set = wanted.get("permission_set")
    if permission_set and permission_set not in list_permission_sets(connection):
        absent.append(("permission_set", permission_set))
    return tuple(absent)


def holder_of_email(connection: Connection, email: str, user_name: str) -> str:
    """Return the name of another user who has an e-mail address; empty for none."""
    return _clue(lambda: _holder_of_email(connection, email, user_name), "") if email else ""


def _holder_of_email(connection: Connection, email: str, user_name: str) -> str:
    identity_store = connection.client("identitystore")
    store = {"IdentityStoreId": connection.instance.identity_store_id}
    unique = {"AttributePath": "emails.value", "AttributeValue": email}
    found = found_or_none(
        lambda: identity_store.get_user_id(AlternateIdentifier={"UniqueAttribute": unique}, **store)
    )
    if not found or found["UserId"] == find_user_id(connection, user_name):
        return ""
    user = identity_store.describe_user(UserId=found["UserId"], **store)
    return str(user.get("UserName", ""))


def last_assignment_failure(connection: Connection, wanted: State) -> str:
    """Return AWS's reason why an assignment like this one failed lately; empty for none that is known.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_ListAccountAssignmentCreationStatus.html
    """
    return _clue(lambda: _last_assignment_failure(connection, wanted), "")


def _last_assignment_failure(connection: Connection, wanted: State) -> str:
    sso_admin = connection.client("sso-admin")
    instance = {"InstanceArn": connection.instance.instance_arn}
    principal = find_principal_id(connection, wanted["principal_type"], wanted["principal_name"])
    like = {
        "PrincipalId": principal,
        "PermissionSetArn": list_permission_sets(connection).get(wanted["permission_set"]),
        "TargetId": wanted["account_id"],
    }
    listed = pages(
        sso_admin,
        "list_account_assignment_creation_status",
        "AccountAssignmentsCreationStatus",
        Filter={"Status": "FAILED"},
        **instance,
    )
    reasons: dict[Any, str] = {}
    for entry in islice(listed, _MOST_FAILURES_READ):
        answer = sso_admin.describe_account_assignment_creation_status(
            AccountAssignmentCreationRequestId=entry["RequestId"], **instance
        )["AccountAssignmentCreationStatus"]
        if all(answer.get(name) == value for name, value in like.items()):
            reasons[answer.get("CreatedDate")] = answer.get("FailureReason") or "AWS gives no reason"
    return reasons[max(reasons, key=str)] if reasons else ""


def _clue(read: Callable[[], _T], otherwise: _T) -> _T:
    try:
        with failed_read("the cause"):
            return read()
    except (KitError, ClientError):
        return otherwise
