"""What an application may ask for and how: scopes, grants, who may call as it; trusted token issuers."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from operator import itemgetter
from typing import Any
from urllib.parse import urlsplit

from idc_sandbox.api.instance_rules import is_administrator, require_instance
from idc_sandbox.api.sso_admin.applications import created_before, find_application
from idc_sandbox.api.sso_admin.rules import delete_tags, put_tags, request_hash
from idc_sandbox.context import Context
from idc_sandbox.errors import (
    ServiceError,
    access_denied,
    conflict,
    not_found,
    quota_exceeded,
    validation_error,
)
from idc_sandbox.wire.policies import as_list, policy_problem
from idc_sandbox.wire.registry import Listing, operation

_LEADING_TO_KEYS = ("sso:account:access", "account_access:read_only", "account_access:assume")
AUTHORIZATION_CODE = "authorization_code"
REFRESH_TOKEN = "refresh_token"  # noqa: S105  the name of a grant
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105
_MEMBER_OF_GRANT = {
    AUTHORIZATION_CODE: "AuthorizationCode",
    REFRESH_TOKEN: "RefreshToken",
    JWT_BEARER: "JwtBearer",
    TOKEN_EXCHANGE: "TokenExchange",
}
_DEFAULT_SCOPES = ("openid", "aws", "sts:identity_context")
_MOST_SCOPES_ON_A_PAGE = 10


@operation("sso-admin", "PutApplicationAccessScope")
def put_application_access_scope(context: Context, request: dict[str, Any]) -> None:
    """Let an application ask for a scope, or replace the targets for which it may."""
    application = find_application(context, request)
    if request["Scope"] in _LEADING_TO_KEYS:
        _require_may_give_account_access(context, application, request["Scope"])
    targets = request.get("AuthorizedTargets")
    targets_json = json.dumps(targets) if targets else None
    context.replace("application_access_scope", **_scope_key(request), authorized_targets_json=targets_json)


def _require_may_give_account_access(context: Context, application: sqlite3.Row, scope: str) -> None:
    # https://docs.aws.amazon.com/singlesignon/latest/userguide/enable-account-access-customer-managed-apps.html
    # That those of account access manager are given as carefully is UNCONFIRMED.
    (instance,) = context.find_all("instance", instance_arn=application["instance_arn"])
    if instance["kind"] != "ORGANIZATION":
        raise validation_error(f"The scope {scope!r} is not supported for account instances.")
    if not is_administrator(context, instance):
        raise access_denied(
            f"Account {context.caller.account_id!r} may not give the scope {scope!r}: only the "
            "management account and the delegated administrator may. Ask them for it."
        )


@operation("sso-admin", "GetApplicationAccessScope")
def get_application_access_scope(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Return the targets for which an application may ask for a scope."""
    application = find_application(context, request)
    row = context.find("application_access_scope", **_scope_key(request))
    if row is None:
        raise _missing(application, f"access scope {request['Scope']!r}", "PutApplicationAccessScope")
    return _shown_scope(row)


@operation("sso-admin", "DeleteApplicationAccessScope")
def delete_application_access_scope(context: Context, request: dict[str, Any]) -> None:
    """Take a scope from an application; one that it does not have is no error."""
    find_application(context, request)
    context.delete("application_access_scope", **_scope_key(request))


@operation("sso-admin", "ListApplicationAccessScopes")
def list_application_access_scopes(context: Context, request: dict[str, Any]) -> Listing:
    """List the scopes of an application, at most ten on a page."""
    application = find_application(context, request)
    rows = context.find_all("application_access_scope", application_arn=application["application_arn"])
    return Listing(rows, itemgetter("scope"), _shown_scope, _MOST_SCOPES_ON_A_PAGE)


def scopes_of_application(context: Context, application_arn: str) -> list[str]:
    """Return all scopes that an application may ask for, those that each has among them."""
    rows = context.find_all("application_access_scope", application_arn=application_arn)
    return [*_DEFAULT_SCOPES, *sorted(row["scope"] for row in rows if row["scope"] not in _DEFAULT_SCOPES)]


def _scope_key(request: dict[str, Any]) -> dict[str, str]:
    return {"application_arn": request["ApplicationArn"], "scope": request["Scope"]}


def _shown_scope(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "Scope": row["scope"],
        "AuthorizedTargets": json.loads(row["authorized_targets_json"] or "null"),
    }


@operation("sso-admin", "PutApplicationGrant")
def put_application_grant(context: Context, request: dict[str, Any]) -> None:
    """Let an application get tokens by a grant, or replace how."""
    application = find_application(context, request)
    grant_type, grant = request["GrantType"], request["Grant"]
    wanted = _MEMBER_OF_GRANT[grant_type]
    if wanted not in grant:
        raise validation_error(
            f"The GrantType {grant_type!r} needs the Grant {wanted}, found {', '.join(grant) or 'none'}."
        )
    if grant_type == AUTHORIZATION_CODE:
        _require_redirect_uris(grant[wanted].get("RedirectUris"))
    if grant_type == JWT_BEARER:
        _require_token_issuers(context, application, grant[wanted].get("AuthorizedTokenIssuers"))
    context.replace(
        "application_grant",
        application_arn=application["application_arn"],
        grant_type=grant_type,
        grant_json=json.dumps({wanted: grant[wanted]}),
    )


def _require_redirect_uris(uris: list[str] | None) -> None:
    if not uris:
        raise validation_error("The Grant AuthorizationCode needs RedirectUris, found none.")
    for uri in uris:
        try:
            parts = urlsplit(uri)
            is_fit = parts.scheme in ("http", "https") and bool(parts.hostname) and "#" not in uri
        except ValueError:
            is_fit = False
        # A browser is sent there: nothing that HTTP or a page could take for more than an address.
        if not is_fit or not uri.isascii() or not uri.isprintable() or set(uri) & set(" ,;\"'<>\\"):
            raise validation_error(
                f"The redirect URI {uri[:200]!r} must be an http or https URL without a fragment, such as "
                "'https://app.example.com/callback'."
            )


def _require_token_issuers(
    context: Context, application: sqlite3.Row, issuers: list[dict[str, Any]] | None
) -> None:
    if not issuers:
        raise validation_error("The Grant JwtBearer needs AuthorizedTokenIssuers, found none.")
    for issuer in issuers:
        arn = issuer.get("TrustedTokenIssuerArn")
        if not arn or not issuer.get("AuthorizedAudiences"):
            raise validation_error(
                "Each of AuthorizedTokenIssuers needs TrustedTokenIssuerArn and AuthorizedAudiences, found "
                f"{', '.join(issuer) or 'neither'}."
            )
        key = {"trusted_token_issuer_arn": arn, "instance_arn": application["instance_arn"]}
        if context.find("trusted_token_issuer", **key) is None:
            raise not_found(
                f"The instance has no trusted token issuer {arn!r}. ListTrustedTokenIssuers shows them."
            )


@operation("sso-admin", "GetApplicationGrant")
def get_application_grant(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Return a grant of an application."""
    application = find_application(context, request)
    grant = find_grant(context, application["application_arn"], request["GrantType"])
    if grant is None:
        raise _missing(application, f"grant {request['GrantType']!r}", "PutApplicationGrant")
    return {"Grant": grant}


@operation("sso-admin", "DeleteApplicationGrant")
def delete_application_grant(context: Context, request: dict[str, Any]) -> None:
    """Take a grant from an application; one that it does not have is no error."""
    find_application(context, request)
    key = {"application_arn": request["ApplicationArn"], "grant_type": request["GrantType"]}
    context.delete("application_grant", **key)


@operation("sso-admin", "ListApplicationGrants")
def list_application_grants(context: Context, request: dict[str, Any]) -> Listing:
    """List the grants of an application."""
    application = find_application(context, request)
    rows = context.find_all("application_grant", application_arn=application["application_arn"])
    return Listing(
        rows,
        itemgetter("grant_type"),
        lambda row: {"GrantType": row["grant_type"], "Grant": json.loads(row["grant_json"])},
    )


def find_grant(context: Context, application_arn: str, grant_type: str) -> dict[str, Any] | None:
    """Return a grant of an application as it was put, or None."""
    row = context.find("application_grant", application_arn=application_arn, grant_type=grant_type)
    grant: dict[str, Any] | None = None if row is None else json.loads(row["grant_json"])
    return grant


# https://docs.aws.amazon.com/singlesignon/latest/userguide/iam-auth-access-using-resource-based-policies.html
_ACTOR_ACTIONS = (
    "sso-oauth:CreateTokenWithIAM",
    "sso-oauth:IntrospectTokenWithIAM",
    "sso-oauth:RevokeTokenWithIAM",
)
_KEYS_OF_ACTOR = {"Effect", "Principal", "Action", "Resource"}


@operation("sso-admin", "PutApplicationAuthenticationMethod")
def put_application_authentication_method(context: Context, request: dict[str, Any]) -> None:
    """Say by a policy who may get tokens as the application; it replaces the one before."""
    application = find_application(context, request)
    policy = (request["AuthenticationMethod"].get("Iam") or {}).get("ActorPolicy")
    if problem := next(_actor_policy_problems(policy), None):
        raise validation_error(f"The ActorPolicy is not valid: {problem}.")
    context.update("application", application, actor_policy_json=json.dumps(policy))


def _actor_policy_problems(policy: Any) -> Iterator[str]:
    if not isinstance(policy, dict):
        yield f"it must be a JSON object, found {type(policy).__name__}"
        return
    if policy.get("Version") != "2012-10-17":
        yield f"Version must be '2012-10-17', found {policy.get('Version')!r}"
    statements = as_list(policy.get("Statement") or [])
    if not statements or not all(isinstance(one, dict) for one in statements):
        yield "it must have a Statement, an object or a list of objects"
        return
    for number, statement in enumerate(statements, start=1):
        yield from (f"statement {number} {problem}" for problem in _actor_problems(statement))
    # The rest is the grammar of every policy, which knows no principals.
    rest = [{key: one[key] for key in one if key != "Principal"} for one in statements]
    if problem := policy_problem(policy | {"Statement": rest}):
        yield problem


def _actor_problems(statement: dict[str, Any]) -> Iterator[str]:
    missing = sorted(_KEYS_OF_ACTOR - set(statement))
    if missing:
        yield f"must have {missing[0]}"
        return
    if not _is_principal(statement["Principal"]):
        yield f"must name roles or services as Principal, found {statement['Principal']!r}"
    if as_list(statement["Resource"]) != ["*"]:
        yield f"must have the Resource '*', found {statement['Resource']!r}"
    if not all(action in _ACTOR_ACTIONS for action in as_list(statement["Action"])):
        yield f"may have the actions {', '.join(_ACTOR_ACTIONS)}, found {statement['Action']!r}"


def _is_principal(principal: Any) -> bool:
    if not isinstance(principal, dict) or not principal or set(principal) - {"AWS", "Service"}:
        return principal == "*"
    return all(isinstance(one, str) and one for named in principal.values() for one in as_list(named))


@operation("sso-admin", "GetApplicationAuthenticationMethod")
def get_application_authentication_method(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Return the policy of who may get tokens as the application."""
    application = find_application(context, request)
    if application["actor_policy_json"] is None:
        what = f"authentication method {request['AuthenticationMethodType']!r}"
        raise _missing(application, what, "PutApplicationAuthenticationMethod")
    return {"AuthenticationMethod": _method(application)}


@operation("sso-admin", "DeleteApplicationAuthenticationMethod")
def delete_application_authentication_method(context: Context, request: dict[str, Any]) -> None:
    """Let nobody get tokens as the application; without a method there is no error."""
    context.update("application", find_application(context, request), actor_policy_json=None)


@operation("sso-admin", "ListApplicationAuthenticationMethods")
def list_application_authentication_methods(context: Context, request: dict[str, Any]) -> Listing:
    """List the authentication methods of an application: one or none."""
    application = find_application(context, request)
    found = [] if application["actor_policy_json"] is None else [_method(application)]
    return Listing(
        found,
        lambda _one: "IAM",
        lambda one: {"AuthenticationMethodType": "IAM", "AuthenticationMethod": one},
    )


def _method(application: sqlite3.Row) -> dict[str, Any]:
    return {"Iam": {"ActorPolicy": json.loads(application["actor_policy_json"])}}


@operation("sso-admin", "PutApplicationSessionConfiguration")
def put_application_session_configuration(context: Context, request: dict[str, Any]) -> None:
    """Allow or forbid background sessions of an application's users; without a status nothing changes."""
    application = find_application(context, request)
    status = request.get("UserBackgroundSessionApplicationStatus") or application["background_sessions"]
    context.update("application", application, background_sessions=status)


@operation("sso-admin", "GetApplicationSessionConfiguration")
def get_application_session_configuration(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Tell whether an application's users may have background sessions."""
    status = find_application(context, request)["background_sessions"]
    return {"UserBackgroundSessionApplicationStatus": status}


def _missing(application: sqlite3.Row, what: str, operation_name: str) -> ServiceError:
    return not_found(f"The application {application['name']!r} has no {what}. {operation_name} sets one.")


# Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/using-apps-with-trusted-token-issuer.html
MAXIMUM_ISSUERS = 10


def find_trusted_token_issuer(context: Context, request: dict[str, Any]) -> sqlite3.Row:
    """Return the issuer that a request names."""
    arn = request["TrustedTokenIssuerArn"]
    row = context.find("trusted_token_issuer", trusted_token_issuer_arn=arn)
    if row is None:
        raise not_found(f"No trusted token issuer {arn!r} exists. ListTrustedTokenIssuers shows them.")
    require_instance(context, row["instance_arn"])
    return row


@operation("sso-admin", "CreateTrustedTokenIssuer")
def create_trusted_token_issuer(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Trust an issuer; repeating a request with its ``ClientToken`` gives the same one."""
    instance_arn = request["InstanceArn"]
    instance = require_instance(context, instance_arn, missing=access_denied)
    existing = created_before(context, "trusted_token_issuer", request, instance_arn)
    if existing is not None:
        return {"TrustedTokenIssuerArn": existing["trusted_token_issuer_arn"]}
    wanted = request["TrustedTokenIssuerConfiguration"]["OidcJwtConfiguration"]
    issuers = context.find_all("trusted_token_issuer", instance_arn=instance_arn)
    _require_new(issuers, name=request["Name"], issuer_url=wanted["IssuerUrl"])
    if len(issuers) >= MAXIMUM_ISSUERS:
        raise quota_exceeded(
            f"The instance {instance_arn!r} has its {MAXIMUM_ISSUERS} trusted token issuers already."
        )
    owner, instance_id = instance["owner_account_id"], instance_arn.rpartition("/")[2]
    number = context.ids.uuid("trusted_token_issuer")
    arn = f"arn:aws:sso::{owner}:trustedTokenIssuer/{instance_id}/tti-{number}"
    context.insert(
        "trusted_token_issuer",
        trusted_token_issuer_arn=arn,
        instance_arn=instance_arn,
        name=request["Name"],
        issuer_url=wanted["IssuerUrl"],
        claim_attribute_path=wanted["ClaimAttributePath"],
        identity_store_attribute_path=wanted["IdentityStoreAttributePath"],
        client_token=request.get("ClientToken"),
        request_hash=request_hash(request),
        created_at=context.now,
    )
    put_tags(context, arn, request.get("Tags") or [])
    return {"TrustedTokenIssuerArn": arn}


def _require_new(issuers: list[sqlite3.Row], **wanted: str) -> None:
    for column, value in wanted.items():
        if any(row[column] == value for row in issuers):
            what = column.replace("_", " ")
            raise conflict(f"The instance has a trusted token issuer with the {what} {value!r} already.")


@operation("sso-admin", "DescribeTrustedTokenIssuer")
def describe_trusted_token_issuer(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Return an issuer and how its tokens lead to users."""
    row = find_trusted_token_issuer(context, request)
    configuration = {
        "IssuerUrl": row["issuer_url"],
        "ClaimAttributePath": row["claim_attribute_path"],
        "IdentityStoreAttributePath": row["identity_store_attribute_path"],
        "JwksRetrievalOption": "OPEN_ID_DISCOVERY",
    }
    return _shown(row) | {"TrustedTokenIssuerConfiguration": {"OidcJwtConfiguration": configuration}}


@operation("sso-admin", "UpdateTrustedTokenIssuer")
def update_trusted_token_issuer(context: Context, request: dict[str, Any]) -> None:
    """Change the name or the two paths; the issuer's URL stays."""
    row = find_trusted_token_issuer(context, request)
    name = request.get("Name") or row["name"]
    others = context.find_all("trusted_token_issuer", instance_arn=row["instance_arn"])
    _require_new([one for one in others if one[0] != row[0]], name=name)
    wanted = (request.get("TrustedTokenIssuerConfiguration") or {}).get("OidcJwtConfiguration") or {}
    context.update(
        "trusted_token_issuer",
        row,
        name=name,
        claim_attribute_path=wanted.get("ClaimAttributePath") or row["claim_attribute_path"],
        identity_store_attribute_path=(
            wanted.get("IdentityStoreAttributePath") or row["identity_store_attribute_path"]
        ),
    )


@operation("sso-admin", "DeleteTrustedTokenIssuer")
def delete_trusted_token_issuer(context: Context, request: dict[str, Any]) -> None:
    """Trust an issuer no more, also one that applications use: their users lose access by it."""
    row = find_trusted_token_issuer(context, request)
    delete_tags(context, row["trusted_token_issuer_arn"])
    context.delete("trusted_token_issuer", trusted_token_issuer_arn=row["trusted_token_issuer_arn"])


@operation("sso-admin", "ListTrustedTokenIssuers")
def list_trusted_token_issuers(context: Context, request: dict[str, Any]) -> Listing:
    """List the trusted token issuers of an instance."""
    require_instance(context, request["InstanceArn"], missing=access_denied)
    rows = context.find_all("trusted_token_issuer", instance_arn=request["InstanceArn"])
    return Listing(rows, itemgetter("trusted_token_issuer_arn"), _shown)


def _shown(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "TrustedTokenIssuerArn": row["trusted_token_issuer_arn"],
        "Name": row["name"],
        "TrustedTokenIssuerType": "OIDC_JWT",
    }
