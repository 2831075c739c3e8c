"""Users of the identity store, with every field of a profile.

Source: https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_CreateUser.html
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from botocore.exceptions import ClientError
from typing_extensions import override

from idc_helpers.aws.calls import Writer, in_threads
from idc_helpers.aws.identity_store import (
    find_user_id,
    found_or_none,
    is_concurrent_change,
    named_or_none,
)
from idc_helpers.aws.resource import OneByOne
from idc_helpers.aws.user_attributes import ENTERPRISE, user_operations, user_request, user_state
from idc_helpers.aws.uses import uses_of_principals
from idc_helpers.changes import State, Use
from idc_helpers.errors import WriteFailedError

_UPDATE_ATTEMPTS = 3


class Users(OneByOne):
    """The users of the identity store, by user name.

    A state is flat, with the fields of `idc_helpers.models.User` that the user has; ``address`` and
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
