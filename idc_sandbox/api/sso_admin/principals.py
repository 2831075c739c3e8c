"""Users and groups as holders of account assignments."""

from __future__ import annotations

from idc_sandbox.context import Context

_QUERY_OF_TYPE = {
    "USER": "SELECT 1 FROM identity_user JOIN instance USING (identity_store_id)"
    " WHERE instance_arn = ? AND user_id = ?",
    "GROUP": "SELECT 1 FROM identity_group JOIN instance USING (identity_store_id)"
    " WHERE instance_arn = ? AND group_id = ?",
}


def principal_exists(context: Context, instance_arn: str, principal_type: str, principal_id: str) -> bool:
    """Tell whether the instance's identity store has this user or group.

    Parameters
    ----------
    principal_type
        ``"USER"`` or ``"GROUP"``; the id of the one is unknown as the other.
    """
    found = context.connection.execute(
        _QUERY_OF_TYPE[principal_type], (instance_arn, principal_id)
    ).fetchone()
    return found is not None
