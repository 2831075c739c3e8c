"""Attributes for access control (ABAC): which attributes of a user become session tags in accounts."""

from __future__ import annotations

import json
import re
from typing import Any

from idc_sandbox.api.identity_store.extensions import ENTERPRISE
from idc_sandbox.api.instance_rules import require_instance
from idc_sandbox.api.registry import operation
from idc_sandbox.context import Context
from idc_sandbox.errors import conflict, not_found, validation_error

_SOURCE = re.compile(r"\$\{path:([^{}]+)\}")


@operation("sso-admin", "CreateInstanceAccessControlAttributeConfiguration")
def create_configuration(context: Context, request: dict[str, Any]) -> None:
    """Turn ABAC on, with attributes or with none yet.

    Source:
    https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_CreateInstanceAccessControlAttributeConfiguration.html
    """
    instance_arn = require_instance(context, request["InstanceArn"])["instance_arn"]
    if _stored_attributes(context, instance_arn) is not None:
        raise conflict(
            f"Attributes for access control are enabled for {instance_arn!r} already; change them with "
            "UpdateInstanceAccessControlAttributeConfiguration."
        )
    context.connection.execute(
        "INSERT INTO access_control_attributes VALUES (?, ?)", (instance_arn, _checked_attributes(request))
    )


@operation("sso-admin", "UpdateInstanceAccessControlAttributeConfiguration")
def update_configuration(context: Context, request: dict[str, Any]) -> None:
    """Replace the attributes by the given ones.

    Source:
    https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_UpdateInstanceAccessControlAttributeConfiguration.html
    """
    instance_arn = require_instance(context, request["InstanceArn"])["instance_arn"]
    _require_enabled(context, instance_arn)
    context.connection.execute(
        "UPDATE access_control_attributes SET attributes_json = ? WHERE instance_arn = ?",
        (_checked_attributes(request), instance_arn),
    )


@operation("sso-admin", "DescribeInstanceAccessControlAttributeConfiguration")
def describe_configuration(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes and that ABAC is enabled; ResourceNotFoundException while it is not.

    Source:
    https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_DescribeInstanceAccessControlAttributeConfiguration.html
    """
    instance_arn = require_instance(context, request["InstanceArn"])["instance_arn"]
    attributes = _require_enabled(context, instance_arn)
    return {
        "Status": "ENABLED",
        "InstanceAccessControlAttributeConfiguration": {"AccessControlAttributes": attributes},
    }


@operation("sso-admin", "DeleteInstanceAccessControlAttributeConfiguration")
def delete_configuration(context: Context, request: dict[str, Any]) -> None:
    """Turn ABAC off and forget the attributes.

    Source:
    https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_DeleteInstanceAccessControlAttributeConfiguration.html
    """
    instance_arn = require_instance(context, request["InstanceArn"])["instance_arn"]
    _require_enabled(context, instance_arn)
    context.connection.execute(
        "DELETE FROM access_control_attributes WHERE instance_arn = ?", (instance_arn,)
    )


def session_tags(context: Context, instance_arn: str, user_id: str) -> dict[str, str]:
    """Return the session tags of a user's roles: the attributes that ABAC names, where the user has a value.

    Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/attributemappingsconcept.html
    """
    row = context.connection.execute(
        "SELECT user_name, profile_json FROM identity_user WHERE user_id = ?", (user_id,)
    ).fetchone()
    profile = {**json.loads(row["profile_json"]), "UserName": row["user_name"]}
    profile["Enterprise"] = profile.get("Extensions", {}).get(ENTERPRISE, {})
    tags = {}
    for attribute in _stored_attributes(context, instance_arn) or []:
        found = (_attribute_value(profile, source) for source in attribute["Value"]["Source"])
        value = next((value for value in found if value), None)
        if value is not None:
            tags[attribute["Key"]] = value
    return tags


def _attribute_value(profile: dict[str, Any], source: str) -> str | None:
    """Return what a source such as ``${path:emails[primary eq true].value}`` leads to, or None."""
    path = _SOURCE.fullmatch(source)
    value: Any = profile if path else None
    for segment in re.sub(r"\[[^\]]*\]", "", path[1]).split(".") if path else []:
        if isinstance(value, list):
            value = next((item for item in value if item.get("Primary")), value[0] if value else None)
        if not isinstance(value, dict):
            return None
        value = next((inner for name, inner in value.items() if name.lower() == segment.lower()), None)
    return value if isinstance(value, str) else None


def _checked_attributes(request: dict[str, Any]) -> str:
    attributes = request["InstanceAccessControlAttributeConfiguration"]["AccessControlAttributes"]
    keys = [attribute["Key"] for attribute in attributes]
    repeated = sorted({key for key in keys if keys.count(key) > 1})
    if repeated:
        raise validation_error(
            f"Each attribute key may be given once; {', '.join(map(repr, repeated))} was repeated."
        )
    return json.dumps(attributes)


def _stored_attributes(context: Context, instance_arn: str) -> list[dict[str, Any]] | None:
    row = context.connection.execute(
        "SELECT attributes_json FROM access_control_attributes WHERE instance_arn = ?", (instance_arn,)
    ).fetchone()
    return json.loads(row[0]) if row else None


def _require_enabled(context: Context, instance_arn: str) -> list[dict[str, Any]]:
    attributes = _stored_attributes(context, instance_arn)
    if attributes is None:
        raise not_found(
            f"Attributes for access control are not enabled for {instance_arn!r}; turn them on with "
            "CreateInstanceAccessControlAttributeConfiguration."
        )
    return attributes
