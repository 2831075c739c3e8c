"""Users, and their profile in three shapes: the kit's flat state, AWS's user, AWS's attribute operations.

Pure: no call. Sources:
https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_CreateUser.html,
https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_AttributeOperation.html
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from botocore.exceptions import ClientError
from typing_extensions import override

from idc_aws.calls import Writer, found_or_none, in_threads, is_concurrent_change, named_or_none
from idc_aws.changes import State, Use
from idc_aws.errors import WriteFailedError
from idc_aws.identity_store import find_user_id
from idc_aws.resource import OneByOne
from idc_aws.uses import uses_of_principals

ENTERPRISE = "aws:identitystore:enterprise"
DEFAULT_TYPE = "work"

_SIMPLE = {
    "display_name": "DisplayName",
    "nick_name": "NickName",
    "title": "Title",
    "user_type": "UserType",
    "profile_url": "ProfileUrl",
    "website": "Website",
    "birthdate": "Birthdate",
    "preferred_language": "PreferredLanguage",
    "locale": "Locale",
    "timezone": "Timezone",
}
_NAME = {
    "given_name": "GivenName",
    "family_name": "FamilyName",
    "middle_name": "MiddleName",
    "honorific_prefix": "HonorificPrefix",
    "honorific_suffix": "HonorificSuffix",
}
_ADDRESS = {
    "street_address": "StreetAddress",
    "locality": "Locality",
    "region": "Region",
    "postal_code": "PostalCode",
    "country": "Country",
    "formatted": "Formatted",
}
_ENTERPRISE = {
    "employee_number": "employeeNumber",
    "cost_center": "costCenter",
    "organization": "organization",
    "division": "division",
    "department": "department",
    "manager": "manager",
}
# State fields that AWS keeps in one list of a single entry, which is replaced whole.
_LISTS = {"emails": ("email", "email_type"), "phoneNumbers": ("phone_number",), "addresses": ("address",)}


def user_request(state: State) -> dict[str, Any]:
    """Return the attributes of a state as CreateUser takes them; fields that are None are left out."""
    request: dict[str, Any] = _renamed(state, _SIMPLE)
    lists = {_capitalized(path): _list_value(path, state) for path in _LISTS}
    request |= {name: [_capitalize_keys(value)] for name, value in lists.items() if value}
    if name := _renamed(state, _NAME):
        request["Name"] = name
    if extension := _extension(state.get("enterprise") or {}):
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
    extension = (user.get("Extensions") or {}).get(ENTERPRISE) or {}
    parts = {"address": _named_back(address, _ADDRESS), "enterprise": _enterprise(extension)}
    return state | {name: part for name, part in parts.items() if part}


def user_operations(before: State, after: State) -> list[dict[str, Any]]:
    """Return the AttributeOperations that lead from one state to another; only what differs.

    An operation without ``AttributeValue`` removes the attribute.
    """
    operations = [
        _operation(_path(field, name), after.get(field))
        for table in (_SIMPLE, _NAME)
        for field, name in table.items()
        if before.get(field) != after.get(field)
    ]
    for path, fields in _LISTS.items():
        if any(before.get(field) != after.get(field) for field in fields):
            value = _list_value(path, after)
            operations.append(_operation(path, [value] if value else None))
    old, new = (_extension(state.get("enterprise") or {}) for state in (before, after))
    operations += [
        _operation(f"{ENTERPRISE}.{name}", new.get(name))
        for name in _ENTERPRISE.values()
        if old.get(name) != new.get(name)
    ]
    return operations


def _operation(path: str, value: Any) -> dict[str, Any]:
    return {"AttributePath": path} if value is None else {"AttributePath": path, "AttributeValue": value}


def _path(field: str, name: str) -> str:
    lower = name[0].lower() + name[1:]
    return f"name.{lower}" if field in _NAME else lower


def _list_value(path: str, state: State) -> dict[str, Any] | None:
    if path == "emails" and state.get("email"):
        return _entry({"value": state["email"]}, state.get("email_type"))
    if path == "phoneNumbers" and state.get("phone_number"):
        return _entry({"value": state["phone_number"]}, None)
    if path == "addresses" and state.get("address"):
        lower = {field: name[0].lower() + name[1:] for field, name in _ADDRESS.items()}
        return _entry(_renamed(state["address"], lower), None)
    return None


def _entry(value: dict[str, Any], kind: str | None) -> dict[str, Any]:
    return {**value, "type": kind or DEFAULT_TYPE, "primary": True}


def _extension(enterprise: State) -> dict[str, Any]:
    extension = _renamed(enterprise, _ENTERPRISE)
    if "manager" in extension:
        extension["manager"] = {"value": extension["manager"]}
    return extension


def _enterprise(extension: Mapping[str, Any]) -> State:
    enterprise = _named_back(extension, _ENTERPRISE)
    manager = enterprise.pop("manager", None)
    value = manager.get("value") if isinstance(manager, Mapping) else manager
    return {**enterprise, "manager": value} if value else enterprise


def _renamed(state: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {name: state[field] for field, name in names.items() if state.get(field) is not None}


def _named_back(answer: Mapping[str, Any], names: Mapping[str, str]) -> State:
    return {field: answer[name] for field, name in names.items() if answer.get(name)}


def _primary(entries: list[dict[str, Any]] | None) -> dict[str, Any]:
    listed = entries or []
    return next((entry for entry in listed if entry.get("Primary")), listed[0] if listed else {})


def _capitalized(path: str) -> str:
    return path[0].upper() + path[1:]


def _capitalize_keys(value: dict[str, Any]) -> dict[str, Any]:
    return {_capitalized(name): item for name, item in value.items()}


# Users of the identity store, with every field of a profile.

_UPDATE_ATTEMPTS = 3


class Users(OneByOne):
    """The users of the identity store, by user name.

    A state is flat, with the fields of `idc_aws.scenario.User` that the user has; ``address`` and
    ``enterprise`` are mappings. Neither groups nor the way of the first password are in it.
    """

    kind: ClassVar[str] = "user"

    @override
    def _read(self, keys: Collection[str]) -> dict[str, State]:
        if self._connection.instance_or_none() is None:
            return {}
        answers = zip(keys, in_threads(self._describe_by_name, keys), strict=True)
        return {key: user_state(answer) for key, answer in answers if answer}

    def _describe_by_name(self, user_name: str) -> dict[str, Any] | None:
        user_id = find_user_id(self._connection, user_name)
        return found_or_none(lambda: self._describe(user_id)) if user_id else None

    def _describe(self, user_id: str) -> dict[str, Any]:
        answer: dict[str, Any] = self._connection.client("identitystore").describe_user(
            Extensions=[ENTERPRISE], **self._request(user_id)
        )
        return answer

    @override
    def _identifier(self, key: str) -> str | None:
        return find_user_id(self._connection, key)

    @override
    def _read_one(self, key: str, identifier: str) -> State | None:
        answer = named_or_none(lambda: self._describe(identifier))
        if answer is None:
            return None
        name = answer.get("UserName", "")
        return user_state(answer) | ({"new_name": name} if name != key else {})

    @override
    def _uses(
        self, named: Mapping[str, str], ours: Collection[tuple[str, str]], *, again: bool
    ) -> dict[str, list[Use]]:
        return uses_of_principals(self._connection, "USER", named, ours, again=again)

    def _request(self, user_id: str) -> dict[str, Any]:
        return {"IdentityStoreId": self._connection.instance.identity_store_id, "UserId": user_id}

    @override
    def _create(self, key: str, state: State, writer: Writer) -> str:
        answer = writer.send(
            self._connection.client("identitystore").create_user,
            IdentityStoreId=self._connection.instance.identity_store_id,
            UserName=key,
            **user_request(state),
        )
        return str(answer["UserId"])

    @override
    def _update(self, key: str, before: State, after: State, writer: Writer) -> str:
        user_id = self._existing_identifier(key)
        for attempt in range(1, _UPDATE_ATTEMPTS + 1):
            found = self._describe(user_id)
            operations = _operations(key, user_state(found), before, after)
            try:
                self._send_operations(found, operations, writer)
            except ClientError as error:
                # The revision was not the last one: read again, and see whether it was about our fields.
                if attempt == _UPDATE_ATTEMPTS or not is_concurrent_change(error):
                    raise
            else:
                break
        return user_id

    def _send_operations(
        self, found: dict[str, Any], operations: list[dict[str, Any]], writer: Writer
    ) -> None:
        if operations:
            writer.send(
                self._connection.client("identitystore").update_user,
                is_retryable=lambda _error: False,
                Operations=operations,
                Revision=found.get("Revision"),
                **self._request(found["UserId"]),
            )

    @override
    def _delete(self, key: str, identifier: str, writer: Writer) -> None:
        # Deleting a user takes its memberships along; it cannot be undone.
        identity_store = self._connection.client("identitystore")
        found_or_none(lambda: writer.send(identity_store.delete_user, **self._request(identifier)))


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
