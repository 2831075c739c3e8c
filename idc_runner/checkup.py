"""What a check-up finds on this machine and in AWS: one line each, and what to do about it."""

from __future__ import annotations

import importlib.metadata
import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, get_args

import idc_helpers
from idc_aws.connection import Connection, connect, find_instance
from idc_aws.errors import KitError, SandboxError
from idc_aws.organization import DelegatedAdministrators, describe_organization
from idc_aws.permissions import NOTEBOOK_PERMISSIONS, check_permissions, required_actions
from idc_aws.project import project_folder, runs_folder, work_folder
from idc_aws.sandbox import call_sandbox
from idc_aws.signin.terminal import advice, find_command_lines

FindingStatus = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """One line of a check-up."""

    status: FindingStatus
    subject: str
    detail: str
    remedy: str = ""

    def __str__(self) -> str:
        remedy = [f"      → {line}" for line in self.remedy.splitlines() if line]
        return "\n".join([f"{self.status:<5} {self.subject}: {self.detail}", *remedy])


_ok, _warn, _fail = (partial(Finding, status) for status in get_args(FindingStatus))
_DEFAULT_REGION = "us-east-1"


def account_findings(
    *, profile: str | None = None, region: str | None = None, expected_account: str | None = None
) -> Iterator[Finding]:
    """Yield what there is to say of the AWS account that the credentials reach."""
    chosen = region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or _DEFAULT_REGION
    try:
        connection = connect(target="aws", region=chosen, profile=profile)
    except KitError as error:
        remedy = f"{error.remedy}\nThe sandbox needs none: only `--target aws` does.".strip()
        yield _warn("AWS credentials", error.message, remedy)
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
        return _warn("AWS credentials", f"{words}, at {connection.endpoint_url} and not AWS", remedy)
    if expected_account and expected_account != found:
        remedy = "Choose a profile of the expected account, or correct `expected_account`."
        return _warn("AWS credentials", f"{words}; the scenario expects {expected_account}", remedy)
    return _ok("AWS credentials", words)


def _region_finding(region: str, *, given: bool) -> Finding:
    if given or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"):
        return _ok("Region", region)
    remedy = "Say where Identity Center is with --region, or with `region` in the scenario."
    return _warn("Region", f"none was chosen; looking in {region}", remedy)


def _instance_finding(connection: Connection) -> Finding:
    try:
        instance = find_instance(connection)
    except KitError as error:
        return _warn("Instance", error.message, error.remedy)
    words = f"{instance.kind} instance {instance.instance_arn}, {instance.status}"
    if instance.kind == "account":
        remedy = "It gives no access to accounts: notebooks 05 and 07 need an organization instance."
        return _warn("Instance", words, remedy)
    return _ok("Instance", words)


def _organization_finding(connection: Connection) -> Finding:
    account_id = connection.caller.account_id
    try:
        organization = describe_organization(connection)
        if organization is None:
            return _ok("Organization", f"account {account_id} is in none: an individual's account")
        if organization.management_account_id == account_id:
            words = f"account {account_id} is the management account"
            return _ok("Organization", f"{words} of {organization.organization_id}")
        if DelegatedAdministrators(connection).read([account_id]):
            remedy = (
                "Notebooks 01 and 04, and permission sets of the management account, need account "
                f"{organization.management_account_id}."
            )
            return _warn("Organization", f"account {account_id} is a delegated administrator", remedy)
    except KitError as error:
        return _warn("Organization", error.message, error.remedy)
    remedy = f"Sign in to the management account {organization.management_account_id}, or to a delegated one."
    return _warn("Organization", f"account {account_id} is a plain member", remedy)


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
            yield _warn("Permissions", f"{notebook} lacks {len(denied)} of {len(actions)}", remedy)
    if unknown:
        remedy = (
            "It takes iam:SimulatePrincipalPolicy to ask. docs/permissions.md lists what each notebook needs."
        )
        yield _warn("Permissions", f"{len(unknown)} of {len(every)} cannot be determined", remedy)
    elif "denied" not in answers.values():
        yield _ok("Permissions", f"all {len(every)} that the notebooks need are allowed")


OLDEST_PYTHON = (3, 11)
SANDBOX_PORT = 8723


def machine_findings() -> Iterator[Finding]:
    """Yield what there is to say of this machine; starts nothing, asks no other machine."""
    yield python_finding(sys.version_info[:3], sys.executable)
    yield kit_finding()
    yield folder_finding()
    yield aws_cli_finding()
    yield sandbox_finding()


def python_finding(version: tuple[int, ...], executable: str) -> Finding:
    """Tell whether this Python is new enough."""
    found = f"{'.'.join(map(str, version))} ({executable})"
    if version[:2] >= OLDEST_PYTHON:
        return _ok("Python", found)
    return _fail("Python", found, "The kit needs 3.11 or newer: install it and run `make` again.")


def kit_finding() -> Finding:
    """Tell the versions of the kit and of what it stands on."""
    names = ("boto3", "papermill", "jupyterlab", "pydantic")
    missing, found = [], [f"kit {idc_helpers.__version__}"]
    for name in names:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return _fail("Packages", f"missing: {', '.join(missing)}", "Run `make setup` in the kit's folder.")
    return _ok("Packages", ", ".join(found))


def folder_finding() -> Finding:
    """Tell where the kit is, and whether the folder in which a person works can hold runs."""
    try:
        project, work, runs = project_folder(), work_folder(), runs_folder()
    except KitError as error:
        return _fail("Kit's folder", error.message, error.remedy)
    present = next(folder for folder in (runs, *runs.parents) if folder.exists())
    if os.access(present, os.W_OK):
        return _ok("Kit's folder", str(project) if work == project else f"{project}; you work in {work}")
    return _warn("Kit's folder", f"{str(runs)!r} cannot be written", "Give `idc run` another with --out DIR.")


def aws_cli_finding() -> Finding:
    """Tell whether there is an AWS CLI that notebook 10 can use, and what to know about it."""
    found = find_command_lines()
    usable = next((one for one in found if one.can_sign_in), None)
    if usable is None:
        return _warn("AWS CLI", "none that can sign in", advice(found))
    words = f"{usable} ({usable.program})"
    if usable == found[0] and usable.takes_endpoint_url:
        return _ok("AWS CLI", words)
    return _warn("AWS CLI", words, advice(found))


def sandbox_finding() -> Finding:
    """Tell whether the standing sandbox runs, or whether its port is free for it."""
    try:
        answer = call_sandbox(["status", "--json"])
        about = json.loads(answer.stdout or answer.stderr)
    except (SandboxError, ValueError) as error:
        return _fail("Sandbox", f"its status cannot be read: {error}", "Run `idc sandbox status`.")
    if about.get("running"):
        return _ok("Sandbox", f"runs at {about['endpoint_url']}, state in {about['state_folder']}")
    state = Path(about["state_folder"])
    if port_is_free(SANDBOX_PORT):
        return _ok(
            "Sandbox", f"not running, starts when needed; port {SANDBOX_PORT} is free; state in {state}"
        )
    remedy = "Start the sandbox on another: idc sandbox start --port 0"
    return _warn("Sandbox", f"not running, and port {SANDBOX_PORT} is in use by something else", remedy)


def port_is_free(port: int) -> bool:
    """Return whether nothing listens on a port of 127.0.0.1."""
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
