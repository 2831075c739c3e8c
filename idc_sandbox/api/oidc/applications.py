"""CreateTokenWithIAM: tokens of people for applications, which sign with the keys of a role."""

# Source: https://docs.aws.amazon.com/singlesignon/latest/OIDCAPIReference/API_CreateTokenWithIAM.html
from __future__ import annotations

import datetime
import hmac
import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from idc_sandbox.api.instance_rules import identity_store_arn, is_replicated
from idc_sandbox.api.oidc.assertions import require_user
from idc_sandbox.api.oidc.clients import (
    invalid_client,
    invalid_grant,
    invalid_request,
    registration_key,
    unsupported_grant_type,
)
from idc_sandbox.api.oidc.tokens import (
    TokenFamily,
    find_token,
    issue_tokens,
    require_live_session,
    required_member,
    take_authorization_code,
    take_refresh_token,
)
from idc_sandbox.api.sso_admin.application_access import (
    AUTHORIZATION_CODE,
    JWT_BEARER,
    REFRESH_TOKEN,
    TOKEN_EXCHANGE,
    find_grant,
    scopes_of_application,
)
from idc_sandbox.api.sso_admin.application_assignments import may_use_application
from idc_sandbox.api.sso_admin.applications import find_enabled_application
from idc_sandbox.context import Context
from idc_sandbox.errors import ServiceError
from idc_sandbox.sign_in.people import (
    PortalSession,
    create_session,
    find_session,
    issuer_url,
    new_token,
    person_of,
    session_of,
)
from idc_sandbox.wire.permissions import require_let_in
from idc_sandbox.wire.registry import operation

_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105  the name of a type
_REFRESH_TOKEN = "urn:ietf:params:oauth:token-type:refresh_token"  # noqa: S105


@dataclass(frozen=True)
class _Approved:
    """What a grant has led to: whose session, for which scopes, and who vouched for the person."""

    session: PortalSession
    scopes: Sequence[str]
    family_id: str
    issuer_arn: str | None = None


@operation("sso-oidc", "CreateTokenWithIAM", lets_in_by_own_policy=True)
def create_token_with_iam(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Exchange what an application has for tokens of a person."""
    grant_type = request["grantType"]
    exchange = _EXCHANGE_OF_GRANT.get(grant_type)
    if exchange is None:
        raise unsupported_grant_type(grant_type[:120], list(_EXCHANGE_OF_GRANT))
    application = _require_application(context, request["clientId"])
    policy = application["actor_policy_json"] or "{}"
    action = "sso-oauth:CreateTokenWithIAM"
    require_let_in(context.double, context.caller, policy, action, application["application_arn"])
    grant = find_grant(context, application["application_arn"], grant_type)
    if grant is None:
        raise ServiceError(
            "UnauthorizedClientException",
            f"The application {application['name']!r} has no grant {grant_type!r}; PutApplicationGrant "
            "gives it one.",
        )
    approved = exchange(context, application, request | {"grant": grant})
    _require_may_use(context, application, approved.session.user_id)
    _tell_the_trail(context, approved)
    return _answer(context, application, approved, request)


def _tell_the_trail(context: Context, approved: _Approved) -> None:
    """Say whose token the application gets: the event's identity is the application's role."""
    (instance,) = context.find_all("instance", instance_arn=approved.session.instance_arn)
    members = {
        "eventSource": "sso-oauth.amazonaws.com",
        "additionalEventData": {
            "identitystore:UserId": approved.session.user_id,
            "identitystore:IdentityStoreArn": identity_store_arn(instance),
            "identitycenter:CredentialId": approved.family_id,
        },
    }
    context.event.update(members)


def _require_application(context: Context, application_arn: str) -> sqlite3.Row:
    row = find_enabled_application(context, application_arn)
    (instance,) = context.find_all("instance", instance_arn=row["instance_arn"]) if row else (None,)
    is_here = instance is not None and (
        instance["region"] == context.region or is_replicated(context, instance)
    )
    if row is None or not is_here:
        raise invalid_client(
            f"There is no enabled application {application_arn[:200]!r} in Region {context.region!r}. "
            "People's clients use RegisterClient and CreateToken."
        )
    return row


def _require_may_use(context: Context, application: sqlite3.Row, user_id: str) -> None:
    if not may_use_application(context, user_id, application["application_arn"]):
        raise invalid_grant(
            f"The user {user_id!r} is not assigned to the application {application['name']!r}."
        )


def _exchange_code(context: Context, application: sqlite3.Row, request: dict[str, Any]) -> _Approved:
    family = take_authorization_code(context, application["application_arn"], request)
    return _approved_again(context, application, request, family)


def _exchange_refresh_token(context: Context, application: sqlite3.Row, request: dict[str, Any]) -> _Approved:
    family = take_refresh_token(context, application["application_arn"], request)
    return _approved_again(context, application, request, family)


def _approved_again(
    context: Context, application: sqlite3.Row, request: dict[str, Any], family: TokenFamily
) -> _Approved:
    may_have = scopes_of_application(context, application["application_arn"])
    allowed = [scope for scope in family.scopes if scope in may_have]
    if not allowed:  # a token without any scope would be one for accounts
        raise invalid_grant(
            f"The application {application['name']!r} no longer has any scope that the person allowed: "
            f"{', '.join(family.scopes)}. Give it one again, or ask the person again."
        )
    scopes = _requested_scopes(application, request, allowed)
    return _Approved(family.session, scopes, family.family_id)


def _exchange_assertion(context: Context, application: sqlite3.Row, request: dict[str, Any]) -> _Approved:
    assertion = required_member(request, "assertion")
    issuers = request["grant"]["JwtBearer"]["AuthorizedTokenIssuers"]
    (instance,) = context.find_all("instance", instance_arn=application["instance_arn"])
    user_id, issuer_arn = require_user(context, assertion, issuers, instance["identity_store_id"])
    _require_may_use(context, application, user_id)
    scopes = _requested_scopes(
        application, request, scopes_of_application(context, application["application_arn"])
    )
    session = _session_at(context, application, user_id)
    return _Approved(session, scopes, context.ids.uuid("token_family"), issuer_arn)


def _session_at(context: Context, application: sqlite3.Row, user_id: str) -> PortalSession:
    """Return a user's session that goes on at an application, or begin one. Writes."""
    # One, however often the application asks: so an administrator finds it, and ends it, as any other.
    rows = context.rows(
        "SELECT DISTINCT session_id FROM oidc_token JOIN portal_session USING (session_id)"
        " WHERE client_id = ? AND user_id = ?",
        application["application_arn"],
        user_id,
    )
    live = [found for row in rows if (found := session_of(context, row["session_id"])) is not None]
    if live:
        return live[-1]
    session = find_session(context, create_session(context, person_of(context, user_id)))
    if session is None:
        raise invalid_grant(f"The user {user_id!r} is disabled.")
    return session


def _exchange_access_token(context: Context, application: sqlite3.Row, request: dict[str, Any]) -> _Approved:
    subject = find_token(context, required_member(request, "subjectToken"), "access")
    subject_type = required_member(request, "subjectTokenType")
    if subject_type != _ACCESS_TOKEN:
        raise invalid_request(f"The subjectTokenType must be {_ACCESS_TOKEN!r}, found {subject_type[:80]!r}.")
    own, instance_arn = application["application_arn"], application["instance_arn"]
    if subject is None or subject["client_id"] == own:
        raise invalid_grant("The subjectToken is unknown, expired, or this application's own.")
    if not _targets_of(context, subject) & {own, instance_arn}:
        raise invalid_grant(
            f"The subjectToken has no scope whose AuthorizedTargets name the application {own!r}."
        )
    session = require_live_session(context, subject["session_id"])
    scopes = _requested_scopes(
        application, request, scopes_of_application(context, application["application_arn"])
    )
    return _Approved(session, scopes, context.ids.uuid("token_family"))


def _targets_of(context: Context, token: sqlite3.Row) -> set[str]:
    """Return the targets of the scopes that a token of another application has."""
    rows = context.find_all("application_access_scope", application_arn=token["client_id"])
    granted = json.loads(token["scopes_json"])
    targets = [row["authorized_targets_json"] or "[]" for row in rows if row["scope"] in granted]
    return {target for listed in targets for target in json.loads(listed)}


def _requested_scopes(application: sqlite3.Row, request: dict[str, Any], allowed: Sequence[str]) -> list[str]:
    """Return the scopes that a request asks for, or all that it may have."""
    asked = list(dict.fromkeys(request.get("scope") or allowed))
    for scope in asked:
        if scope not in allowed:
            raise ServiceError(
                "InvalidScopeException",
                f"The application {application['name']!r} may not ask for the scope {scope[:80]!r} here; it "
                f"may ask for {', '.join(allowed)}.",
            )
    return asked


def _answer(
    context: Context, application: sqlite3.Row, approved: _Approved, request: dict[str, Any]
) -> dict[str, Any]:
    can_refresh = find_grant(context, application["application_arn"], REFRESH_TOKEN) is not None
    wanted_type = request.get("requestedTokenType")
    if wanted_type not in (None, _ACCESS_TOKEN, _REFRESH_TOKEN if can_refresh else None):
        raise invalid_request(
            f"The requestedTokenType must be {_ACCESS_TOKEN!r}, or {_REFRESH_TOKEN!r} for an application "
            f"with the grant refresh_token; found {wanted_type[:80]!r}."
        )
    answer = issue_tokens(
        context,
        approved.session,
        client_id=application["application_arn"],
        scopes=approved.scopes,
        family_id=approved.family_id,
        can_refresh=can_refresh and wanted_type != _ACCESS_TOKEN,
    )
    identity_context = new_token()
    return answer | {
        "idToken": _id_token(context, approved, answer["expiresIn"], identity_context),
        "issuedTokenType": _REFRESH_TOKEN if "refreshToken" in answer else _ACCESS_TOKEN,
        "scope": list(approved.scopes),
        "awsAdditionalDetails": {"identityContext": identity_context},
    }


def _id_token(context: Context, approved: _Approved, lasts_s: int, identity_context: str) -> str:
    import jwt  # noqa: PLC0415  with cryptography: no start of the sandbox waits for it

    session, now = approved.session, int(context.now)
    (instance,) = context.find_all("instance", instance_arn=session.instance_arn)
    signed_in = datetime.datetime.fromtimestamp(session.created_at, datetime.UTC)
    claims = {
        "iss": issuer_url(session.instance_arn),
        "sub": session.user_id,
        "aud": approved.family_id,
        "aws:identity_store_id": instance["identity_store_id"],
        "aws:identity_store_arn": identity_store_arn(instance),
        "aws:instance_account": instance["owner_account_id"],
        "aws:instance_arn": session.instance_arn,
        "aws:credential_id": approved.family_id,
        "auth_time": signed_in.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "iat": now,
        "exp": now + lasts_s,
        "sts:identity_context": identity_context,
        "sts:audit_context": identity_context,
    } | ({"act": {"sub": approved.issuer_arn}} if approved.issuer_arn else {})
    # A key of its own: what it signs is no registration of a client.
    key = hmac.new(registration_key(context.connection), b"id token", "sha256").digest()
    return jwt.encode(claims, key, algorithm="HS256")


_EXCHANGE_OF_GRANT: dict[str, Callable[[Context, sqlite3.Row, dict[str, Any]], _Approved]] = {
    AUTHORIZATION_CODE: _exchange_code,
    REFRESH_TOKEN: _exchange_refresh_token,
    JWT_BEARER: _exchange_assertion,
    TOKEN_EXCHANGE: _exchange_access_token,
}
