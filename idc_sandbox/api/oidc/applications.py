"""CreateTokenWithIAM: tokens of people for applications, also for those of a trusted token issuer."""

# Source: https://docs.aws.amazon.com/singlesignon/latest/OIDCAPIReference/API_CreateTokenWithIAM.html
from __future__ import annotations

import datetime
import hmac
import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from idc_sandbox.api.identity_store.profiles import folded
from idc_sandbox.api.instance_rules import identity_store_arn, is_replicated
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
from idc_sandbox.api.sso_admin.applications import find_enabled_application, may_use_application
from idc_sandbox.context import Context
from idc_sandbox.errors import FetchFirst, ServiceError, parse_json
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

if TYPE_CHECKING:
    import jwt

# Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/setuptrustedtokenissuer.html
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
_OWN_MACHINE = ("localhost", "127.0.0.1", "::1")
_DISCOVERY = "/.well-known/openid-configuration"
_LONGEST_ANSWER, _LONGEST_WAIT_S = 256 * 1024, 5.0
# An issuer may have new keys at any time: who shows an unknown one is asked about again, not more often.
_KEYS_LAST_S, _NEWEST_LAST_S = 300.0, 10.0


class _NoKeysError(Exception):
    """An issuer's keys cannot be had; the message says why."""


@dataclass(frozen=True)
class _Keys:
    """What an issuer's address said."""

    found: jwt.PyJWKSet | None
    problem: str
    read_at: float


_KEYS_OF_ISSUER: dict[str, _Keys] = {}


def require_user(
    context: Context, assertion: str, issuers: Sequence[dict[str, Any]], store_id: str
) -> tuple[str, str]:
    """Return the user whom an assertion of one of these issuers means, and the issuer's ARN."""
    import jwt  # noqa: PLC0415  with cryptography: no start of the sandbox waits for it

    try:
        claimed = jwt.decode(assertion, options={"verify_signature": False}).get("iss")
    except (jwt.InvalidTokenError, ValueError, RecursionError):
        raise invalid_grant("The assertion is no JSON Web Token.") from None
    issuer, audiences = _find_issuer(context, claimed, issuers)
    try:
        key = _key_of(issuer["issuer_url"], jwt.get_unverified_header(assertion).get("kid"))
        claims = jwt.decode(
            assertion,
            key,
            algorithms=_ALGORITHMS,
            audience=audiences,
            issuer=issuer["issuer_url"],
            options={"require": ["exp", "iss", "aud"]},
        )
    except (jwt.InvalidTokenError, jwt.PyJWKError, TypeError, ValueError, OverflowError) as error:
        raise invalid_grant(f"The assertion of {issuer['issuer_url']!r} is not valid: {error}.") from None
    except _NoKeysError as error:
        raise invalid_grant(f"The keys of {issuer['issuer_url']!r} cannot be read: {error}.") from None
    return _find_user(context, store_id, issuer, claims), issuer["trusted_token_issuer_arn"]


def _find_issuer(
    context: Context, claimed: Any, issuers: Sequence[dict[str, Any]]
) -> tuple[sqlite3.Row, list[str]]:
    for one in issuers:
        row = context.find("trusted_token_issuer", trusted_token_issuer_arn=one["TrustedTokenIssuerArn"])
        if (
            row is not None
            and isinstance(claimed, str)
            and row["issuer_url"].rstrip("/") == claimed.rstrip("/")
        ):
            return row, one["AuthorizedAudiences"]
    raise invalid_grant(f"The application trusts no issuer {str(claimed)[:200]!r}.")


def _find_user(context: Context, store_id: str, issuer: sqlite3.Row, claims: dict[str, Any]) -> str:
    claim: Any = claims
    for name in issuer["claim_attribute_path"].split("."):
        claim = claim.get(name) if isinstance(claim, dict) else None
    if not isinstance(claim, str) or not claim:
        raise invalid_grant(f"The assertion has no claim {issuer['claim_attribute_path']!r} with a text.")
    path = issuer["identity_store_attribute_path"].casefold().split(".")
    found = []
    for row in context.find_all("identity_user", identity_store_id=store_id):
        profile = {**json.loads(row["profile_json"]), "UserName": row["user_name"]}
        if any(folded(value) == folded(claim) for value in _values(profile, path)):
            found.append(str(row["user_id"]))
    if len(found) != 1:
        raise invalid_grant(
            f"The claim {issuer['claim_attribute_path']!r} must lead to one user by "
            f"{issuer['identity_store_attribute_path']!r}, found {len(found)}."
        )
    return found[0]


def _values(value: Any, path: list[str]) -> Iterator[str]:
    """Yield the texts to which a path leads, such as ``emails.value``, whose parts are in lower case."""
    if isinstance(value, list):
        for item in value:
            yield from _values(item, path)
    elif isinstance(value, dict) and path:
        for name, inner in value.items():
            if name.casefold() == path[0]:
                yield from _values(inner, path[1:])
    elif isinstance(value, str) and not path:
        yield value


def _key_of(issuer_url: str, key_id: str | None) -> jwt.PyJWK:
    keys = _KEYS_OF_ISSUER.get(issuer_url)
    age_s = time.monotonic() - keys.read_at if keys else _KEYS_LAST_S
    fitting = [one for one in keys.found.keys if key_id in (None, one.key_id)] if keys and keys.found else []
    if keys is None or age_s >= (_KEYS_LAST_S if fitting else _NEWEST_LAST_S):
        raise FetchFirst(lambda: _read_keys(issuer_url))
    if not fitting:
        raise _NoKeysError(keys.problem or f"it has no key {key_id!r}")
    return fitting[0]


def _read_keys(issuer_url: str) -> None:
    """Ask an issuer for its keys, and keep them or why there are none."""
    import jwt  # noqa: PLC0415

    found, problem = None, ""
    try:
        configuration = _read_json(f"{issuer_url.rstrip('/')}{_DISCOVERY}", issuer_url)
        if configuration.get("issuer") != issuer_url:
            raise _NoKeysError(
                f"its configuration names the issuer {str(configuration.get('issuer'))[:200]!r}"
            )
        found = jwt.PyJWKSet.from_dict(_read_json(str(configuration.get("jwks_uri")), issuer_url))
    except (_NoKeysError, jwt.PyJWKSetError, jwt.PyJWKError, TypeError, ValueError) as error:
        problem = str(error)
    if len(_KEYS_OF_ISSUER) > 100:
        _KEYS_OF_ISSUER.clear()
    _KEYS_OF_ISSUER[issuer_url] = _Keys(found, problem, time.monotonic())


def _read_json(url: str, issuer_url: str) -> dict[str, Any]:
    """Return the JSON object at an address of the issuer, which must be on this machine."""
    import httpx  # noqa: PLC0415

    try:
        address, issuer = urlsplit(url), urlsplit(issuer_url)
        if (address.scheme, address.netloc) != (issuer.scheme, issuer.netloc):
            raise _NoKeysError(f"{url[:200]!r} is not at the issuer's own address")
        if issuer.hostname not in _OWN_MACHINE:
            raise _NoKeysError(
                "the sandbox reaches no network. Use an issuer on this machine, such as http://localhost:8080"
            )
        body, deadline = b"", time.monotonic() + _LONGEST_WAIT_S
        with httpx.stream("GET", url, timeout=_LONGEST_WAIT_S, trust_env=False) as answer:
            if answer.status_code != 200:
                raise _NoKeysError(f"{url!r} answers {answer.status_code}")
            for piece in answer.iter_bytes():
                body += piece
                if len(body) > _LONGEST_ANSWER or time.monotonic() > deadline:
                    raise _NoKeysError(f"{url!r} answers too much, or too slowly")
        value = parse_json(body)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise _NoKeysError(f"{url[:200]!r}: {error or type(error).__name__}") from None
    if not isinstance(value, dict):
        raise _NoKeysError(f"{url!r} is no JSON object")
    return value


_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105  the name of a type
_REFRESH_TOKEN = "urn:ietf:params:oauth:token-type:refresh_token"  # noqa: S105


@dataclass(frozen=True)
class _Approved(TokenFamily):
    """What a grant has led to, and who vouched for the person."""

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


def _exchange_again(
    take: Callable[[Context, str, dict[str, Any]], TokenFamily],
    context: Context,
    application: sqlite3.Row,
    request: dict[str, Any],
) -> _Approved:
    """Go on with what a code or a refresh token stands for."""
    family = take(context, application["application_arn"], request)
    may_have = scopes_of_application(context, application["application_arn"])
    allowed = [scope for scope in family.scopes if scope in may_have]
    if not allowed:  # a token without any scope would be one for accounts
        raise invalid_grant(
            f"The application {application['name']!r} no longer has any scope that the person allowed: "
            f"{', '.join(family.scopes)}. Give it one again, or ask the person again."
        )
    scopes = _requested_scopes(context, application, request, allowed)
    return _Approved(family.session, scopes, family.family_id)


def _exchange_assertion(context: Context, application: sqlite3.Row, request: dict[str, Any]) -> _Approved:
    assertion = required_member(request, "assertion")
    issuers = request["grant"]["JwtBearer"]["AuthorizedTokenIssuers"]
    (instance,) = context.find_all("instance", instance_arn=application["instance_arn"])
    user_id, issuer_arn = require_user(context, assertion, issuers, instance["identity_store_id"])
    _require_may_use(context, application, user_id)
    scopes = _requested_scopes(context, application, request)
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
    scopes = _requested_scopes(context, application, request)
    return _Approved(session, scopes, context.ids.uuid("token_family"))


def _targets_of(context: Context, token: sqlite3.Row) -> set[str]:
    """Return the targets of the scopes that a token of another application has."""
    rows = context.find_all("application_access_scope", application_arn=token["client_id"])
    granted = json.loads(token["scopes_json"])
    targets = [row["authorized_targets_json"] or "[]" for row in rows if row["scope"] in granted]
    return {target for listed in targets for target in json.loads(listed)}


def _requested_scopes(
    context: Context,
    application: sqlite3.Row,
    request: dict[str, Any],
    allowed: Sequence[str] = (),
) -> list[str]:
    """Return the scopes that a request asks for, or all that it may have: those allowed, or any."""
    allowed = allowed or scopes_of_application(context, application["application_arn"])
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
        application["application_arn"],
        approved,
        can_refresh=can_refresh and wanted_type != _ACCESS_TOKEN,
    )
    identity_context = new_token()
    return answer | {
        "idToken": _id_token(context, approved, answer["expiresIn"], identity_context),
        "issuedTokenType": _REFRESH_TOKEN if "refreshToken" in answer else _ACCESS_TOKEN,
        "scope": approved.scopes,
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
    AUTHORIZATION_CODE: partial(_exchange_again, take_authorization_code),
    REFRESH_TOKEN: partial(_exchange_again, take_refresh_token),
    JWT_BEARER: _exchange_assertion,
    TOKEN_EXCHANGE: _exchange_access_token,
}
