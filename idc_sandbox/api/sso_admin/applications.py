"""Applications themselves: created, described, changed, deleted, listed."""

# What each rule comes from: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_CreateApplication.html
from __future__ import annotations

import json
import sqlite3
from operator import itemgetter
from typing import Any

from idc_sandbox.api.instance_rules import (
    identity_store_arn,
    is_administrator,
    require_instance,
    require_visible_instance,
)
from idc_sandbox.api.sso_admin.application_providers import require_creatable
from idc_sandbox.api.sso_admin.rules import delete_tags, parameter_mismatch, put_tags, request_hash
from idc_sandbox.context import Context
from idc_sandbox.errors import access_denied, not_found, quota_exceeded, validation_error
from idc_sandbox.wire.registry import Listing, operation

MAXIMUM_APPLICATIONS = 3000
_MOST_ON_A_PAGE = 50


def find_application(context: Context, request: dict[str, Any]) -> sqlite3.Row:
    """Return the application that a request names, for its own account or an administrator."""
    application_arn = request["ApplicationArn"]
    row = context.find("application", application_arn=application_arn)
    if row is None:
        raise not_found(
            f"No application {application_arn!r} exists. ListApplications shows those of an instance."
        )
    if row["account_id"] != context.caller.account_id:
        require_instance(context, row["instance_arn"])
    else:
        require_visible_instance(context, row["instance_arn"])
    return row


def find_enabled_application(context: Context, application_arn: str) -> sqlite3.Row | None:
    """Return an application that people may use, or None."""
    return context.find("application", application_arn=application_arn, status="ENABLED")


def created_before(
    context: Context, table: str, request: dict[str, Any], instance_arn: str
) -> sqlite3.Row | None:
    """Return what the same request with the same ``ClientToken`` has created already, or None."""
    token = request.get("ClientToken")
    row = context.find(table, instance_arn=instance_arn, client_token=token) if token else None
    if row is not None and row["request_hash"] != request_hash(request):
        raise parameter_mismatch(request["ClientToken"])
    return row


@operation("sso-admin", "CreateApplication")
def create_application(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Create an application; repeating a request with its ``ClientToken`` gives the same one."""
    instance = require_visible_instance(context, request["InstanceArn"])
    instance_arn = instance["instance_arn"]
    require_creatable(request["ApplicationProviderArn"])
    portal_options = request.get("PortalOptions") or {}
    _require_sign_in_options(portal_options.get("SignInOptions"))
    existing = created_before(context, "application", request, instance_arn)
    if existing is None:
        application_arn = insert_application(
            context,
            instance,
            provider_arn=request["ApplicationProviderArn"],
            name=request["Name"],
            description=request.get("Description"),
            status=request.get("Status") or "ENABLED",
            portal_options_json=json.dumps({"Visibility": "ENABLED"} | portal_options),
            client_token=request.get("ClientToken"),
            request_hash=request_hash(request),
        )
        put_tags(context, application_arn, request.get("Tags") or [])
    return {
        "ApplicationArn": existing["application_arn"] if existing else application_arn,
        "InstanceArn": instance_arn,
        "IdentityStoreArn": identity_store_arn(instance),
    }


def insert_application(
    context: Context, instance: sqlite3.Row, *, provider_arn: str, name: str, **columns: Any
) -> str:
    """Add an application of the caller's account to an instance, and return its ARN. Writes."""
    instance_arn = instance["instance_arn"]
    count = context.value("SELECT count(*) FROM application WHERE instance_arn = ?", instance_arn)
    if count >= MAXIMUM_APPLICATIONS:
        raise quota_exceeded(
            f"The instance {instance_arn!r} has its {MAXIMUM_APPLICATIONS} applications already."
        )
    account_id, instance_id = context.caller.account_id, instance_arn.rpartition("/")[2]
    number = context.ids.digest("application")[:16]
    application_arn = f"arn:aws:sso::{account_id}:application/{instance_id}/apl-{number}"
    context.insert(
        "application",
        application_arn=application_arn,
        instance_arn=instance_arn,
        account_id=account_id,
        provider_arn=provider_arn,
        name=name,
        **({"status": "ENABLED", "portal_options_json": '{"Visibility": "ENABLED"}'} | columns),
        created_at=context.now,
        created_from=context.region,
    )
    return application_arn


def delete_application_row(context: Context, application_arn: str) -> None:
    """Delete an application with its assignments, grants, scopes, tags and tokens. Writes."""
    delete_tags(context, application_arn)
    context.delete("oidc_token", client_id=application_arn)
    context.delete("authorization_code", client_id=application_arn)
    context.delete("application", application_arn=application_arn)


def _require_sign_in_options(options: dict[str, Any] | None) -> None:
    if options and options["Origin"] == "APPLICATION" and not options.get("ApplicationUrl"):
        raise validation_error(
            "ApplicationUrl is missing: SignInOptions with the Origin 'APPLICATION' need the URL to which "
            "the access portal leads."
        )


@operation("sso-admin", "DescribeApplication")
def describe_application(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Return an application without its assignments, grants and scopes, which have their own operations."""
    return _shown(context, find_application(context, request))


@operation("sso-admin", "UpdateApplication")
def update_application(context: Context, request: dict[str, Any]) -> None:
    """Change name, description, status or the sign-in options; visibility cannot be changed."""
    row = find_application(context, request)
    options = (request.get("PortalOptions") or {}).get("SignInOptions")
    _require_sign_in_options(options)
    kept = json.loads(row["portal_options_json"])
    context.update(
        "application",
        row,
        name=request.get("Name") or row["name"],
        description=request.get("Description") or row["description"],
        status=request.get("Status") or row["status"],
        portal_options_json=json.dumps(kept | ({"SignInOptions": options} if options else {})),
    )


@operation("sso-admin", "DeleteApplication")
def delete_application(context: Context, request: dict[str, Any]) -> None:
    """Delete an application and everything that was configured for it; its tokens are void at once."""
    delete_application_row(context, find_application(context, request)["application_arn"])


@operation("sso-admin", "ListApplications")
def list_applications(context: Context, request: dict[str, Any]) -> Listing:
    """List the applications of an instance; a member account must ask for its own."""
    instance = require_visible_instance(context, request["InstanceArn"], missing=access_denied)
    wanted = request.get("Filter") or {}
    account_id = wanted.get("ApplicationAccount")
    if account_id != context.caller.account_id and not is_administrator(context, instance):
        raise access_denied(
            f"Account {context.caller.account_id!r} does not administer the instance "
            f"{instance['instance_arn']!r}: it may list its own applications alone. Filter by "
            f"ApplicationAccount {context.caller.account_id!r}."
        )
    key = {"account_id": account_id, "provider_arn": wanted.get("ApplicationProvider")}
    given = {column: value for column, value in key.items() if value}
    rows = context.find_all("application", instance_arn=instance["instance_arn"], **given)
    return Listing(
        rows, itemgetter("application_arn"), lambda row: _shown(context, row, instance), _MOST_ON_A_PAGE
    )


def _shown(context: Context, row: sqlite3.Row, instance: sqlite3.Row | None = None) -> dict[str, Any]:
    (found,) = [instance] if instance else context.find_all("instance", instance_arn=row["instance_arn"])
    return {
        "ApplicationArn": row["application_arn"],
        "ApplicationProviderArn": row["provider_arn"],
        "Name": row["name"],
        "ApplicationAccount": row["account_id"],
        "InstanceArn": row["instance_arn"],
        "IdentityStoreArn": identity_store_arn(found),
        "Status": row["status"],
        "PortalOptions": json.loads(row["portal_options_json"]),
        "Description": row["description"],
        "CreatedDate": row["created_at"],
        "CreatedFrom": row["created_from"],
    }
