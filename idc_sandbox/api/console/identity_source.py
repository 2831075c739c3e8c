"""Changing the identity source, and what that deletes.

Source:
https://docs.aws.amazon.com/singlesignon/latest/userguide/manage-your-identity-source-considerations.html
"""

from __future__ import annotations

import sqlite3
from typing import Any

from idc_sandbox.api.console.settings import IDENTITY_SOURCES, read_identity_source, write_stored
from idc_sandbox.context import Context
from idc_sandbox.errors import conflict, validation_error

_ACTIVE_DIRECTORY = "active_directory"


def change_identity_source(context: Context, instance: sqlite3.Row, new_type: Any) -> dict[str, Any]:
    """Change where an instance's users come from.

    To or from Active Directory, all users, groups and account assignments are deleted, with the roles in the
    accounts; between the Identity Center directory and an external identity provider all of them stay.

    Returns
    -------
    dict
        ``identity_source`` as it is now, and ``deleted``: how many ``users``, ``groups`` and
        ``account_assignments``.

    Raises
    ------
    ServiceError
        ``ValidationException`` for a type that does not exist, ``ConflictException`` for the one that is in
        use.
    """
    if new_type not in IDENTITY_SOURCES:
        raise validation_error(
            f"The identity source {new_type!r} does not exist; there are {', '.join(IDENTITY_SOURCES)}."
        )
    old_type = read_identity_source(context, instance)["type"]
    if new_type == old_type:
        raise conflict(f"The identity source is {old_type!r} already.")
    deleted = {"users": 0, "groups": 0, "account_assignments": 0}
    if _ACTIVE_DIRECTORY in (old_type, new_type):
        deleted = _delete_identities(context, instance)
    write_stored(context, instance, "identity_source", {"type": new_type})
    return {"identity_source": read_identity_source(context, instance), "deleted": deleted}


def _delete_identities(context: Context, instance: sqlite3.Row) -> dict[str, int]:
    from idc_sandbox.provisioning import delete_roles_of_instance  # noqa: PLC0415

    instance_arn, store_id = instance["instance_arn"], instance["identity_store_id"]
    connection = context.connection
    connection.execute(
        "UPDATE asynchronous_request SET status = 'FAILED', failure_reason = 'The identity source was "
        "changed.' WHERE instance_arn = ? AND status = 'IN_PROGRESS' AND kind != 'PROVISION'",
        (instance_arn,),
    )
    delete_roles_of_instance(context, instance_arn)
    return {
        "users": connection.execute(
            "DELETE FROM identity_user WHERE identity_store_id = ?", (store_id,)
        ).rowcount,
        "groups": connection.execute(
            "DELETE FROM identity_group WHERE identity_store_id = ?", (store_id,)
        ).rowcount,
        "account_assignments": connection.execute(
            "DELETE FROM account_assignment WHERE instance_arn = ?", (instance_arn,)
        ).rowcount,
    }
