"""The Regions of an instance: in the sandbox its home Region alone.

AddRegion needs a customer managed multi-Region KMS key that is in the new Region too; the sandbox has no KMS.
Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/regions.html
"""

from __future__ import annotations

import sqlite3
from typing import Any

from idc_sandbox.api.instance_rules import require_instance, require_instance_or_deny
from idc_sandbox.api.pagination import paginate
from idc_sandbox.api.registry import operation
from idc_sandbox.context import Context
from idc_sandbox.errors import conflict, not_found, validation_error


def region_metadata(instance: sqlite3.Row) -> dict[str, Any]:
    """Return an instance's home Region as DescribeInstance, ListInstances and ListRegions show it."""
    return {
        "RegionName": instance["region"],
        "Status": "ACTIVE",
        "AddedDate": instance["created_at"],
        "IsPrimaryRegion": True,
    }


@operation("sso-admin", "ListRegions")
def list_regions(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """List the Regions of an instance.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_ListRegions.html
    """
    instance = require_instance_or_deny(context, request["InstanceArn"])
    page, token = paginate(
        [region_metadata(instance)],
        operation_name="ListRegions",
        key=lambda region: region["RegionName"],
        request=request,
    )
    return {"Regions": page, "NextToken": token}


@operation("sso-admin", "DescribeRegion")
def describe_region(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Return one Region of an instance.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_DescribeRegion.html
    """
    instance = require_instance(context, request["InstanceArn"])
    if request["RegionName"] != instance["region"]:
        raise not_found(
            f"Region {request['RegionName']!r} is not enabled for {instance['instance_arn']!r}; "
            f"its only Region is {instance['region']!r}."
        )
    return region_metadata(instance)


@operation("sso-admin", "AddRegion")
def add_region(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Refuse a further Region: the instance would need a multi-Region key of the customer.

    The error's code and words are UNCONFIRMED.
    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_AddRegion.html
    """
    instance = require_instance(context, request["InstanceArn"])
    if request["RegionName"] == instance["region"]:
        raise conflict(
            f"Region {request['RegionName']!r} is the home Region of {instance['instance_arn']!r} already."
        )
    raise validation_error(
        f"Region {request['RegionName']!r} cannot be added to {instance['instance_arn']!r}: the instance is"
        " encrypted with a key that AWS owns, and a further Region needs a customer managed multi-Region KMS"
        " key that is there too. The sandbox has no KMS, so its instances keep one Region."
    )
