"""A policy as a person types it: whether it is one, where it breaks, and how much of the room it takes."""

from __future__ import annotations

import json
from typing import Any

from idc_helpers.errors import InvalidValueError
from idc_helpers.models.base import Refusal
from idc_helpers.models.policies import MOST_POLICY_CHARACTERS, inline_policy_size, policy_from_text
from idc_helpers.models.policy_grammar import policy_refusals
from idc_helpers.policy_advice import policy_advice
from idc_helpers.yaml_positions import dotted


def policy_as_text(policy: Any) -> str:
    """Return a policy as indented JSON; a text as it is, nothing as an empty text."""
    if isinstance(policy, str):
        return policy
    return json.dumps(policy, indent=2, ensure_ascii=False) if policy else ""


def policy_state(text: str) -> str:
    """Return the state of a policy in words: valid or where it breaks, and its size against AWS's limit.

    Blanks do not count towards the limit of 10,240 characters.

    Notes
    -----
    Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/limits.html
    """
    if not text.strip():
        return f"Empty: no inline policy. At most {MOST_POLICY_CHARACTERS:,} characters, blanks not counted."
    used = inline_policy_size(text)
    size = f"{used:,} of {MOST_POLICY_CHARACTERS:,} characters, blanks not counted"
    if used > MOST_POLICY_CHARACTERS:
        size += f": {used - MOST_POLICY_CHARACTERS:,} too many"
    try:
        policy = policy_from_text(text)
    except InvalidValueError as error:
        at = error.__cause__
        if isinstance(at, json.JSONDecodeError):
            return f"✘ No valid JSON yet: line {at.lineno}, column {at.colno}: {at.msg}. {size}."
        return f"✘ {error.message}. {error.remedy} {size}."
    refusals = policy_refusals(policy)
    if refusals:
        return f"✘ {_in_words(refusals)} {size}."
    return f"✔ Valid policy. {size}. {_in_words(policy_advice(policy), 'Warning: ')}".rstrip()


def _in_words(found: list[Refusal], start: str = "") -> str:
    return " ".join(
        f"{start}{dotted(one.location)}: {one.message.rstrip('.')}. {one.remedy}".rstrip() for one in found
    )
