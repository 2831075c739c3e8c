"""Instances of Identity Center: enabling, naming, tagging and deleting them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import ClassVar

from typing_extensions import override

from idc_aws.calls import wait_until
from idc_aws.changes import Action, Change, State, Use
from idc_aws.connection import IdentityCenterInstance, list_instances
from idc_aws.errors import InvalidValueError, WriteFailedError
from idc_aws.resource import OneByOne, Writer, read_tags, tag_list
from idc_aws.uses import uses_of_instance

KINDS = ("organization", "account")
_TIMEOUT_S = 300.0
_GONE = ("CREATE_FAILED", "DELETE_IN_PROGRESS")


class Instances(OneByOne):
    """The organization's instance and the account's own, by kind: ``"organization"`` or ``"account"``.

    A state has ``name``, where there is one, and ``tags``. Deleting an instance deletes everything in it:
    plans delete one only to undo its creation.

    Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/identity-center-instances.html
    """

    kind: ClassVar[str] = "instance"
    is_in_instance: ClassVar[bool] = False

    @override
    def _read(self, keys: Collection[str]) -> dict[str, State]:
        found = {key: instance for key in keys if (instance := self._find(key)) is not None}
        # No API enables the organization's.
        is_lacking = "organization" in keys and "organization" not in found
        self.by_hand = is_lacking and not self._connection.is_sandbox
        return {key: self._state(instance) for key, instance in found.items()}

    @override
    def _read_all(self) -> dict[str, State]:
        # An instance of another account is not the caller's to change.
        return self._read(KINDS)

    def _find(self, key: str) -> IdentityCenterInstance | None:
        if key not in KINDS:
            raise InvalidValueError(
                f"{key!r} is not a kind of instance", remedy=f"One of: {', '.join(KINDS)}."
            )
        for instance in list_instances(self._connection):
            ours = key == "organization" or instance.owner_account_id == self._connection.caller.account_id
            if instance.kind == key and ours and instance.status not in _GONE:
                return instance
        return None

    def _state(self, instance: IdentityCenterInstance) -> State:
        tags = read_tags(self._connection, instance.instance_arn, InstanceArn=instance.instance_arn)
        return {"name": instance.name, "tags": tags} if instance.name else {"tags": tags}

    @override
    def _identifier(self, key: str) -> str | None:
        instance = self._find(key)
        return instance.instance_arn if instance else None

    @override
    def _read_one(self, key: str, identifier: str) -> State | None:
        for instance in list_instances(self._connection):
            if instance.instance_arn == identifier and instance.status not in _GONE:
                return self._state(instance)
        return None

    @override
    def _uses(
        self, named: Mapping[str, str], ours: Collection[tuple[str, str]], *, again: bool
    ) -> dict[str, list[Use]]:
        # Deleting an instance deletes all that it holds, for good.
        here = self._connection.instance.instance_arn
        return {here: uses_of_instance(self._connection)} if here in named else {}

    @override
    def irreversible(self, change: Change) -> dict[str, str]:
        """Return that a name stays, where there was none before."""
        if change.action is Action.UPDATE and not (change.after or {}).get("name"):
            return {"name": "AWS takes no empty name for an instance"}
        return {}

    @override
    def _create(self, key: str, state: State, writer: Writer) -> str:
        if key == "organization":
            instance_arn = self._enable_organization_instance(state, writer)
        else:
            instance_arn = self._create_account_instance(state, writer)
        self._connection.refresh_instance()
        return instance_arn

    def _enable_organization_instance(self, state: State, writer: Writer) -> str:
        connection = self._connection
        if connection.console is None:
            raise WriteFailedError(
                "no API enables the organization's instance",
                remedy="Enable it in the console, from the management account; notebook 01 shows where.",
                link="https://docs.aws.amazon.com/singlesignon/latest/userguide/enable-identity-center.html",
            )
        instance_arn = connection.console.enable_organization_instance(
            region=connection.region, name=state.get("name"), note=writer.request_ids.append
        )
        writer.may_have_written = True
        if state.get("tags"):
            writer.change_tags(instance_arn, {}, state["tags"], InstanceArn=instance_arn)
        return instance_arn

    def _create_account_instance(self, state: State, writer: Writer) -> str:
        named, tags = state.get("name"), tag_list(state.get("tags"))
        answer = writer.send("sso-admin", "create_instance", Name=named, Tags=tags)
        instance_arn = str(answer["InstanceArn"])
        ended = wait_until(
            lambda: self._connection.call("sso-admin", "describe_instance", InstanceArn=instance_arn),
            lambda described: described["Status"] in ("ACTIVE", "CREATE_FAILED"),
            timeout_s=_TIMEOUT_S,
            what=f"the instance {instance_arn!r} to become ACTIVE",
            timing=self._connection.timing,
        )
        if ended["Status"] == "CREATE_FAILED":
            raise WriteFailedError(
                f"the instance {instance_arn!r} could not be created: "
                f"{ended.get('StatusReason') or 'AWS gives no reason'}",
                remedy="Delete it, fix the cause, then plan and apply again.",
            )
        return instance_arn

    @override
    def _update(self, key: str, before: State, after: State, writer: Writer) -> str:
        instance_arn = self._existing_identifier(key)
        if before.get("name") != after.get("name"):
            if not after.get("name"):
                raise WriteFailedError(
                    f"the instance {instance_arn!r} keeps the name {before.get('name')!r}: "
                    "AWS takes no empty name",
                    remedy="Give it another name.",
                )
            writer.send("sso-admin", "update_instance", InstanceArn=instance_arn, Name=after["name"])
        tags = before.get("tags") or {}, after.get("tags") or {}
        writer.change_tags(instance_arn, *tags, InstanceArn=instance_arn)
        self._connection.refresh_instance()
        return instance_arn

    @override
    def _delete(self, key: str, identifier: str, writer: Writer) -> None:
        writer.send("sso-admin", "delete_instance", InstanceArn=identifier)
        wait_until(
            lambda: [instance.instance_arn for instance in list_instances(self._connection)],
            lambda visible: identifier not in visible,
            timeout_s=_TIMEOUT_S,
            what=f"the instance {identifier!r} ({key}) to be deleted",
            timing=self._connection.timing,
        )
        self._connection.cache.pop("permission_set_names", None)
        self._connection.refresh_instance()
