"""The policies of a permission set: from one state to another by the calls that differ, and no more."""

from __future__ import annotations

from typing import Any

from idc_helpers.aws.calls import Writer
from idc_helpers.aws.connected import Connection
from idc_helpers.changes import State
from idc_helpers.models import inline_policy_text

POLICY_FIELDS = ("managed_policies", "customer_managed_policies", "inline_policy", "permissions_boundary")


def change_policies(
    connection: Connection, permission_set_arn: str, before: State, after: State, writer: Writer
) -> None:
    """Attach, put, detach and delete what differs between two states, and nothing else; writes.

    Old policies are detached before new ones are attached: a set may hold 25. Nobody loses access in between,
    because accounts see the change only when it is provisioned.

    Raises
    ------
    ClientError
        When AWS refuses one; those before it are made.

    Notes
    -----
    Source:
    https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_AttachManagedPolicyToPermissionSet.html
    """
    change = _PolicyChange(connection, permission_set_arn, writer)
    for field in POLICY_FIELDS:
        if before.get(field) != after.get(field):
            getattr(change, field)(before.get(field), after.get(field))


class _PolicyChange:
    def __init__(self, connection: Connection, permission_set_arn: str, writer: Writer) -> None:
        self._sso_admin = connection.client("sso-admin")
        self._request: dict[str, Any] = {
            "InstanceArn": connection.instance.instance_arn,
            "PermissionSetArn": permission_set_arn,
        }
        self._writer = writer

    def _send(self, operation: str, **request: Any) -> None:
        self._writer.send(getattr(self._sso_admin, operation), **self._request, **request)

    def managed_policies(self, before: list[str] | None, after: list[str] | None) -> None:
        old, new = _differing(before, after)
        for policy_arn in old:
            self._send("detach_managed_policy_from_permission_set", ManagedPolicyArn=policy_arn)
        for policy_arn in new:
            self._send("attach_managed_policy_to_permission_set", ManagedPolicyArn=policy_arn)

    def customer_managed_policies(self, before: list[State] | None, after: list[State] | None) -> None:
        old, new = _differing(before, after)
        for policy in old:
            self._send(
                "detach_customer_managed_policy_reference_from_permission_set",
                CustomerManagedPolicyReference=_reference(policy),
            )
        for policy in new:
            self._send(
                "attach_customer_managed_policy_reference_to_permission_set",
                CustomerManagedPolicyReference=_reference(policy),
            )

    def inline_policy(self, before: State | str | None, after: State | str | None) -> None:
        if after:
            text = after if isinstance(after, str) else inline_policy_text(after)
            self._send("put_inline_policy_to_permission_set", InlinePolicy=text)
        elif before:
            self._send("delete_inline_policy_from_permission_set")

    def permissions_boundary(self, before: State | None, after: State | None) -> None:
        if not after:
            if before:
                self._send("delete_permissions_boundary_from_permission_set")
            return
        managed, customer_managed = after.get("managed_policy"), after.get("customer_managed_policy")
        boundary = (
            {"ManagedPolicyArn": managed}
            if managed
            else {"CustomerManagedPolicyReference": _reference(customer_managed or {})}
        )
        self._send("put_permissions_boundary_to_permission_set", PermissionsBoundary=boundary)


def _differing(before: list[Any] | None, after: list[Any] | None) -> tuple[list[Any], list[Any]]:
    old, new = before or [], after or []
    return [item for item in old if item not in new], [item for item in new if item not in old]


def _reference(policy: State) -> dict[str, str]:
    return {"Name": policy["name"], "Path": policy.get("path", "/")}
