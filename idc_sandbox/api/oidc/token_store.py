"""Tokens of clients: what is kept, how long they hold, and when a whole family of them goes.

A token belongs to the portal session of the person who allowed it, and ends with it.
Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/authconcept.html
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from idc_sandbox.api.oidc.client_registrations import ACCOUNT_ACCESS_SCOPE
from idc_sandbox.context import Context
from idc_sandbox.sign_in.portal_sessions import PortalSession, session_of
from idc_sandbox.sign_in.tokens import digest, new_token

ACCESS_TOKEN_LIFETIME_S = 3_600  # UNCONFIRMED at AWS
LEGACY_TOKEN_LIFETIME_S = 8 * 3_600
# Programs share one cached login, and several may refresh it at once: the replaced token is good for so long.
REPLACED_TOKEN_GRACE_S = 60  # UNCONFIRMED at AWS; other authorization servers allow up to a minute


def issue_tokens(
    context: Context, session: PortalSession, *, client_id: str, scopes: Sequence[str], family_id: str
) -> dict[str, Any]:
    """Return CreateToken's answer with new tokens. Writes.

    With the scope for account access the token lasts an hour and can be refreshed; without any scope, as
    profiles of the older kind ask, it lasts eight hours and cannot. No token outlives the portal session.
    """
    can_refresh = ACCOUNT_ACCESS_SCOPE in scopes
    lifetime_s = ACCESS_TOKEN_LIFETIME_S if scopes else LEGACY_TOKEN_LIFETIME_S
    now = context.now
    expires_at = min(now + lifetime_s, session.expires_at)
    context.connection.execute("DELETE FROM oidc_token WHERE expires_at <= ?", (now - 86_400,))

    def keep(kind: str, until: float) -> str:
        token = new_token()
        context.connection.execute(
            "INSERT INTO oidc_token VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
            (digest(token), kind, family_id, client_id, json.dumps(list(scopes)), session.session_id, until),
        )
        return token

    answer = {
        "accessToken": keep("access", expires_at),
        "tokenType": "Bearer",
        "expiresIn": max(1, int(expires_at - now)),
    }
    return answer | ({"refreshToken": keep("refresh", session.expires_at)} if can_refresh else {})


def find_token(context: Context, token: str, kind: str) -> sqlite3.Row | None:
    """Return what is kept of a token, ``"access"`` or ``"refresh"``, used or not; None when it expired."""
    row: sqlite3.Row | None = context.connection.execute(
        "SELECT * FROM oidc_token WHERE token_hash = ? AND kind = ? AND expires_at > ?",
        (digest(token), kind, context.now),
    ).fetchone()
    return row


def session_of_access_token(context: Context, token: str) -> PortalSession | None:
    """Return the portal session that an access token acts for, or None when either is over."""
    row = find_token(context, token, "access")
    return None if row is None else session_of(context, row["session_id"])


def is_replayed(context: Context, row: sqlite3.Row) -> bool:
    """Tell whether a refresh token was replaced, and longer ago than programs that ask at once explain."""
    used_at = row["used_at"]
    return used_at is not None and not 0 <= context.now - used_at < REPLACED_TOKEN_GRACE_S


def mark_used(context: Context, row: sqlite3.Row) -> None:
    """Remember when a refresh token was replaced first. Writes."""
    context.connection.execute(
        "UPDATE oidc_token SET used_at = ? WHERE token_hash = ? AND used_at IS NULL",
        (context.now, row["token_hash"]),
    )


def revoke_family(context: Context, family_id: str) -> None:
    """Make every token of a family void. Writes."""
    context.connection.execute("DELETE FROM oidc_token WHERE family_id = ?", (family_id,))
