"""Attributes for access control (ABAC): what a session carries about its user.

Source:
https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_CreateInstanceAccessControlAttributeConfiguration.html
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from typing_extensions import override

from idc_helpers.aws.calls import Writer
from idc_helpers.aws.identity_store import found_or_none
from idc_helpers.aws.resource import OneByOne
from idc_helpers.aws.waiting import wait_until
from idc_helpers.changes import State, Use
from idc_helpers.errors import WriteFailedError

KEY = "access control attributes"
_TIMEOUT_S = 120.0


class AccessControlAttributes(OneByOne):
    """The instance's attributes for access control: one thing, with the key ``"access control attributes"``.

    A state has ``attributes``: the key that policies see as ``aws:PrincipalTag/KEY``, and the source of its
    value.
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

    def _describe(self) -> dict[str, Any] | None:
        if self._connection.instance_or_none() is None:
            return None
        sso_admin = self._connection.client("sso-admin")
        return found_or_none(
            lambda: sso_admin.describe_instance_access_control_attribute_configuration(**self._request())
        )

    def _request(self) -> dict[str, Any]:
        return {"InstanceArn": self._connection.instance.instance_arn}

    @override
    def _identifier(self, key: str) -> str | None:
        # The configuration has no id of its own.
        return self._connection.instance.instance_arn if self._read([key]) else None

    @override
    def _read_one(self, key: str, identifier: str) -> State | None:
        return None  # it is the instance's, and has no other name

    @override
    def _uses(
        self, named: Mapping[str, str], ours: Collection[tuple[str, str]], *, again: bool
    ) -> dict[str, list[Use]]:
        return {}  # others' attributes are fields of its state

    @override
    def _create(self, key: str, state: State, writer: Writer) -> str:
        return self._put("create_instance_access_control_attribute_configuration", key, state, writer)

    @override
    def _update(self, key: str, before: State, after: State, writer: Writer) -> str:
        if before.get("attributes") == after.get("attributes"):
            return self._connection.instance.instance_arn
        return self._put("update_instance_access_control_attribute_configuration", key, after, writer)

    def _put(self, operation: str, key: str, state: State, writer: Writer) -> str:
        attributes = [
            {"Key": name, "Value": {"Source": [source]}}
            for name, source in (state.get("attributes") or {}).items()
        ]
        writer.send(
            getattr(self._connection.client("sso-admin"), operation),
            InstanceAccessControlAttributeConfiguration={"AccessControlAttributes": attributes},
            **self._request(),
        )
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
        sso_admin = self._connection.client("sso-admin")
        found_or_none(
            lambda: writer.send(
                sso_admin.delete_instance_access_control_attribute_configuration, InstanceArn=identifier
            )
        )
