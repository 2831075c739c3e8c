"""The console-only settings as a resource: really set in the sandbox, left to a person on AWS."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from typing_extensions import override

from idc_helpers.aws.calls import Writer
from idc_helpers.aws.console_setting_table import CONSOLE_SETTINGS, ConsoleSetting
from idc_helpers.aws.resource import OneByOne
from idc_helpers.aws.sandbox_console import SandboxConsole
from idc_helpers.changes import Action, Change, State, Use
from idc_helpers.errors import NotFoundError, WriteFailedError
from idc_helpers.suggestions import did_you_mean

__all__ = ["CONSOLE_SETTINGS", "ConsoleSetting", "ConsoleSettings", "SandboxConsole"]


class ConsoleSettings(OneByOne):
    """The settings that only the console has, by name; for names and fields see `CONSOLE_SETTINGS`.

    On AWS nothing can be read, so `read` knows of none and a person does what the plan says.
    """

    kind: ClassVar[str] = "console_setting"

    @property
    def by_hand(self) -> bool:
        """Whether a person has to do it: on AWS, always."""
        return self._connection.console is None

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
    def _identifier(self, key: str) -> str | None:
        # A setting has no id; it is the instance's.
        return f"{self._connection.instance.instance_arn}/{key}" if self._read([key]) else None

    @override
    def _read_one(self, key: str, identifier: str) -> State | None:
        return None  # it is the instance's, and has no other name

    @override
    def _uses(
        self, named: Mapping[str, str], ours: Collection[tuple[str, str]], *, again: bool
    ) -> dict[str, list[Use]]:
        return {}  # nothing hangs on a setting

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
            console.write_setting(instance_arn, key, changed)
        return f"{instance_arn}/{key}"

    @override
    def _delete(self, key: str, identifier: str, writer: Writer) -> None:
        raise WriteFailedError(
            f"the setting {key!r} cannot be deleted: it goes when its instance goes",
            remedy="Set it to another value instead.",
        )


def _require_known(name: str) -> ConsoleSetting:
    if name not in CONSOLE_SETTINGS:
        raise NotFoundError(
            f"the console has no setting {name!r}. {did_you_mean(name, CONSOLE_SETTINGS)}".rstrip(),
            remedy=f"There are: {', '.join(CONSOLE_SETTINGS)}.",
        )
    return CONSOLE_SETTINGS[name]


def _state(name: str, values: dict[str, Any]) -> State:
    state = {field: values.get(field) for field in CONSOLE_SETTINGS[name].fields}
    if "allowed_types" in state:
        state["allowed_types"] = sorted(state["allowed_types"] or [])
    return {field: value for field, value in state.items() if value is not None}
