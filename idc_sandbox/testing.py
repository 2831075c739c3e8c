"""An Identity Center for tests: what it begins with, and the way back there without a start."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from idc_sandbox.environment import environment, variables_to_unset
from idc_sandbox.errors import SandboxStartError
from idc_sandbox.launcher import child_environment
from idc_sandbox.loopback import RunningSandbox, control
from idc_sandbox.organization import DEFAULT_ORGANIZATION, organization_text
from idc_sandbox.state_folder import HOME_NAME

if TYPE_CHECKING:
    from idc_sandbox.persona import Persona

Seed = Mapping[str, Any]
# The words are those of the lesson's scenarios (parameters/sandbox.yaml), where both have them.
_ENTRIES: dict[str, tuple[str, tuple[str, ...]]] = {
    "users": ("user_name", ("given_name", "family_name", "display_name", "email", "groups")),
    "groups": ("display_name", ("description",)),
    "permission_sets": (
        "name",
        ("description", "session_duration", "relay_state", "managed_policies", "inline_policy", "tags"),
    ),
    "account_assignments": ("permission_set", ("user", "group", "accounts")),
}
_SINGLE = ("region", "instance", "organization")


class SeedError(Exception):
    """A seed cannot be used; the message names the entry, what was found and what to do."""


def read_seed(given: Seed | Path | str) -> dict[str, Any]:
    """Return a seed from a mapping, or from a YAML or JSON file; each entry is a mapping afterwards."""
    values, where = given, "the seed"
    if isinstance(given, Path | str):
        import yaml  # noqa: PLC0415  a seed in Python needs none

        where = f"the seed {str(given)!r}"
        try:
            values = yaml.safe_load(Path(given).read_text("utf-8")) or {}
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise SeedError(f"{where} cannot be read: {error}. Give a YAML or JSON file.") from error
    if not isinstance(values, Mapping):
        raise SeedError(f"{where} is {values!r}, not a mapping. Give {_listed((*_ENTRIES, *_SINGLE))}.")
    _require_known(values, where, (*_ENTRIES, *_SINGLE))
    found = {name: values[name] for name in _SINGLE if values.get(name) is not None}
    if not isinstance(found.get("instance", True), bool):
        raise SeedError(f"instance of {where} is {found['instance']!r}. Give true or false.")
    for name, (key, known) in _ENTRIES.items():
        entries = values.get(name) or []
        if not isinstance(entries, list | tuple):
            raise SeedError(f"{name} of {where} is {entries!r}, not a list. Give a list of entries.")
        found[name] = [_entry(one, f"{name} of {where}", key, known) for one in entries]
    organization = found.get("organization")
    if isinstance(given, Path | str) and isinstance(organization, str):
        found["organization"] = Path(given).absolute().parent / organization
    return found


def _entry(given: Any, where: str, key: str, known: Iterable[str]) -> dict[str, Any]:
    """Return an entry whole: a name alone is one too."""
    entry = {key: given} if isinstance(given, str) else given
    if not isinstance(entry, Mapping) or not isinstance(entry.get(key), str):
        raise SeedError(f"an entry of {where} is {given!r}. Give a mapping with {key!r}, or that name alone.")
    _require_known(entry, f"{entry[key]!r} in {where}", (key, *known))
    return dict(entry)


def _require_known(values: Mapping[str, Any], where: str, known: tuple[str, ...]) -> None:
    unknown = sorted(str(name) for name in values if name not in known)
    if unknown:
        raise SeedError(f"{where} has {unknown[0]!r}, which it cannot have. There are: {_listed(known)}.")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


class Planting:
    """Puts a seed into an instance by AWS's own calls: nothing stands there that a caller could not make."""

    def __init__(self, center: IdentityCenter) -> None:
        self._center, instance = center, center.instance
        self._sso, self._store = center.client("sso-admin"), center.client("identitystore")
        self._instance = {"InstanceArn": instance["InstanceArn"]}
        self._store_id = {"IdentityStoreId": instance["IdentityStoreId"]}
        self._ids: dict[tuple[str, str], str] = {}

    def plant(self, seed: Seed) -> None:
        """Make everything that a seed names. Writes."""
        for group in seed["groups"]:
            created = self._store.create_group(
                **self._store_id,
                DisplayName=group["display_name"],
                **_texts(group, Description="description"),
            )
            self._ids["group", group["display_name"]] = created["GroupId"]
        for user in seed["users"]:
            self._add_user(user)
        for permission_set in seed["permission_sets"]:
            self._add_permission_set(permission_set)
        for assignment in seed["account_assignments"]:
            self._assign(assignment)

    def _add_user(self, user: Mapping[str, Any]) -> None:
        name = user["user_name"]
        given, family = user.get("given_name", name), user.get("family_name", name)
        address = user.get("email", name if "@" in name else f"{name}@example.com")
        created = self._store.create_user(
            **self._store_id,
            UserName=name,
            DisplayName=user.get("display_name", given if given == family else f"{given} {family}"),
            Name={"GivenName": given, "FamilyName": family},
            Emails=[{"Value": address, "Type": "work", "Primary": True}],
        )
        self._ids["user", name] = created["UserId"]
        for group in user.get("groups", ()):
            self._store.create_group_membership(
                **self._store_id,
                GroupId=self._id("group", group, f"the user {name!r}"),
                MemberId={"UserId": created["UserId"]},
            )

    def _add_permission_set(self, wanted: Mapping[str, Any]) -> None:
        created = self._sso.create_permission_set(
            **self._instance,
            Name=wanted["name"],
            Tags=[{"Key": key, "Value": value} for key, value in wanted.get("tags", {}).items()],
            **_texts(
                wanted,
                Description="description",
                SessionDuration="session_duration",
                RelayState="relay_state",
            ),
        )
        arn = created["PermissionSet"]["PermissionSetArn"]
        self._ids["permission_set", wanted["name"]] = arn
        named = {**self._instance, "PermissionSetArn": arn}
        for policy in wanted.get("managed_policies", ()):
            policy_arn = policy if policy.startswith("arn:") else f"arn:aws:iam::aws:policy/{policy}"
            self._sso.attach_managed_policy_to_permission_set(**named, ManagedPolicyArn=policy_arn)
        if policy := wanted.get("inline_policy"):
            text = policy if isinstance(policy, str) else json.dumps(policy)
            self._sso.put_inline_policy_to_permission_set(**named, InlinePolicy=text)

    def _assign(self, wanted: Mapping[str, Any]) -> None:
        where = f"the assignment of {wanted['permission_set']!r}"
        kinds = [kind for kind in ("user", "group") if wanted.get(kind)]
        if len(kinds) != 1:
            raise SeedError(
                f"{where} names {_listed(kinds) or 'nobody'}. Give `user` or `group`, one of them."
            )
        (kind,) = kinds
        accounts = self._center.accounts
        for account in wanted.get("accounts", ()):
            account_id = accounts.get(account, account)
            if account_id not in accounts.values():
                raise SeedError(f"{where} names the account {account!r}. There are: {_listed(accounts)}.")
            self._sso.create_account_assignment(
                **self._instance,
                PermissionSetArn=self._id("permission_set", wanted["permission_set"], where),
                TargetType="AWS_ACCOUNT",
                TargetId=account_id,
                PrincipalType=kind.upper(),
                PrincipalId=self._id(kind, wanted[kind], where),
            )

    def _id(self, kind: str, name: str, where: str) -> str:
        found = self._ids.get((kind, name))
        if found is None:
            names = _listed(other for known, other in self._ids if known == kind) or "none"
            raise SeedError(f"{where} names the {kind.replace('_', ' ')} {name!r}. There are: {names}.")
        return found


def _texts(entry: Mapping[str, Any], **names: str) -> dict[str, Any]:
    """Return an operation's members for those names that an entry has."""
    return {member: entry[name] for member, name in names.items() if entry.get(name) is not None}


_TIMEOUT_S = 60.0
_EMPTY = "empty"
_SEEDED = "seeded"
_KEYS = ("access_key_id", "secret_access_key", "session_token")


@contextmanager
def run_sandbox(folder: Path, organization: Path | None = None) -> Iterator[RunningSandbox]:
    """Hold a sandbox for the length of a block; it ends with this process too, however that ends."""
    command = [sys.executable, "-m", "idc_sandbox", "start", "--json", "--until-eof"]
    command += ["--state", str(folder), "--port", "0"]
    if organization is not None:
        command += ["--organization", str(organization)]
    holder = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=child_environment(),
        start_new_session=True,  # Ctrl-C is for the tests; the sandbox ends with them
    )
    with holder:
        assert holder.stdout is not None
        line = holder.stdout.readline()
        if not line:
            _, said = holder.communicate()
            raise SandboxStartError(said.strip().removeprefix("error: "))
        yield RunningSandbox(**json.loads(line))


class IdentityCenter:
    """One sandbox, as a test uses it.

    Attributes
    ----------
    endpoint_url
        Where it answers, such as ``http://127.0.0.1:41873``.
    region, account_id
        The instance's home Region, and the organization's management account.
    clock, faults
        Its clock, which only goes ahead until it is set back, and the calls that fail on purpose.
    """

    def __init__(self, running: RunningSandbox) -> None:
        self._running = running
        self.endpoint_url = running.endpoint_url
        self.region = running.region
        self.account_id = running.account_id
        self.clock = Clock(self)
        self.faults = Faults(self)
        self._kept: dict[str, dict[str, Any]] = {_EMPTY: read_seed({})}
        self._people: dict[str, Persona] = {}
        self._control("PUT", f"checkpoints/{_EMPTY}")

    def __repr__(self) -> str:
        return f"IdentityCenter({self.endpoint_url!r})"

    @property
    def environment(self) -> dict[str, str]:
        """A whole environment for a subprocess, which leads AWS's clients here and nowhere else. Writes."""
        unset = set(variables_to_unset(self._variables))
        kept = {name: value for name, value in os.environ.items() if name not in unset}
        return {**kept, **self._variables}

    @property
    def _variables(self) -> dict[str, str]:
        regions = dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION"), self.region)
        return {**self._way_here, **regions}

    @cached_property
    def _way_here(self) -> dict[str, str]:
        return environment(self._running)

    def client(
        self,
        service_name: str,
        *,
        region: str | None = None,
        credentials: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Any:
        """Return a boto3 client of the administrator, or with the keys that `Persona.access_keys` returns."""
        keys = credentials or self._running._asdict()
        named = {f"aws_{name}": keys[name] for name in _KEYS if name in keys}
        own = f"AWS_ENDPOINT_URL_{service_name.upper().replace('-', '_')}"  # account-access-runtime has one
        return self._session.client(
            service_name,
            region_name=region or self.region,
            endpoint_url=self._variables.get(own, self.endpoint_url),
            **named,
            **options,
        )

    @cached_property
    def _session(self) -> Any:
        import boto3  # noqa: PLC0415  a program of another language needs none

        return boto3.Session()

    @property
    def instance(self) -> dict[str, Any]:
        """The instance as `ListInstances` shows it: ``InstanceArn``, ``IdentityStoreId`` and more."""
        found: list[dict[str, Any]] = self.client("sso-admin").list_instances()["Instances"]
        if not found:
            raise LookupError("there is no instance: the seed says `instance: false`, or a test deleted it.")
        return found[0]

    @property
    def accounts(self) -> dict[str, str]:
        """The ids of the organization's accounts by their names."""
        pages = self.client("organizations").get_paginator("list_accounts").paginate()
        return {account["Name"]: account["Id"] for page in pages for account in page["Accounts"]}

    @contextmanager
    def fresh(self, seed: Seed | Path | str) -> Iterator[IdentityCenter]:
        """Begin with a seed, and lead this process's AWS clients here for the length of a block. Writes."""
        wanted = read_seed(seed)
        self.region = wanted.get("region", self._running.region)
        with variables_of(self):
            if self._kept.get(_SEEDED) == wanted:
                self.reset()
            else:
                self._kept.pop(_SEEDED, None)
                self._go_back(_EMPTY)
                self._plant(wanted)
                self._control("PUT", f"checkpoints/{_SEEDED}")
                self._kept[_SEEDED] = wanted
            yield self

    def _plant(self, wanted: dict[str, Any]) -> None:
        if not wanted.get("instance", True):
            return
        self.console("POST", "instance", region=self.region)
        self.switches(asynchronous_duration_s=0)
        Planting(self).plant(wanted)
        _ = self.instance  # whoever asks next has what is due done first
        self.switches(asynchronous_duration_s=None)

    def reset(self) -> None:
        """Go back to the seed: state, clock, switches, and what programs keep in their home. Writes."""
        self._go_back(_SEEDED if _SEEDED in self._kept else _EMPTY)

    def _go_back(self, name: str) -> None:
        self._people.clear()
        home = Path(self._running.state_folder) / HOME_NAME
        shutil.rmtree(home, ignore_errors=True)
        (home / ".aws").mkdir(mode=0o700, parents=True)
        self._control("POST", f"checkpoints/{name}")

    def switches(self, **values: Any) -> dict[str, Any]:
        """Set switches (docs/sandbox.md) and return all of them; None is the default. Writes."""
        return self._control("PUT", "switches", values)

    def console(self, method: str, path: str, **values: Any) -> dict[str, Any]:
        """Do what at AWS only the console can (docs/sandbox.md); a refusal raises `ServiceError`."""
        return self._control(method, f"console/{path}", values)

    def person(self, user_name: str) -> Persona:
        """Return a person who has chosen a password and signed in, with an app for codes if asked. Writes."""
        from idc_sandbox.persona import Persona  # noqa: PLC0415  httpx: only who has people waits for it

        if user_name in self._people:
            return self._people[user_name]
        found = self.client("identitystore").get_user_id(
            IdentityStoreId=self.instance["IdentityStoreId"],
            AlternateIdentifier={
                "UniqueAttribute": {"AttributePath": "userName", "AttributeValue": user_name}
            },
        )
        message = self.console("POST", f"users/{found['UserId']}/invite")["message"]
        person = Persona(f"http://localhost:{self._running.port}", user_name)
        person.accept_invitation(message["link"])
        person.sign_in()
        self._people[user_name] = person
        return person

    def _control(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        return control(self._running, method, path, body, timeout_s=_TIMEOUT_S)


class Clock:
    """The sandbox's clock: expiry, waiting and signatures' times are seen to come without waiting."""

    def __init__(self, center: IdentityCenter) -> None:
        self._ask = center._control

    @property
    def now(self) -> float:
        """The sandbox's time, epoch seconds."""
        return float(self._ask("GET", "clock")["now"])

    def advance(self, seconds: float) -> None:
        """Move it ahead. Writes."""
        self._ask("POST", "clock", {"advance_s": seconds})

    def reset(self) -> None:
        """Set it back to the machine's. Writes."""
        self._ask("POST", "clock", {"reset": True})


class Faults:
    """Calls that fail on purpose."""

    def __init__(self, center: IdentityCenter) -> None:
        self._center = center

    def add(self, service: str, operation: str = "*", *, code: str, **options: Any) -> None:
        """Let calls fail: the `next` N or `every` Nth; `message` and `status` as you like. Writes."""
        fault = {"service": service, "operation": operation, "code": code, **options}
        self._center.switches(faults=[*self.read(), fault])

    def read(self) -> list[dict[str, Any]]:
        """Return the faults, with how often each was asked (``calls``) and hit (``hits``)."""
        found: list[dict[str, Any]] = self._center._control("GET", "switches")["faults"]
        return found

    def clear(self) -> None:
        """Let all calls succeed again. Writes."""
        self._center.switches(faults=[])


@contextmanager
def variables_of(center: IdentityCenter) -> Iterator[None]:
    """Lead AWS's clients of this process to a sandbox for the length of a block; other variables stay."""
    wanted: dict[str, str | None] = {**center._variables}
    wanted |= dict.fromkeys(variables_to_unset(center._variables))
    before = {name: os.environ.get(name) for name in wanted}
    _set_variables(wanted)
    try:
        yield
    finally:
        _set_variables(before)


def _set_variables(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


class Sandboxes:
    """The sandboxes of one test run: one for each organization that its seeds name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[str, IdentityCenter] = {}
        self._blocks: list[Any] = []

    def of(self, organization: Path | str | Mapping[str, Any] | None) -> IdentityCenter:
        """Return the sandbox with an organization: a file, its content, or None for the sandbox's own."""
        if isinstance(organization, Path | str):
            key = Path(organization).read_text("utf-8")
        else:
            key = organization_text(dict(organization or DEFAULT_ORGANIZATION))
        if key not in self._running:
            number = len(self._running)
            file = organization
            if isinstance(organization, Mapping):
                file = self._folder / f"organization-{number}.json"
                file.write_text(json.dumps(organization), "utf-8")
            block = run_sandbox(self._folder / f"state-{number}", None if file is None else Path(str(file)))
            running = block.__enter__()
            self._blocks.append(block)
            self._running[key] = IdentityCenter(running)
        return self._running[key]

    def stop(self) -> None:
        """Stop all of them."""
        for block in self._blocks:
            block.__exit__(None, None, None)
