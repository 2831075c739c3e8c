"""The conditions of a policy: operators, keys and values, and what every text in a policy may hold.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from idc_helpers.models.base import Location, Refusal
from idc_helpers.models.texts import shortened
from idc_helpers.suggestions import did_you_mean

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
        elif not isinstance(entry, bool | int | float):
            message = f"{shortened(entry)} is not a condition value"
            yield Refusal(place, message, "Write a text, a number, or true or false.", entry)
