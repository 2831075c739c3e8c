"""``sso``, the access portal's API: what a person has in which accounts; the portal's pages use it too."""

# What each operation does: https://docs.aws.amazon.com/singlesignon/latest/PortalAPIReference/API_Operations.html
from __future__ import annotations

import json
import re
import sqlite3
from dataclasses import dataclass, field
from typing import Any

from idc_sandbox.api.instance_rules import identity_store_arn
from idc_sandbox.api.oidc.tokens import session_of_access_token
from idc_sandbox.api.sso_admin.applications import applications_of_user
from idc_sandbox.api.sso_admin.instances import session_tags
from idc_sandbox.api.sso_admin.provisioning import saml_provider_arn
from idc_sandbox.api.sso_admin.rules import MINIMUM_SESSION_S, require_session_duration
from idc_sandbox.context import Context
from idc_sandbox.errors import ServiceError
from idc_sandbox.sign_in.people import (
    Person,
    PortalSession,
    Refusal,
    digest,
    end_session,
    person_of,
    refuse,
)
from idc_sandbox.switches import read_switch
from idc_sandbox.trail.people import credential_id_of, identity_of_person, record_assumed_role
from idc_sandbox.wire.registry import Listing, operation

_NOT_IN_SESSION_NAMES = re.compile(r"[^\w+=,.@-]", re.ASCII)


@dataclass(frozen=True)
class PortalAccount:
    """An account in which a person has a role."""

    account_id: str
    account_name: str
    email: str


@dataclass(frozen=True)
class PortalRole:
    """A permission set that a person has in an account."""

    account_id: str
    permission_set_name: str
    permission_set_arn: str
    description: str
    relay_state: str | None
    session_duration_s: int
    role_name: str


@dataclass(frozen=True)
class PortalApplication:
    """An application that a person may open; without a URL only by going to it."""

    name: str
    description: str
    url: str


@dataclass(frozen=True)
class RoleCredentials:
    """Temporary credentials."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expires_at: float
    issued_at: str = ""  # as the trail has it: by this time calls with the keys are joined to it


def list_portal_accounts(context: Context, user_id: str) -> list[PortalAccount]:
    """Return the accounts in which a user has a role, by name."""
    account_ids = {row["account_id"] for row in _assigned(context, user_id)}
    described = [context.double.describe_account(account_id) for account_id in account_ids]
    return sorted((PortalAccount(*one) for one in described if one is not None), key=_account_order)


def list_portal_roles(context: Context, user_id: str, account_id: str) -> list[PortalRole]:
    """Return the roles that a user has in an account, by the permission set's name."""
    roles = [_role(row) for row in _assigned(context, user_id) if row["account_id"] == account_id]
    return sorted(roles, key=_role_order)


def list_portal_applications(context: Context, user_id: str) -> list[PortalApplication]:
    """Return the applications that the portal shows to a user, by name."""
    shown = []
    for row in applications_of_user(context, user_id):
        options = json.loads(row["portal_options_json"])
        if options["Visibility"] == "ENABLED":
            url = options.get("SignInOptions", {}).get("ApplicationUrl", "")
            shown.append(PortalApplication(row["name"], row["description"] or "", url))
    return sorted(shown, key=lambda one: one.name.casefold())


def require_portal_role(
    context: Context, user_id: str, account_id: str, permission_set_name: str
) -> PortalRole:
    """Return the role that a user has in an account by a permission set of this name."""
    for role in list_portal_roles(context, user_id, account_id):
        if role.permission_set_name == permission_set_name:
            return role
    raise _no_role(account_id, permission_set_name)


def _no_role(account_id: str, permission_set_name: str) -> Refusal:
    return refuse("no-access", role=permission_set_name[:64], account=account_id[:32])


def issue_role_credentials(
    context: Context, user_id: str, account_id: str, permission_set_name: str
) -> RoleCredentials:
    """Return credentials of a role for as long as its permission set says, whatever happens since. Writes."""
    role = require_portal_role(context, user_id, account_id, permission_set_name)
    person = person_of(context, user_id)
    issued = context.double.assume_reserved_role(
        account_id,
        role.role_name,
        session_name=role_session_name(person.user_name),
        duration_s=role.session_duration_s,
        carried=carried_keys(context, person),
    )
    if issued is None:
        raise _no_role(account_id, permission_set_name)
    tags = session_tags(context, person.instance_arn, person.user_id)
    moment = record_assumed_role(
        context,
        issued[0],
        user_name=role_session_name(person.user_name),
        duration_s=role.session_duration_s,
        saml_provider_arn=saml_provider_arn(account_id, person.instance_arn),
        tags=tags,
    )
    return RoleCredentials(*issued, issued_at=moment)


def carried_keys(context: Context, person: Person) -> dict[str, str]:
    """Return the condition keys that policies see of a person's role sessions."""
    # https://docs.aws.amazon.com/singlesignon/latest/userguide/condition-context-keys-sts-idc.html
    # https://docs.aws.amazon.com/singlesignon/latest/userguide/abac.html
    (instance,) = context.find_all("instance", instance_arn=person.instance_arn)
    tags = session_tags(context, person.instance_arn, person.user_id)
    return {
        "identitystore:userid": person.user_id,
        "identitystore:identitystorearn": identity_store_arn(instance),
        **{f"aws:principaltag/{key.lower()}": value for key, value in tags.items()},
    }


def role_session_name(user_name: str) -> str:
    """Return the name of a person's role sessions: the user name, as far as STS takes it."""
    name = _NOT_IN_SESSION_NAMES.sub("-", user_name)[:64]
    return name if len(name) >= 2 else f"{name}-"


def _role(row: sqlite3.Row) -> PortalRole:
    try:
        session_duration_s = int(require_session_duration(row["session_duration"]))
    except ServiceError:
        session_duration_s = MINIMUM_SESSION_S  # of an older state: one odd set hides no other
    return PortalRole(
        account_id=row["account_id"],
        permission_set_name=row["name"],
        permission_set_arn=row["permission_set_arn"],
        description=row["description"] or "",
        relay_state=row["relay_state"],
        session_duration_s=session_duration_s,
        role_name=row["role_name"],
    )


def _account_order(account: PortalAccount) -> str:
    return f"{account.account_name.casefold()} {account.account_id}"


def _role_order(role: PortalRole) -> str:
    return role.permission_set_name.casefold()


def _assigned(context: Context, user_id: str) -> list[sqlite3.Row]:
    """Return what is assigned to a user and to the user's groups, in active accounts: a row a role."""
    rows = rows_for_person(context, user_id, _ASSIGNED)
    active = context.double.account_ids() if rows else set()
    return [row for row in rows if row["account_id"] in active]


def rows_for_person(context: Context, user_id: str, query: str, **named: str) -> list[sqlite3.Row]:
    """Return the rows of a query that may ask for ``:user``, and for the ``seen_group`` that they are in."""
    delay_s = read_switch(context.connection, "propagation_delay_s")
    named |= {"user": user_id}
    seen = context.now - delay_s
    return context.rows(f"{_SEEN_GROUPS}{query}", seen=seen, is_delayed=int(delay_s > 0), **named)


# A membership counts once the delay is over, and one that has ended until then: while a delay is set.
_SEEN_GROUPS = """
WITH seen_group AS (
    SELECT group_id FROM group_membership WHERE user_id = :user AND (NOT :is_delayed OR created_at <= :seen)
    UNION
    SELECT group_id FROM former_group_membership
    WHERE user_id = :user AND :is_delayed AND visible_from <= :seen AND removed_at > :seen
)"""
_ASSIGNED = """
SELECT DISTINCT permission_set.*, account_id, role_name
FROM account_assignment
JOIN permission_set USING (permission_set_arn)
JOIN provisioned_permission_set USING (permission_set_arn, account_id)
WHERE permission_set.instance_arn = (
        SELECT instance_arn FROM instance JOIN identity_user USING (identity_store_id) WHERE user_id = :user)
    AND ((principal_type = 'USER' AND principal_id = :user)
      OR (principal_type = 'GROUP' AND principal_id IN (SELECT group_id FROM seen_group)))
"""


@operation("sso", "ListAccounts")
def list_accounts(context: Context, request: dict[str, Any]) -> Listing:
    """List the accounts in which the person has a role."""
    accounts = list_portal_accounts(context, _require_session(context, request).user_id)
    return Listing(
        accounts,
        _account_order,
        lambda one: {"accountId": one.account_id, "accountName": one.account_name, "emailAddress": one.email},
    )


@operation("sso", "ListAccountRoles")
def list_account_roles(context: Context, request: dict[str, Any]) -> Listing:
    """List the roles that the person has in an account: the names of permission sets."""
    session = _require_session(context, request, account_id=request["accountId"])
    roles = list_portal_roles(context, session.user_id, request["accountId"])
    if not roles:
        raise _no_access()
    return Listing(
        roles, _role_order, lambda one: {"roleName": one.permission_set_name, "accountId": one.account_id}
    )


@operation("sso", "GetRoleCredentials")
def get_role_credentials(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Give the person credentials of a role, for as long as its permission set says."""
    named = {"account_id": request["accountId"], "role_name": request["roleName"]}
    session = _require_session(context, request, **named)
    try:
        issued = issue_role_credentials(context, session.user_id, request["accountId"], request["roleName"])
    except Refusal:
        raise _no_access() from None
    context.event["eventTime"] = issued.issued_at
    credentials = {
        "accessKeyId": issued.access_key_id,
        "secretAccessKey": issued.secret_access_key,
        "sessionToken": issued.session_token,
        "expiration": int(issued.expires_at * 1000),
    }
    return {"roleCredentials": credentials}


@operation("sso", "Logout")
def logout(context: Context, request: dict[str, Any]) -> None:
    """End the portal session that the token came from, and with it all tokens of that session."""
    # That the browser is signed out too is UNCONFIRMED at AWS; role credentials keep working.
    end_session(context, _require_session(context, request).session_id)


def _require_session(context: Context, request: dict[str, Any], **details: str) -> PortalSession:
    """Return the session of the token; the call's event says whose it is, and `details` of what was asked."""
    context.event.update(eventType="AwsServiceEvent", requestParameters=None, readOnly=True)
    if details:
        context.event["serviceEventDetails"] = details
    session = session_of_access_token(context, request["accessToken"])
    if session is None:
        # AWS's words, which clients show; the rest tells what to do.
        raise ServiceError(
            "UnauthorizedException",
            "Session token not found or invalid. Sign in again, with `aws sso login` for instance.",
            status=401,
        )
    credential_id = credential_id_of(digest(request["accessToken"]))
    context.event["userIdentity"] = identity_of_person(context, session.user_id, credential_id)
    return session


def _no_access() -> ServiceError:
    # Not in the model, but what people report of AWS (UNCONFIRMED).
    return ServiceError("ForbiddenException", "No access", status=403)
