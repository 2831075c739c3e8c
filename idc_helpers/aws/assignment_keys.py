"""What an account assignment is called: AWS gives it neither an id nor an ARN."""

from __future__ import annotations

from idc_helpers.changes import State
from idc_helpers.errors import InvalidValueError
from idc_helpers.identifiers import is_account_id

_SEPARATOR = " · "


def assignment_key(principal_type: str, principal_name: str, permission_set: str, account_id: str) -> str:
    """Return what an assignment is called, such as ``"GROUP Auditors · ReadOnlyAccess · 111122223333"``."""
    return _SEPARATOR.join((f"{principal_type} {principal_name}", permission_set, account_id))


def assignment_state(key: str) -> State:
    """Return ``principal_type``, ``principal_name``, ``permission_set`` and ``account_id`` of a key.

    Raises
    ------
    InvalidValueError
        The text is not the key of an assignment.
    """
    # A group's name may hold the separator; a permission set's and an account's id cannot.
    parts = key.rsplit(_SEPARATOR, 2)
    principal_type, _, principal_name = parts[0].partition(" ")
    is_principal = principal_type in ("USER", "GROUP") and bool(principal_name)
    if len(parts) != 3 or not is_principal or not is_account_id(parts[2]):
        raise InvalidValueError(
            f"{key!r} is not the key of an account assignment",
            remedy="Write 'GROUP NAME · PERMISSION SET · ACCOUNT ID'.",
        )
    return {
        "principal_type": principal_type,
        "principal_name": principal_name,
        "permission_set": parts[1],
        "account_id": parts[2],
    }


def assignment_identifier(principal_id: str, permission_set_arn: str, account_id: str) -> str:
    """Return what tells an assignment from any other one, whatever its names lead to: its three ids."""
    return f"{principal_id} {permission_set_arn} {account_id}"


def assignment_parts(identifier: str) -> tuple[str, str]:
    """Return the principal's id and the permission set's ARN of an `assignment_identifier`."""
    principal_id, _, rest = identifier.partition(" ")
    return principal_id, rest.partition(" ")[0]


def whole_assignment_identifier(identifier: str, key: str) -> str:
    """Return an `assignment_identifier`, also where an earlier receipt left the account to the key."""
    is_earlier = len(identifier.split(" ")) == 2
    return f"{identifier} {key.rpartition(_SEPARATOR)[2]}" if is_earlier else identifier
