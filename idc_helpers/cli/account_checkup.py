"""What a check-up looks at in AWS: credentials, Region, instance, and what this caller may do. Reads only."""

from __future__ import annotations

import os
from collections.abc import Iterator

from idc_helpers.aws.connection import Connection, connect
from idc_helpers.aws.instance_lookup import find_instance
from idc_helpers.cli.findings import Finding
from idc_helpers.errors import KitError

_DEFAULT_REGION = "us-east-1"


def account_findings(
    *, profile: str | None = None, region: str | None = None, expected_account: str | None = None
) -> Iterator[Finding]:
    """Yield what there is to say of the AWS account that the credentials reach.

    Parameters
    ----------
    profile
        Of the user's AWS configuration; None: the environment's credentials.
    region
        Where to look for Identity Center; None: the environment's, else us-east-1.
    expected_account
        The account that the scenario means.
    """
    chosen = region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or _DEFAULT_REGION
    try:
        connection = connect(target="aws", region=chosen, profile=profile)
    except KitError as error:
        remedy = f"{error.remedy}\nThe sandbox needs none: only `--target aws` does.".strip()
        yield Finding("warn", "AWS credentials", error.message, remedy)
        return
    yield _caller_finding(connection, expected_account)
    yield _region_finding(chosen, given=region is not None)
    yield _instance_finding(connection)


def _caller_finding(connection: Connection, expected_account: str | None) -> Finding:
    found = connection.caller.account_id
    words = f"{connection.caller.name} in account {found}"
    if connection.endpoint_url:
        remedy = "Unset AWS_ENDPOINT_URL to reach AWS."
        return Finding(
            "warn", "AWS credentials", f"{words}, at {connection.endpoint_url} and not AWS", remedy
        )
    if expected_account and expected_account != found:
        remedy = "Choose a profile of the expected account, or correct `expected_account`."
        return Finding("warn", "AWS credentials", f"{words}; the scenario expects {expected_account}", remedy)
    return Finding("ok", "AWS credentials", words)


def _region_finding(region: str, *, given: bool) -> Finding:
    if given or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"):
        return Finding("ok", "Region", region)
    remedy = "Say where Identity Center is with --region, or with `region` in the scenario."
    return Finding("warn", "Region", f"none was chosen; looking in {region}", remedy)


def _instance_finding(connection: Connection) -> Finding:
    try:
        instance = find_instance(connection)
    except KitError as error:
        return Finding("warn", "Instance", error.message, error.remedy)
    words = f"{instance.kind} instance {instance.instance_arn}, {instance.status}"
    if instance.kind == "account":
        remedy = "It gives no access to accounts: notebooks 05 and 07 need an organization instance."
        return Finding("warn", "Instance", words, remedy)
    return Finding("ok", "Instance", words)
