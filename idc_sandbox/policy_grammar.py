"""What IAM refuses in a policy of an identity, in IAM's words: the first problem, as IAM answers.

The words are those that clients have seen in ``MalformedPolicyDocument``; after them stands what to look at.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

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
    """Return why a document is no policy of an identity, or None."""
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
    entries = statement[given[0]] if given else []
    entries = entries if isinstance(entries, list) else [entries]
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
            values = value if isinstance(value, list) else [value]
            if ":" not in key:
                yield f"Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc. Found {key!r}"
            if not values or not all(isinstance(one, str | bool | int | float) for one in values):
                yield f"{_SYNTAX} {where} has the value {value!r} for {key!r}"
