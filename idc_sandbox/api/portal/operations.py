"""ListAccounts, ListAccountRoles, GetRoleCredentials and Logout, for the one who shows an access token.

Source: https://docs.aws.amazon.com/singlesignon/latest/PortalAPIReference/API_Operations.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from idc_sandbox.api.oidc.tokens import session_of_access_token
from idc_sandbox.api.portal.access import issue_role_credentials, list_portal_accounts, list_portal_roles
from idc_sandbox.context import Context
from idc_sandbox.errors import ServiceError
from idc_sandbox.sign_in.people import PortalSession, Refusal, end_session
from idc_sandbox.wire.registry import operation, paginate

_Item = TypeVar("_Item")


@operation("sso", "ListAccounts")
def list_accounts(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """List the accounts in which the person has a role."""
    session = _require_session(context, request)
    page, token = _page(
        list_portal_accounts(context, session.user_id),
        "ListAccounts",
        lambda account: f"{account.account_name.casefold()} {account.account_id}",
        request,
    )
    accounts = [
        {"accountId": one.account_id, "accountName": one.account_name, "emailAddress": one.email}
        for one in page
    ]
    return {"accountList": accounts, "nextToken": token}


@operation("sso", "ListAccountRoles")
def list_account_roles(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """List the roles that the person has in an account: the names of permission sets."""
    session = _require_session(context, request)
    roles = list_portal_roles(context, session.user_id, request["accountId"])
    if not roles:
        raise _no_access()
    page, token = _page(roles, "ListAccountRoles", lambda role: role.permission_set_name.casefold(), request)
    return {
        "roleList": [{"roleName": one.permission_set_name, "accountId": one.account_id} for one in page],
        "nextToken": token,
    }


@operation("sso", "GetRoleCredentials")
def get_role_credentials(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Give the person credentials of a role, for as long as its permission set says."""
    session = _require_session(context, request)
    try:
        issued = issue_role_credentials(context, session.user_id, request["accountId"], request["roleName"])
    except Refusal:
        raise _no_access() from None
    credentials = {
        "accessKeyId": issued.access_key_id,
        "secretAccessKey": issued.secret_access_key,
        "sessionToken": issued.session_token,
        "expiration": int(issued.expires_at * 1000),
    }
    return {"roleCredentials": credentials}


@operation("sso", "Logout")
def logout(context: Context, request: dict[str, Any]) -> None:
    """End the portal session that the token came from, and with it all tokens of that session.

    That the browser is signed out too is UNCONFIRMED at AWS. Role credentials keep working until they expire.
    """
    end_session(context, _require_session(context, request).session_id)


def _require_session(context: Context, request: dict[str, Any]) -> PortalSession:
    session = session_of_access_token(context, request["accessToken"])
    if session is None:
        # AWS's words, which clients show; the rest tells what to do.
        raise ServiceError(
            "UnauthorizedException",
            "Session token not found or invalid. Sign in again, with `aws sso login` for instance.",
            status=401,
        )
    return session


def _no_access() -> ServiceError:
    # Not in the model, but what people report of AWS (UNCONFIRMED).
    return ServiceError("ForbiddenException", "No access", status=403)


def _page(
    items: Iterable[_Item], operation_name: str, key: Callable[[_Item], str], request: dict[str, Any]
) -> tuple[list[_Item], str | None]:
    paging = {"MaxResults": request.get("maxResults"), "NextToken": request.get("nextToken")}
    return paginate(items, operation_name=operation_name, key=key, request=paging)
