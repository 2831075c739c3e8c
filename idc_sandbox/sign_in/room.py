"""What strangers may leave behind: anybody on this machine can begin a sign-in or register a program.

Nobody is refused for the many that others began; the oldest that led to nothing go.
"""

from __future__ import annotations

from typing import Literal

from idc_sandbox.context import Context

MOST_ROWS = 10_000
# What of each table may go
_MAY_GO = {
    "sign_in": "TRUE",
    "device_authorization": "TRUE",
    "oidc_client": "client_id NOT IN (SELECT client_id FROM oidc_token)",
    "message": "kind IN ('one-time-password', 'email-otp')",
}


def make_room(
    context: Context, table: Literal["sign_in", "device_authorization", "oidc_client", "message"]
) -> None:
    """Delete what is older than the newest `MOST_ROWS` rows of a table, where it may go. Writes."""
    context.connection.execute(
        f"DELETE FROM {table} WHERE rowid <= (SELECT max(rowid) FROM {table}) - ? AND {_MAY_GO[table]}",  # noqa: S608
        (MOST_ROWS,),
    )
