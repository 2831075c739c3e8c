"""A connection to a target: who calls, which instance, and whether this run may write there."""

from __future__ import annotations

import datetime
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from idc_aws.calls import NOT_IN_ORGANIZATION, Timing, found_or_none
from idc_aws.clients import AWS_RATE_PER_S, Clients, Pacing, Page, SharedPacer, aws_clients, sandbox_clients
from idc_aws.errors import (
    AccessDeniedError,
    AccountInstanceError,
    InstanceNotFoundError,
    InvalidValueError,
    KitError,
    SeveralInstancesError,
    WrongAccountError,
)
from idc_aws.failures import Failures, failed_read
from idc_aws.identifiers import check_account_id, check_region
from idc_aws.project import PACING_FOLDER_VARIABLE, PACING_MACHINES_VARIABLE
from idc_aws.sandbox import SandboxConsole, start_sandbox

_GOING = ("CREATE_FAILED", "DELETE_IN_PROGRESS", "DELETED")
_REGIONS_LINK = "https://docs.aws.amazon.com/singlesignon/latest/userguide/regions.html"
InstanceKind = Literal["organization", "account"]


@dataclass(frozen=True)
class IdentityCenterInstance:
    """One instance of Identity Center."""

    instance_arn: str
    identity_store_id: str
    owner_account_id: str
    region: str
    kind: InstanceKind
    status: str
    name: str
    created_at: datetime.datetime | None = None


def list_instances(connection: Connection) -> list[IdentityCenterInstance]:
    """Return the instances that are visible in the Region, the organization's first; reads only."""
    with failed_read("the instances of Identity Center"):
        found = list(connection.items("sso-admin", "list_instances"))
        instances = [_instance(connection, entry) for entry in found]
    return sorted(instances, key=lambda instance: (instance.kind != "organization", instance.instance_arn))


def find_instance(connection: Connection, instance_arn: str | None = None) -> IdentityCenterInstance:
    """Return the only instance, or the one with an ARN; reads only, never guesses."""
    instance, others = _look(connection, instance_arn)
    if instance is None:
        what = "no instance" if instance_arn is None else f"no instance {instance_arn!r}"
        raise _none_found(connection, what, others, _regions_with_instances(connection))
    return instance


def require_home_region(connection: Connection, kind: str) -> None:
    """Return unless an instance is visible, though in another Region than the connection's; reads only."""
    owner = connection.caller.account_id if kind == "account" else None
    try:
        elsewhere = [] if connection.instance_or_none() else _regions_with_instances(connection, owner)
    except (KitError, ClientError):
        return  # for later to say
    if elsewhere:
        raise _none_found(connection, "no instance", [], elsewhere)


def _look(
    connection: Connection, instance_arn: str | None
) -> tuple[IdentityCenterInstance | None, list[IdentityCenterInstance]]:
    """Return the instance or None, and all that are visible."""
    # A deletion shows for a while; nothing can be done with such an instance.
    found = [instance for instance in list_instances(connection) if instance.status != "DELETE_IN_PROGRESS"]
    if instance_arn is not None:
        return next((one for one in found if one.instance_arn == instance_arn), None), found
    if len(found) > 1:
        listed = "; ".join(
            f"{one.instance_arn} ({one.kind}, account {one.owner_account_id})" for one in found
        )
        raise SeveralInstancesError(
            f"{len(found)} instances are visible in Region {connection.region!r}: {listed}",
            remedy="Say which one: pass its ARN as `instance_arn`.",
        )
    return (found[0] if found else None), found


def _none_found(
    connection: Connection, what: str, here: list[IdentityCenterInstance], elsewhere: list[str]
) -> InstanceNotFoundError:
    there = f" There is one in {', '.join(elsewhere)}." if elsewhere else ""
    others = (
        f" There {'is' if len(here) == 1 else 'are'} {', '.join(one.instance_arn for one in here)}."
        if here
        else ""
    )
    remedy = (
        f"Set `region` to {elsewhere[0]!r}."
        if elsewhere
        else "Set `region` to its home Region, or enable it in notebook 01."
    )
    return InstanceNotFoundError(
        f"{what} is visible in Region {connection.region!r} for account {connection.caller.account_id!r}."
        f"{there}{others}",
        remedy=f"Identity Center is regional. {remedy}",
        link=_REGIONS_LINK,
    )


def _regions_with_instances(connection: Connection, owner: str | None = None) -> list[str]:
    try:
        found = list(connection.items("sso-admin", "list_instances", RegionScope="ALL_REGIONS"))
    except (ClientError, AccessDeniedError):
        return []  # It only improves the message.
    regions = {
        str(entry.get("PrimaryRegion") or "")
        for entry in found
        if entry.get("Status") not in _GOING and owner in (None, entry.get("OwnerAccountId"))
    }
    return sorted(regions - {"", connection.region})


def _instance(connection: Connection, entry: dict[str, Any]) -> IdentityCenterInstance:
    return IdentityCenterInstance(
        instance_arn=entry["InstanceArn"],
        identity_store_id=entry.get("IdentityStoreId", ""),
        owner_account_id=entry.get("OwnerAccountId", ""),
        region=entry.get("PrimaryRegion") or connection.region,
        kind=_kind(connection, entry),
        status=entry.get("Status", "ACTIVE"),
        name=entry.get("Name", ""),
        created_at=entry.get("CreatedDate"),
    )


def _kind(connection: Connection, entry: dict[str, Any]) -> InstanceKind:
    # No API names the kind. The management account can own the organization's instance only, a member account
    # only one of its own; outside of an organization only the instance itself can tell.
    in_charge = management_account_id(connection)
    if in_charge:
        return "organization" if entry.get("OwnerAccountId") == in_charge else "account"
    if entry.get("Status", "ACTIVE") != "ACTIVE":
        return "account"
    try:
        which = {"InstanceArn": entry["InstanceArn"], "MaxResults": 1}
        connection.call("sso-admin", "list_permission_sets", **which)
    except AccountInstanceError:
        return "account"
    except (ClientError, AccessDeniedError):
        return "organization" if entry.get("OwnerAccountId") != connection.caller.account_id else "account"
    return "organization"


def management_account_id(connection: Connection) -> str:
    """Return the id of the organization's management account; "" outside of one or where nobody may tell."""
    if "management_account_id" not in connection.cache:
        describe = "describe_organization"
        try:
            answer = found_or_none(connection.call, "organizations", describe, codes=NOT_IN_ORGANIZATION)
        except AccessDeniedError:
            return ""
        if answer is None:
            return ""
        connection.cache["management_account_id"] = answer["Organization"]["MasterAccountId"]
    return str(connection.cache["management_account_id"])


@dataclass(frozen=True)
class Caller:
    """Who the credentials belong to."""

    account_id: str
    principal_arn: str
    user_id: str

    @property
    def name(self) -> str:
        """What a person calls the principal: a user's name, or a role's with the session's."""
        return self.principal_arn.partition("/")[2] or self.principal_arn.rpartition(":")[2]


@dataclass(frozen=True)
class Place:
    """Where calls arrive, as forms, plans and buttons name it."""

    is_sandbox: bool
    account_id: str
    region: str
    account_name: str = ""
    endpoint_url: str = ""

    @property
    def short(self) -> str:
        """Such as ``"the sandbox"`` or ``"AWS account 111122223333, eu-central-1"``, for a button."""
        return "the sandbox" if self.is_sandbox else f"AWS account {self.account_id}, {self.region}"

    def __str__(self) -> str:
        if self.is_sandbox:
            return f"the sandbox, Region {self.region}"
        name = f" ({self.account_name})" if self.account_name else ""
        overridden = f", endpoint overridden: {self.endpoint_url}, not AWS" if self.endpoint_url else ""
        return f"AWS account {self.account_id}{name}, Region {self.region}{overridden}"


@dataclass
class Connection:
    """A target and everything that is needed to call it; made by `connect`.

    Attributes
    ----------
    target
        ``"sandbox"`` or ``"aws"``.
    region
        Where Identity Center is looked for.
    caller
        Whose credentials they are.
    clients, pacing
        Make the boto3 clients, and space their calls.
    console
        What only the console can do: the sandbox's; None on AWS.
    instance_arn
        The instance that the user chose; None: the only one.
    account_name
        The name of the caller's account in its organization; empty where nobody may tell.
    endpoint_url
        Where calls go, if not to AWS.
    state_id
        Which state of the sandbox it is; empty on AWS.
    timing
        The clock that waiting goes by.
    writers
        How many changes that do not depend on each other are made at the same time.
    cache
        What never changes once it is read, such as a permission set's name by its ARN.
    """

    target: str
    region: str
    caller: Caller
    clients: Clients
    pacing: Pacing = field(default_factory=Pacing)
    console: SandboxConsole | None = None
    instance_arn: str | None = None
    account_name: str = ""
    endpoint_url: str = ""
    state_id: str = ""
    timing: Timing = field(default_factory=Timing)
    writers: int = 8
    cache: dict[str, Any] = field(default_factory=dict, repr=False)
    _instance: IdentityCenterInstance | None = field(default=None, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False, compare=False)

    def client(self, service_name: str) -> Any:
        """Return the boto3 client of a service, such as ``"sso-admin"``; made once, shared by threads."""
        return self.clients.client(service_name)

    def call(self, service_name: str, method_name: str, **request: Any) -> dict[str, Any]:
        """Make one call in the instance, such as ``call("identitystore", "list_users")``."""
        return self.clients.call(
            service_name, method_name, self.in_instance(service_name, method_name, request)
        )

    def items(self, service_name: str, method_name: str, **request: Any) -> Iterator[Any]:
        """Yield the items of all pages of a list in the instance."""
        return self.clients.items(
            service_name, method_name, self.in_instance(service_name, method_name, request)
        )

    def pages(self, service_name: str, method_name: str, **request: Any) -> Iterator[Page]:
        """Yield the pages of a list in the instance, each of one call."""
        return self.clients.pages(
            service_name, method_name, self.in_instance(service_name, method_name, request)
        )

    def in_instance(self, service_name: str, method_name: str, request: dict[str, Any]) -> dict[str, Any]:
        """Return a request with the instance's ARN or its identity store's id, where AWS asks for it."""
        asked = self.clients.operation(service_name, method_name).input_shape
        members = asked.members if asked is not None else {}
        if "IdentityStoreId" in members:
            return {"IdentityStoreId": self.instance.identity_store_id, **request}
        if "InstanceArn" in members and "InstanceArn" not in request:
            return {"InstanceArn": self.instance.instance_arn, **request}
        return request

    @property
    def is_sandbox(self) -> bool:
        """Whether nothing real can be changed."""
        return self.target == "sandbox"

    @property
    def place(self) -> Place:
        """Where calls arrive."""
        overridden = "" if self.is_sandbox else self.endpoint_url
        return Place(self.is_sandbox, self.caller.account_id, self.region, self.account_name, overridden)

    @property
    def instance(self) -> IdentityCenterInstance:
        """The instance of Identity Center, read at first use."""
        with self._lock:
            if self._instance is None:
                self._instance = find_instance(self, self.instance_arn)
            return self._instance

    def instance_or_none(self) -> IdentityCenterInstance | None:
        """Return the instance, or None where there is none yet; reads only."""
        with self._lock:
            if self._instance is None:
                self._instance = _look(self, self.instance_arn)[0]
            return self._instance

    def refresh_instance(self) -> IdentityCenterInstance | None:
        """Read the instance again, after it was made, changed or deleted; None where there is none."""
        with self._lock:
            self._instance = None
            return self.instance_or_none()

    def __str__(self) -> str:
        account = f"account {self.caller.account_id}" + (
            f" ({self.account_name})" if self.account_name else ""
        )
        parts = [self.target, account, self.caller.name, f"Region {self.region}"]
        if self.endpoint_url and not self.is_sandbox:
            parts.append(f"endpoint overridden: {self.endpoint_url}, not AWS")
        return " · ".join(parts)


def share_pacing(connection: Connection) -> None:
    """Let a connection to AWS take its slots from files, where the environment names their folder."""
    folder = os.environ.get(PACING_FOLDER_VARIABLE)
    if not folder:
        return
    machines = os.environ.get(PACING_MACHINES_VARIABLE, "1")
    if not machines.isdecimal() or int(machines) < 1:
        raise InvalidValueError(
            f"{PACING_MACHINES_VARIABLE} is {machines!r}",
            remedy="It is the number of machines that share the rate.",
        )
    rate_per_s = AWS_RATE_PER_S / int(machines)
    # The limits are the organization's, or the caller's account's where it cannot be read.
    account_id = management_account_id(connection) or connection.caller.account_id
    start = f"{account_id}-{connection.region}"
    connection.pacing.share(lambda limit: SharedPacer(rate_per_s, Path(folder) / f"{start}-{limit}.slot"))


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
    """Return a connection to the sandbox of a state folder, started if need be; as `connect`."""
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
        answer = clients.call("sts", "get_caller_identity", {})
    caller = Caller(answer["Account"], answer["Arn"], answer["UserId"])
    failures.principal_arn = caller.principal_arn
    name = _account_name(clients, caller.account_id)
    return Connection(target, region, caller, clients, account_name=name, **options)


def _account_name(clients: Clients, account_id: str) -> str:
    # Only the management account and delegated administrators may read it, and only in an organization.
    try:
        answer = clients.call("organizations", "describe_account", {"AccountId": account_id})
    except (ClientError, AccessDeniedError):
        return ""
    return str(answer["Account"].get("Name", ""))


def _overridden_endpoint(clients: Clients) -> str:
    endpoint_url: str = clients.client("sso-admin").meta.endpoint_url
    host = urlsplit(endpoint_url).hostname or ""
    return "" if host.endswith(_AWS_DOMAINS) else endpoint_url


def require_apply_allowed(connection: Connection, expected_account: str | None) -> None:
    """Return when this connection may write: in the sandbox always, on AWS in the expected account alone.

    Parameters
    ----------
    connection
        Where a run would write.
    expected_account
        The account id that the person means; None or empty: none was given.

    Raises
    ------
    WrongAccountError
        When the caller's account is another, or none was given; nothing was changed.
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
