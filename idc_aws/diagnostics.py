"""Clues to why something is not as wanted: asked for after a check has failed, and only then. Reads only."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from itertools import islice
from typing import Any, ParamSpec, TypeVar

from botocore.exceptions import ClientError

from idc_aws.access import list_permission_sets
from idc_aws.calls import found_or_none
from idc_aws.changes import State
from idc_aws.connection import Connection
from idc_aws.errors import InstanceNotFoundError, KitError
from idc_aws.failures import failed_read
from idc_aws.identity_store import find_principal_id, find_principal_names
from idc_aws.organization import list_delegates

_MOST_FAILURES_READ = 20
_NO_PARTS: tuple[tuple[str, str], ...] = ()
T = TypeVar("T")
P = ParamSpec("P")


def _clue(otherwise: T) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Make a function return `otherwise` where its caller may not read: that is no clue, and no failure."""

    def decorated(read: Callable[P, T]) -> Callable[P, T]:
        @wraps(read)
        def read_or_not(*arguments: P.args, **options: P.kwargs) -> T:
            try:
                with failed_read("the cause"):
                    return read(*arguments, **options)
            except (KitError, ClientError):
                return otherwise

        return read_or_not

    return decorated


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


@_clue("")
def other_delegate(connection: Connection, account_id: str) -> str:
    """Return the delegated administrator, by name and id, where it is another account than this one."""
    others = (one for one in list_delegates(connection) if one.account_id != account_id)
    return next((f"{one.name} ({one.account_id})" for one in others), "")


@_clue(_NO_PARTS)
def absent_parts(connection: Connection, kind: str, wanted: State) -> tuple[tuple[str, str], ...]:
    """Return what an assignment or a membership names and is not there: pairs of kind and name."""
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


@_clue("")
def holder_of_email(connection: Connection, email: str, user_name: str) -> str:
    """Return the name of another user who has an e-mail address; empty for none."""
    if not email:
        return ""
    unique = {"UniqueAttribute": {"AttributePath": "emails.value", "AttributeValue": email}}
    found = found_or_none(connection.call, "identitystore", "get_user_id", AlternateIdentifier=unique)
    if not found or found["UserId"] == find_principal_id(connection, "USER", user_name):
        return ""
    holder = "USER", found["UserId"]
    return find_principal_names(connection, [holder]).get(holder, "")


@_clue("")
def last_assignment_failure(connection: Connection, wanted: State) -> str:
    """Return AWS's reason why an assignment like this one failed lately; empty for none that is known."""
    principal = find_principal_id(connection, wanted["principal_type"], wanted["principal_name"])
    like = {
        "PrincipalId": principal,
        "PermissionSetArn": list_permission_sets(connection).get(wanted["permission_set"]),
        "TargetId": wanted["account_id"],
    }
    listed = connection.items(
        "sso-admin", "list_account_assignment_creation_status", Filter={"Status": "FAILED"}
    )
    reasons: dict[Any, str] = {}
    for entry in islice(listed, _MOST_FAILURES_READ):
        which = {"AccountAssignmentCreationRequestId": entry["RequestId"]}
        describe = "describe_account_assignment_creation_status"
        answer = connection.call("sso-admin", describe, **which)["AccountAssignmentCreationStatus"]
        if all(answer.get(name) == value for name, value in like.items()):
            reasons[answer.get("CreatedDate")] = answer.get("FailureReason") or "AWS gives no reason"
    return reasons[max(reasons, key=str)] if reasons else ""
