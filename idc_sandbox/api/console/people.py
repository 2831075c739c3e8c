"""Disabling and enabling users: the API shows ``UserStatus`` and cannot set it."""

from __future__ import annotations

import sqlite3
from typing import Any

from idc_sandbox.api.identity_store.references import find_row
from idc_sandbox.api.identity_store.users import user_answer, write_user
from idc_sandbox.context import Context


def set_user_status(
    context: Context, instance: sqlite3.Row, user_id: str, user_status: str
) -> dict[str, Any]:
    """Set a user's status, as *Disable user access* does and undoes; writes unless it is so already.

    Parameters
    ----------
    user_status
        ``"ENABLED"`` or ``"DISABLED"``.

    Returns
    -------
    dict
        ``user_id``, ``user_status`` and ``revision``.
    """
    row = find_row(context, instance["identity_store_id"], user_id, "user")
    if row["user_status"] != user_status:
        write_user(context, row, {"user_status": user_status})
        row = find_row(context, instance["identity_store_id"], user_id, "user")
    shown = user_answer(row)
    return {"user_id": shown["UserId"], "user_status": shown["UserStatus"], "revision": shown["Revision"]}
