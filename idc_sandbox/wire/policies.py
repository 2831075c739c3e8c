"""IAM's policies: grammar, patterns, conditions, and whether they allow an action."""

from __future__ import annotations

import datetime
import enum
import functools
import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from operator import eq, ge, gt, le, lt
from typing import Any

from idc_sandbox.errors import parse_json

VERSIONS = ("2012-10-17", "2008-10-17")
_POLICY_KEYS = {"Version", "Id", "Statement"}
_STATEMENT_KEYS = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"}
_OPERATOR = re.compile(
    r"(ForAllValues:|ForAnyValue:)?"
    r"(String(Not)?(Equals(IgnoreCase)?|Like)|(Numeric|Date)((Not)?Equals|(Less|Greater)Than(Equals)?)"
    r"|Bool|BinaryEquals|(Not)?IpAddress|Arn(Not)?(Equals|Like)|Null(?!IfExists))(IfExists)?"
)
_VENDOR, _ACTION = re.compile(r"[A-Za-z0-9.-]+"), re.compile(r"[A-Za-z0-9*?_.-]+")
_PARTITION = re.compile(r"\*|aws(-[a-z]+)*")
_SYNTAX, _LEGACY = "Syntax errors in policy.", "The policy failed legacy parsing"
_LEAST_COLONS = 5


def policy_problem(policy: Any) -> str | None:
    """Return why a document is no policy of an identity: the first problem, in IAM's words; or None."""
    return next(_problems(policy), None)


def _problems(policy: Any) -> Iterator[str]:
    if not isinstance(policy, dict):
        yield f"{_SYNTAX} It must be a JSON object, found {type(policy).__name__}"
        return
    yield from _keys(policy, _POLICY_KEYS, "the policy")
    if policy.get("Version", VERSIONS[0]) not in VERSIONS:
        yield f"{_SYNTAX} Version must be one of {', '.join(VERSIONS)}, found {policy['Version']!r}"
    if not isinstance(policy.get("Id", ""), str):
        yield f"{_SYNTAX} Id must be a string, found {policy['Id']!r}"
    statements = policy.get("Statement")
    statements = [statements] if isinstance(statements, dict) else statements
    if not isinstance(statements, list) or not statements:
        yield f"{_SYNTAX} It must have a Statement, an object or a list of objects"
        return
    for number, statement in enumerate(statements, start=1):
        yield from _statement(f"statement {number}", statement)
    sids = [statement["Sid"] for statement in statements if statement.get("Sid")]
    if len(set(sids)) < len(sids):
        yield f"Statement IDs (SID) in a single policy must be unique. Found {', '.join(sids)}"


def _keys(found: dict[str, Any], known: set[str], where: str) -> Iterator[str]:
    unknown = [key for key in found if key not in known]
    if unknown:
        yield f"{_SYNTAX} {where} has {unknown[0]!r}; known are {', '.join(sorted(known))}"


def _statement(where: str, statement: Any) -> Iterator[str]:
    if not isinstance(statement, dict):
        yield f"{_SYNTAX} {where} must be an object, found {type(statement).__name__}"
        return
    if "Principal" in statement or "NotPrincipal" in statement:
        yield f"Policy document should not specify a principal. {where} names a principal"
    yield from _keys(statement, _STATEMENT_KEYS, where)
    if statement.get("Effect") not in ("Allow", "Deny"):
        yield f"{_LEGACY}: {where} must have the Effect 'Allow' or 'Deny', found {statement.get('Effect')!r}"
    sid = statement.get("Sid", "")
    if not isinstance(sid, str) or re.fullmatch("[A-Za-z0-9]*", sid) is None:
        yield f"Statement IDs (SID) must be alpha-numeric. {where} has {sid!r}"
    yield from _one_of(where, statement, "Action", _action)
    yield from _one_of(where, statement, "Resource", _resource)
    yield from _condition(where, statement.get("Condition", {}))


def _one_of(where: str, statement: dict[str, Any], name: str, check: Any) -> Iterator[str]:
    given = [key for key in (name, f"Not{name}") if key in statement]
    if len(given) > 1:
        yield f"{_SYNTAX} {where} must have exactly one of {name} and Not{name}"
    entries = as_list(statement[given[0]]) if given else []
    if not entries:
        words = f"Policy statement must contain {name.lower()}s."
        yield f"{words} {where} must have exactly one of {name} and Not{name}, with at least one entry"
    for entry in entries:
        yield from check(entry) if isinstance(entry, str) else [f"{_SYNTAX} {where} has {name} {entry!r}"]


def _action(action: str) -> Iterator[str]:
    vendor, colon, name = action.partition(":")
    if action == "*":
        return
    if not colon:
        yield f"Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc. Found {action!r}"
    elif ":" in name:
        yield f"Actions/Condition can contain only one colon. Found {action!r}"
    elif "*" in vendor or "?" in vendor:
        yield f"Action vendors (e.g., aws, ec2, etc.) must not contain wildcards. Found {action!r}"
    elif _VENDOR.fullmatch(vendor) is None:
        yield f"Vendor {vendor} is not valid. Found {action!r}"
    elif _ACTION.fullmatch(name) is None:
        yield f"{_SYNTAX} The action {action!r} has a name that no action can have"


def _resource(resource: str) -> Iterator[str]:
    if resource == "*":
        return
    arn, *parts = resource.split(":")
    if arn != "arn" or not parts:
        yield f'Resource {resource} must be in ARN format or "*".'
    elif _PARTITION.fullmatch(parts[0]) is None:
        yield f'Partition "{parts[0]}" is not valid for resource "{resource}".'
    elif len(parts) == 1 or _VENDOR.fullmatch(parts[1]) is None:
        yield f"Resource vendor must be fully qualified and cannot contain regexes. Found {resource!r}"
    elif "::" in resource and resource.count(":") < _LEAST_COLONS:
        yield f"{_LEGACY}: the resource {resource!r} has too few parts for an ARN"


def _condition(where: str, condition: Any) -> Iterator[str]:
    if not isinstance(condition, dict):
        yield f"{_SYNTAX} {where} has a Condition that is not an object: {condition!r}"
        return
    for operator, keys in condition.items():
        if _OPERATOR.fullmatch(operator) is None:
            yield f"{_SYNTAX} {where} has the unknown condition operator {operator!r}"
        if not isinstance(keys, dict):
            yield f"{_SYNTAX} {where} has no keys with values under {operator!r}"
            continue
        for key, value in keys.items():
            values = as_list(value)
            if ":" not in key:
                yield f"Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc. Found {key!r}"
            if not values or not all(isinstance(one, str | bool | int | float) for one in values):
                yield f"{_SYNTAX} {where} has the value {value!r} for {key!r}"


ConditionContext = dict[str, str | list[str]]

_VARIABLE = re.compile(r"\$\{([^},]+)(?:,\s*'([^']*)'\s*)?\}")
# What a variable stands for is text, whatever characters it has: until a pattern is read, these stand for it.
_AS_TEXT = {ord("*"): "\ue000", ord("?"): "\ue001"}
_AS_WILDCARD = {0xE000: "*", 0xE001: "?"}
_ESCAPED = {code: re.escape(text) for code, text in _AS_WILDCARD.items()}
_WRITTEN_OUT = {"*": "*", "?": "?", "$": "$"}


def substitute(pattern: str, context: ConditionContext) -> str:
    """Return a pattern with its variables filled in, or their default; for `wildcard_match`."""

    def value(match: re.Match[str]) -> str:
        name = match[1].strip()
        found = _WRITTEN_OUT.get(name) or context.get(name.lower(), match[2])
        return found.translate(_AS_TEXT) if isinstance(found, str) else match[0]

    return _VARIABLE.sub(value, pattern)


def wildcard_match(pattern: str, value: str, *, ignore_case: bool = True) -> bool:
    """Tell whether a value fits a pattern with ``*`` (any characters) and ``?`` (one character)."""
    return bool(_compiled(str(pattern), ignore_case).fullmatch(value))


@functools.lru_cache(maxsize=8192)
def _compiled(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    """Return a pattern that needs no time to speak of: a piece between two ``*`` fits where it first does."""
    first, *others = (re.escape(piece).replace(r"\?", ".") for piece in re.split(r"\*+", pattern))
    middle = "".join(f"(?>.*?{piece})" for piece in others[:-1])
    text = f"{first}{middle}.*{others[-1]}" if others else first
    return re.compile(text.translate(_ESCAPED), re.DOTALL | (re.IGNORECASE | re.ASCII if ignore_case else 0))


def conditions_hold(conditions: Any, context: ConditionContext) -> bool:
    """Tell whether all conditions of a statement hold; one with an operator that IAM does not have fails."""
    if not isinstance(conditions, dict) or not all(isinstance(keys, dict) for keys in conditions.values()):
        return False
    return all(
        _holds(operator, key, [substitute(text, context) for text in _texts(expected)], context)
        for operator, keys in conditions.items()
        for key, expected in keys.items()
    )


def _holds(operator: str, key: str, expected: list[str], context: ConditionContext) -> bool:
    if _OPERATOR.fullmatch(operator) is None:
        return False
    quantifier, _, name = operator.rpartition(":")
    if_exists, name = name.endswith("IfExists"), name.removesuffix("IfExists")
    found = context.get(key.lower()) or None  # a set without values is none
    if name == "Null":
        return (found is None) == (expected == ["true"])
    is_negated, test = "Not" in name, _TESTS[name.replace("Not", "")]
    if found is None:
        return if_exists or quantifier == "ForAllValues" or (is_negated and not quantifier)
    values = found if isinstance(found, list) else [found]
    if test not in (_like, _arn_like):
        expected = [text.translate(_AS_WILDCARD) for text in expected]  # where there are none: all is text
    needed = all if quantifier == "ForAllValues" or (is_negated and not quantifier) else any
    return needed(any(_safely(test, wanted, one) for wanted in expected) is not is_negated for one in values)


def _safely(test: Callable[[str, str], bool], wanted: str, value: str) -> bool:
    try:
        return test(wanted, value)
    except (ValueError, TypeError):
        return False


def _texts(value: Any) -> list[str]:
    return [str(item).lower() if isinstance(item, bool) else str(item) for item in as_list(value)]


def _like(wanted: str, value: str) -> bool:
    return wildcard_match(wanted, value, ignore_case=False)


def _arn_like(wanted: str, value: str) -> bool:
    patterns, parts = wanted.split(":", 5), value.split(":", 5)
    return len(patterns) == len(parts) and all(map(_like, patterns, parts))


def _moment(text: str) -> float:
    if re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII):
        return float(text)
    moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).timestamp()


def _in_network(wanted: str, value: str) -> bool:
    return ipaddress.ip_address(value) in ipaddress.ip_network(wanted, strict=False)


def _is_alike(wanted: str, value: str) -> bool:
    return wanted.lower() == value.lower()


def _number_tests(kind: str, number: Callable[[str], float]) -> dict[str, Callable[[str, str], bool]]:
    above, below = {"GreaterThan": gt, "GreaterThanEquals": ge}, {"LessThan": lt, "LessThanEquals": le}

    def test(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
        return lambda wanted, value: compare(number(value), number(wanted))

    return {f"{kind}{name}": test(compare) for name, compare in {"Equals": eq, **above, **below}.items()}


# IAM's operators without quantifier, Not and IfExists: the test of one wanted value against one found value.
_TESTS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": eq,
    "StringEqualsIgnoreCase": _is_alike,
    "StringLike": _like,
    "ArnEquals": _arn_like,
    "ArnLike": _arn_like,
    "Bool": _is_alike,
    "BinaryEquals": eq,
    "IpAddress": _in_network,
    **_number_tests("Numeric", float),
    **_number_tests("Date", _moment),
}


class Decision(enum.Enum):
    """What policies say to a request."""

    ALLOWED = "allowed"
    DENIED = "denied explicitly"
    NOT_ALLOWED = "not allowed"


@dataclass(frozen=True)
class AccessRequest:
    """A question to policies."""

    action: str
    resource: str = "*"
    context: dict[str, str | list[str]] = field(default_factory=dict)


def evaluate(documents: Iterable[str], request: AccessRequest) -> Decision:
    """Return what policy documents (JSON text) say together; one that is no policy says nothing."""
    return evaluate_statements(
        [statement for document in documents for statement in statements_of(document)], request
    )


def evaluate_statements(statements: Iterable[dict[str, Any]], request: AccessRequest) -> Decision:
    """Return what statements of policies say together."""
    effects = [statement.get("Effect") for statement in statements if _applies(statement, request)]
    if "Deny" in effects:
        return Decision.DENIED
    return Decision.ALLOWED if "Allow" in effects else Decision.NOT_ALLOWED


@functools.lru_cache(maxsize=512)
def statements_of(document: str) -> list[dict[str, Any]]:
    """Return the statements of a policy document (JSON text); none when it is no policy."""
    try:
        parsed = parse_json(document)
    except ValueError:
        return []
    statements = parsed.get("Statement", []) if isinstance(parsed, dict) else []
    return [statement for statement in as_list(statements) if isinstance(statement, dict)]


def _applies(statement: dict[str, Any], request: AccessRequest) -> bool:
    def is_resource(pattern: Any) -> bool:
        wanted = substitute(str(pattern), request.context)
        return wildcard_match(wanted, request.resource, ignore_case=False)

    return (
        _fits(statement, "Action", lambda pattern: wildcard_match(pattern, request.action))
        and _fits(statement, "Resource", is_resource)
        and conditions_hold(statement.get("Condition", {}), request.context)
    )


def _fits(statement: dict[str, Any], name: str, is_match: Callable[[Any], bool]) -> bool:
    """Tell whether an element fits, or its opposite does not; a trust policy is about its own role."""
    if f"Not{name}" in statement:
        return not any(map(is_match, as_list(statement[f"Not{name}"])))
    if name == "Resource" and name not in statement:
        return "Principal" in statement
    return any(map(is_match, as_list(statement.get(name, []))))


def as_list(value: Any) -> list[Any]:
    """Return a policy element that may stand alone or in a list as a list."""
    return value if isinstance(value, list) else [value]
