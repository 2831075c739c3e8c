"""Permission sets: what people may do in an account, and for how long.

Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/permissionsetsconcept.html
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from botocore.exceptions import ClientError
from typing_extensions import override

from idc_helpers.aws.assignment_lists import list_provisioned_accounts
from idc_helpers.aws.calls import Writer, change_tags, in_threads, tag_list
from idc_helpers.aws.failures import error_code, error_message, failed_read
from idc_helpers.aws.identity_store import found_or_none, known_or_none
from idc_helpers.aws.organization import closed_accounts
from idc_helpers.aws.permission_set_names import find_permission_set, list_permission_sets
from idc_helpers.aws.permission_set_policies import POLICY_FIELDS, change_policies
from idc_helpers.aws.permission_set_state import (
    canonical_duration,
    list_outdated_accounts,
    read_permission_set,
)
from idc_helpers.aws.provisioning import provision_permission_set
from idc_helpers.aws.resource import OneByOne
from idc_helpers.aws.uses import uses_of_permission_sets
from idc_helpers.aws.waiting import is_spreading, wait_until
from idc_helpers.changes import Action, Change, State, Use
from idc_helpers.errors import WriteFailedError

__all__ = ["PermissionSets", "find_permission_set", "list_permission_sets"]

_SETTLE_TIMEOUT_S = 60.0
_EMPTY: State = {"managed_policies": [], "customer_managed_policies": []}
_DESCRIBED_FIELDS = ("description", "session_duration", "relay_state")
# What an account sees only when the permission set is provisioned to it again.
_PROVISIONED_FIELDS = (*POLICY_FIELDS, "session_duration", "accounts_to_provision")


class PermissionSets(OneByOne):
    """The permission sets of the instance, by name; for states see `read_permission_set`."""

    kind: ClassVar[str] = "permission_set"
    derived_fields: ClassVar[Collection[str]] = ("accounts_to_provision",)

    @override
    def _read(self, keys: Collection[str]) -> dict[str, State]:
        if self._connection.instance_or_none() is None:
            return {}
        known = list_permission_sets(self._connection)
        found = {name: known[name] for name in keys if name in known}
        states = in_threads(lambda arn: read_permission_set(self._connection, arn), found.values())
        return dict(zip(found, states, strict=True))

    def read_known(self) -> dict[str, State | None]:
        """Return the states of all permission sets by name; None for one that may not be read; reads only.

        Raises
        ------
        KitError
            When AWS refuses to list them.
        """
        with failed_read("the permission sets"):
            known = list_permission_sets(self._connection)
            states = in_threads(
                lambda arn: known_or_none(lambda: read_permission_set(self._connection, arn)), known.values()
            )
        return dict(zip(known, states, strict=True))

    @override
    def _identifier(self, key: str) -> str | None:
        return self._identifiers([key]).get(key)

    @override
    def _identifiers(self, keys: Collection[str]) -> dict[str, str]:
        known = list_permission_sets(self._connection)
        return {key: known[key] for key in keys if key in known}

    @override
    def _read_one(self, key: str, identifier: str) -> State | None:
        # It cannot be renamed, but its name may not be readable.
        is_there = identifier in list_permission_sets(self._connection).values()
        return read_permission_set(self._connection, identifier) if is_there else None

    @override
    def _uses(
        self, named: Mapping[str, str], ours: Collection[tuple[str, str]], *, again: bool
    ) -> dict[str, list[Use]]:
        return uses_of_permission_sets(self._connection, named, ours)

    @override
    def irreversible(self, change: Change) -> dict[str, str]:
        """Return that a description stays, where there was none before (for AWS: UNCONFIRMED)."""
        if change.action is Action.UPDATE and not (change.after or {}).get("description"):
            return {"description": "AWS keeps the description of a permission set once there is one"}
        return {}

    def _request(self, permission_set_arn: str) -> dict[str, Any]:
        return {
            "InstanceArn": self._connection.instance.instance_arn,
            "PermissionSetArn": permission_set_arn,
        }

    @override
    def _create(self, key: str, state: State, writer: Writer) -> str:
        answer = writer.send(
            self._connection.client("sso-admin").create_permission_set,
            InstanceArn=self._connection.instance.instance_arn,
            Name=key,
            Tags=tag_list(state["tags"]) if state.get("tags") else None,
            **_described(state),
        )
        permission_set_arn = str(answer["PermissionSet"]["PermissionSetArn"])
        try:
            change_policies(self._connection, permission_set_arn, _EMPTY, state, writer)
        except ClientError as error:
            raise WriteFailedError(
                f"the permission set {key!r} was created, but not all of its policies could be attached: "
                f"{error_code(error)}: {error_message(error)}",
                remedy="Correct the policy that AWS names, then plan and apply again: it will be completed.",
            ) from error
        return permission_set_arn

    @override
    def _update(self, key: str, before: State, after: State, writer: Writer) -> str:
        permission_set_arn = self._existing_identifier(key)
        differing = [name for name in {**before, **after} if before.get(name) != after.get(name)]
        # What somebody did meanwhile to other fields stays, and what is done already is not done twice.
        found = read_permission_set(self._connection, permission_set_arn)
        wanted = {**found, **{name: after.get(name) for name in differing}}
        if any(found.get(name) != wanted.get(name) for name in _DESCRIBED_FIELDS):
            self._describe(key, permission_set_arn, wanted, writer)
        change_policies(self._connection, permission_set_arn, found, wanted, writer)
        if found["tags"] != (wanted.get("tags") or {}):
            request = {
                "InstanceArn": self._connection.instance.instance_arn,
                "ResourceArn": permission_set_arn,
            }
            sso_admin = self._connection.client("sso-admin")
            change_tags(writer, sso_admin, request, found["tags"], wanted.get("tags") or {})
        if set(differing) & set(_PROVISIONED_FIELDS):
            self._provision(key, permission_set_arn, writer)
        return permission_set_arn

    def _describe(self, name: str, permission_set_arn: str, wanted: State, writer: Writer) -> None:
        # All three are sent each time: AWS clears a relay state that is left out
        # (https://github.com/hashicorp/terraform-provider-aws/issues/17411).
        request = self._request(permission_set_arn)
        sso_admin = self._connection.client("sso-admin")
        writer.send(sso_admin.update_permission_set, **request, **_described(wanted))
        removed = [field for field in ("description", "relay_state") if not wanted.get(field)]
        if not removed:
            return
        left = read_permission_set(self._connection, permission_set_arn)
        kept = [field for field in removed if left.get(field)]
        if kept:
            raise WriteFailedError(
                f"AWS keeps the {' and '.join(kept)} of permission set {name!r} once there is one",
                remedy="Clear it in the console, under Permission sets, or give it another value.",
            )

    def _provision(self, name: str, permission_set_arn: str, writer: Writer) -> None:
        # A write may not show in the list of outdated accounts yet, so having any account is enough.
        provisioned = list_provisioned_accounts(self._connection, permission_set_arn)
        closed = closed_accounts(self._connection, provisioned)
        if set(provisioned) - closed:
            # One closed account fails the provisioning of all: then the others are provisioned by name.
            targets = [each for each in provisioned if each not in closed] if closed else [None]
            for account_id in targets:
                provision_permission_set(
                    self._connection, permission_set_arn, name=name, account_id=account_id, writer=writer
                )
            wait_until(
                lambda: list_outdated_accounts(self._connection, permission_set_arn),
                lambda outdated: not outdated,
                timeout_s=_SETTLE_TIMEOUT_S,
                what=f"all accounts to have the latest version of permission set {name!r} (these have not)",
                timing=self._connection.timing,
            )

    @override
    def _delete(self, key: str, identifier: str, writer: Writer) -> None:
        try:
            found_or_none(  # somebody else may have deleted it a moment ago
                lambda: writer.send(
                    self._connection.client("sso-admin").delete_permission_set,
                    is_retryable=_is_settling,
                    **self._request(identifier),
                )
            )
        except ClientError as error:
            if not _is_settling(error):
                raise
            raise WriteFailedError(
                f"AWS still holds the permission set {key!r} for in use: {error_message(error)}",
                remedy="It takes a while after the last account assignment is gone: run again.",
            ) from error
        self._connection.cache.get("permission_set_names", {}).pop(identifier, None)


def _described(state: State) -> dict[str, Any]:
    values = {
        "Description": state.get("description"),
        "SessionDuration": canonical_duration(state.get("session_duration") or "PT1H"),
        "RelayState": state.get("relay_state"),
    }
    return {name: value for name, value in values.items() if value}


def _is_settling(error: ClientError) -> bool:
    return "ApplicationProfile" in error_message(error) or is_spreading(error)
