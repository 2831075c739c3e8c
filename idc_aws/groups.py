"""Groups, to which access is given so that people can come and go, and who is in one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from typing_extensions import override

from idc_aws.calls import NO_SUCH_ID, by_key, found_or_none, in_threads
from idc_aws.changes import State, Use
from idc_aws.errors import InvalidValueError, NotFoundError
from idc_aws.identity_store import Principals, find_group_id, find_principal_id, find_user_id
from idc_aws.resource import Existing, OneByOne, Writer
from idc_aws.uses import uses_of_principals


class Groups(Principals):
    """The groups of the identity store, by display name.

    A state has ``description``, where there is one.

    Source: https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_Group.html
    """

    kind: ClassVar[str] = "group"
    principal_type: ClassVar[str] = "GROUP"

    @override
    def _state(self, answer: dict[str, Any]) -> State:
        return {"description": answer["Description"]} if answer.get("Description") else {}

    @override
    def _attributes(self, state: State) -> dict[str, Any]:
        return {"Description": state.get("description")}

    @override
    def _uses(
        self, named: Mapping[str, str], ours: Collection[tuple[str, str]], *, again: bool
    ) -> dict[str, list[Use]]:
        return uses_of_principals(self._connection, "GROUP", named, ours, again=again)

    @override
    def _update(self, key: str, before: State, after: State, writer: Writer) -> str:
        group_id = self._existing_identifier(key)
        if before.get("description") != after.get("description"):
            operation: dict[str, Any] = {"AttributePath": "description"}
            if after.get("description") is not None:
                operation["AttributeValue"] = after["description"]
            writer.send("identitystore", "update_group", GroupId=group_id, Operations=[operation])
        return group_id


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


_IdPair = tuple[str, str]
"""The ids of a user and of a group."""


class GroupMemberships(OneByOne):
    """The memberships of the identity store, by `membership_key`.

    A state has ``user_name`` and ``group``. A user or a group that does not exist has no memberships.

    Source: https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_GroupMembership.html
    """

    kind: ClassVar[str] = "group_membership"

    @override
    def _read(self, keys: Collection[str]) -> dict[str, State]:
        pairs = self._id_pairs(keys)
        members = self._members(pairs.values())
        return {key: self._state(key) for key, pair in pairs.items() if pair in members}

    def _state(self, key: str) -> State:
        user_name, group = _parts(key)
        return {"user_name": user_name, "group": group}

    def _id_pairs(self, keys: Collection[str]) -> dict[str, _IdPair]:
        """Return the ids of those whose user and group exist; each name is looked up once."""
        named = {
            key: (("USER", user_name), ("GROUP", group)) for key in keys for user_name, group in [_parts(key)]
        }
        principals = (one for pair in named.values() for one in pair)
        id_of = by_key(lambda one: find_principal_id(self._connection, *one), principals)
        found = ((key, id_of[user], id_of[group]) for key, (user, group) in named.items())
        return {key: (user_id, group_id) for key, user_id, group_id in found if user_id and group_id}

    def _members(self, pairs: Collection[_IdPair]) -> set[_IdPair]:
        groups_of: dict[str, list[str]] = {}
        for user_id, group_id in pairs:
            groups_of.setdefault(user_id, []).append(group_id)
        calls = [
            (user_id, group_ids[start : start + _MOST_GROUPS_A_CALL])
            for user_id, group_ids in groups_of.items()
            for start in range(0, len(group_ids), _MOST_GROUPS_A_CALL)
        ]
        return {pair for found in in_threads(lambda call: self._groups_with(*call), calls) for pair in found}

    def _groups_with(self, user_id: str, group_ids: list[str]) -> list[_IdPair]:
        answer = self._connection.call(
            "identitystore", "is_member_in_groups", MemberId={"UserId": user_id}, GroupIds=group_ids
        )
        return [(user_id, one["GroupId"]) for one in answer["Results"] if one.get("MembershipExists")]

    @override
    def _existing(self, keys: Collection[str]) -> dict[str, Existing]:
        found = self._identifiers(keys)
        return {key: Existing(identifier, self._state(key)) for key, identifier in found.items()}

    @override
    def _identifiers(self, keys: Collection[str]) -> dict[str, str]:
        pairs = self._id_pairs(keys)
        answers = by_key(lambda key: self._look_up(*pairs[key]), pairs)
        return {key: str(answer["MembershipId"]) for key, answer in answers.items() if answer}

    def _look_up(self, user_id: str, group_id: str) -> dict[str, Any] | None:
        which = {"GroupId": group_id, "MemberId": {"UserId": user_id}}
        return found_or_none(self._connection.call, "identitystore", "get_group_membership_id", **which)

    @override
    def _read_one(self, key: str, identifier: str) -> State | None:
        # Its user or its group may have another name now.
        describe, which = "describe_group_membership", {"MembershipId": identifier}
        answer = found_or_none(self._connection.call, "identitystore", describe, codes=NO_SUCH_ID, **which)
        return self._state(key) if answer else None

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
        member = {"UserId": user_id}
        answer = writer.send("identitystore", "create_group_membership", GroupId=group_id, MemberId=member)
        return str(answer["MembershipId"])

    @override
    def _update(self, key: str, before: State, after: State, writer: Writer) -> str:
        # The key is the whole state, so there is nothing that could differ.
        return self._existing_identifier(key)

    @override
    def _delete(self, key: str, identifier: str, writer: Writer) -> None:
        found_or_none(writer.send, "identitystore", "delete_group_membership", MembershipId=identifier)
