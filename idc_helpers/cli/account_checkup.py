"""What a check-up looks at in AWS: credentials, Region, instance, and what this caller may do. Reads only."""

from __future__ import annotations

import os
from collections.abc import Iterator

from idc_helpers.aws.connection import Connection, connect
from idc_helpers.aws.instance_lookup import find_instance
from idc_helpers.aws.organization import DelegatedAdministrators, describe_organization
from idc_helpers.aws.permission_check import check_permissions
from idc_helpers.aws.permissions import NOTEBOOK_PERMISSIONS, required_actions
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
    yield _organization_finding(connection)
    yield from permission_findings(connection)


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


def _organization_finding(connection: Connection) -> Finding:
    account_id = connection.caller.account_id
    try:
        organization = describe_organization(connection)
        if organization is None:
            return Finding("ok", "Organization", f"account {account_id} is in none: an individual's account")
        if organization.management_account_id == account_id:
            words = f"account {account_id} is the management account"
            return Finding("ok", "Organization", f"{words} of {organization.organization_id}")
        if DelegatedAdministrators(connection).read([account_id]):
            remedy = (
                "Notebooks 01 and 04, and permission sets of the management account, need account "
                f"{organization.management_account_id}."
            )
            return Finding(
                "warn", "Organization", f"account {account_id} is a delegated administrator", remedy
            )
    except KitError as error:
        return Finding("warn", "Organization", error.message, error.remedy)
    remedy = f"Sign in to the management account {organization.management_account_id}, or to a delegated one."
    return Finding("warn", "Organization", f"account {account_id} is a plain member", remedy)


def permission_findings(connection: Connection) -> Iterator[Finding]:
    """Yield a finding for each notebook that lacks permissions, or one that says that nothing is missing."""
    needed = {notebook: required_actions(notebook) for notebook in NOTEBOOK_PERMISSIONS}
    every = sorted({action for actions in needed.values() for action in actions})
    answers = check_permissions(connection, every)
    unknown = [action for action in every if answers[action] == "unknown"]
    for notebook, actions in needed.items():
        denied = [action for action in actions if answers[action] == "denied"]
        if denied:
            remedy = f"Ask for: {', '.join(denied)}. docs/permissions.md has the policy."
            yield Finding("warn", "Permissions", f"{notebook} lacks {len(denied)} of {len(actions)}", remedy)
    if unknown:
        remedy = (
            "It takes iam:SimulatePrincipalPolicy to ask. docs/permissions.md lists what each notebook needs."
        )
        yield Finding("warn", "Permissions", f"{len(unknown)} of {len(every)} cannot be determined", remedy)
    elif "denied" not in answers.values():
        yield Finding("ok", "Permissions", f"all {len(every)} that the notebooks need are allowed")
