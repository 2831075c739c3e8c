"""Users, and their profile in three shapes: the kit's flat state, AWS's user, AWS's attribute operations."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import islice
from typing import Any, ClassVar

from typing_extensions import override

from idc_aws.calls import retry_conflicts
from idc_aws.changes import State, Use
from idc_aws.connection import Connection
from idc_aws.errors import WriteFailedError
from idc_aws.failures import failed_read
from idc_aws.identity_store import ENTERPRISE, Principals, list_principals
from idc_aws.resource import Writer
from idc_aws.uses import uses_of_principals

DEFAULT_TYPE = "work"


def _members(*fields: str) -> dict[str, str]:
    """Return AWS's names of fields, such as ``"DisplayName"`` of ``"display_name"``."""
    return {field: field.title().replace("_", "") for field in fields}


def _lowered(name: str) -> str:
    return name[0].lower() + name[1:]


_SIMPLE = _members(
    *("display_name", "nick_name", "title", "user_type", "profile_url", "website", "birthdate"),
    *("preferred_language", "locale", "timezone"),
)
_NAME = _members("given_name", "family_name", "middle_name", "honorific_prefix", "honorific_suffix")
_ADDRESS = _members("street_address", "locality", "region", "postal_code", "country", "formatted")
_LOWERED_ADDRESS = {field: _lowered(name) for field, name in _ADDRESS.items()}
_ENTERPRISE = {
    field: _lowered(name)
    for field, name in _members(
        "employee_number", "cost_center", "organization", "division", "department", "manager"
    ).items()
}
# State fields that AWS keeps in one list of a single entry, which is replaced whole.
_LISTS = {"emails": ("email", "email_type"), "phoneNumbers": ("phone_number",), "addresses": ("address",)}


def user_request(state: State) -> dict[str, Any]:
    """Return the attributes of a state as CreateUser takes them; fields that are None are left out."""
    request: dict[str, Any] = _renamed(state, _SIMPLE)
    lists = {_capitalized(path): _list_value(path, state) for path in _LISTS}
    request |= {
        name: [{_capitalized(key): item for key, item in value.items()}]
        for name, value in lists.items()
        if value
    }
    if name := _renamed(state, _NAME):
        request["Name"] = name
    if extension := _extension(state):
        request["Extensions"] = {ENTERPRISE: extension}
    return request


def user_state(user: Mapping[str, Any]) -> State:
    """Return the state of a user that DescribeUser answered; what the user does not have is left out."""
    state = _named_back(user, _SIMPLE) | _named_back(user.get("Name") or {}, _NAME)
    email, phone_number, address = (
        _primary(user.get(name)) for name in ("Emails", "PhoneNumbers", "Addresses")
    )
    if email.get("Value"):
        state |= {"email": email["Value"], "email_type": email.get("Type") or DEFAULT_TYPE}
    if phone_number.get("Value"):
        state["phone_number"] = phone_number["Value"]
    enterprise = _named_back((user.get("Extensions") or {}).get(ENTERPRISE) or {}, _ENTERPRISE)
    manager = enterprise.pop("manager", None)
    if manager := manager.get("value") if isinstance(manager, Mapping) else manager:
        enterprise["manager"] = manager
    parts = {"address": _named_back(address, _ADDRESS), "enterprise": enterprise}
    return state | {name: part for name, part in parts.items() if part}


def user_operations(before: State, after: State) -> list[dict[str, Any]]:
    """Return the AttributeOperations that lead from one state to another; only what differs."""
    paths = {field: _lowered(name) for field, name in _SIMPLE.items()}
    paths |= {field: f"name.{_lowered(name)}" for field, name in _NAME.items()}
    operations = [
        _operation(path, after.get(field))
        for field, path in paths.items()
        if before.get(field) != after.get(field)
    ]
    for path, fields in _LISTS.items():
        if any(before.get(field) != after.get(field) for field in fields):
            value = _list_value(path, after)
            operations.append(_operation(path, [value] if value else None))
    old, new = _extension(before), _extension(after)
    operations += [
        _operation(f"{ENTERPRISE}.{name}", new.get(name))
        for name in _ENTERPRISE.values()
        if old.get(name) != new.get(name)
    ]
    return operations


def _operation(path: str, value: Any) -> dict[str, Any]:
    return {"AttributePath": path} if value is None else {"AttributePath": path, "AttributeValue": value}


def _list_value(path: str, state: State) -> dict[str, Any] | None:
    if path == "emails" and state.get("email"):
        return _entry({"value": state["email"]}, state.get("email_type"))
    if path == "phoneNumbers" and state.get("phone_number"):
        return _entry({"value": state["phone_number"]})
    if path == "addresses" and state.get("address"):
        return _entry(_renamed(state["address"], _LOWERED_ADDRESS))
    return None


def _entry(value: dict[str, Any], kind: str | None = None) -> dict[str, Any]:
    return {**value, "type": kind or DEFAULT_TYPE, "primary": True}


def _extension(state: State) -> dict[str, Any]:
    extension = _renamed(state.get("enterprise") or {}, _ENTERPRISE)
    if "manager" in extension:
        extension["manager"] = {"value": extension["manager"]}
    return extension


def _renamed(state: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {name: state[field] for field, name in names.items() if state.get(field) is not None}


def _named_back(answer: Mapping[str, Any], names: Mapping[str, str]) -> State:
    return {field: answer[name] for field, name in names.items() if answer.get(name)}


def _primary(entries: list[dict[str, Any]] | None) -> dict[str, Any]:
    listed = entries or []
    return next((entry for entry in listed if entry.get("Primary")), listed[0] if listed else {})


def _capitalized(path: str) -> str:
    return path[0].upper() + path[1:]


class Users(Principals):
    """The users of the identity store, by user name.

    A state is flat, with the fields of `idc_aws.scenario.people.User` that the user has; ``address`` and
    ``enterprise`` are mappings. Neither groups nor the way of the first password are in it.

    Source: https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_User.html
    """

    kind: ClassVar[str] = "user"
    principal_type: ClassVar[str] = "USER"

    @override
    def _state(self, answer: dict[str, Any]) -> State:
        return user_state(answer)

    @override
    def _attributes(self, state: State) -> dict[str, Any]:
        return user_request(state)

    @override
    def _uses(
        self, named: Mapping[str, str], ours: Collection[tuple[str, str]], *, again: bool
    ) -> dict[str, list[Use]]:
        return uses_of_principals(self._connection, "USER", named, ours, again=again)

    @override
    def _update(self, key: str, before: State, after: State, writer: Writer) -> str:
        user_id = self._existing_identifier(key)

        def update() -> None:
            found = self._describe(user_id)
            operations = _operations(key, user_state(found), before, after)
            if operations:
                writer.send(
                    "identitystore",
                    "update_user",
                    is_retryable=lambda _error: False,
                    UserId=user_id,
                    Operations=operations,
                    Revision=found.get("Revision"),
                )

        # Where the revision was not the last one: read again, and see whether it was about our fields.
        retry_conflicts(update, timing=self._connection.timing)
        return user_id


def _operations(user_name: str, found: State, before: State, after: State) -> list[dict[str, Any]]:
    differing = {name for name in {**before, **after} if before.get(name) != after.get(name)}
    meanwhile = sorted(
        name for name in differing if found.get(name) not in (before.get(name), after.get(name))
    )
    if meanwhile:
        raise WriteFailedError(
            f"the user {user_name!r} was changed by somebody else since the plan was made: "
            f"{', '.join(meanwhile)}",
            remedy="Nothing was written to this user. Plan again and read what differs now.",
        )
    return user_operations(found, {**found, **{name: after.get(name) for name in differing}})


def list_personal_data(connection: Connection, *, at_most: int) -> list[State]:
    """Return ``user_name`` and the profiles of an instance's users, as a scenario has them; reads only."""
    if connection.instance_or_none() is None:
        return []
    with failed_read("the users, whose names are to be masked"):
        users = islice(list_principals(connection, "USER"), at_most)
        return [{"user_name": user.get("UserName"), **user_state(user)} for user in users]
