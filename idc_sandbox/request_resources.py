"""Which resources a request to Identity Center's services is about: policies are written for resources.

A request must be allowed for each of them. They are read from the request's members; AWS's list of the
resource types of each action knows a few more, such as all memberships of a store: the sandbox does not ask
for those.

Sources: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsiamidentitycenter.html and
https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentitystore.html
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

from idc_sandbox.context import Caller

_ARNS = ("InstanceArn", "PermissionSetArn", "ApplicationArn", "TrustedTokenIssuerArn", "ResourceArn")
_ACCOUNTS = ("TargetId", "AccountId")
_KIND_OF_MEMBER = {"UserId": "user", "GroupId": "group", "MembershipId": "membership"}
# Operations on all of a kind, or on one that is not known yet.
_KIND_OF_SEARCH = {"ListUsers": "user", "GetUserId": "user", "ListGroups": "group", "GetGroupId": "group"}


def resources_of(
    connection: sqlite3.Connection, caller: Caller, service_name: str, operation_name: str, request: Any
) -> list[str]:
    """Return the ARNs of a request's resources; ``["*"]`` when it names none, as ListInstances.

    Parameters
    ----------
    service_name
        ``"sso-admin"`` or ``"identitystore"``.
    request
        Not checked yet: what is no text is passed over, and refused later.
    """
    if service_name == "sso-admin":
        found = list(_of_instances(request))
    else:
        found = list(_of_identity_stores(connection, caller, operation_name, request))
    return list(dict.fromkeys(found)) or ["*"]


def _of_instances(request: Mapping[str, Any]) -> Iterator[str]:
    yield from _texts(request, _ARNS)
    for account_id in _texts(request, _ACCOUNTS):
        yield f"arn:aws:sso:::account/{account_id}"


def _of_identity_stores(
    connection: sqlite3.Connection, caller: Caller, operation_name: str, request: Mapping[str, Any]
) -> Iterator[str]:
    for store in _texts(request, ("IdentityStoreId",)):
        yield _store_arn(connection, caller, store)
    member = request.get("MemberId")
    for part in (request, member if isinstance(member, Mapping) else {}):
        for name, kind in _KIND_OF_MEMBER.items():
            for value in _texts(part, (name,)):
                yield _identity_arn(kind, value)
    group_ids = request.get("GroupIds")
    for group_id in group_ids if isinstance(group_ids, list) else []:
        yield _identity_arn("group", str(group_id))
    if operation_name in _KIND_OF_SEARCH:
        yield _identity_arn(_KIND_OF_SEARCH[operation_name], "*")


def _store_arn(connection: sqlite3.Connection, caller: Caller, store: str) -> str:
    """Return the ARN of an identity store, named by id or ARN; one that is not there is the caller's."""
    store_id = store.rpartition("/")[2]
    row = connection.execute(
        "SELECT owner_account_id FROM instance WHERE identity_store_id = ?", (store_id,)
    ).fetchone()
    owner = row["owner_account_id"] if row else caller.account_id
    return f"arn:aws:identitystore::{owner}:identitystore/{store_id}"


def _identity_arn(kind: str, identifier: str) -> str:
    return f"arn:aws:identitystore:::{kind}/{identifier.rpartition('/')[2]}"


def _texts(request: Mapping[str, Any], names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        value = request.get(name)
        if isinstance(value, str) and value:
            yield value
