"""CloudTrail's API: lookups of events, and the organization's trail."""

# Source: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_Operations.html

from __future__ import annotations

import itertools
import json
import re
import sqlite3
from collections.abc import Iterator
from typing import Any

from idc_sandbox.context import Context
from idc_sandbox.errors import ServiceError
from idc_sandbox.trail.feed import HISTORY_S, is_logging, read_trail, start_logging, stop_logging
from idc_sandbox.wire.registry import LongListing, operation

_HOME_REGION = "us-east-1"
_NO_SUCH_PAGE = "InvalidNextTokenException"
_PLACE = re.compile(r"([0-9]+[.][0-9]+)/([0-9]{1,18})", re.ASCII)  # time and number of the last event shown

# What each attribute of a lookup compares.
_COLUMNS = {
    "EventId": "record ->> '$.eventID'",
    "EventName": "record ->> '$.eventName'",
    "ReadOnly": "iif(record ->> '$.readOnly', 'true', 'false')",
    "Username": "user_name",
    "EventSource": "record ->> '$.eventSource'",
    "AccessKeyId": "record ->> '$.userIdentity.accessKeyId'",
}
_KINDS = {"ResourceType": "ResourceType", "ResourceName": "ResourceName"}
# The parameters that name a resource.
_TYPE_OF_PARAMETER = {
    "instanceArn": "AWS::SSO::Instance",
    "permissionSetArn": "AWS::SSO::PermissionSet",
    "applicationArn": "AWS::SSO::Application",
    "bucketName": "AWS::S3::Bucket",
    "roleArn": "AWS::IAM::Role",
    "roleName": "AWS::IAM::Role",
    "groupName": "AWS::IAM::Group",
    "policyArn": "AWS::IAM::Policy",
    "accessKeyId": "AWS::IAM::AccessKey",
}


@operation("cloudtrail", "LookupEvents")
def lookup_events(context: Context, request: dict[str, Any]) -> LongListing | dict[str, Any]:
    """Return events of the caller's account and Region, newest first, of the last 90 days."""
    if request.get("EventCategory") == "insight":
        return {"Events": []}  # nothing here is unusual
    key, value = _attribute(request.get("LookupAttributes") or [])
    oldest = max(float(request.get("StartTime") or 0), context.now - HISTORY_S)
    newest = float(request.get("EndTime") or context.now)
    if request.get("EndTime") and (started := float(request.get("StartTime") or 0)) > newest:
        raise ServiceError(
            "InvalidTimeRangeException",
            f"The start time {started:.0f} is after the end time {newest:.0f}.",
        )

    def read(last_key: str | None, size: int) -> list[sqlite3.Row]:
        place = _PLACE.fullmatch(last_key or "")
        if last_key and not place:
            raise ServiceError(_NO_SUCH_PAGE, "No lookup has given this token.")
        before = (float(place[1]), int(place[2])) if place else (float("inf"), 0)
        return list(itertools.islice(_matching(context, key, value, (oldest, newest), before), size))

    return LongListing(
        (), lambda row: f"{row['event_time']!r}/{row['number']}", _event, 50, _NO_SUCH_PAGE, read=read
    )


def _attribute(attributes: list[dict[str, str]]) -> tuple[str, str]:
    if len(attributes) > 1:
        raise ServiceError(
            "InvalidLookupAttributesException",
            f"A lookup takes one attribute, found {len(attributes)}.",
        )
    return (attributes[0]["AttributeKey"], attributes[0]["AttributeValue"]) if attributes else ("", "")


def _matching(
    context: Context, key: str, value: str, bounds: tuple[float, float], before: tuple[float, int]
) -> Iterator[sqlite3.Row]:
    """Yield the rows of a lookup, newest first."""
    is_wanted = f"AND {_COLUMNS[key]} = :value" if key in _COLUMNS else ""
    # Only the numbers are sorted, not whole records: no index holds the order.
    numbers = context.execute(
        "SELECT number FROM trail_event WHERE account_id = :account AND region = :region"  # noqa: S608
        " AND event_time BETWEEN :oldest AND :newest AND (event_time, number) < (:time, :number)"
        f" {is_wanted} ORDER BY event_time DESC, number DESC",
        account=context.caller.account_id,
        region=context.region,
        oldest=bounds[0],
        newest=bounds[1],
        time=before[0],
        number=before[1],
        value=value,
    )
    for (number,) in numbers:
        row = context.rows("SELECT * FROM trail_event WHERE number = ?", number)[0]
        if key not in _KINDS or any(one[_KINDS[key]] == value for one in _resources(_record(row))):
            yield row


def _record(row: sqlite3.Row) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(row["record"])
    return record


def _event(row: sqlite3.Row) -> dict[str, Any]:
    record = _record(row)
    return {
        "EventId": record["eventID"],
        "EventName": record["eventName"],
        "ReadOnly": "true" if record["readOnly"] else "false",
        "AccessKeyId": record["userIdentity"].get("accessKeyId") or None,
        "EventTime": row["event_time"],
        "EventSource": record["eventSource"],
        "Username": row["user_name"] or None,
        "Resources": _resources(record),
        "CloudTrailEvent": row["record"],
    }


def _resources(record: dict[str, Any]) -> list[dict[str, str]]:
    """Return the resources that the parameters of a call name."""
    parameters = record.get("requestParameters") or {}
    types = dict(_TYPE_OF_PARAMETER)
    if record["eventSource"] == "iam.amazonaws.com":
        types["userName"] = "AWS::IAM::User"
    return [
        {"ResourceType": types[name], "ResourceName": value}
        for name, value in parameters.items()
        if name in types and isinstance(value, str)
    ]


# The trail itself: one, of the organization; member accounts see it, and cannot change it.

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,126}[A-Za-z0-9]", re.ASCII)
_ARN = re.compile(r"arn:aws:cloudtrail:[a-z0-9-]+:[0-9]{12}:trail/.+", re.ASCII)


def _trail_arn(context: Context, trail: sqlite3.Row) -> str:
    account_id = context.double.management_account_id
    return f"arn:aws:cloudtrail:{_HOME_REGION}:{account_id}:trail/{trail['name']}"


def _is_named(context: Context, name: str) -> bool:
    """Tell whether a name or an ARN, as this caller may give it, is that of the trail."""
    trail = read_trail(context.connection)
    if name == _trail_arn(context, trail):
        return True
    is_home = context.caller.account_id == context.double.management_account_id
    return name == trail["name"] and is_home and context.region == _HOME_REGION


def _require_trail(context: Context, name: str) -> sqlite3.Row:
    trail = read_trail(context.connection)
    if _is_named(context, name):
        return trail
    if name.startswith("arn:") and not _ARN.fullmatch(name):
        raise ServiceError("CloudTrailARNInvalidException", f"{name!r} is not the ARN of a trail.")
    if not name.startswith("arn:") and not _NAME.fullmatch(name):
        raise ServiceError(
            "InvalidTrailNameException",
            f"The trail name {name!r} must have 3 to 128 letters, digits, '.', '_' and '-', and begin and "
            "end with a letter or digit.",
        )
    raise ServiceError(
        "TrailNotFoundException",
        f"Unknown trail: {name} for the user: {context.caller.account_id}. There is "
        f"{_trail_arn(context, trail)}.",
        status=404,
    )


def _describe(context: Context) -> dict[str, Any]:
    trail = read_trail(context.connection)
    return {
        "Name": trail["name"],
        "S3BucketName": trail["bucket"],
        "IncludeGlobalServiceEvents": True,
        "IsMultiRegionTrail": True,
        "HomeRegion": _HOME_REGION,
        "TrailARN": _trail_arn(context, trail),
        "LogFileValidationEnabled": False,
        "HasCustomEventSelectors": False,
        "HasInsightSelectors": False,
        "IsOrganizationTrail": True,
    }


@operation("cloudtrail", "DescribeTrails")
def describe_trails(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Return the trail, where the caller asks for it; it is a shadow trail in other Regions and accounts."""
    names = request.get("trailNameList") or []
    is_own = context.caller.account_id == context.double.management_account_id
    is_shadow = not is_own or context.region != _HOME_REGION
    if names:
        is_asked = any(_is_named(context, name) for name in names)
    else:
        is_asked = not is_shadow or request.get("includeShadowTrails", True)
    return {"trailList": [_describe(context)] if is_asked else []}


@operation("cloudtrail", "GetTrail")
def get_trail(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Return the trail."""
    _require_trail(context, request["Name"])
    return {"Trail": _describe(context)}


@operation("cloudtrail", "ListTrails")
def list_trails(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """List the trail; there is no second page."""
    if request.get("NextToken"):
        raise ServiceError(_NO_SUCH_PAGE, "ListTrails has given no token: it has one page.")
    shown = _describe(context)
    return {"Trails": [{name: shown[name] for name in ("TrailARN", "Name", "HomeRegion")}]}


@operation("cloudtrail", "GetTrailStatus")
def get_trail_status(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Return whether the trail delivers, and when it last did."""
    trail = _require_trail(context, request["Name"])
    return {
        "IsLogging": is_logging(trail),
        "LatestDeliveryTime": trail["delivered_at"],
        "LatestDeliveryError": trail["delivery_error"],
        "StartLoggingTime": trail["started_at"],
        "StopLoggingTime": trail["stopped_at"],
    }


@operation("cloudtrail", "StartLogging")
def resume_trail(context: Context, request: dict[str, Any]) -> None:
    """Deliver again."""
    _require_own(context, request["Name"])
    start_logging(context.connection, context.double)


@operation("cloudtrail", "StopLogging")
def halt_trail(context: Context, request: dict[str, Any]) -> None:
    """Deliver nothing any more; lookups go on finding what happens."""
    _require_own(context, request["Name"])
    stop_logging(context.connection)


def _require_own(context: Context, name: str) -> None:
    _require_trail(context, name)
    if context.caller.account_id != context.double.management_account_id:
        raise ServiceError(
            "NotOrganizationMasterAccountException",
            "Only the management account changes the trail of the organization; "
            f"{context.caller.account_id} is a member.",
        )
    if context.region != _HOME_REGION:
        raise ServiceError(
            "InvalidHomeRegionException",
            f"The trail's home Region is {_HOME_REGION}; ask there, not in {context.region}.",
        )
