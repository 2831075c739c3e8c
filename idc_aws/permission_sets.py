"""Permission sets: their state, their policies, and their provisioning."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any, ClassVar

from botocore.exceptions import ClientError
from typing_extensions import override

from idc_aws.access import list_permission_sets, list_provisioned_accounts
from idc_aws.calls import by_key, found_or_none, is_spreading, known_or_none, wait_until
from idc_aws.changes import Action, Change, State, Use
from idc_aws.connection import Connection
from idc_aws.errors import InvalidValueError, WriteFailedError
from idc_aws.failures import error_code, error_message, failed_read
from idc_aws.identifiers import format_duration, parse_duration
from idc_aws.organization import closed_accounts
from idc_aws.resource import OneByOne, Writer, read_tags, tag_list
from idc_aws.scenario.policies import inline_policy_text
from idc_aws.uses import uses_of_permission_sets

DEFAULT_SESSION_DURATION = "PT1H"


def read_permission_set(connection: Connection, permission_set_arn: str) -> State:
    """Return the state of a permission set; reads only, seven calls."""
    which = {"PermissionSetArn": permission_set_arn}
    described = connection.call("sso-admin", "describe_permission_set", **which)["PermissionSet"]
    texts = {"description": described.get("Description"), "relay_state": described.get("RelayState")}
    return {
        **{name: text for name, text in texts.items() if text},
        "session_duration": canonical_duration(described.get("SessionDuration") or DEFAULT_SESSION_DURATION),
        **_read_policies(connection, which),
        "tags": read_tags(connection, permission_set_arn),
        "accounts_to_provision": list_outdated_accounts(connection, permission_set_arn),
    }


def _read_policies(connection: Connection, which: dict[str, str]) -> State:
    def listed(what: str) -> Iterator[Any]:
        return connection.items("sso-admin", f"list_{what}_in_permission_set", **which)

    customer_managed = [
        {"name": policy["Name"], "path": policy.get("Path", "/")}
        for policy in listed("customer_managed_policy_references")
    ]
    return {
        "managed_policies": sorted(policy["Arn"] for policy in listed("managed_policies")),
        "customer_managed_policies": sorted(
            customer_managed, key=lambda policy: (policy["path"], policy["name"])
        ),
        "inline_policy": _read_inline_policy(connection, which),
        "permissions_boundary": _read_boundary(connection, which),
    }


def _read_inline_policy(connection: Connection, which: dict[str, str]) -> dict[str, Any] | str | None:
    answer = connection.call("sso-admin", "get_inline_policy_for_permission_set", **which)
    text = str(answer.get("InlinePolicy") or "")
    try:
        policy = json.loads(text) if text.strip() else None
    except (ValueError, RecursionError):
        return text  # somebody else's
    return policy if policy is None or isinstance(policy, dict) else text


def _read_boundary(connection: Connection, which: dict[str, str]) -> State | None:
    read = "get_permissions_boundary_for_permission_set"
    answer = found_or_none(connection.call, "sso-admin", read, **which) or {}
    boundary = answer.get("PermissionsBoundary") or {}
    if boundary.get("ManagedPolicyArn"):
        return {"managed_policy": boundary["ManagedPolicyArn"]}
    reference = boundary.get("CustomerManagedPolicyReference")
    if not reference:
        return None
    return {"customer_managed_policy": {"name": reference["Name"], "path": reference.get("Path", "/")}}


def list_outdated_accounts(connection: Connection, permission_set_arn: str) -> list[str]:
    """Return the accounts that have not got the latest version of a permission set, sorted; reads only."""
    outdated = list_provisioned_accounts(
        connection, permission_set_arn, "LATEST_PERMISSION_SET_NOT_PROVISIONED"
    )
    if not outdated:
        return []
    # A closed account keeps the old version for good, and is no reason to provision.
    closed = closed_accounts(connection, outdated)
    return [account_id for account_id in outdated if account_id not in closed]


def canonical_duration(text: str) -> str:
    """Return a duration in one spelling, so that ``PT60M`` equals ``PT1H``; another text as it is."""
    try:
        return format_duration(parse_duration(text))
    except InvalidValueError:
        return text


POLICY_FIELDS = ("managed_policies", "customer_managed_policies", "inline_policy", "permissions_boundary")


def change_policies(writer: Writer, permission_set_arn: str, before: State, after: State) -> None:
    """Attach, put, detach and delete what differs between two states, and nothing else; writes."""

    def send(method_name: str, **request: Any) -> None:
        writer.send("sso-admin", method_name, PermissionSetArn=permission_set_arn, **request)

    # Old policies are detached before new ones are attached: a set may hold 25. Nobody loses access in
    # between, because accounts see the change only when it is provisioned.
    old, new = _differing(before, after, "managed_policies")
    for policy_arn in old:
        send("detach_managed_policy_from_permission_set", ManagedPolicyArn=policy_arn)
    for policy_arn in new:
        send("attach_managed_policy_to_permission_set", ManagedPolicyArn=policy_arn)
    old, new = _differing(before, after, "customer_managed_policies")
    for customer_managed in old:
        send("detach_customer_managed_policy_reference_from_permission_set", **_reference(customer_managed))
    for customer_managed in new:
        send("attach_customer_managed_policy_reference_to_permission_set", **_reference(customer_managed))
    policy, earlier = after.get("inline_policy"), before.get("inline_policy")
    if policy and policy != earlier:
        text = policy if isinstance(policy, str) else inline_policy_text(policy)
        send("put_inline_policy_to_permission_set", InlinePolicy=text)
    elif earlier and not policy:
        send("delete_inline_policy_from_permission_set")
    boundary, earlier = after.get("permissions_boundary"), before.get("permissions_boundary")
    if boundary and boundary != earlier:
        send("put_permissions_boundary_to_permission_set", PermissionsBoundary=_boundary(boundary))
    elif earlier and not boundary:
        send("delete_permissions_boundary_from_permission_set")


def _differing(before: State, after: State, field: str) -> tuple[list[Any], list[Any]]:
    old, new = before.get(field) or [], after.get(field) or []
    return [item for item in old if item not in new], [item for item in new if item not in old]


def _boundary(state: State) -> dict[str, Any]:
    if state.get("managed_policy"):
        return {"ManagedPolicyArn": state["managed_policy"]}
    return _reference(state.get("customer_managed_policy") or {})


def _reference(policy: State) -> dict[str, Any]:
    return {"CustomerManagedPolicyReference": {"Name": policy["name"], "Path": policy.get("path", "/")}}


PROVISION_TIMEOUT_S = 900.0


def provision_permission_set(
    connection: Connection, writer: Writer, permission_set_arn: str, *, name: str, account_id: str | None
) -> None:
    """Provision a permission set to all accounts that have it, or to one, and wait for it; writes."""
    started = writer.send(
        "sso-admin",
        "provision_permission_set",
        PermissionSetArn=permission_set_arn,
        TargetType="AWS_ACCOUNT" if account_id else "ALL_PROVISIONED_ACCOUNTS",
        TargetId=account_id,
    )["PermissionSetProvisioningStatus"]

    def read() -> dict[str, Any]:
        which = {"ProvisionPermissionSetRequestId": started["RequestId"]}
        describe = "describe_permission_set_provisioning_status"
        return dict(connection.call("sso-admin", describe, **which)["PermissionSetProvisioningStatus"])

    ended = wait_until(
        read,
        lambda status: status["Status"] != "IN_PROGRESS",
        timeout_s=PROVISION_TIMEOUT_S,
        what=f"the permission set {name!r} to be provisioned",
        timing=connection.timing,
    )
    if ended["Status"] == "FAILED":
        account = f" to account {ended['AccountId']!r}" if ended.get("AccountId") else ""
        reason = ended.get("FailureReason") or "AWS gives no reason"
        raise WriteFailedError(
            f"the permission set {name!r} was changed but could not be provisioned{account}: {reason}",
            remedy="Accounts keep the previous version. Fix the cause (a customer managed policy must exist "
            "in every account), then plan and apply again.",
        )


_SETTLE_TIMEOUT_S = 60.0
DESCRIBED_FIELDS = ("description", "session_duration", "relay_state")
# What an account sees only when the permission set is provisioned to it again.
PROVISIONED_FIELDS = (*POLICY_FIELDS, "session_duration", "accounts_to_provision")


class PermissionSets(OneByOne):
    """The permission sets of the instance, by name.

    A state has ``description``, ``relay_state``, ``session_duration`` (ISO 8601, such as ``PT8H``),
    ``managed_policies`` (ARNs), ``customer_managed_policies``, ``inline_policy``, ``permissions_boundary``,
    ``tags``, and ``accounts_to_provision``: what has an older version. A change is provisioned too.

    Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/permissionsetsconcept.html
    """

    kind: ClassVar[str] = "permission_set"
    derived_fields: ClassVar[Collection[str]] = ("accounts_to_provision",)

    @override
    def _read(self, keys: Collection[str]) -> dict[str, State]:
        known = list_permission_sets(self._connection)
        found = {name: known[name] for name in keys if name in known}
        return by_key(lambda name: read_permission_set(self._connection, found[name]), found)

    @override
    def _read_all(self) -> dict[str, State]:
        known = list_permission_sets(self._connection)
        return by_key(lambda name: read_permission_set(self._connection, known[name]), known)

    def read_known(self) -> dict[str, State | None]:
        """Return the states of all permission sets by name; None for one that may not be read; reads only."""
        with failed_read("the permission sets"):
            known = list_permission_sets(self._connection)
            return by_key(
                lambda name: known_or_none(read_permission_set, self._connection, known[name]), known
            )

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

    @override
    def _create(self, key: str, state: State, writer: Writer) -> str:
        request = {"Name": key, "Tags": tag_list(state.get("tags")), **_described(state)}
        answer = writer.send("sso-admin", "create_permission_set", **request)
        permission_set_arn = str(answer["PermissionSet"]["PermissionSetArn"])
        try:
            change_policies(writer, permission_set_arn, {}, state)
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
        if any(found.get(name) != wanted.get(name) for name in DESCRIBED_FIELDS):
            self._describe(key, permission_set_arn, found, wanted, writer)
        change_policies(writer, permission_set_arn, found, wanted)
        writer.change_tags(permission_set_arn, found["tags"], wanted.get("tags") or {})
        if set(differing) & set(PROVISIONED_FIELDS):
            self._provision(key, permission_set_arn, writer)
        return permission_set_arn

    def _describe(
        self, name: str, permission_set_arn: str, found: State, wanted: State, writer: Writer
    ) -> None:
        # All three are sent each time: AWS clears a relay state that is left out
        # (https://github.com/hashicorp/terraform-provider-aws/issues/17411).
        request = {"PermissionSetArn": permission_set_arn, **_described(wanted)}
        writer.send("sso-admin", "update_permission_set", **request)
        removed = [
            field for field in ("description", "relay_state") if found.get(field) and not wanted.get(field)
        ]
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
                    self._connection, writer, permission_set_arn, name=name, account_id=account_id
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
                writer.send,
                "sso-admin",
                "delete_permission_set",
                is_retryable=_is_settling,
                PermissionSetArn=identifier,
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
