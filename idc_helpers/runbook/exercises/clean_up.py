"""The commands that remove what learners make, with AWS's ids in them; and all that is left at the end."""

from __future__ import annotations

from idc_helpers.aws.access import AssignmentRow
from idc_helpers.aws.permission_set_names import list_permission_sets
from idc_helpers.runbook.exercises.exercise import CleanUp, Look


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
