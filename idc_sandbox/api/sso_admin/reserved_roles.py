"""The role that a permission set becomes in an account: ``AWSReservedSSO_<permission set>_<16 hex digits>``.

Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/referencingpermissionsets.html
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from typing import Any

from idc_sandbox.api.sso_admin.permission_set_policies import (
    customer_managed_policies,
    managed_policy_arns,
    reference_key,
)
from idc_sandbox.context import Context

# The role allows IAM's longest session; how long one really lasts is the permission set's to say, at sign-in.
MAXIMUM_ROLE_SESSION_S = 43_200


class ProvisioningError(Exception):
    """A permission set cannot be provisioned in an account; the message is the request's failure reason."""


def provision_role(
    context: Context, permission_set_arn: str, account_id: str, *, even_if_latest: bool
) -> None:
    """Bring an account's role in line with its permission set; writes to the account's IAM.

    Parameters
    ----------
    even_if_latest
        Also write a role that has the latest revision already, which mends one that somebody changed by hand.

    Raises
    ------
    ProvisioningError
        When the account is gone, or a customer managed policy does not exist in it; nothing has been changed
        then.
    """
    _require_open_account(context, account_id)
    permission_set = _permission_set(context, permission_set_arn)
    provisioned = _provisioned(context, permission_set_arn, account_id)
    revision = permission_set["revision"]
    if provisioned and provisioned["provisioned_revision"] == revision and not even_if_latest:
        return
    _require_account_ready(context, permission_set, account_id)
    if provisioned:
        role_name = provisioned["role_name"]
        context.double.update_reserved_role(
            account_id, **_role(context, permission_set, account_id, role_name)
        )
    else:
        role_name = f"AWSReservedSSO_{permission_set['name']}_{context.ids.role_suffix()}"
        context.double.create_reserved_role(
            account_id, **_role(context, permission_set, account_id, role_name)
        )
    context.connection.execute(
        "INSERT OR REPLACE INTO provisioned_permission_set VALUES (?, ?, ?, ?, ?)",
        (permission_set_arn, account_id, revision, role_name, context.now),
    )


def delete_role(context: Context, permission_set_arn: str, account_id: str) -> None:
    """Delete an account's role of a permission set, if it has one; the next one will have another suffix."""
    provisioned = _provisioned(context, permission_set_arn, account_id)
    if provisioned is None:
        return
    if account_id in context.double.account_ids():
        context.double.delete_reserved_role(account_id, provisioned["role_name"])
    context.connection.execute(
        "DELETE FROM provisioned_permission_set WHERE permission_set_arn = ? AND account_id = ?",
        (permission_set_arn, account_id),
    )


def delete_roles_of_instance(context: Context, instance_arn: str) -> None:
    """Delete every role that an instance made, in all accounts."""
    rows = context.connection.execute(
        "SELECT permission_set_arn, account_id FROM provisioned_permission_set"
        " JOIN permission_set USING (permission_set_arn) WHERE instance_arn = ?",
        (instance_arn,),
    ).fetchall()
    for row in rows:
        delete_role(context, row["permission_set_arn"], row["account_id"])


def role_path(region: str) -> str:
    """Return the path of the roles; the Region is left out when the home Region is us-east-1."""
    return "/aws-reserved/sso.amazonaws.com/" + ("" if region == "us-east-1" else f"{region}/")


def saml_provider_arn(instance_arn: str, account_id: str) -> str:
    """Return the ARN of the SAML provider that an account's roles trust; the same each time."""
    digits = hashlib.sha256(f"{instance_arn} {account_id}".encode()).hexdigest()[:16]
    return f"arn:aws:iam::{account_id}:saml-provider/AWSSSO_{digits}_DO_NOT_DELETE"


def _permission_set(context: Context, permission_set_arn: str) -> sqlite3.Row:
    row: sqlite3.Row = context.connection.execute(
        "SELECT permission_set.*, region FROM permission_set JOIN instance USING (instance_arn)"
        " WHERE permission_set_arn = ?",
        (permission_set_arn,),
    ).fetchone()
    return row


def _provisioned(context: Context, permission_set_arn: str, account_id: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = context.connection.execute(
        "SELECT * FROM provisioned_permission_set WHERE permission_set_arn = ? AND account_id = ?",
        (permission_set_arn, account_id),
    ).fetchone()
    return row


def _boundary(permission_set: sqlite3.Row) -> dict[str, Any]:
    boundary: dict[str, Any] = json.loads(permission_set["permissions_boundary_json"] or "{}")
    return boundary


def _require_open_account(context: Context, account_id: str) -> None:
    if account_id in context.double.closed_account_ids():
        # AWS's words, as seen in public bug reports: it tries for a while, and then fails the request.
        raise ProvisioningError(
            "AWS SSO is unable to complete your request at this time. Obtaining permissions to manage your "
            f"AWS account '{account_id}' is taking longer than usual. Please try again in a few minutes. "
            "If this problem continues, contact AWS Support."
        )


def _require_account_ready(context: Context, permission_set: sqlite3.Row, account_id: str) -> None:
    if account_id not in context.double.account_ids():
        raise ProvisioningError(
            f"Received a 404 status error: Account {account_id} is not active in the organization."
        )
    needed = customer_managed_policies(context, permission_set["permission_set_arn"])
    reference = _boundary(permission_set).get("CustomerManagedPolicyReference")
    for path, name in [*needed, *([reference_key(reference)] if reference else [])]:
        if not context.double.customer_managed_policy_exists(account_id, path, name):
            # AWS's words, as seen in public bug reports; what to do comes after them.
            raise ProvisioningError(
                f"Received a 404 status error: Not supported policy {_policy_arn(account_id, path, name)}. "
                f"Create the policy in account {account_id} first, with this name and path."
            )


def _policy_arn(account_id: str, path: str, name: str) -> str:
    return f"arn:aws:iam::{account_id}:policy{path}{name}"


def _role(context: Context, permission_set: sqlite3.Row, account_id: str, role_name: str) -> dict[str, Any]:
    permission_set_arn = permission_set["permission_set_arn"]
    boundary = _boundary(permission_set)
    boundary_arn = boundary.get("ManagedPolicyArn")
    if "CustomerManagedPolicyReference" in boundary:
        boundary_arn = _policy_arn(account_id, *reference_key(boundary["CustomerManagedPolicyReference"]))
    return {
        "role_name": role_name,
        "path": role_path(permission_set["region"]),
        "description": permission_set["description"] or "",
        "max_session_duration_s": MAXIMUM_ROLE_SESSION_S,
        "saml_provider_arn": saml_provider_arn(permission_set["instance_arn"], account_id),
        "managed_policy_arns": managed_policy_arns(context, permission_set_arn),
        "customer_managed": customer_managed_policies(context, permission_set_arn),
        "inline_policy": permission_set["inline_policy"],
        "permissions_boundary_arn": boundary_arn,
        "tags": {},
    }
