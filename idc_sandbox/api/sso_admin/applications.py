"""Applications: what they are made of, themselves, and who is assigned to them."""

# What each rule comes from: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_CreateApplication.html
from __future__ import annotations

import json
import sqlite3
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from idc_sandbox.api.instance_rules import (
    identity_store_arn,
    is_administrator,
    require_instance,
    require_visible_instance,
)
from idc_sandbox.api.sso_admin.rules import (
    OF_PRINCIPAL,
    delete_tags,
    parameter_mismatch,
    principal_in,
    put_tags,
    request_hash,
    require_principal,
)
from idc_sandbox.context import Context
from idc_sandbox.errors import access_denied, conflict, not_found, quota_exceeded, validation_error
from idc_sandbox.wire.registry import Listing, operation

_PREFIX = "arn:aws:sso::aws:applicationProvider/"
CUSTOM = f"{_PREFIX}custom"


class _Provider(NamedTuple):
    """A provider; only a customer's applications can be created from it, or a service makes them itself."""

    arn: str
    protocol: str
    name: str
    description: str
    is_customers: bool = False
    scopes: tuple[str, ...] = ()


# AWS publishes no whole list. These were seen in public code; their names and words are ours (UNCONFIRMED).
_PROVIDERS = {
    one.arn: one
    for one in (
        _Provider(CUSTOM, "OAUTH", "Custom application", "An OAuth 2.0 application of your own", True),
        _Provider(
            f"{_PREFIX}custom-saml", "SAML", "Custom SAML 2.0 application", "A SAML 2.0 application", True
        ),
        _Provider(
            f"{_PREFIX}catalog/ExternalAWSAccount", "SAML", "External AWS account", "An account elsewhere"
        ),
        _Provider(
            f"{_PREFIX}redshift", "OAUTH", "Amazon Redshift", "Data warehouses", scopes=("redshift:connect",)
        ),
        _Provider(f"{_PREFIX}qbusiness", "OAUTH", "Amazon Q Business", "An assistant for work"),
        _Provider(f"{_PREFIX}sagemakerstudio", "OAUTH", "Amazon SageMaker Studio", "Notebooks and models"),
        _Provider(f"{_PREFIX}account-access", "OAUTH", "Account access manager", "Roles in accounts"),
        _Provider(f"{_PREFIX}eks-argocd", "OAUTH", "Argo CD on Amazon EKS", "Deployments to clusters"),
    )
}


def is_customer_managed(provider_arn: str) -> bool:
    """Tell whether applications of a provider are the customer's own, and not an AWS service's."""
    provider = _PROVIDERS.get(provider_arn)
    return provider is None or provider.is_customers or "/catalog/" in provider_arn


def require_creatable(provider_arn: str) -> None:
    """Refuse a provider of which no API makes applications."""
    if not _find_provider(provider_arn).is_customers:
        # AWS's words, as seen in public bug reports.
        raise validation_error(
            f"The application provider with arn '{provider_arn}' is not supported for this action. Use "
            f"{CUSTOM!r}: other applications are set up in the console or by their AWS service."
        )


def _find_provider(provider_arn: str) -> _Provider:
    provider = _PROVIDERS.get(provider_arn)
    if provider is None:
        raise not_found(
            f"No application provider {provider_arn!r} exists. ListApplicationProviders shows them."
        )
    return provider


def _shown_provider(provider: _Provider) -> dict[str, Any]:
    scopes = {scope: {"DetailedTitle": scope, "LongDescription": scope} for scope in provider.scopes}
    return {
        "ApplicationProviderArn": provider.arn,
        "FederationProtocol": provider.protocol,
        "DisplayData": {"DisplayName": provider.name, "Description": provider.description},
        "ResourceServerConfig": {"Scopes": scopes} if scopes else None,
    }


@operation("sso-admin", "ListApplicationProviders")
def list_application_providers(context: Context, request: dict[str, Any]) -> Listing:  # noqa: ARG001
    """List the providers."""
    return Listing(_PROVIDERS.values(), attrgetter("arn"), _shown_provider)


@operation("sso-admin", "DescribeApplicationProvider")
def describe_application_provider(context: Context, request: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001
    """Return one provider."""
    return _shown_provider(_find_provider(request["ApplicationProviderArn"]))


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


@operation("sso-admin", "CreateApplicationAssignment")
def create_application_assignment(context: Context, request: dict[str, Any]) -> None:
    """Let a user or a group use an application, at once; what is assigned already is a conflict."""
    application = find_application(context, request)
    require_principal(context, application["instance_arn"], request)
    if context.find("application_assignment", **_assignment_key(request)):
        raise conflict(
            f"{request['PrincipalType']} {request['PrincipalId']!r} is assigned to the application "
            f"{application['name']!r} already."
        )
    context.insert("application_assignment", **_assignment_key(request), created_at=context.now)


@operation("sso-admin", "DeleteApplicationAssignment")
def delete_application_assignment(context: Context, request: dict[str, Any]) -> None:
    """Take an assignment away, also of a deleted user or group; one that is not there is no error."""
    find_application(context, request)
    context.delete("application_assignment", **_assignment_key(request))


@operation("sso-admin", "DescribeApplicationAssignment")
def describe_application_assignment(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Return a direct assignment: what a user has through a group is not one."""
    application = find_application(context, request)
    row = context.find("application_assignment", **_assignment_key(request))
    if row is None:
        raise not_found(
            f"{request['PrincipalType']} {request['PrincipalId']!r} is not assigned to the application "
            f"{application['name']!r} directly. ListApplicationAssignmentsForPrincipal shows groups too."
        )
    return _shown_assignment(row)


@operation("sso-admin", "ListApplicationAssignments")
def list_application_assignments(context: Context, request: dict[str, Any]) -> Listing:
    """List the users and groups that are assigned to an application."""
    application = find_application(context, request)
    rows = context.find_all("application_assignment", application_arn=application["application_arn"])
    return Listing(rows, _assignment_order, _shown_assignment)


@operation("sso-admin", "ListApplicationAssignmentsForPrincipal")
def list_application_assignments_for_principal(context: Context, request: dict[str, Any]) -> Listing:
    """List what a user or group is assigned to: for a user, also what their groups are, under their names."""
    instance = require_visible_instance(context, request["InstanceArn"])
    wanted = (request.get("Filter") or {}).get("ApplicationArn")
    if not is_administrator(context, instance):
        if wanted is None:
            raise access_denied(
                f"Account {context.caller.account_id!r} does not administer the instance "
                f"{request['InstanceArn']!r}: filter by the ApplicationArn of an application of your own."
            )
        find_application(context, {"ApplicationArn": wanted})
    require_principal(context, request["InstanceArn"], request)
    rows = context.rows(
        f"SELECT application_assignment.* FROM application_assignment JOIN application"  # noqa: S608  ours
        f" USING (application_arn) WHERE {OF_PRINCIPAL}",
        **principal_in(request),
    )
    found = [row for row in rows if wanted in (None, row["application_arn"])]
    return Listing(found, _assignment_order, _shown_assignment)


@operation("sso-admin", "PutApplicationAssignmentConfiguration")
def put_application_assignment_configuration(context: Context, request: dict[str, Any]) -> None:
    """Say whether only who is assigned may use an application, or everybody; assignments stay."""
    application = find_application(context, request)
    context.update("application", application, assignment_required=int(request["AssignmentRequired"]))


@operation("sso-admin", "GetApplicationAssignmentConfiguration")
def get_application_assignment_configuration(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Tell whether only who is assigned may use an application."""
    return {"AssignmentRequired": bool(find_application(context, request)["assignment_required"])}


def applications_of_user(context: Context, user_id: str) -> list[sqlite3.Row]:
    """Return the enabled applications that a user may use: assigned, through a group, or open to all."""
    return context.rows(_OF_USER, user=user_id)


def may_use_application(context: Context, user_id: str, application_arn: str) -> bool:
    """Tell whether a user may use an application."""
    return application_arn in {row["application_arn"] for row in applications_of_user(context, user_id)}


_OF_USER = """
SELECT * FROM application
WHERE status = 'ENABLED'
    AND instance_arn = (
        SELECT instance_arn FROM instance JOIN identity_user USING (identity_store_id) WHERE user_id = :user)
    AND (NOT assignment_required OR application_arn IN (
        SELECT application_arn FROM application_assignment
        WHERE (principal_type = 'USER' AND principal_id = :user)
            OR (principal_type = 'GROUP' AND principal_id IN (
                SELECT group_id FROM group_membership WHERE user_id = :user))))
"""


def _assignment_key(request: dict[str, Any]) -> dict[str, str]:
    return {
        "application_arn": request["ApplicationArn"],
        "principal_type": request["PrincipalType"],
        "principal_id": request["PrincipalId"],
    }


def _assignment_order(row: sqlite3.Row) -> str:
    return f"{row['application_arn']} {row['principal_type']} {row['principal_id']}"


def _shown_assignment(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "ApplicationArn": row["application_arn"],
        "PrincipalType": row["principal_type"],
        "PrincipalId": row["principal_id"],
    }
