"""Connecting to a target, and being allowed to write there."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from idc_helpers.aws.clients import Clients, aws_clients, sandbox_clients
from idc_helpers.aws.connected import Caller, Connection
from idc_helpers.aws.failures import Failures, failed_read
from idc_helpers.aws.pacing import AWS_RATE_PER_S, Pacing
from idc_helpers.aws.pacing_shared import share_pacing
from idc_helpers.aws.sandbox_console import SandboxConsole
from idc_helpers.errors import AccessDeniedError, WrongAccountError
from idc_helpers.identifiers import check_account_id, check_region
from idc_helpers.sandbox_starter import start_sandbox

__all__ = ["Caller", "Connection", "connect", "connect_to_sandbox", "require_apply_allowed"]

_AWS_DOMAINS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".amazonaws.eu")


def connect(
    *,
    target: Literal["sandbox", "aws"] = "sandbox",
    region: str = "us-east-1",
    profile: str | None = None,
    instance_arn: str | None = None,
    state_folder: str | Path | None = None,
) -> Connection:
    """Return a new connection; asks AWS who calls, and changes nothing.

    Parameters
    ----------
    target
        ``"sandbox"`` starts or finds the sandbox; ``"aws"`` uses the user's credentials, read anew each time.
    region
        Where Identity Center is looked for: it is regional.
    profile
        Of the user's AWS configuration; only for AWS.
    instance_arn
        Which instance, where several are visible.
    state_folder
        Of the sandbox; None: the standing one.

    Raises
    ------
    InvalidValueError
        When the Region is not one.
    TargetError
        When the target does not answer or the credentials are missing, refused or expired.

    Notes
    -----
    Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
    """
    check_region(region)
    if target == "sandbox":
        return connect_to_sandbox(region=region, instance_arn=instance_arn, state_folder=state_folder)
    failures = Failures("aws", region, profile=profile)
    pacing = Pacing(AWS_RATE_PER_S)
    clients = aws_clients(region=region, profile=profile, failures=failures, pacing=pacing)
    connection = _connected("aws", region, clients, failures, pacing=pacing, instance_arn=instance_arn)
    connection.endpoint_url = _overridden_endpoint(clients)
    share_pacing(connection)
    return connection


def connect_to_sandbox(
    *,
    region: str = "us-east-1",
    instance_arn: str | None = None,
    state_folder: str | Path | None = None,
    rate_per_s: float | None = None,
) -> Connection:
    """Return a connection to the sandbox of a state folder, started if need be; as `connect`.

    Parameters
    ----------
    rate_per_s
        Paces the calls as on AWS, where a lesson wants that; None: no pacing.
    """
    # One of a folder of its own takes any free port: the usual one belongs to the standing sandbox.
    sandbox = start_sandbox(state_folder, port=0 if state_folder is not None else None)
    failures = Failures("sandbox", region, endpoint_url=sandbox.endpoint_url)
    pacing = Pacing(rate_per_s)
    clients = sandbox_clients(
        endpoint_url=sandbox.endpoint_url,
        region=region,
        access_key_id=sandbox.access_key_id,
        secret_access_key=sandbox.secret_access_key,
        failures=failures,
        pacing=pacing,
    )
    console = SandboxConsole(sandbox.endpoint_url, sandbox.control_secret, sandbox.state_folder)
    connection = _connected("sandbox", region, clients, failures, pacing=pacing, instance_arn=instance_arn)
    connection.console, connection.endpoint_url = console, sandbox.endpoint_url
    connection.state_id = sandbox.state_id
    return connection


def _connected(target: str, region: str, clients: Clients, failures: Failures, **options: Any) -> Connection:
    with failed_read("the caller's identity"):
        answer = clients.client("sts").get_caller_identity()
    caller = Caller(answer["Account"], answer["Arn"], answer["UserId"])
    failures.principal_arn = caller.principal_arn
    name = _account_name(clients, caller.account_id)
    return Connection(target, region, caller, clients, account_name=name, **options)


def _account_name(clients: Clients, account_id: str) -> str:
    # Only the management account and delegated administrators may read it, and only in an organization.
    try:
        account = clients.client("organizations").describe_account(AccountId=account_id)["Account"]
    except (ClientError, AccessDeniedError):
        return ""
    return str(account.get("Name", ""))


def _overridden_endpoint(clients: Clients) -> str:
    endpoint_url: str = clients.client("sso-admin").meta.endpoint_url
    host = urlsplit(endpoint_url).hostname or ""
    return "" if host.endswith(_AWS_DOMAINS) else endpoint_url


def require_apply_allowed(connection: Connection, expected_account: str | None) -> None:
    """Return when this connection may write: always in the sandbox, and on AWS in the expected account alone.

    Parameters
    ----------
    expected_account
        The account's id, as the parameters say.

    Raises
    ------
    WrongAccountError
        When it is missing, or another one than the caller's.
    """
    if connection.is_sandbox:
        return
    found = connection.caller.account_id
    if not expected_account:
        raise WrongAccountError(
            f"the parameters do not say which account to change; the caller is in account {found!r}",
            remedy=f'Read the plan, then set `expected_account = "{found}"` if that is the account you mean.',
        )
    if check_account_id(expected_account) != found:
        raise WrongAccountError(
            f"the parameters expect account {expected_account!r}, but the caller is in account {found!r}",
            remedy="Use a profile of that account, or correct `expected_account`. Nothing was changed.",
        )
