"""Finding users and groups by name, one call each: listing all would read up to 200,000 users.

Source: https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_GetUserId.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from idc_helpers.aws.connected import Connection
from idc_helpers.aws.failures import error_code
from idc_helpers.errors import AccessDeniedError

T = TypeVar("T")


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


def found_or_none(call: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    """Return a call's answer, or None where AWS says that there is no such thing."""
    try:
        return call()
    except ClientError as error:
        if error_code(error) == "ResourceNotFoundException":
            return None
        raise


def known_or_none(call: Callable[[], T]) -> T | None:
    """Return a call's answer, or None where this one thing may not be read, or is not there any more.

    For lists of what others made: one such thing is no reason to show none.
    """
    try:
        return call()
    except AccessDeniedError:
        return None
    except ClientError as error:
        if error_code(error) in ("ResourceNotFoundException", "ValidationException"):
            return None
        raise


def named_or_none(call: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    """Return a call's answer, or None where there is no such thing or the id is none at all."""
    try:
        return found_or_none(call)
    except ClientError as error:
        if error_code(error) == "ValidationException":
            return None
        raise


def is_concurrent_change(error: ClientError) -> bool:
    """Return whether somebody else changed the same thing between our read and our write."""
    return (
        error_code(error) == "ConflictException"
        and error.response.get("Reason", "CONCURRENT_MODIFICATION") == "CONCURRENT_MODIFICATION"
    )
