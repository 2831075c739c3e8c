"""The Condition element of a policy: IAM's operators.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

import datetime
import ipaddress
import re
from collections.abc import Callable
from typing import Any

from idc_sandbox.policy_patterns import ConditionContext, as_text, substitute, wildcard_match


def conditions_hold(conditions: Any, context: ConditionContext) -> bool:
    """Tell whether all conditions of a statement hold.

    A key that the request lacks fails all but the negated operators, and those with ForAnyValue too.

    An operator that IAM does not have fails, so that such a statement neither allows nor denies anything.
    """
    if not isinstance(conditions, dict) or not all(isinstance(keys, dict) for keys in conditions.values()):
        return False
    return all(
        _holds(operator, key, [substitute(text, context) for text in _texts(expected)], context)
        for operator, keys in conditions.items()
        for key, expected in keys.items()
    )


def _holds(operator: str, key: str, expected: list[str], context: ConditionContext) -> bool:
    quantifier, colon, name = operator.rpartition(":")
    if_exists = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    found = context.get(key.lower()) or None  # a set without values is none
    if name == "Null":
        return (found is None) == (expected == ["true"])
    if name not in _OPERATORS:
        return False
    positive, is_negated = _OPERATORS[name]
    if found is None:
        return if_exists or quantifier == "ForAllValues" or (is_negated and not quantifier)
    values = found if isinstance(found, list) else [found]
    if positive not in _PATTERNS:
        expected = [as_text(text) for text in expected]

    def one(value: str) -> bool:
        return any(_safely(positive, wanted, value) for wanted in expected) is not is_negated

    if quantifier == "ForAllValues":
        return all(one(value) for value in values)
    return (
        any(one(value) for value in values)
        if colon or not is_negated
        else all(one(value) for value in values)
    )


def _safely(test: Callable[[str, str], bool], wanted: str, value: str) -> bool:
    try:
        return test(wanted, value)
    except (ValueError, TypeError):
        return False


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [str(item).lower() if isinstance(item, bool) else str(item) for item in values]


def _like(wanted: str, value: str) -> bool:
    return wildcard_match(wanted, value, ignore_case=False)


def _arn_like(wanted: str, value: str) -> bool:
    patterns, parts = wanted.split(":", 5), value.split(":", 5)
    return len(patterns) == len(parts) and all(map(_like, patterns, parts))


_PATTERNS = (_like, _arn_like)


def _moment(text: str) -> float:
    if re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII):
        return float(text)
    moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).timestamp()


def _in_network(wanted: str, value: str) -> bool:
    return ipaddress.ip_address(value) in ipaddress.ip_network(wanted, strict=False)


def _number_operators(prefix: str, number: Callable[[str], float]) -> dict[str, tuple[Any, bool]]:
    return {
        f"{prefix}Equals": (lambda wanted, value: number(value) == number(wanted), False),
        f"{prefix}NotEquals": (lambda wanted, value: number(value) == number(wanted), True),
        f"{prefix}LessThan": (lambda wanted, value: number(value) < number(wanted), False),
        f"{prefix}LessThanEquals": (lambda wanted, value: number(value) <= number(wanted), False),
        f"{prefix}GreaterThan": (lambda wanted, value: number(value) > number(wanted), False),
        f"{prefix}GreaterThanEquals": (lambda wanted, value: number(value) >= number(wanted), False),
    }


# Name → (test of one wanted value against one found value, whether the operator negates it)
_OPERATORS: dict[str, tuple[Callable[[str, str], bool], bool]] = {
    "StringEquals": (lambda wanted, value: wanted == value, False),
    "StringNotEquals": (lambda wanted, value: wanted == value, True),
    "StringEqualsIgnoreCase": (lambda wanted, value: wanted.lower() == value.lower(), False),
    "StringNotEqualsIgnoreCase": (lambda wanted, value: wanted.lower() == value.lower(), True),
    "StringLike": (_like, False),
    "StringNotLike": (_like, True),
    "ArnEquals": (_arn_like, False),
    "ArnNotEquals": (_arn_like, True),
    "ArnLike": (_arn_like, False),
    "ArnNotLike": (_arn_like, True),
    "Bool": (lambda wanted, value: wanted.lower() == value.lower(), False),
    "BinaryEquals": (lambda wanted, value: wanted == value, False),
    "IpAddress": (_in_network, False),
    "NotIpAddress": (_in_network, True),
    **_number_operators("Numeric", float),
    **_number_operators("Date", _moment),
}
