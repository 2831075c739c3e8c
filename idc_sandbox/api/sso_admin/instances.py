"""Instances: made, updated, their Regions, applications, and attributes for access control."""

from __future__ import annotations

import json
import re
import sqlite3
from typing import Any

from idc_sandbox.api.identity_store.profiles import ENTERPRISE
from idc_sandbox.api.instance_rules import require_instance, require_instance_or_deny, visible_instances
from idc_sandbox.api.sso_admin.permission_sets import delete_tags_of_instance, put_tags
from idc_sandbox.api.sso_admin.provisioning import delete_roles_of_instance
from idc_sandbox.context import Context
from idc_sandbox.errors import access_denied, conflict, not_found, validation_error
from idc_sandbox.wire.registry import operation, paginate

# Changing an instance: its name, and one of encryption, permission sets and network at a time.

ONE_AT_A_TIME = ("EncryptionConfiguration", "PermissionSetsEnabled", "NetworkConfiguration")
NETWORK_LISTS = ("RestrictSourceVpcs", "AllowSourceIps", "ExcludeApplicationArns")


@operation("sso-admin", "UpdateInstance")
def update_instance(context: Context, request: dict[str, Any]) -> None:
    """Change the name and at most one of encryption, permission sets and network.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_UpdateInstance.html
    """
    row = require_instance(context, request["InstanceArn"])
    given = [name for name in ONE_AT_A_TIME if request.get(name) is not None]
    if len(given) > 1:
        raise validation_error(
            f"A request may set one of {', '.join(ONE_AT_A_TIME)}; found {', '.join(given)}. Call "
            "once for each."
        )
    if request.get("Name") is not None:
        _set(context, row, "name", request["Name"])
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
    _set(context, row, "permission_sets_enabled", 1)


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
    required = configuration["VpceAccessRequired"]
    # A network configuration replaces the stored one whole, and without the requirement the lists mean
    # nothing.
    lists = {name: configuration.get(name) or [] if required else [] for name in NETWORK_LISTS}
    return {"VpceAccessRequired": required, **lists}


def _put_setting(context: Context, row: sqlite3.Row, name: str, value: dict[str, Any]) -> None:
    _set(context, row, "settings_json", json.dumps(json.loads(row["settings_json"]) | {name: value}))


def _set(context: Context, row: sqlite3.Row, column: str, value: Any) -> None:
    context.connection.execute(
        f"UPDATE instance SET {column} = ? WHERE instance_arn = ?",  # noqa: S608  the column's name is ours
        (value, row["instance_arn"]),
    )


# The Regions of an instance: in the sandbox its home Region alone.


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


MAXIMUM_INSTANCES_ON_A_PAGE = 10


def enable_organization_instance(
    context: Context, *, region: str | None = None, name: str | None = None
) -> str:
    """Enable the organization's instance, as only the console's *Enable* button can; writes.

    The instance is ``ACTIVE`` at once, because the console returns when it is done, has permission sets
    enabled, and Organizations trusts the service from then on.
    """
    management_account_id = context.double.management_account_id
    if context.caller.account_id != management_account_id:
        raise access_denied(
            f"Account {context.caller.account_id!r} cannot enable the organization's instance: "
            f"only the management account {management_account_id!r} can."
        )
    instance_arn = _insert_instance(
        context, kind="ORGANIZATION", region=region or context.region, name=name, status="ACTIVE", settings={}
    )
    context.double.enable_trusted_access("sso.amazonaws.com")
    return instance_arn


@operation("sso-admin", "CreateInstance")
def create_instance(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Create an account instance; repeating a request with its ``ClientToken`` gives the same instance.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_CreateInstance.html
    (which code AWS gives in the management account is UNCONFIRMED).
    """
    if context.caller.account_id == context.double.management_account_id:
        raise validation_error(
            f"Account {context.caller.account_id!r} is the organization's management account: it "
            "cannot have an account "
            "instance. Enable the organization instance in the console instead."
        )
    token = request.get("ClientToken")
    existing = _instance_of_account(context, context.caller.account_id)
    if existing is not None and token and json.loads(existing["settings_json"]).get("client_token") == token:
        return {"InstanceArn": existing["instance_arn"]}
    settings = {"client_token": token} if token else {}
    instance_arn = _insert_instance(
        context,
        kind="ACCOUNT",
        region=context.region,
        name=request.get("Name"),
        status="CREATE_IN_PROGRESS",
        settings=settings,
    )
    put_tags(context, instance_arn, request.get("Tags", []))
    return {"InstanceArn": instance_arn}


@operation("sso-admin", "DescribeInstance")
def describe_instance(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Return an instance with its encryption, network and permission-set configuration.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_DescribeInstance.html
    """
    row = require_instance_or_deny(context, request["InstanceArn"], while_creating=True)
    settings = json.loads(row["settings_json"])
    return instance_metadata(row) | {
        "EncryptionConfigurationDetails": settings.get("encryption", {"KeyType": "AWS_OWNED_KMS_KEY"})
        | {"EncryptionStatus": "ENABLED"},
        "NetworkConfigurationDetails": settings.get("network"),
        "PermissionSetsEnabled": bool(row["permission_sets_enabled"]),
    }


@operation("sso-admin", "DeleteInstance")
def delete_instance(context: Context, request: dict[str, Any]) -> None:
    """Delete an instance, all that is in it, and the roles that it made in accounts; only its owner may.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_DeleteInstance.html
    """
    row = require_instance_or_deny(context, request["InstanceArn"], while_creating=True)
    instance_arn = row["instance_arn"]
    if row["owner_account_id"] != context.caller.account_id:
        raise access_denied(
            f"Account {context.caller.account_id!r} cannot delete the instance {instance_arn!r}: only "
            "its owner "
            f"{row['owner_account_id']!r} can."
        )
    delete_roles_of_instance(context, instance_arn)
    delete_tags_of_instance(context, instance_arn)
    connection = context.connection
    connection.execute("DELETE FROM account_assignment WHERE instance_arn = ?", (instance_arn,))
    connection.execute("DELETE FROM instance WHERE instance_arn = ?", (instance_arn,))
    connection.execute("INSERT INTO deleted_instance VALUES (?, ?)", (instance_arn, context.now))


@operation("sso-admin", "ListInstances")
def list_instances(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """List the instances that the caller's account sees, in this Region or in all; at most ten on a page.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_ListInstances.html
    """
    rows = visible_instances(context)
    if request.get("RegionScope") != "ALL_REGIONS":
        rows = [row for row in rows if row["region"] == context.region]
    page, token = paginate(
        rows,
        operation_name="ListInstances",
        key=lambda row: row["instance_arn"],
        request=request,
        maximum=MAXIMUM_INSTANCES_ON_A_PAGE,
    )
    return {"Instances": [instance_metadata(row) for row in page], "NextToken": token}


def instance_metadata(row: sqlite3.Row) -> dict[str, Any]:
    """Return what ListInstances and DescribeInstance have in common."""
    owner_account_id, identity_store_id = row["owner_account_id"], row["identity_store_id"]
    return {
        "InstanceArn": row["instance_arn"],
        "IdentityStoreId": identity_store_id,
        "IdentityStoreArn": f"arn:aws:identitystore::{owner_account_id}:identitystore/{identity_store_id}",
        "OwnerAccountId": owner_account_id,
        "Name": row["name"],
        "CreatedDate": row["created_at"],
        "Status": row["status"],
        "PrimaryRegion": row["region"],
        "Regions": [region_metadata(row)],
    }


def _instance_of_account(context: Context, account_id: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = context.connection.execute(
        "SELECT * FROM instance WHERE owner_account_id = ?", (account_id,)
    ).fetchone()
    return row


def _insert_instance(
    context: Context, *, kind: str, region: str, name: str | None, status: str, settings: dict[str, Any]
) -> str:
    account_id = context.caller.account_id
    existing = _instance_of_account(context, account_id)
    if existing is not None:
        raise conflict(
            f"Account {account_id!r} has the instance {existing['instance_arn']!r} in Region "
            f"{existing['region']!r} already: "
            "an account has one, whatever the Region."
        )
    instance_arn = context.ids.instance_arn(region)
    context.connection.execute(
        "INSERT INTO instance (instance_arn, identity_store_id, owner_account_id, kind, region, name, status,"
        " permission_sets_enabled, created_at, settings_json) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            instance_arn,
            context.ids.identity_store_id(),
            account_id,
            kind,
            region,
            name,
            status,
            int(kind == "ORGANIZATION"),
            context.now,
            json.dumps(settings),
        ),
    )
    return instance_arn


# Applications, their providers and trusted token issuers: the sandbox has none, and says so.


@operation("sso-admin", "ListApplications")
def list_applications(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """List the applications of an instance: none; a member account may ask for its own.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_ListApplications.html
    """
    asks_for_own = request.get("Filter", {}).get("ApplicationAccount") == context.caller.account_id
    visible = {row["instance_arn"] for row in visible_instances(context) if row["region"] == context.region}
    if not (asks_for_own and request["InstanceArn"] in visible):
        require_instance_or_deny(context, request["InstanceArn"])
    return {"Applications": []}


@operation("sso-admin", "ListApplicationProviders")
def list_application_providers(context: Context, request: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001
    """List the application providers: none, because the sandbox connects no applications.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_ListApplicationProviders.html
    """
    return {"ApplicationProviders": []}


@operation("sso-admin", "ListTrustedTokenIssuers")
def list_trusted_token_issuers(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """List the trusted token issuers of an instance: none.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_ListTrustedTokenIssuers.html
    """
    require_instance_or_deny(context, request["InstanceArn"])
    return {"TrustedTokenIssuers": []}


# Attributes for access control (ABAC): which attributes of a user become session tags in accounts.

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
