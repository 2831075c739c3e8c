"""The identity store: its users and groups found by name, listed for people, and written."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar

from typing_extensions import override

from idc_aws.calls import NO_SUCH_ID, by_key, found_or_none, in_threads, known_or_none
from idc_aws.changes import State
from idc_aws.connection import Connection
from idc_aws.failures import failed_read
from idc_aws.resource import Existing, OneByOne, Writer

NAME_FIELDS = {"USER": "UserName", "GROUP": "DisplayName"}
"""What AWS calls the name of a principal, by its type."""


def find_user_id(connection: Connection, user_name: str) -> str | None:
    """Return the id of the user of that name, or None where there is none; reads only."""
    return find_principal_id(connection, "USER", user_name)


def find_group_id(connection: Connection, display_name: str) -> str | None:
    """Return the id of the group of that display name, or None where there is none; reads only."""
    return find_principal_id(connection, "GROUP", display_name)


def find_principal_id(connection: Connection, principal_type: str, principal_name: str) -> str | None:
    """Return the id of a ``"USER"`` or ``"GROUP"``, or None where there is none; reads only."""
    name_field = NAME_FIELDS[principal_type]
    path = name_field[0].lower() + name_field[1:]
    unique = {"AttributePath": path, "AttributeValue": principal_name}
    answer = found_or_none(
        connection.call,
        "identitystore",
        f"get_{principal_type.lower()}_id",
        AlternateIdentifier={"UniqueAttribute": unique},
    )
    return str(answer[id_field(principal_type)]) if answer else None


def principal_name(connection: Connection, principal_type: str, principal_id: str) -> str:
    """Return the name of a user or a group; empty for one that is gone or may not be read; reads only."""
    method_name, which = f"describe_{principal_type.lower()}", {id_field(principal_type): principal_id}
    answer = known_or_none(connection.call, "identitystore", method_name, **which)
    return str(answer.get(NAME_FIELDS[principal_type], "")) if answer else ""


def id_field(principal_type: str) -> str:
    """Return what AWS calls the id of a principal of a type, such as ``"GroupId"``."""
    return f"{principal_type.capitalize()}Id"


def list_principals(connection: Connection, principal_type: str) -> Iterator[dict[str, Any]]:
    """Yield the instance's users or groups as AWS lists them; reads only."""
    return connection.items("identitystore", f"list_{principal_type.lower()}s")


class Principals(OneByOne):
    """The users or the groups of the identity store, by name: what both are alike in."""

    principal_type: ClassVar[str]
    description_options: ClassVar[dict[str, Any]] = {}
    """What a description is asked for besides."""

    @abstractmethod
    def _state(self, answer: dict[str, Any]) -> State:
        """Return the state of one that AWS described."""

    @abstractmethod
    def _attributes(self, state: State) -> dict[str, Any]:
        """Return the attributes of a state as AWS takes them for a new one."""

    def _by_id(self, identifier: str) -> dict[str, str]:
        return {id_field(self.principal_type): identifier}

    def _describe(self, identifier: str) -> dict[str, Any]:
        request = {**self._by_id(identifier), **self.description_options}
        return self._connection.call("identitystore", f"describe_{self.kind}", **request)

    def _describe_by_name(self, name: str) -> dict[str, Any] | None:
        identifier = self._identifier(name)
        return found_or_none(self._describe, identifier) if identifier else None

    @override
    def _read(self, keys: Collection[str]) -> dict[str, State]:
        return {key: found.state for key, found in self._existing(keys).items()}

    @override
    def _existing(self, keys: Collection[str]) -> dict[str, Existing]:
        answers, name = by_key(self._describe_by_name, keys), id_field(self.principal_type)
        return {
            key: Existing(str(answer[name]), self._state(answer)) for key, answer in answers.items() if answer
        }

    @override
    def _identifier(self, key: str) -> str | None:
        return find_principal_id(self._connection, self.principal_type, key)

    @override
    def _read_one(self, key: str, identifier: str) -> State | None:
        answer = found_or_none(self._describe, identifier, codes=NO_SUCH_ID)
        if answer is None:
            return None
        name = answer.get(NAME_FIELDS[self.principal_type], "")
        return self._state(answer) | ({"new_name": name} if name != key else {})

    @override
    def _create(self, key: str, state: State, writer: Writer) -> str:
        request = {NAME_FIELDS[self.principal_type]: key, **self._attributes(state)}
        answer = writer.send("identitystore", f"create_{self.kind}", **request)
        return str(answer[id_field(self.principal_type)])

    @override
    def _delete(self, key: str, identifier: str, writer: Writer) -> None:
        # AWS deletes the memberships along; somebody else may have deleted it a moment ago.
        found_or_none(writer.send, "identitystore", f"delete_{self.kind}", **self._by_id(identifier))


@dataclass(frozen=True)
class ListedUser:
    """A user as a list shows one."""

    user_name: str
    display_name: str
    email: str
    user_status: str
    groups: tuple[str, ...]


def list_users(connection: Connection, *, at_most: int) -> tuple[list[ListedUser], bool]:
    """Return users sorted by name, and whether these are all."""
    with failed_read("the users"):
        found = list(islice(list_principals(connection, "USER"), at_most + 1))
        users = in_threads(lambda user: _listed(connection, user), found[:at_most])
    return sorted(users, key=lambda user: user.user_name.casefold()), len(found) <= at_most


def _listed(connection: Connection, user: dict[str, Any]) -> ListedUser:
    emails = user.get("Emails") or [{}]
    return ListedUser(
        user_name=str(user.get("UserName", "")),
        display_name=str(user.get("DisplayName", "")),
        email=str(emails[0].get("Value", "")),
        user_status=str(user.get("UserStatus", "")),
        groups=tuple(sorted(_groups_of_user(connection, str(user["UserId"])))),
    )


def _groups_of_user(connection: Connection, user_id: str) -> Iterator[str]:
    names = connection.cache.setdefault("group names", {})
    member = {"UserId": user_id}
    for membership in connection.items("identitystore", "list_group_memberships_for_member", MemberId=member):
        group_id = membership["GroupId"]
        if group_id not in names:
            names[group_id] = principal_name(connection, "GROUP", group_id) or group_id
        yield names[group_id]


def list_user_names(connection: Connection, *, at_most: int) -> list[str]:
    """Return names of users, in AWS's order and no more than `at_most`; reads only."""
    with failed_read("the users"):
        return _names(connection, "USER", at_most)


def list_group_names(connection: Connection, *, at_most: int) -> list[str]:
    """Return display names of groups, in AWS's order and no more than `at_most`; reads only."""
    with failed_read("the groups"):
        return _names(connection, "GROUP", at_most)


def _names(connection: Connection, principal_type: str, at_most: int) -> list[str]:
    found = islice(list_principals(connection, principal_type), at_most)
    names = (one.get(NAME_FIELDS[principal_type]) for one in found)
    return [str(name) for name in names if name]


_MOST_MEMBERS_READ = 100


def list_group_members(connection: Connection, group_id: str) -> list[tuple[str, str]]:
    """Return (user name, membership id) of a group's members, sorted; no more than a hundred are read."""
    with failed_read("the group's members"):
        listed = connection.items("identitystore", "list_group_memberships", GroupId=group_id)
        found = [
            (one.get("MemberId", {}).get("UserId", ""), one["MembershipId"])
            for one in islice(listed, _MOST_MEMBERS_READ)
        ]
        users = in_threads(
            lambda pair: known_or_none(connection.call, "identitystore", "describe_user", UserId=pair[0]),
            found,
        )
    return sorted(
        (str(user.get("UserName") or user_id), membership_id)
        for (user_id, membership_id), user in zip(found, users, strict=True)
        if user is not None
    )
