"""``account-access-runtime``: the roles that entitlements give a person, and their keys, by a token."""

# Source: https://docs.aws.amazon.com/account-access-runtime/latest/APIReference/Welcome.html
from __future__ import annotations

import json
import re
import sqlite3
from dataclasses import dataclass
from typing import Any

from idc_sandbox.api.account_access.access_applications import (
    account_name_of,
    account_of,
    is_trusting,
)
from idc_sandbox.api.oidc.tokens import find_token
from idc_sandbox.api.portal import RoleCredentials, carried_keys, role_session_name, rows_for_person
from idc_sandbox.context import Context
from idc_sandbox.errors import ServiceError, access_denied, validation_error
from idc_sandbox.sign_in.people import person_of, session_of
from idc_sandbox.trail.people import credential_id_of, identity_of_person
from idc_sandbox.wire.registry import Listing, operation

READ_ONLY_SCOPE, ASSUME_SCOPE = "account_access:read_only", "account_access:assume"
DEFAULT_SESSION_S = 3_600  # UNCONFIRMED
_SHORTEST_SESSION_S = 900
_MOST_ON_A_PAGE = 100
_ROLE = re.compile(r"arn:aws:iam::[0-9]{12}:role/([\w+=,.@-]+/)*[\w+=,.@-]+", re.ASCII)


@dataclass(frozen=True)
class AccessRole:
    """A role that an entitlement gives a person."""

    account_id: str
    account_name: str | None
    role_arn: str

    @property
    def name(self) -> str:
        """The role's name."""
        return self.role_arn.rpartition("/")[2]


def find_person_application(context: Context, user_id: str) -> sqlite3.Row | None:
    """Return the active application of a person's instance, or None."""
    return context.row(
        "SELECT access_application.* FROM access_application JOIN instance USING (instance_arn)"
        " JOIN identity_user USING (identity_store_id)"
        " WHERE user_id = ? AND NOT is_deleting AND due_at <= ?",
        user_id,
        context.now,
    )


def list_access_roles(context: Context, user_id: str) -> list[AccessRole]:
    """Return the roles that entitlements give a user and the user's groups, by account and name."""
    application = find_person_application(context, user_id)
    if application is None:
        return []
    found = rows_for_person(context, user_id, _ENTITLED, application=application["application_arn"])
    active = context.double.account_ids() if found else set()
    arns = [row["role_arn"] for row in found if account_of(row["role_arn"]) in active]
    roles = [AccessRole(account_of(arn), account_name_of(context, account_of(arn)), arn) for arn in arns]
    return sorted(roles, key=_order)


def issue_access_credentials(
    context: Context,
    user_id: str,
    role_arn: str,
    *,
    session_name: str | None = None,
    duration_s: int = DEFAULT_SESSION_S,
) -> RoleCredentials:
    """Return keys of a role that an entitlement gives a person, and that still trusts the service. Writes."""
    application = find_person_application(context, user_id)
    is_entitled = role_arn in {role.role_arn for role in list_access_roles(context, user_id)}
    if application is None or not is_entitled or not is_trusting(context, application, role_arn):
        raise access_denied(
            f"You may not have the role {role_arn[:200]!r}: no entitlement gives it to you, or it "
            "does not trust account access any more. ListRoles shows yours.",
            status=403,
        )
    longest_s = context.double.longest_session_s(role_arn) or DEFAULT_SESSION_S
    if not _SHORTEST_SESSION_S <= duration_s <= longest_s:
        raise validation_error(
            f"sessionDuration must be from {_SHORTEST_SESSION_S} to {longest_s} s, the longest of this role; "
            f"found {duration_s}."
        )
    person = person_of(context, user_id)
    issued = context.double.assume_reserved_role(
        account_of(role_arn),
        role_arn.rpartition("/")[2],
        session_name=session_name or role_session_name(person.user_name),
        duration_s=duration_s,
        carried=carried_keys(context, person),
    )
    if issued is None:
        raise access_denied(f"The role {role_arn!r} is not there any more.", status=403)
    return RoleCredentials(*issued)


_ENTITLED = """
SELECT DISTINCT role_arn FROM entitlement
WHERE application_arn = :application
    AND ((principal_type = 'USER' AND principal_id = :user)
      OR (principal_type = 'GROUP' AND principal_id IN (SELECT group_id FROM seen_group)))
"""


@operation("account-access-runtime", "ListRoles")
def list_roles(context: Context, request: dict[str, Any]) -> Listing:
    """List the roles that the token's person may have."""
    user_id = _require_user(context, READ_ONLY_SCOPE)
    _require_tenant(context, user_id, request["tenantId"])
    if not 1 <= request.get("maxResults", 1) <= _MOST_ON_A_PAGE:
        raise validation_error(
            f"maxResults must be from 1 to {_MOST_ON_A_PAGE}, found {request['maxResults']}."
        )
    return Listing(
        list_access_roles(context, user_id),
        _order,
        lambda role: {
            "accountId": role.account_id,
            "accountName": role.account_name,
            "roleArn": role.role_arn,
        },
    )


@operation("account-access-runtime", "GetRoleCredentials")
def get_access_credentials(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Give the token's person keys of a role."""
    user_id = _require_user(context, ASSUME_SCOPE)
    _require_tenant(context, user_id, request["tenantId"])
    if not _ROLE.fullmatch(request["roleArn"]):
        raise validation_error(f"roleArn must be the ARN of a role, found {request['roleArn'][:200]!r}.")
    issued = issue_access_credentials(
        context,
        user_id,
        request["roleArn"],
        session_name=request.get("sessionName"),
        duration_s=request.get("sessionDuration", DEFAULT_SESSION_S),
    )
    keys = {
        "accessKeyId": issued.access_key_id,
        "secretAccessKey": issued.secret_access_key,
        "sessionToken": issued.session_token,
        "expiresAt": int(issued.expires_at),
    }
    return {"credentialsDetails": {"programmaticAccess": keys}}


def _require_user(context: Context, scope: str) -> str:
    """Return whose the bearer token is; it must be good, and be for this scope."""
    token = context.headers.get("authorization", "").removeprefix("Bearer ").strip()
    row = find_token(context, token, "access")
    session = session_of(context, row["session_id"]) if row is not None else None
    if row is None or session is None:
        raise _unauthorized("The bearer token is missing, invalid, or expired. Sign in again.")
    # Which operation needs which scope is UNCONFIRMED.
    if scope not in json.loads(row["scopes_json"]):
        raise _unauthorized(
            f"The token is not for {scope!r}: name it in sso_registration_scopes and sign in again."
        )
    credential_id = credential_id_of(row["token_hash"])
    context.event["userIdentity"] = identity_of_person(context, session.user_id, credential_id)
    return session.user_id


def _require_tenant(context: Context, user_id: str, tenant_id: str) -> None:
    application = find_person_application(context, user_id)
    if application is None or application["tenant_id"] != tenant_id:
        raise validation_error(f"You have no tenant {tenant_id!r}; GetApplication names yours.")


def _unauthorized(message: str) -> ServiceError:
    return ServiceError("UnauthorizedException", message, status=401)


def _order(role: AccessRole) -> str:
    return f"{(role.account_name or '').casefold()} {role.account_id} {role.role_arn}"
