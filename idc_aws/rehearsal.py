"""The calls that applying would make: kept in place of being sent, and written as commands and as Python."""

from __future__ import annotations

import copy
import dataclasses
import datetime
import json
import pprint
import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.model import OperationModel
from typing_extensions import override

from idc_aws.calls import CONSOLE, Call, Timing
from idc_aws.clients import Clients, Page
from idc_aws.connection import Connection
from idc_aws.sandbox import Note, SandboxConsole
from idc_aws.settings import CONSOLE_SETTINGS

_INDENT = "    "
# Refuses a write after somebody else's. It may be left out, and the AWS CLI has no option for it (2.36).
_WITHOUT_OPTION = frozenset({"Revision"})


@dataclass(frozen=True)
class Target:
    """Where the calls go, as options of a command and of a client."""

    region: str
    profile: str | None = None
    endpoint_url: str = ""


def as_commands(calls: Sequence[Call], target: Target) -> str:
    """Return a shell script of AWS CLI commands, one for each call."""
    names = _variables(calls, str.upper)
    return "\n\n".join(_command(call, target, names) for call in calls)


def as_python(calls: Sequence[Call], target: Target) -> str:
    """Return Python with boto3 that makes the calls."""
    names = _variables(calls, str)
    services = dict.fromkeys(call.service_name for call in calls if call.service_name != CONSOLE)
    head = ["import boto3", ""] if services else []
    if target.profile and services:
        head.append(f"session = boto3.Session(profile_name={target.profile!r})")
    maker = "session" if target.profile else "boto3"
    endpoint = f", endpoint_url={target.endpoint_url!r}" if target.endpoint_url else ""
    head += [
        f"{_client_name(name)} = {maker}.client({name!r}, region_name={target.region!r}{endpoint})"
        for name in services
    ]
    return "\n".join([*head, *([""] if head else []), *(_statement(call, names) for call in calls)])


def console_words(call: Call) -> str:
    """Return what is done in the console in place of a call, in the console's words."""
    setting = CONSOLE_SETTINGS.get(call.operation_name.removeprefix("settings/"))
    path = setting.console_path if setting else "IAM Identity Center → Enable"
    values = ", ".join(
        f"{setting.fields.get(name, name) if setting else name}: {_plain(value)}"
        for name, value in call.request.items()
    )
    return f"In the console, because no API does it: {path}" + (f" ({values})" if values else "")


def _plain(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


def _variables(calls: Sequence[Call], spell: Callable[[str], str]) -> dict[str, str]:
    """Return a variable's name for each placeholder that a later call uses."""
    requests = json.dumps([call.request for call in calls], ensure_ascii=False, default=str)
    used = set(_PLACEHOLDER.findall(requests))
    names: dict[str, str] = {}
    taken: Counter[str] = Counter()
    for call in calls:
        for placeholder, place in call.makes.items():
            if placeholder in used:
                name = spell(xform_name(re.sub(r"\W", "", place.rpartition(".")[2], flags=re.ASCII)))
                names[placeholder] = given = f"{name}_{taken[name] + 1}" if taken[name] else name
                taken.update({given, given.rpartition("_")[0]})
    return names


_PLACEHOLDER = re.compile("‹[^‹›]+›")


def _made_by(call: Call, names: Mapping[str, str]) -> tuple[str, str]:
    """Return the variable that keeps what a call makes, and its place in the answer; empty: none."""
    return next(((names[made], place) for made, place in call.makes.items() if made in names), ("", ""))


def _command(call: Call, target: Target, names: Mapping[str, str]) -> str:
    variable, place = _made_by(call, names)
    if call.service_name == CONSOLE:
        note = f"# {console_words(call)}"
        options = " ".join(["--query 'Instances[0].InstanceArn' --output text", *_target_options(target)])
        return f"{note}\n{variable}=$(aws sso-admin list-instances {options})" if variable else note
    words = [f"aws {call.service_name} {xform_name(call.operation_name, '-')}"]
    words += _options(call.request, names)
    words += _target_options(target)
    if not variable:
        return f" \\\n{_INDENT}".join(words)
    words.append(f"--query {place} --output text")
    return f"{variable}=$(" + f" \\\n{_INDENT}".join(words) + ")"


def _target_options(target: Target) -> list[str]:
    return [
        f"--region {target.region}",
        *([f"--profile {shlex.quote(target.profile)}"] if target.profile else []),
        *([f"--endpoint-url {target.endpoint_url}"] if target.endpoint_url else []),
    ]


def _options(request: Mapping[str, Any], names: Mapping[str, str]) -> list[str]:
    request = {name: value for name, value in request.items() if name not in _WITHOUT_OPTION}
    # The CLI reads a file, and version 1 a page, in place of an argument that starts so; not inside of JSON.
    followed = {
        name: value
        for name, value in request.items()
        if isinstance(value, str) and value.startswith(("file://", "fileb://", "http://", "https://"))
    }
    words = [_option(name, value, names) for name, value in request.items() if name not in followed]
    if followed:
        words.append(f"--cli-input-json {_quoted(json.dumps(followed, ensure_ascii=False), names)}")
    return words


def _option(name: str, value: Any, names: Mapping[str, str]) -> str:
    option = f"--{xform_name(name, '-')}"
    if isinstance(value, bool):
        return option if value else f"--no-{option[2:]}"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    # An argument that starts with a dash would be taken for an option.
    return f"{option}{'=' if text.startswith('-') else ' '}{_quoted(text, names)}"


def _quoted(text: str, names: Mapping[str, str]) -> str:
    """Quote a text for the shell, with its placeholders as variables."""
    held = [placeholder for placeholder in _PLACEHOLDER.findall(text) if placeholder in names]
    if not held:
        return shlex.quote(text)
    parts = re.split(f"({'|'.join(map(re.escape, held))})", text)
    return (
        "".join(f'"${names[part]}"' if part in names else shlex.quote(part) for part in parts if part) or "''"
    )


def _client_name(service_name: str) -> str:
    return service_name.replace("-", "_")


class _Variable(str):
    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _statement(call: Call, names: Mapping[str, str]) -> str:
    variable, place = _made_by(call, names)
    if call.service_name == CONSOLE:
        note = f"# {console_words(call)}"
        read = f'{variable} = sso_admin.list_instances()["Instances"][0]["{place}"]'
        return f"{note}\n{read}" if variable else note
    lines = [f"{_client_name(call.service_name)}.{xform_name(call.operation_name)}("]
    lines += [_keyword(name, _with_variables(value, names)) for name, value in call.request.items()]
    lines.append(")" + "".join(f'["{step}"]' for step in place.split(".") if step))
    start = f"{variable} = " if variable else ""
    return start + "\n".join(lines)


def _keyword(name: str, value: Any) -> str:
    text = pprint.pformat(value, width=100, sort_dicts=False).replace(
        "\n", f"\n{_INDENT}{' ' * (len(name) + 1)}"
    )
    return f"{_INDENT}{name}={text},"


def _with_variables(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _Variable(names[value]) if value in names else value
    if isinstance(value, Mapping):
        return {key: _with_variables(part, names) for key, part in value.items()}
    if isinstance(value, list):
        return [_with_variables(part, names) for part in value]
    return value


# Of the states that a shape knows, the one in which nothing has to be waited for.
_SETTLED = ("SUCCEEDED", "ACTIVE", "ENABLED")
_EMPTY: dict[str, Any] = {
    "list": [],
    "map": {},
    "boolean": False,
    "integer": 0,
    "long": 0,
    "timestamp": datetime.datetime.fromtimestamp(0, datetime.UTC),
}


def modelled_answer(shape: Any, number: int) -> tuple[dict[str, Any], dict[str, str]]:
    """Return an answer of AWS's own shape, and its placeholders with their places, as in ``--query``."""
    makes: dict[str, str] = {}

    def value_of(shape: Any, name: str, path: str) -> Any:
        if shape.type_name == "structure":
            return {
                member: value_of(part, member, f"{path}.{member}".removeprefix("."))
                for member, part in shape.members.items()
            }
        if shape.type_name != "string":
            return _EMPTY.get(shape.type_name)
        if shape.enum:
            return str(next((state for state in _SETTLED if state in shape.enum), shape.enum[0]))
        placeholder = f"‹{name} made by call {number}›"
        makes.setdefault(placeholder, path)
        return placeholder

    return (value_of(shape, "", "") if shape is not None else {}), makes


_IDS = ("InstanceArn", "PermissionSetArn", "UserId", "GroupId", "MembershipId")
_DELETIONS = {
    "DeleteInstance": "InstanceArn",
    "DeletePermissionSet": "PermissionSetArn",
    "DeleteUser": "UserId",
    "DeleteGroup": "GroupId",
    "DeleteGroupMembership": "MembershipId",
}
_LOOKED_UP = {
    "GetUserId": ("CreateUser", "UserName", "UserId"),
    "GetGroupId": ("CreateGroup", "DisplayName", "GroupId"),
}
_ATTRIBUTES = "InstanceAccessControlAttributeConfiguration"


class RehearsedCalls(list[Call]):
    """The calls of a rehearsal in their order, and what a read asks of them: thousands may have been made."""

    def __init__(self) -> None:
        super().__init__()
        self.made: set[str] = set()
        self.deleted: set[str] = set()
        self.unassigned: set[tuple[Any, ...]] = set()
        self.created: dict[tuple[str, Any], Call] = {}
        self._by_name: dict[str, list[Call]] = {}

    def append(self, call: Call) -> None:
        """Add a call."""
        super().append(call)
        name, request = call.operation_name, call.request
        self._by_name.setdefault(name, []).append(call)
        self.made.update(call.makes)
        if name in _DELETIONS:
            self.deleted.add(request[_DELETIONS[name]])
        if name == "DeleteAccountAssignment":
            self.unassigned.add(tuple(request.get(member) for member in _ASSIGNMENT))
        for creation, member, _ in _LOOKED_UP.values():
            if name == creation:
                self.created.setdefault((name, request.get(member)), call)

    def of(self, *operation_names: str, **request: Any) -> list[Call]:
        """Return the calls of some operations that were made with these parameters."""
        named = [call for name in operation_names for call in self._by_name.get(name, ())]
        return [call for call in named if request.items() <= call.request.items()]


_ASSIGNMENT = ("TargetId", "PrincipalId", "PermissionSetArn")


_READS = ("List", "Describe", "Get", "IsMember")


class _Clients:
    """Answers in place of `Clients`, as if what was not sent had been; only reads go to AWS."""

    def __init__(self, clients: Clients, calls: RehearsedCalls) -> None:
        self._clients, self._calls = clients, calls
        # Nothing is written meanwhile, so what was read once stays so.
        self._known: dict[str, Any] = {}
        self.operation = clients.operation

    def call(self, service_name: str, method_name: str, request: dict[str, Any]) -> dict[str, Any]:
        operation = self.operation(service_name, method_name)
        if operation.name.startswith(_READS):
            return self._read(operation, method_name, request)
        answer, makes = modelled_answer(operation.output_shape, len(self._calls) + 1)
        self._calls.append(Call(service_name, operation.name, dict(request), makes))
        return answer

    def items(self, service_name: str, method_name: str, request: dict[str, Any]) -> Iterator[Any]:
        """Yield the items of a list, without what was deleted."""
        if self._is_of_the_rehearsal(request) or self._is_provisioned_anew(request):
            return
        found = self._once(
            method_name, request, lambda: list(self._clients.items(service_name, method_name, request))
        )
        yield from (item for item in found if not self._is_deleted(item, request))

    def pages(self, service_name: str, method_name: str, request: dict[str, Any]) -> Iterator[Page]:
        yield Page(list(self.items(service_name, method_name, request)), is_last=True)

    def _read(self, operation: OperationModel, method_name: str, request: dict[str, Any]) -> dict[str, Any]:
        name = operation.name
        made = self._made_by_a_call(name, request)
        if made is not None:
            return made
        is_of_attributes = name == f"Describe{_ATTRIBUTES}"
        if is_of_attributes and self._calls.of(f"Delete{_ATTRIBUTES}"):
            raise _deleted_before(name)
        is_waited_for = is_of_attributes and self._calls.of(f"Create{_ATTRIBUTES}", f"Update{_ATTRIBUTES}")
        if is_waited_for or self._is_of_the_rehearsal(request):
            return modelled_answer(operation.output_shape, len(self._calls))[0]
        service_name = operation.service_model.service_name
        answer: dict[str, Any] = self._once(
            name, request, lambda: self._clients.call(service_name, method_name, request)
        )
        if any(answer.get(id_name) in self._calls.deleted for id_name in _IDS):
            raise _deleted_before(name)
        if name == "DescribePermissionSet":
            for call in self._calls.of("UpdatePermissionSet", PermissionSetArn=request["PermissionSetArn"]):
                for field in ("Description", "RelayState"):
                    answer["PermissionSet"][field] = call.request.get(field)
        return answer

    def _once(self, name: str, request: dict[str, Any], read: Callable[[], Any]) -> Any:
        key = f"{name} {json.dumps(request, sort_keys=True, default=str)}"
        if key not in self._known:
            self._known[key] = read()
        return copy.deepcopy(self._known[key])

    def _is_of_the_rehearsal(self, request: dict[str, Any]) -> bool:
        return any(isinstance(value, str) and value in self._calls.made for value in request.values())

    def _made_by_a_call(self, operation_name: str, request: dict[str, Any]) -> dict[str, Any] | None:
        if operation_name not in _LOOKED_UP:
            return None
        creation, _, id_name = _LOOKED_UP[operation_name]
        wanted = request["AlternateIdentifier"]["UniqueAttribute"]["AttributeValue"]
        call = self._calls.created.get((creation, wanted))
        if call is None:
            return None
        return {id_name: next(made for made, place in call.makes.items() if place == id_name)}

    def _is_provisioned_anew(self, request: dict[str, Any]) -> bool:
        if request.get("ProvisioningStatus") != "LATEST_PERMISSION_SET_NOT_PROVISIONED":
            return False
        which = {"PermissionSetArn": request["PermissionSetArn"]}
        return bool(self._calls.of("ProvisionPermissionSet", **which))

    def _is_deleted(self, item: Any, request: dict[str, Any]) -> bool:
        deleted = self._calls.deleted
        if isinstance(item, str):
            return item in deleted
        if any(item.get(name) in deleted for name in _IDS):
            return True
        account_id, *who = (item.get(name, request.get(name)) for name in ("AccountId", *_ASSIGNMENT[1:]))
        return (account_id, *who) in self._calls.unassigned


def _deleted_before(operation_name: str) -> ClientError:
    error = {"Code": "ResourceNotFoundException", "Message": "a call before this one deletes it"}
    return ClientError({"Error": error}, operation_name)


class Rehearsal:
    """A connection for the very code that applies: nothing is ever written, and the calls are kept."""

    def __init__(self, connection: Connection) -> None:
        self.calls = RehearsedCalls()
        now = [0.0]

        def sleep(duration_s: float) -> None:
            now[0] += duration_s

        console = connection.console
        # dataclasses.replace keeps what `connection` has read already; its own cache may grow.
        self.connection: Connection = dataclasses.replace(
            connection,
            clients=cast(Clients, _Clients(connection.clients, self.calls)),
            console=_Console(console, self.calls) if console is not None else None,
            timing=Timing(clock=lambda: now[0], sleep=sleep),
            writers=1,  # the calls have an order
            cache=copy.deepcopy(connection.cache),
        )


class _Console(SandboxConsole):
    """The sandbox's console: read for real, and never changed. A rehearsed change has no request id."""

    def __init__(self, console: SandboxConsole, calls: list[Call]) -> None:  # asks nobody but that console
        self._calls, self._real = calls, console
        self.state_folder = console.state_folder

    @override
    def read_settings(self, instance_arn: str) -> dict[str, Any]:
        return self._real.read_settings(instance_arn)

    @override
    def enable_organization_instance(
        self, *, region: str, name: str | None = None, note: Note | None = None
    ) -> str:
        placeholder = f"‹InstanceArn made by call {len(self._calls) + 1}›"
        values = {"region": region} | ({"name": name} if name else {})
        self._calls.append(Call(CONSOLE, "instance", values, {placeholder: "InstanceArn"}))
        return placeholder

    @override
    def write_setting(
        self, instance_arn: str, name: str, values: dict[str, Any], *, note: Note | None = None
    ) -> dict[str, Any]:
        self._calls.append(Call(CONSOLE, f"settings/{name}", values))
        return {}
