"""Calls as a person can run them again: commands of the AWS CLI, and Python with boto3.

What an earlier call makes is a variable, so that the text runs as it stands, from the first line to the last.
"""

from __future__ import annotations

import json
import pprint
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore import xform_name

from idc_helpers.aws.console_setting_table import CONSOLE_SETTINGS
from idc_helpers.aws.watching import CONSOLE, Call

_INDENT = "    "


@dataclass(frozen=True)
class Target:
    """Where the calls go, as options of a command and of a client.

    Attributes
    ----------
    region
        The home Region of Identity Center.
    profile
        The name of an AWS profile; None: what the environment says.
    endpoint_url
        The sandbox's address; empty on AWS.
    """

    region: str
    profile: str | None = None
    endpoint_url: str = ""


def as_commands(calls: Sequence[Call], target: Target) -> str:
    """Return a shell script of AWS CLI commands, one for each call.

    Structures are JSON. An id that a command makes is kept in a shell variable.

    Notes
    -----
    Source: https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-parameters.html
    """
    names = _variables(calls, str.upper)
    return "\n\n".join(_command(call, target, names) for call in calls)


def as_python(calls: Sequence[Call], target: Target) -> str:
    """Return Python with boto3 that makes the calls.

    Notes
    -----
    Source: https://docs.aws.amazon.com/boto3/latest/guide/clients.html
    """
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
    used = json.dumps([call.request for call in calls], ensure_ascii=False, default=str)
    names: dict[str, str] = {}
    for call in calls:
        for placeholder, place in call.makes.items():
            if placeholder in used:
                name = spell(xform_name(re.sub(r"\W", "", place.rpartition(".")[2], flags=re.ASCII)))
                taken = sum(other == name or other.rpartition("_")[0] == name for other in names.values())
                names[placeholder] = f"{name}_{taken + 1}" if taken else name
    return names


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
    if not names:
        return shlex.quote(text)
    parts = re.split(f"({'|'.join(map(re.escape, names))})", text)
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
