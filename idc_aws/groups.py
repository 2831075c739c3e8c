"""Groups and group memberships.

Source:
https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_CreateGroupMembership.html
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from typing_extensions import override

from idc_aws.calls import Writer, found_or_none, in_threads, named_or_none
from idc_aws.changes import State, Use
from idc_aws.connection import Connection
from idc_aws.errors import InvalidValueError, NotFoundError
from idc_aws.identity_store import find_group_id, find_user_id
from idc_aws.resource import OneByOne
from idc_aws.uses import uses_of_principals

_MOST_GROUPS_A_CALL = 100
_SEPARATOR = " in "


def membership_key(user_name: str, group: str) -> str:
    """Return what a membership is called, such as ``"ana in AdministratorAccess"``."""
    return f"{user_name}{_SEPARATOR}{group}"


def _parts(key: str) -> tuple[str, str]:
    # A user name has no blanks, so the first " in " is ours.
    user_name, separator, group = key.partition(_SEPARATOR)
    if not separator:
        raise InvalidValueError(f"{key!r} is not the key of a membership", remedy="Write 'USER in GROUP'.")
    return user_name, group


class GroupMemberships(OneByOne):
    """The memberships of the identity store, by `membership_key`.

    A state has ``user_name`` and ``group``. A user or a group that does not exist has no memberships.
    """

    kind: ClassVar[str] = "group_membership"

    @override
    def _read(self, keys: Collection[str]) -> dict[str, State]:
        if self._connection.instance_or_none() is None:
            return {}
        pairs = {key: _parts(key) for key in keys}
        user_ids = _ids(self._connection, find_user_id, [user_name for user_name, _ in pairs.values()])
        group_ids = _ids(self._connection, find_group_id, [group for _, group in pairs.values()])
        members = self._members(
            [(user_ids.get(user_name), group_ids.get(group)) for user_name, group in pairs.values()]
        )
        return {
            key: {"user_name": user_name, "group": group}
            for key, (user_name, group) in pairs.items()
            if (user_ids.get(user_name), group_ids.get(group)) in members
        }

    def _members(self, pairs: list[tuple[str | None, str | None]]) -> set[tuple[str | None, str | None]]:
        groups_of: dict[str, list[str]] = {}
        for user_id, group_id in pairs:
            if user_id and group_id:
                groups_of.setdefault(user_id, []).append(group_id)
        calls = [
            (user_id, group_ids[start : start + _MOST_GROUPS_A_CALL])
            for user_id, group_ids in groups_of.items()
            for start in range(0, len(group_ids), _MOST_GROUPS_A_CALL)
        ]
        found = in_threads(self._groups_with, calls)
        return {
            (user_id, group_id)
            for (user_id, _), group_ids in zip(calls, found, strict=True)
            for group_id in group_ids
        }

    def _groups_with(self, call: tuple[str, list[str]]) -> list[str]:
        user_id, group_ids = call
        answer = self._connection.client("identitystore").is_member_in_groups(
            IdentityStoreId=self._connection.instance.identity_store_id,
            MemberId={"UserId": user_id},
            GroupIds=group_ids,
        )
        return [result["GroupId"] for result in answer["Results"] if result.get("MembershipExists")]

    @override
    def _identifier(self, key: str) -> str | None:
        return self._identifiers([key]).get(key)

    @override
    def _identifiers(self, keys: Collection[str]) -> dict[str, str]:
        pairs = {key: _parts(key) for key in keys}
        user_ids = _ids(self._connection, find_user_id, [user_name for user_name, _ in pairs.values()])
        group_ids = _ids(self._connection, find_group_id, [group for _, group in pairs.values()])
        ids = [(user_ids.get(user_name), group_ids.get(group)) for user_name, group in pairs.values()]
        found = zip(pairs, in_threads(lambda pair: self._membership_id(*pair), ids), strict=True)
        return {key: membership_id for key, membership_id in found if membership_id is not None}

    def _membership_id(self, user_id: str | None, group_id: str | None) -> str | None:
        if user_id is None or group_id is None:
            return None
        answer = found_or_none(
            lambda: self._connection.client("identitystore").get_group_membership_id(
                IdentityStoreId=self._connection.instance.identity_store_id,
                GroupId=group_id,
                MemberId={"UserId": user_id},
            )
        )
        return str(answer["MembershipId"]) if answer else None

    @override
    def _read_one(self, key: str, identifier: str) -> State | None:
        # Its user or its group may have another name now.
        answer = named_or_none(
            lambda: self._connection.client("identitystore").describe_group_membership(
                IdentityStoreId=self._connection.instance.identity_store_id, MembershipId=identifier
            )
        )
        user_name, group = _parts(key)
        return {"user_name": user_name, "group": group} if answer else None

    @override
    def _uses(
        self, named: Mapping[str, str], ours: Collection[tuple[str, str]], *, again: bool
    ) -> dict[str, list[Use]]:
        return {}  # nothing hangs on a membership

    @override
    def _create(self, key: str, state: State, writer: Writer) -> str:
        user_name, group = state["user_name"], state["group"]
        user_id, group_id = find_user_id(self._connection, user_name), find_group_id(self._connection, group)
        if user_id is None or group_id is None:
            missing = f"user {user_name!r}" if user_id is None else f"group {group!r}"
            raise NotFoundError(
                f"there is no {missing}, so {user_name!r} cannot become a member of {group!r}",
                remedy="Create it first (groups in notebook 06, users in notebook 08), or correct the name.",
            )
        answer = writer.send(
            self._connection.client("identitystore").create_group_membership,
            IdentityStoreId=self._connection.instance.identity_store_id,
            GroupId=group_id,
            MemberId={"UserId": user_id},
        )
        return str(answer["MembershipId"])

    @override
    def _update(self, key: str, before: State, after: State, writer: Writer) -> str:
        # The key is the whole state, so there is nothing that could differ.
        return self._existing_identifier(key)

    @override
    def _delete(self, key: str, identifier: str, writer: Writer) -> None:
        request: dict[str, Any] = {
            "IdentityStoreId": self._connection.instance.identity_store_id,
            "MembershipId": identifier,
        }
        identity_store = self._connection.client("identitystore")
        found_or_none(lambda: writer.send(identity_store.delete_group_membership, **request))


def _ids(connection: Connection, find: Any, names: list[str]) -> dict[str, str | None]:
    unique = list(dict.fromkeys(names))
    return dict(zip(unique, in_threads(lambda name: find(connection, name), unique), strict=True))


# Groups: access is given to groups, so that people can come and go.


class Groups(OneByOne):
    """The groups of the identity store, by display name.

    A state has ``description``, where there is one.
    """

    kind: ClassVar[str] = "group"

    @override
    def _read(self, keys: Collection[str]) -> dict[str, State]:
        if self._connection.instance_or_none() is None:
            return {}
        answers = zip(keys, in_threads(self._describe, keys), strict=True)
        return {key: _state(answer) for key, answer in answers if answer}

    def _describe(self, display_name: str) -> dict[str, Any] | None:
        group_id = find_group_id(self._connection, display_name)
        if group_id is None:
            return None
        return found_or_none(
            lambda: self._connection.client("identitystore").describe_group(**self._request(group_id))
        )

    @override
    def _identifier(self, key: str) -> str | None:
        return find_group_id(self._connection, key)

    @override
    def _read_one(self, key: str, identifier: str) -> State | None:
        answer = named_or_none(
            lambda: self._connection.client("identitystore").describe_group(**self._request(identifier))
        )
        if answer is None:
            return None
        name = answer.get("DisplayName", "")
        return _state(answer) | ({"new_name": name} if name != key else {})

    @override
    def _uses(
        self, named: Mapping[str, str], ours: Collection[tuple[str, str]], *, again: bool
    ) -> dict[str, list[Use]]:
        return uses_of_principals(self._connection, "GROUP", named, ours, again=again)

    def _request(self, group_id: str) -> dict[str, Any]:
        return {"IdentityStoreId": self._connection.instance.identity_store_id, "GroupId": group_id}

    @override
    def _create(self, key: str, state: State, writer: Writer) -> str:
        answer = writer.send(
            self._connection.client("identitystore").create_group,
            IdentityStoreId=self._connection.instance.identity_store_id,
            DisplayName=key,
            Description=state.get("description"),
        )
        return str(answer["GroupId"])

    @override
    def _update(self, key: str, before: State, after: State, writer: Writer) -> str:
        group_id = self._existing_identifier(key)
        if before.get("description") != after.get("description"):
            operation: dict[str, Any] = {"AttributePath": "description"}
            if after.get("description") is not None:
                operation["AttributeValue"] = after["description"]
            writer.send(
                self._connection.client("identitystore").update_group,
                Operations=[operation],
                **self._request(group_id),
            )
        return group_id

    @override
    def _delete(self, key: str, identifier: str, writer: Writer) -> None:
        # Deleting a group takes its memberships along.
        identity_store = self._connection.client("identitystore")
        found_or_none(lambda: writer.send(identity_store.delete_group, **self._request(identifier)))


def _state(answer: dict[str, Any]) -> State:
    return {"description": answer["Description"]} if answer.get("Description") else {}
