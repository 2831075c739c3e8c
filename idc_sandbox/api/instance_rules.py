"""Which instance a request means, and whether its caller may touch it: rules for all of Identity Center."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable

from idc_sandbox.context import IDENTITY_CENTER, Context
from idc_sandbox.errors import ServiceError, access_denied, not_found, validation_error


def visible_instances(context: Context) -> list[sqlite3.Row]:
    """Return the instances that the caller's account sees: its own, and the organization's; in any Region."""
    return context.rows(
        "SELECT * FROM instance WHERE owner_account_id = ? OR kind = 'ORGANIZATION' ORDER BY created_at",
        context.caller.account_id,
    )


def identity_store_arn(instance: sqlite3.Row) -> str:
    """Return the ARN of an instance's identity store."""
    owner, store_id = instance["owner_account_id"], instance["identity_store_id"]
    return f"arn:aws:identitystore::{owner}:identitystore/{store_id}"


def require_instance(
    context: Context,
    instance_arn: str,
    *,
    while_creating: bool = False,
    missing: Callable[[str], ServiceError] = not_found,
) -> sqlite3.Row:
    """Return an instance that the caller administers in the Region that the request went to."""
    row = _require_here(context, instance_arn, missing)
    if not is_administrator(context, row):
        raise access_denied(
            f"Account {context.caller.account_id!r} does not administer the instance {instance_arn!r}; "
            "its owner or a delegated administrator does."
        )
    if row["status"] != "ACTIVE" and not while_creating:
        raise validation_error(
            f"The instance {instance_arn!r} is {row['status']}: "
            "wait until DescribeInstance says ACTIVE, then try again."
        )
    return row


def require_visible_instance(
    context: Context, instance_arn: str, *, missing: Callable[[str], ServiceError] = not_found
) -> sqlite3.Row:
    """Return an instance that the caller administers, or the organization's for a member account."""
    row = _require_here(context, instance_arn, missing)
    return row if row["kind"] == "ORGANIZATION" else require_instance(context, instance_arn, missing=missing)


def _require_here(context: Context, instance_arn: str, missing: Callable[[str], ServiceError]) -> sqlite3.Row:
    row = context.find("instance", instance_arn=instance_arn)
    if row is None:
        if context.find("deleted_instance", instance_arn=instance_arn):
            raise access_denied(
                f"You do not have access to the instance {instance_arn!r}: it has been deleted."
            )
        raise missing(f"No Identity Center instance {instance_arn!r} exists. ListInstances shows yours.")
    if row["region"] != context.region:
        if not is_replicated(context, row):
            raise missing(
                f"The instance {instance_arn!r} is not in Region {context.region!r}: "
                "Identity Center is regional, call its home Region."
            )
        require_served_in_further_regions(context, row)
    return row


def is_replicated(context: Context, instance: sqlite3.Row) -> bool:
    """Tell whether the Region that the request went to is a further one of an instance."""
    key = {"instance_arn": instance["instance_arn"], "region": context.region}
    return context.find("instance_region", **key, status="ACTIVE") is not None


# Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/api-support-in-additional-regions.html
_SERVED_IN_FURTHER_REGIONS = re.compile(r"(List|Describe|Get|IsMember).*|[A-Z][a-z]+Application.*")


def require_served_in_further_regions(context: Context, instance: sqlite3.Row) -> None:
    """Refuse what is done in the home Region alone: all writes but those of applications."""
    if not _SERVED_IN_FURTHER_REGIONS.fullmatch(context.operation_name):
        raise access_denied(
            f"{context.operation_name} is not supported in {context.region!r}, a further Region of the "
            f"instance {instance['instance_arn']!r}: call its home Region {instance['region']!r}."
        )


def is_administrator(context: Context, instance: sqlite3.Row) -> bool:
    """Tell whether the caller's account owns the instance or is its delegated administrator."""
    if instance["owner_account_id"] == context.caller.account_id:
        return True
    if instance["kind"] != "ORGANIZATION":
        return False
    return context.caller.account_id in context.double.delegated_administrators(IDENTITY_CENTER)


def require_permission_sets(context: Context, instance_arn: str) -> sqlite3.Row:
    """Return an instance that has permission sets and account assignments."""
    row = require_instance(context, instance_arn)
    if row["kind"] == "ACCOUNT":
        raise validation_error("This operation is not supported for account instances")
    if not row["permission_sets_enabled"]:
        raise validation_error(
            "Permission sets are not enabled for this instance; turn them on with "
            "UpdateInstance(PermissionSetsEnabled=true), which cannot be undone."
        )
    return row


def require_identity_store(context: Context, identity_store: str, *, write: bool) -> sqlite3.Row:
    """Return the instance of an identity store, named by id or ARN; members may read the organization's."""
    identity_store_id = identity_store.rpartition("/")[2]
    row = context.find("instance", identity_store_id=identity_store_id)
    if row is None or (row["region"] != context.region and not is_replicated(context, row)):
        raise not_found(
            f"No identity store {identity_store_id!r} exists in Region {context.region!r}. "
            "DescribeInstance names the store of your instance.",
            ResourceType="IDENTITY_STORE",
            ResourceId=identity_store_id,
        )
    if row["region"] != context.region:
        require_served_in_further_regions(context, row)
    may_read = row["kind"] == "ORGANIZATION" and not write
    if not (is_administrator(context, row) or may_read):
        raise access_denied(
            f"Account {context.caller.account_id!r} may not use the identity store "
            f"{identity_store_id!r} of another account."
        )
    return row
