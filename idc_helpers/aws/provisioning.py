"""Provisioning: bringing the latest version of a permission set to the accounts that have an older one."""

from __future__ import annotations

from typing import Any

from idc_helpers.aws.calls import Writer
from idc_helpers.aws.connected import Connection
from idc_helpers.aws.waiting import wait_until
from idc_helpers.errors import WriteFailedError

PROVISION_TIMEOUT_S = 900.0
_ALL: dict[str, Any] = {"TargetType": "ALL_PROVISIONED_ACCOUNTS"}


def provision_permission_set(
    connection: Connection,
    permission_set_arn: str,
    *,
    name: str,
    account_id: str | None = None,
    writer: Writer | None = None,
) -> None:
    """Provision a permission set to all accounts that have it, or to one, and wait for it; writes.

    Parameters
    ----------
    name
        The permission set's, for messages.
    account_id
        The one account; None: all that have it.
    writer
        Keeps the request ids.

    Raises
    ------
    WriteFailedError
        When AWS fails it; it names the reason and, where AWS tells, the account.
    WaitTimeoutError
        When it takes longer than 15 minutes.

    Notes
    -----
    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_ProvisionPermissionSet.html
    """
    writer = writer or Writer(connection)
    sso_admin = connection.client("sso-admin")
    instance_arn = connection.instance.instance_arn
    target: dict[str, Any] = {"TargetType": "AWS_ACCOUNT", "TargetId": account_id} if account_id else _ALL
    started = writer.send(
        sso_admin.provision_permission_set,
        InstanceArn=instance_arn,
        PermissionSetArn=permission_set_arn,
        **target,
    )["PermissionSetProvisioningStatus"]

    def read() -> dict[str, Any]:
        answer: dict[str, Any] = sso_admin.describe_permission_set_provisioning_status(
            InstanceArn=instance_arn, ProvisionPermissionSetRequestId=started["RequestId"]
        )
        return dict(answer["PermissionSetProvisioningStatus"])

    ended = wait_until(
        read,
        lambda status: status["Status"] != "IN_PROGRESS",
        timeout_s=PROVISION_TIMEOUT_S,
        what=f"the permission set {name!r} to be provisioned",
        timing=connection.timing,
    )
    if ended["Status"] == "FAILED":
        raise _provisioning_failed(name, ended)


def _provisioning_failed(name: str, status: dict[str, Any]) -> WriteFailedError:
    account = f" to account {status['AccountId']!r}" if status.get("AccountId") else ""
    reason = status.get("FailureReason") or "AWS gives no reason"
    return WriteFailedError(
        f"the permission set {name!r} was changed but could not be provisioned{account}: {reason}",
        remedy="Accounts keep the previous version. Fix the cause (a customer managed policy must exist in"
        " every account), then plan and apply again.",
    )
