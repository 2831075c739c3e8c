"""Groups: access is given to groups, so that people can come and go.

Source: https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_CreateGroup.html
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from typing_extensions import override

from idc_helpers.aws.calls import Writer, in_threads
from idc_helpers.aws.identity_store import find_group_id, found_or_none, named_or_none
from idc_helpers.aws.memberships import GroupMemberships, membership_key
from idc_helpers.aws.resource import OneByOne
from idc_helpers.aws.uses import uses_of_principals
from idc_helpers.changes import State, Use

__all__ = ["GroupMemberships", "Groups", "membership_key"]


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
