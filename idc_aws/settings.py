"""Settings of an instance: those that only the console has, and attributes for access control."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn

from typing_extensions import override

from idc_aws.calls import found_or_none, wait_until
from idc_aws.changes import Action, Change, State
from idc_aws.connection import Connection
from idc_aws.errors import WriteFailedError
from idc_aws.files import read_table
from idc_aws.identifiers import no_such
from idc_aws.resource import OneByOne, Writer


@dataclass(frozen=True)
class ConsoleSetting:
    """One setting that no public API reads or writes."""

    name: str
    title: str
    fields: dict[str, str]
    console_path: str
    why: str
    source_url: str
    is_irreversible: bool = False


CONSOLE_SETTINGS: dict[str, ConsoleSetting] = {
    name: ConsoleSetting(name=name, **values) for name, values in read_table("console_settings").items()
}


KEY = "access control attributes"
_CONFIGURATION = "instance_access_control_attribute_configuration"
_TIMEOUT_S = 120.0


class AttributesForAccessControl(OneByOne):
    """The attributes for access control: one thing, with the key ``"access control attributes"``.

    A state has ``attributes``: the key that policies see as ``aws:PrincipalTag/KEY``, and the source of its
    value.

    Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/attributesforaccesscontrol.html
    """

    kind: ClassVar[str] = "access_control_attributes"

    @override
    def _read(self, keys: Collection[str]) -> dict[str, State]:
        answer = self._describe()
        if answer is None or KEY not in keys:
            return {}
        configuration = answer.get("InstanceAccessControlAttributeConfiguration") or {}
        attributes = {
            attribute["Key"]: ", ".join(attribute["Value"]["Source"])
            for attribute in configuration.get("AccessControlAttributes", [])
        }
        return {KEY: {"attributes": dict(sorted(attributes.items()))}}

    @override
    def _read_all(self) -> dict[str, State]:
        return self._read([KEY])

    def _describe(self) -> dict[str, Any] | None:
        return found_or_none(self._connection.call, "sso-admin", f"describe_{_CONFIGURATION}")

    @override
    def _identifier(self, key: str) -> str | None:
        # The configuration has no id of its own.
        return self._connection.instance.instance_arn if self._read([key]) else None

    @override
    def _create(self, key: str, state: State, writer: Writer) -> str:
        return self._put(f"create_{_CONFIGURATION}", key, state, writer)

    @override
    def _update(self, key: str, before: State, after: State, writer: Writer) -> str:
        if before.get("attributes") == after.get("attributes"):
            return self._connection.instance.instance_arn
        return self._put(f"update_{_CONFIGURATION}", key, after, writer)

    def _put(self, method_name: str, key: str, state: State, writer: Writer) -> str:
        attributes = [
            {"Key": name, "Value": {"Source": [source]}}
            for name, source in (state.get("attributes") or {}).items()
        ]
        configuration = {"AccessControlAttributes": attributes}
        writer.send("sso-admin", method_name, InstanceAccessControlAttributeConfiguration=configuration)
        ended = wait_until(
            lambda: self._describe() or {"Status": "CREATION_IN_PROGRESS"},
            lambda described: described["Status"] != "CREATION_IN_PROGRESS",
            timeout_s=_TIMEOUT_S,
            what=f"the {key} to be enabled",
            timing=self._connection.timing,
        )
        if ended["Status"] == "CREATION_FAILED":
            raise WriteFailedError(
                f"the {key} could not be enabled: {ended.get('StatusReason') or 'AWS gives no reason'}",
                remedy="Fix the cause, then plan and apply again.",
            )
        return self._connection.instance.instance_arn

    @override
    def _delete(self, key: str, identifier: str, writer: Writer) -> None:
        found_or_none(writer.send, "sso-admin", f"delete_{_CONFIGURATION}", InstanceArn=identifier)


class ConsoleSettings(OneByOne):
    """The settings that only the console has, by the names in `CONSOLE_SETTINGS`.

    A state has the setting's fields. In the sandbox they are really set; on AWS nothing can be read, and a
    person does what the plan says.

    Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/manage-your-identity-source.html
    """

    kind: ClassVar[str] = "console_setting"

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.by_hand = connection.console is None  # on AWS a person has to do it, always

    @override
    def _read(self, keys: Collection[str]) -> dict[str, State]:
        for key in keys:
            _require_known(key)
        instance = self._connection.instance_or_none()
        if self._connection.console is None or instance is None:
            return {}
        settings = self._connection.console.read_settings(instance.instance_arn)
        return {key: _state(key, settings[key]) for key in keys if settings.get(key) is not None}

    @override
    def _read_all(self) -> dict[str, State]:
        return self._read(CONSOLE_SETTINGS)

    @override
    def _identifier(self, key: str) -> str | None:
        # A setting has no id; it is the instance's.
        return f"{self._connection.instance.instance_arn}/{key}" if self._read([key]) else None

    @override
    def irreversible(self, change: Change) -> dict[str, str]:
        """Return what of a change the console does not offer."""
        if CONSOLE_SETTINGS[change.key].is_irreversible:
            return {"": "AWS allows it once"}
        if change.action is Action.DELETE:
            return {"": "a setting is there as long as its instance"}
        after = change.after or {}
        return {
            name: f"the setting {change.key!r} always has a value of {name}"
            for name in {**after, **(change.before or {})}
            if after.get(name) is None
        }

    @override
    def _create(self, key: str, state: State, writer: Writer) -> str:
        return self._update(key, {}, state, writer)

    @override
    def _update(self, key: str, before: State, after: State, writer: Writer) -> str:
        console = self._connection.console
        if console is None or key == "identity_source":
            raise WriteFailedError(
                f"the kit does not change the setting {key!r} here",
                remedy=f"A person does it in the console: {_require_known(key).console_path}.",
            )
        instance_arn = self._connection.instance.instance_arn
        changed = {name: value for name, value in after.items() if value != before.get(name)}
        if changed:
            console.write_setting(instance_arn, key, changed, note=writer.request_ids.append)
        return f"{instance_arn}/{key}"

    @override
    def _delete(self, key: str, identifier: str, writer: Writer) -> None:
        raise WriteFailedError(
            f"the setting {key!r} cannot be deleted: it goes when its instance goes",
            remedy="Set it to another value instead.",
        )


class ObservedSettings(ConsoleSettings):
    """Console settings that are only looked at, and left to a person where they differ."""

    # Changing the identity source deletes users, groups and assignments.

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.by_hand = True

    @override
    def irreversible(self, change: Change) -> dict[str, str]:
        return {"": "it is only looked at"}

    @override
    def write_all(self, changes: Sequence[Change], on_start: Callable[[Change], None]) -> NoReturn:
        keys = ", ".join(repr(change.key) for change in changes)
        raise WriteFailedError(f"{self.kind} {keys} is only looked at, never written")


def _require_known(name: str) -> ConsoleSetting:
    if name not in CONSOLE_SETTINGS:
        raise no_such("the console has no setting", name, CONSOLE_SETTINGS)
    return CONSOLE_SETTINGS[name]


def _state(name: str, values: dict[str, Any]) -> State:
    state = {field: values.get(field) for field in CONSOLE_SETTINGS[name].fields}
    if "allowed_types" in state:
        state["allowed_types"] = sorted(state["allowed_types"] or [])
    return {field: value for field, value in state.items() if value is not None}
