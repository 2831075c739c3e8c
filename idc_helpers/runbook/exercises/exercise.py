"""What an exercise is: a task, a hint, an examination that only reads, and the command that cleans up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from idc_aws.access import AssignmentRow, list_permission_sets
from idc_aws.connection import Connection
from idc_helpers.runbook.run import RunContext


@dataclass(frozen=True)
class Finding:
    """One thing that the task asks for."""

    words: str
    done: bool
    found: str


@dataclass(frozen=True)
class CleanUp:
    """What remains of an exercise, and the command that removes it, for a terminal of the target."""

    what: str
    command: str


@dataclass(frozen=True)
class Examination:
    """What the target shows of an exercise."""

    findings: tuple[Finding, ...] = ()
    clean_up: tuple[CleanUp, ...] = ()
    unreadable: str = ""

    @property
    def done(self) -> bool:
        """Whether the target shows everything that the task asks for."""
        return bool(self.findings) and all(finding.done for finding in self.findings)


@dataclass(frozen=True)
class Look:
    """What an examination looks with."""

    context: RunContext
    names: Mapping[str, str]
    answer: str = ""

    @property
    def connection(self) -> Connection:
        """The connection to the target."""
        return self.context.connection

    def require_instance(self) -> None:
        """Return when there is an instance to look into."""
        self.connection.instance  # noqa: B018 - reading it asks AWS

    def is_receipted(self, kind: str, key: str) -> bool:
        """Return whether a receipt of this run names a thing: undo and teardown take it back."""
        return any(
            (receipt.kind, receipt.key, receipt.action) == (kind, key, "create")
            for receipt in self.context.receipts.open_receipts()
        )


@dataclass(frozen=True)
class Exercise:
    """One task."""

    name: str
    notebook: str
    title: str
    task: str
    hint: str
    afterwards: str
    examine: Callable[[Look], Examination]
    names: Mapping[str, str] = field(default_factory=dict)
    asks: bool = False


def remove_permission_set(look: Look, permission_set_arn: str) -> CleanUp:
    """Return the command that deletes a permission set."""
    instance_arn = look.connection.instance.instance_arn
    return CleanUp(
        f"permission set {look.names['permission_set']}",
        f"aws sso-admin delete-permission-set --instance-arn {instance_arn}"
        f" --permission-set-arn {permission_set_arn}",
    )


def remove_group(look: Look, name: str, group_id: str) -> CleanUp:
    """Return the command that deletes a group, its memberships with it."""
    store_id = look.connection.instance.identity_store_id
    return CleanUp(
        f"group {name}",
        f"aws identitystore delete-group --identity-store-id {store_id} --group-id {group_id}",
    )


def remove_membership(look: Look, user_name: str, group: str, membership_id: str) -> CleanUp:
    """Return the command that takes a user out of a group."""
    store_id = look.connection.instance.identity_store_id
    return CleanUp(
        f"membership of {user_name} in {group}",
        f"aws identitystore delete-group-membership --identity-store-id {store_id}"
        f" --membership-id {membership_id}",
    )


def remove_assignment(look: Look, row: AssignmentRow) -> CleanUp:
    """Return the command that deletes an account assignment."""
    instance_arn = look.connection.instance.instance_arn
    permission_set_arn = list_permission_sets(look.connection)[row.permission_set]
    where = row.account_name or row.account_id
    return CleanUp(
        f"assignment of {row.permission_set} to {row.principal_type} {row.principal_name} in {where}",
        f"aws sso-admin delete-account-assignment --instance-arn {instance_arn}"
        f" --permission-set-arn {permission_set_arn} --principal-type {row.principal_type}"
        f" --principal-id {row.principal_id} --target-type AWS_ACCOUNT --target-id {row.account_id}",
    )
