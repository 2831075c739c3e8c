"""A connection: a target, who calls it, and the clients to call it with."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from idc_helpers.aws.clients import Clients
from idc_helpers.aws.instance_lookup import Instance, find_instance, find_instance_or_none
from idc_helpers.aws.pacing import Pacer, Pacing
from idc_helpers.aws.sandbox_console import SandboxConsole
from idc_helpers.aws.waiting import Timing


@dataclass(frozen=True)
class Caller:
    """Who the credentials belong to.

    Attributes
    ----------
    account_id
        The account that the calls are made in.
    principal_arn
        Of a user or of a role's session.
    user_id
        AWS's unique id of the principal.
    """

    account_id: str
    principal_arn: str
    user_id: str

    @property
    def name(self) -> str:
        """What a person calls the principal: a user's name, or a role's with the session's."""
        return self.principal_arn.partition("/")[2] or self.principal_arn.rpartition(":")[2]


@dataclass(frozen=True)
class Place:
    """Where calls arrive, as forms, plans and buttons name it.

    Attributes
    ----------
    is_sandbox
        Whether nothing real can be changed there.
    account_id, account_name
        The caller's account; the name is empty where nobody may read it.
    region
        Where Identity Center is looked for.
    endpoint_url
        Where calls go on target ``"aws"``, if not to AWS.
    """

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
    """A target and everything that is needed to call it.

    Attributes
    ----------
    target
        ``"sandbox"`` or ``"aws"``.
    region
        Where Identity Center is looked for.
    caller
        Whose credentials they are.
    clients
        Makes the boto3 clients.
    pacing
        Spaces the calls.
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
    cache: dict[str, Any] = field(default_factory=dict, repr=False)
    _instance: Instance | None = field(default=None, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False, compare=False)

    def client(self, service_name: str) -> Any:
        """Return the boto3 client of a service, such as ``"sso-admin"``; made once, shared by threads."""
        return self.clients.client(service_name)

    @property
    def pacer(self) -> Pacer:
        """The one pacer of all sso-admin calls."""
        return self.pacing.sso_admin

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
    def instance(self) -> Instance:
        """The instance of Identity Center, read at first use.

        Raises
        ------
        InstanceNotFoundError, SeveralInstancesError
            When there is not exactly one.
        """
        with self._lock:
            if self._instance is None:
                self._instance = find_instance(self, self.instance_arn)
            return self._instance

    def instance_or_none(self) -> Instance | None:
        """Return the instance, or None where there is none yet; reads only."""
        with self._lock:
            if self._instance is None:
                self._instance = find_instance_or_none(self, self.instance_arn)
            return self._instance

    def refresh_instance(self) -> Instance | None:
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
