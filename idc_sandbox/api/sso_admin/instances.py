"""Instances: the organization's, which the console enables, and those of single accounts."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from idc_sandbox.api.instance_rules import require_instance_or_deny, visible_instances
from idc_sandbox.api.pagination import paginate
from idc_sandbox.api.registry import operation
from idc_sandbox.api.sso_admin.regions import region_metadata
from idc_sandbox.api.sso_admin.reserved_roles import delete_roles_of_instance
from idc_sandbox.api.sso_admin.tags import delete_tags_of_instance, put_tags
from idc_sandbox.context import Context
from idc_sandbox.errors import access_denied, conflict, validation_error

MAXIMUM_INSTANCES_ON_A_PAGE = 10


def enable_organization_instance(
    context: Context, *, region: str | None = None, name: str | None = None
) -> str:
    """Enable the organization's instance, as only the console's *Enable* button can; writes.

    The instance is ``ACTIVE`` at once, because the console returns when it is done, has permission sets
    enabled, and Organizations trusts the service from then on.

    Parameters
    ----------
    region
        Home Region; by default the Region of the request.
    name
        The instance's name; none by default.

    Returns
    -------
    str
        The instance's ARN.

    Raises
    ------
    ServiceError
        ``AccessDeniedException`` outside of the management account, ``ConflictException`` when there is one
        already.
        Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/enable-identity-center.html
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
