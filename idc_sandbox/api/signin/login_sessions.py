"""ListSessions, GetSession and BatchRevokeSessions: the logins of ``aws login`` that go on."""

# Source: https://docs.aws.amazon.com/signin/latest/APIReference/API_ListSessions.html
from __future__ import annotations

import sqlite3
from typing import Any

from idc_sandbox.context import Context
from idc_sandbox.errors import access_denied, not_found
from idc_sandbox.wire.registry import Listing, operation

_MEMBERS = ("sessionArn", "principalArn", "role", "status", "clientId", "clientType", "issuedAt", "expiresAt")


@operation("signin", "ListSessions")
def list_login_sessions(context: Context, request: dict[str, Any]) -> Listing:
    """List the sessions of a principal, newest last; one that has expired is no longer listed."""
    rows = [row for row in _sessions(context, request) if _fits(row, request)]
    return Listing(
        rows,
        lambda row: f"{row['created_at']:020.6f} {row['session_arn']}",
        lambda row: {name: value for name, value in _described(row).items() if name in _MEMBERS},
    )


@operation("signin", "GetSession")
def get_login_session(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Describe one session; another principal's is not there."""
    for row in _sessions(context, request):
        if row["session_arn"] == request["sessionArn"]:
            return _described(row)
    raise not_found(_no_session(request["sessionArn"]))


@operation("signin", "BatchRevokeSessions")
def revoke_login_sessions(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Let sessions never be refreshed again; keys that are out live on for their minutes."""
    found = {row["session_arn"]: row for row in _sessions(context, request)}
    revoked, errors = [], []
    for arn in dict.fromkeys(request["sessionArns"]):
        if arn not in found:  # the code is UNCONFIRMED
            errors.append(
                {"sessionArn": arn, "code": "ResourceNotFoundException", "message": _no_session(arn)}
            )
            continue
        if found[arn]["ended_at"] is None:
            context.update("login_session", found[arn], ended_at=context.now)
        revoked.append({"sessionArn": arn})
    return {"revokedSessions": revoked, "errors": errors}


def _no_session(arn: str) -> str:
    return f"There is no session {arn[:256]!r} of this principal. ListSessions names those that there are."


def _sessions(context: Context, request: dict[str, Any]) -> list[sqlite3.Row]:
    """Return the sessions, of who is asked for, that go on or were revoked before their end."""
    wanted = request.get("principalArn") or _own_arn(context)
    account_id = wanted.split(":")[4]
    if account_id != context.caller.account_id:
        raise access_denied(
            f"{wanted!r} is not of your account {context.caller.account_id}: ask in the account itself."
        )
    rows = context.rows(
        "SELECT * FROM login_session WHERE account_id = ? AND key_thumbprint IS NOT NULL AND expires_at > ?",
        account_id,
        context.now,
    )
    return [row for row in rows if wanted.endswith(":*") or row["principal_arn"] == wanted]


def _own_arn(context: Context) -> str:
    """Return the caller as sessions name it: a user or a role, without a path."""
    account_id, (kind, *parts) = (
        context.caller.account_id,
        context.caller.principal_arn.split(":", 5)[5].split("/"),
    )
    name = parts[0] if kind == "assumed-role" else parts[-1] if parts else ""
    return f"arn:aws:iam::{account_id}:{'role' if kind == 'assumed-role' else kind}/{name}".rstrip("/")


def _fits(row: sqlite3.Row, request: dict[str, Any]) -> bool:
    issued_at = int(row["created_at"])
    return (
        request.get("status") in (None, _status(row))
        and request.get("clientId") in (None, row["client_id"])
        and issued_at >= request.get("issuedAfter", issued_at)
        and issued_at < request.get("issuedBefore", issued_at + 1)
    )


def _status(row: sqlite3.Row) -> str:
    return "ACTIVE" if row["ended_at"] is None else "REVOKED"


def _described(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "sessionArn": row["session_arn"],
        "principalArn": row["principal_arn"],
        "role": row["principal_arn"] if ":role/" in row["principal_arn"] else None,
        "status": _status(row),
        "clientId": row["client_id"],
        "clientType": "CLI",
        "issuedAt": int(row["created_at"]),
        "expiresAt": int(row["expires_at"]),
        "lastUsedAt": None if row["last_used_at"] is None else int(row["last_used_at"]),
        "issuedInRegion": row["region"],
        "userAgent": row["user_agent"],
    }
