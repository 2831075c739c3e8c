"""Groups, to which access is given so that people can come and go, and who is in one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any, ClassVar

from botocore.exceptions import ClientError
from typing_extensions import override

from idc_aws.calls import NO_SUCH_ID, by_key, found_or_none, grouped, in_threads, is_whole_look
from idc_aws.changes import Action, Change, State, Use
from idc_aws.connection import Connection
from idc_aws.errors import AccessDeniedError, InvalidValueError, NotFoundError
from idc_aws.failures import error_code, failed_read
from idc_aws.identity_store import (
    Principal,
    Principals,
    find_principal_id,
    find_principal_ids,
    find_principal_names,
    list_memberships,
    list_principals,
    page_count,
)
from idc_aws.resource import Existing, SideBySide, Writer
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
    # A user name has no spaces, so the first " in " is ours.
    user_name, separator, group = key.partition(_SEPARATOR)
    if not separator:
        raise InvalidValueError(f"{key!r} is not the key of a membership", remedy="Write 'USER in GROUP'.")
    return user_name, group


_IdPair = tuple[str, str]
"""The ids of a user and of a group."""
_Look = Callable[[str, list[str]], dict[_IdPair, str]]
"""Looks for the memberships of one user in some groups; returns their ids."""


def _user_of(membership: Mapping[str, Any]) -> Principal:
    return "USER", str(membership.get("MemberId", {}).get("UserId", ""))


class GroupMemberships(SideBySide):
    """The memberships of the identity store, by `membership_key`.

    A state has ``user_name`` and ``group``. A user or a group that does not exist has no memberships.

    Source: https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_GroupMembership.html
    """

    kind: ClassVar[str] = "group_membership"

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._ids: dict[Principal, str] = {}

    @override
    def _prepare(self, changes: Sequence[Change]) -> None:
        pairs = [_parts(change.key) for change in changes if change.action is Action.CREATE]
        named = [one for user_name, group in pairs for one in (("USER", user_name), ("GROUP", group))]
        with failed_read(self._named([change.key for change in changes])):
            self._ids = find_principal_ids(self._connection, named)

    @override
    def _read(self, keys: Collection[str]) -> dict[str, State]:
        return {key: self._state(key) for key in self._find(keys, self._groups_with)}

    @override
    def _read_all(self) -> dict[str, State]:
        groups = {one["GroupId"]: one["DisplayName"] for one in list_principals(self._connection, "GROUP")}
        members = by_key(partial(list_memberships, self._connection), groups)
        users = {_user_of(one) for memberships in members.values() for one in memberships}
        names = find_principal_names(self._connection, sorted(users))
        pairs = [
            (names[user], group)
            for group_id, group in groups.items()
            for user in map(_user_of, members[group_id])
            if user in names
        ]
        keys = [membership_key(*pair) for pair in pairs]
        return {key: self._state(key) for key in keys}

    def _state(self, key: str) -> State:
        user_name, group = _parts(key)
        return {"user_name": user_name, "group": group}

    @override
    def _existing(self, keys: Collection[str]) -> dict[str, Existing]:
        found = self._identifiers(keys)
        return {key: Existing(identifier, self._state(key)) for key, identifier in found.items()}

    @override
    def _identifiers(self, keys: Collection[str]) -> dict[str, str]:
        return self._find(keys, self._memberships_of)

    def _find(self, keys: Collection[str], of_user: _Look) -> dict[str, str]:
        """Return the ids of those that exist: by group, or by user where those are fewer."""
        pairs = self._id_pairs(keys)
        users = grouped(pairs.values())
        groups = grouped((group_id, user_id) for user_id, group_id in pairs.values())
        by_group = sum(page_count(len(user_ids)) for user_ids in groups.values())
        if by_group <= len(users) or is_whole_look():
            looks = [partial(self._members_of, *one) for one in groups.items()]
        else:
            looks = [partial(of_user, *one) for one in users.items()]
        found = dict(chain.from_iterable(in_threads(lambda look: look().items(), looks)))
        return {key: found[pair] for key, pair in pairs.items() if pair in found}

    def _id_pairs(self, keys: Collection[str]) -> dict[str, _IdPair]:
        """Return the ids of those whose user and group exist."""
        named = {
            key: (("USER", user_name), ("GROUP", group)) for key in keys for user_name, group in [_parts(key)]
        }
        ids = find_principal_ids(self._connection, chain.from_iterable(named.values()))
        return {
            key: (ids[user], ids[group])
            for key, (user, group) in named.items()
            if user in ids and group in ids
        }

    def _members_of(self, group_id: str, user_ids: list[str]) -> dict[_IdPair, str]:
        pairs = [(user_id, group_id) for user_id in user_ids]
        return self._listed(pairs, "list_group_memberships", GroupId=group_id)

    def _memberships_of(self, user_id: str, group_ids: list[str]) -> dict[_IdPair, str]:
        pairs, member = [(user_id, group_id) for group_id in group_ids], {"UserId": user_id}
        return self._listed(pairs, "list_group_memberships_for_member", MemberId=member)

    def _listed(self, pairs: list[_IdPair], method_name: str, **whose: Any) -> dict[_IdPair, str]:
        """Return the ids of those that exist: from a list, and one by one where the list is a long one."""
        missing, most = set(pairs), max(page_count(len(pairs)), len(pairs) // 2)
        found: dict[_IdPair, str] = {}
        try:
            listed = self._connection.pages("identitystore", method_name, **whose)
            for pages, page in enumerate(listed, start=1):
                for one in page.entries:
                    pair = str(one.get("MemberId", {}).get("UserId")), str(one["GroupId"])
                    if pair in missing:
                        found[pair] = str(one["MembershipId"])
                        missing.discard(pair)
                if page.is_last or not missing:
                    return found
                if pages >= most and not is_whole_look():
                    break
        except AccessDeniedError:
            pass  # asking for each needs another permission
        except ClientError as error:
            if error_code(error) != "ResourceNotFoundException":
                raise
            return found
        asked = by_key(lambda pair: self._look_up(*pair), missing)
        return found | {pair: str(one["MembershipId"]) for pair, one in asked.items() if one}

    def _groups_with(self, user_id: str, group_ids: list[str]) -> dict[_IdPair, str]:
        """Return in which groups a user is, without the ids of the memberships."""
        found: dict[_IdPair, str] = {}
        for start in range(0, len(group_ids), _MOST_GROUPS_A_CALL):
            some = group_ids[start : start + _MOST_GROUPS_A_CALL]
            answer = self._connection.call(
                "identitystore", "is_member_in_groups", MemberId={"UserId": user_id}, GroupIds=some
            )
            found |= {
                (user_id, one["GroupId"]): "" for one in answer["Results"] if one.get("MembershipExists")
            }
        return found

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
        user_id, group_id = self._id_of("USER", user_name), self._id_of("GROUP", group)
        if user_id is None or group_id is None:
            missing = f"user {user_name!r}" if user_id is None else f"group {group!r}"
            raise NotFoundError(
                f"there is no {missing}, so {user_name!r} cannot become a member of {group!r}",
                remedy="Create it first (groups in notebook 06, users in notebook 08), or correct the name.",
            )
        member = {"UserId": user_id}
        answer = writer.send("identitystore", "create_group_membership", GroupId=group_id, MemberId=member)
        return str(answer["MembershipId"])

    def _id_of(self, principal_type: str, name: str) -> str | None:
        known = self._ids.get((principal_type, name))
        return known or find_principal_id(self._connection, principal_type, name)

    @override
    def _update(self, key: str, before: State, after: State, writer: Writer) -> str:
        # The key is the whole state, so there is nothing that could differ.
        return self._existing_identifier(key)

    @override
    def _delete(self, key: str, identifier: str, writer: Writer) -> None:
        found_or_none(writer.send, "identitystore", "delete_group_membership", MembershipId=identifier)
