"""Instances: made, updated, deleted, listed; their attributes for access control, and all tags."""

from __future__ import annotations

import json
import re
import sqlite3
from operator import itemgetter
from typing import Any

from idc_sandbox.api.identity_store.profiles import ENTERPRISE
from idc_sandbox.api.instance_rules import (
    identity_store_arn,
    is_replicated,
    require_instance,
    visible_instances,
)
from idc_sandbox.api.sso_admin.application_access import find_trusted_token_issuer
from idc_sandbox.api.sso_admin.applications import find_application
from idc_sandbox.api.sso_admin.provisioning import delete_roles_of_instance
from idc_sandbox.api.sso_admin.regions import regions_of, require_one_region
from idc_sandbox.api.sso_admin.rules import (
    delete_tags,
    find_permission_set,
    parameter_mismatch,
    put_tags,
    request_hash,
)
from idc_sandbox.context import IDENTITY_CENTER, Context
from idc_sandbox.errors import access_denied, conflict, not_found, validation_error
from idc_sandbox.wire.registry import Listing, operation

ONE_AT_A_TIME = ("EncryptionConfiguration", "PermissionSetsEnabled", "NetworkConfiguration")
NETWORK_LISTS = ("RestrictSourceVpcs", "AllowSourceIps", "ExcludeApplicationArns")


@operation("sso-admin", "UpdateInstance")
def update_instance(context: Context, request: dict[str, Any]) -> None:
    """Change the name and at most one of encryption, permission sets and network."""
    row = require_instance(context, request["InstanceArn"])
    given = [name for name in ONE_AT_A_TIME if request.get(name) is not None]
    if len(given) > 1:
        raise validation_error(
            f"A request may set one of {', '.join(ONE_AT_A_TIME)}; found {', '.join(given)}. "
            "Call once for each."
        )
    if request.get("Name") is not None:
        context.update("instance", row, name=request["Name"])
    if given == ["PermissionSetsEnabled"]:
        _enable_permission_sets(context, row, request["PermissionSetsEnabled"])
    elif given == ["EncryptionConfiguration"]:
        _put_setting(context, row, "encryption", _encryption(row, request["EncryptionConfiguration"]))
    elif given == ["NetworkConfiguration"]:
        _put_setting(context, row, "network", _network(request["NetworkConfiguration"]))


def _enable_permission_sets(context: Context, row: sqlite3.Row, enabled: bool) -> None:
    if row["kind"] == "ACCOUNT":
        raise validation_error("This operation is not supported for account instances")
    if not enabled:
        raise validation_error(
            "PermissionSetsEnabled accepts only true, found False: permission sets cannot be turned "
            "off again."
        )
    context.update("instance", row, permission_sets_enabled=1)


def _encryption(row: sqlite3.Row, configuration: dict[str, Any]) -> dict[str, Any]:
    customer_managed = configuration["KeyType"] == "CUSTOMER_MANAGED_KEY"
    if row["kind"] == "ACCOUNT" and customer_managed:
        raise validation_error("Customer managed keys are not supported for account instances.")
    if customer_managed != (configuration.get("KmsKeyArn") is not None):
        raise validation_error(
            f"KmsKeyArn must be given with KeyType CUSTOMER_MANAGED_KEY and only then; found KeyType "
            f"{configuration['KeyType']!r} and KmsKeyArn {configuration.get('KmsKeyArn')!r}."
        )
    return {name: configuration[name] for name in ("KeyType", "KmsKeyArn") if configuration.get(name)}


def _network(configuration: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration that replaces the stored one; lists mean nothing without the requirement."""
    required = configuration["VpceAccessRequired"]
    lists = {name: configuration.get(name) or [] if required else [] for name in NETWORK_LISTS}
    return {"VpceAccessRequired": required, **lists}


def _put_setting(context: Context, row: sqlite3.Row, name: str, value: dict[str, Any]) -> None:
    settings = json.loads(row["settings_json"]) | {name: value}
    context.update("instance", row, settings_json=json.dumps(settings))


MAXIMUM_INSTANCES_ON_A_PAGE = 10


def enable_organization_instance(
    context: Context, *, region: str | None = None, name: str | None = None, has_permission_sets: bool = True
) -> str:
    """Enable the organization's instance, as only the console's *Enable* button can; writes."""
    management_account_id = context.double.management_account_id
    if context.caller.account_id != management_account_id:
        raise access_denied(
            f"Account {context.caller.account_id!r} cannot enable the organization's instance: "
            f"only the management account {management_account_id!r} can."
        )
    instance_arn = _insert_instance(
        context,
        kind="ORGANIZATION",
        region=region or context.region,
        name=name,
        status="ACTIVE",
        settings={},
        has_permission_sets=has_permission_sets,
    )
    context.double.enable_trusted_access(IDENTITY_CENTER)
    return instance_arn


@operation("sso-admin", "CreateInstance")
def create_instance(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Create an account instance; repeating a request with its ``ClientToken`` gives the same instance."""
    if context.caller.account_id == context.double.management_account_id:
        raise validation_error(  # which code AWS gives here is UNCONFIRMED
            f"Account {context.caller.account_id!r} is the organization's management account: it "
            "cannot have an account instance. Enable the organization instance in the console instead."
        )
    token = request.get("ClientToken")
    made_by = {"client_token": token, "request_hash": request_hash(request)} if token else {}
    existing = context.find("instance", owner_account_id=context.caller.account_id)
    kept = json.loads(existing["settings_json"]) if existing is not None else {}
    if existing is not None and token and kept.get("client_token") == token:
        if kept.get("request_hash", made_by["request_hash"]) != made_by["request_hash"]:
            raise parameter_mismatch(token)
        return {"InstanceArn": existing["instance_arn"]}
    instance_arn = _insert_instance(
        context,
        kind="ACCOUNT",
        region=context.region,
        name=request.get("Name"),
        status="CREATE_IN_PROGRESS",
        settings=made_by,
        has_permission_sets=False,
    )
    put_tags(context, instance_arn, request.get("Tags", []))
    return {"InstanceArn": instance_arn}


@operation("sso-admin", "DescribeInstance")
def describe_instance(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Return an instance with its encryption, network and permission-set configuration."""
    row = require_instance(context, request["InstanceArn"], while_creating=True, missing=access_denied)
    settings = json.loads(row["settings_json"])
    return instance_metadata(context, row) | {
        "EncryptionConfigurationDetails": settings.get("encryption", {"KeyType": "AWS_OWNED_KMS_KEY"})
        | {"EncryptionStatus": "ENABLED"},
        "NetworkConfigurationDetails": settings.get("network"),
        "PermissionSetsEnabled": bool(row["permission_sets_enabled"]),
    }


@operation("sso-admin", "DeleteInstance")
def delete_instance(context: Context, request: dict[str, Any]) -> None:
    """Delete an instance, all that is in it, and the roles that it made in accounts; only its owner may."""
    row = require_instance(context, request["InstanceArn"], while_creating=True, missing=access_denied)
    instance_arn = row["instance_arn"]
    if row["owner_account_id"] != context.caller.account_id:
        raise access_denied(
            f"Account {context.caller.account_id!r} cannot delete the instance {instance_arn!r}: only "
            f"its owner {row['owner_account_id']!r} can."
        )
    require_one_region(context, row)
    delete_roles_of_instance(context, instance_arn)
    delete_tags(context, instance_arn)
    context.delete("account_assignment", instance_arn=instance_arn)
    context.delete("instance", instance_arn=instance_arn)
    context.insert("deleted_instance", instance_arn=instance_arn, deleted_at=context.now)


@operation("sso-admin", "ListInstances")
def list_instances(context: Context, request: dict[str, Any]) -> Listing:
    """List the instances that the caller's account sees, in this Region or in all; at most ten on a page."""
    rows = visible_instances(context)
    if request.get("RegionScope") != "ALL_REGIONS":
        rows = [row for row in rows if row["region"] == context.region or is_replicated(context, row)]
    return Listing(
        rows,
        itemgetter("instance_arn"),
        lambda row: instance_metadata(context, row),
        MAXIMUM_INSTANCES_ON_A_PAGE,
    )


def instance_metadata(context: Context, row: sqlite3.Row) -> dict[str, Any]:
    """Return what ListInstances and DescribeInstance have in common."""
    return {
        "InstanceArn": row["instance_arn"],
        "IdentityStoreId": row["identity_store_id"],
        "IdentityStoreArn": identity_store_arn(row),
        "OwnerAccountId": row["owner_account_id"],
        "Name": row["name"],
        "CreatedDate": row["created_at"],
        "Status": row["status"],
        "PrimaryRegion": row["region"],
        "Regions": regions_of(context, row),
    }


def _insert_instance(
    context: Context,
    *,
    kind: str,
    region: str,
    name: str | None,
    status: str,
    settings: dict[str, Any],
    has_permission_sets: bool,
) -> str:
    account_id = context.caller.account_id
    existing = context.find("instance", owner_account_id=account_id)
    if existing is not None:
        raise conflict(
            f"Account {account_id!r} has the instance {existing['instance_arn']!r} in Region "
            f"{existing['region']!r} already: an account has one, whatever the Region."
        )
    instance_arn = context.ids.instance_arn(region)
    context.insert(
        "instance",
        instance_arn=instance_arn,
        identity_store_id=context.ids.identity_store_id(),
        owner_account_id=account_id,
        kind=kind,
        region=region,
        name=name,
        status=status,
        permission_sets_enabled=int(has_permission_sets),
        created_at=context.now,
        settings_json=json.dumps(settings),
    )
    return instance_arn


_SOURCE = re.compile(r"\$\{path:([^{}]+)\}")


@operation("sso-admin", "CreateInstanceAccessControlAttributeConfiguration")
def create_configuration(context: Context, request: dict[str, Any]) -> None:
    """Turn ABAC on, with attributes or with none yet."""
    instance_arn = request["InstanceArn"]
    require_instance(context, instance_arn)
    if context.find("access_control_attributes", instance_arn=instance_arn):
        raise conflict(
            f"Attributes for access control are enabled for {instance_arn!r} already; change them with "
            "UpdateInstanceAccessControlAttributeConfiguration."
        )
    attributes = _checked_attributes(request)
    context.insert("access_control_attributes", instance_arn=instance_arn, attributes_json=attributes)


@operation("sso-admin", "UpdateInstanceAccessControlAttributeConfiguration")
def update_configuration(context: Context, request: dict[str, Any]) -> None:
    """Replace the attributes by the given ones."""
    row = _require_enabled(context, request)
    context.update("access_control_attributes", row, attributes_json=_checked_attributes(request))


@operation("sso-admin", "DescribeInstanceAccessControlAttributeConfiguration")
def describe_configuration(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes and that ABAC is enabled; ResourceNotFoundException while it is not."""
    attributes = json.loads(_require_enabled(context, request)["attributes_json"])
    return {
        "Status": "ENABLED",
        "InstanceAccessControlAttributeConfiguration": {"AccessControlAttributes": attributes},
    }


@operation("sso-admin", "DeleteInstanceAccessControlAttributeConfiguration")
def delete_configuration(context: Context, request: dict[str, Any]) -> None:
    """Turn ABAC off and forget the attributes."""
    _require_enabled(context, request)
    context.delete("access_control_attributes", instance_arn=request["InstanceArn"])


def session_tags(context: Context, instance_arn: str, user_id: str) -> dict[str, str]:
    """Return the session tags of a user's roles: attributes that ABAC names and the user has."""
    # Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/attributemappingsconcept.html
    (row,) = context.find_all("identity_user", user_id=user_id)
    profile = {**json.loads(row["profile_json"]), "UserName": row["user_name"]}
    profile["Enterprise"] = profile.get("Extensions", {}).get(ENTERPRISE, {})
    tags = {}
    stored = context.find("access_control_attributes", instance_arn=instance_arn)
    for attribute in json.loads(stored["attributes_json"]) if stored else []:
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


def _require_enabled(context: Context, request: dict[str, Any]) -> sqlite3.Row:
    instance_arn = request["InstanceArn"]
    require_instance(context, instance_arn)
    row = context.find("access_control_attributes", instance_arn=instance_arn)
    if row is None:
        raise not_found(
            f"Attributes for access control are not enabled for {instance_arn!r}; turn them on with "
            "CreateInstanceAccessControlAttributeConfiguration."
        )
    return row


@operation("sso-admin", "TagResource")
def tag_resource(context: Context, request: dict[str, Any]) -> None:
    """Add tags to a resource, or change the values of those it has."""
    _require_taggable(context, request, write=True)
    put_tags(context, request["ResourceArn"], request["Tags"])


@operation("sso-admin", "UntagResource")
def untag_resource(context: Context, request: dict[str, Any]) -> None:
    """Remove tags by their keys; a key that is not there is no error."""
    _require_taggable(context, request, write=True)
    for tag_key in request["TagKeys"]:
        context.delete("tag", resource_arn=request["ResourceArn"], tag_key=tag_key)


@operation("sso-admin", "ListTagsForResource")
def list_tags_for_resource(context: Context, request: dict[str, Any]) -> Listing:
    """List the tags of a resource."""
    _require_taggable(context, request, write=False)
    rows = context.find_all("tag", resource_arn=request["ResourceArn"])
    return Listing(
        rows, itemgetter("tag_key"), lambda row: {"Key": row["tag_key"], "Value": row["tag_value"]}
    )


def _require_taggable(context: Context, request: dict[str, Any], *, write: bool) -> None:
    resource_arn = request["ResourceArn"]
    instance_arn = f"arn:aws:sso:::instance/{resource_arn.rpartition(':')[2].split('/')[1]}"
    if request.get("InstanceArn", instance_arn) != instance_arn:
        raise validation_error(
            f"{resource_arn!r} does not belong to the instance {request['InstanceArn']!r}."
        )
    if ":permissionSet/" in resource_arn:
        named = {"InstanceArn": instance_arn, "PermissionSetArn": resource_arn}
        find_permission_set(context, named, for_change=write)
    elif ":application/" in resource_arn:
        find_application(context, {"ApplicationArn": resource_arn})
    elif ":trustedTokenIssuer/" in resource_arn:
        find_trusted_token_issuer(context, {"TrustedTokenIssuerArn": resource_arn})
    else:
        require_instance(context, resource_arn)
