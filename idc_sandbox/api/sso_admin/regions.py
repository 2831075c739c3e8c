"""The Regions of an instance: its home Region, and further ones that it is replicated to."""

# Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/multi-region-iam-identity-center.html
from __future__ import annotations

import json
import re
import sqlite3
from operator import itemgetter
from typing import Any

from idc_sandbox.api.instance_rules import require_instance
from idc_sandbox.context import Context
from idc_sandbox.errors import access_denied, conflict, not_found, quota_exceeded, validation_error
from idc_sandbox.switches import read_switch
from idc_sandbox.wire.registry import Listing, operation

MAXIMUM_REGIONS = 6  # the home Region among them
# Those that need no opt-in, with the console's names:
# https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-regions.html
DEFAULT_REGIONS = {
    "us-east-1": "US East (N. Virginia)",
    "us-east-2": "US East (Ohio)",
    "us-west-1": "US West (N. California)",
    "us-west-2": "US West (Oregon)",
    "ap-south-1": "Asia Pacific (Mumbai)",
    "ap-northeast-1": "Asia Pacific (Tokyo)",
    "ap-northeast-2": "Asia Pacific (Seoul)",
    "ap-northeast-3": "Asia Pacific (Osaka)",
    "ap-southeast-1": "Asia Pacific (Singapore)",
    "ap-southeast-2": "Asia Pacific (Sydney)",
    "ca-central-1": "Canada (Central)",
    "eu-central-1": "Europe (Frankfurt)",
    "eu-north-1": "Europe (Stockholm)",
    "eu-west-1": "Europe (Ireland)",
    "eu-west-2": "Europe (London)",
    "eu-west-3": "Europe (Paris)",
    "sa-east-1": "South America (São Paulo)",
}
_MULTI_REGION_KEY = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/mrk-[0-9a-f]+")


def regions_of(context: Context, instance: sqlite3.Row) -> list[dict[str, Any]]:
    """Return an instance's Regions as DescribeInstance, ListInstances and ListRegions show them."""
    home = {
        "RegionName": instance["region"],
        "Status": "ACTIVE",
        "AddedDate": instance["created_at"],
        "IsPrimaryRegion": True,
    }
    return [home, *map(_shown, context.find_all("instance_region", instance_arn=instance["instance_arn"]))]


def _shown(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "RegionName": row["region"],
        "Status": row["status"],
        "AddedDate": row["added_at"],
        "IsPrimaryRegion": False,
    }


def settle_due_regions(context: Context) -> None:
    """End the adding and removing that is due. Writes."""
    if not context.row("SELECT 1 FROM instance_region WHERE status <> 'ACTIVE'"):
        return
    # One that was begun later than now is due as well: the clock has been put back since.
    due, now = "(due_at <= :now OR changed_at > :now)", context.now
    context.execute(f"DELETE FROM instance_region WHERE status = 'REMOVING' AND {due}", now=now)  # noqa: S608
    context.execute(
        f"UPDATE instance_region SET status = 'ACTIVE' WHERE status = 'ADDING' AND {due}",  # noqa: S608
        now=now,
    )


@operation("sso-admin", "ListRegions")
def list_regions(context: Context, request: dict[str, Any]) -> Listing:
    """List the Regions of an instance."""
    instance = require_instance(context, request["InstanceArn"], missing=access_denied)
    return Listing(regions_of(context, instance), itemgetter("RegionName"))


@operation("sso-admin", "DescribeRegion")
def describe_region(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Return one Region of an instance."""
    instance = require_instance(context, request["InstanceArn"])
    regions = {one["RegionName"]: one for one in regions_of(context, instance)}
    if request["RegionName"] not in regions:
        raise not_found(
            f"Region {request['RegionName']!r} is not enabled for {instance['instance_arn']!r}; its Regions "
            f"are {', '.join(map(repr, regions))}."
        )
    return regions[request["RegionName"]]


@operation("sso-admin", "AddRegion")
def add_region(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Begin to replicate an organization instance; codes and words of the refusals are UNCONFIRMED."""
    region = request["RegionName"]
    instance = _require_can_replicate(context, request, region)
    regions = regions_of(context, instance)
    if region in [one["RegionName"] for one in regions]:
        raise conflict(f"Region {region!r} is a Region of {instance['instance_arn']!r} already.")
    _require_no_workflow(context, instance)
    if len(regions) >= MAXIMUM_REGIONS:
        raise quota_exceeded(
            f"The instance {instance['instance_arn']!r} has its {MAXIMUM_REGIONS} Regions already."
        )
    now = context.now
    context.insert(
        "instance_region",
        instance_arn=instance["instance_arn"],
        region=region,
        status="ADDING",
        added_at=now,
        changed_at=now,
        due_at=now + read_switch(context.connection, "asynchronous_duration_s"),
    )
    return {"Status": "ADDING"}


def _require_can_replicate(context: Context, request: dict[str, Any], region: str) -> sqlite3.Row:
    instance = require_instance(context, request["InstanceArn"], missing=access_denied)
    cannot = f"Region {region!r} cannot be added to {instance['instance_arn']!r}:"
    if instance["kind"] != "ORGANIZATION":
        raise validation_error(f"{cannot} an account instance has one Region.")
    if region not in DEFAULT_REGIONS:
        raise validation_error(f"{cannot} it is not one of {', '.join(DEFAULT_REGIONS)}.")
    key_arn = json.loads(instance["settings_json"]).get("encryption", {}).get("KmsKeyArn", "")
    if region != instance["region"] and not _MULTI_REGION_KEY.fullmatch(key_arn):
        kind = f"the key {key_arn!r}, which is in one Region alone" if key_arn else "a key that AWS owns"
        raise validation_error(
            f"{cannot} the instance is encrypted with {kind}, and a further Region needs a customer managed "
            "multi-Region KMS key that is there too. Set one with UpdateInstance first."
        )
    return instance


@operation("sso-admin", "RemoveRegion")
def remove_region(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Begin to remove a further Region."""
    region, instance = request["RegionName"], require_instance(context, request["InstanceArn"])
    if region == instance["region"]:
        raise validation_error(
            f"Region {region!r} is the home Region of {instance['instance_arn']!r}, which cannot be removed. "
            "DeleteInstance deletes the instance."
        )
    key = {"instance_arn": instance["instance_arn"], "region": region}
    if context.find("instance_region", **key) is None:
        raise not_found(
            f"Region {region!r} is not one of {instance['instance_arn']!r}; ListRegions shows them."
        )
    _require_no_workflow(context, instance)
    now = context.now
    context.execute(
        "UPDATE instance_region SET status = 'REMOVING', changed_at = ?, due_at = ?"
        " WHERE instance_arn = ? AND region = ?",
        now,
        now + read_switch(context.connection, "asynchronous_duration_s"),
        *key.values(),
    )
    return {"Status": "REMOVING"}


def _require_no_workflow(context: Context, instance: sqlite3.Row) -> None:
    for one in regions_of(context, instance):
        if one["Status"] != "ACTIVE":
            raise conflict(f"Region {one['RegionName']!r} is {one['Status']}: wait until it is done.")


def require_one_region(context: Context, instance: sqlite3.Row) -> None:
    """Refuse to delete an instance that has further Regions."""
    further = regions_of(context, instance)[1:]
    if further:
        names = ", ".join(one["RegionName"] for one in further)
        raise conflict(f"The instance {instance['instance_arn']!r} is in {names} too: RemoveRegion first.")
