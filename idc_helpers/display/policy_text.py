"""A policy as a person types it: whether it is JSON, where it breaks, and how much of the room it takes."""

from __future__ import annotations

import json
from typing import Any

from idc_helpers.models.policies import MOST_POLICY_CHARACTERS


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
    characters = len("".join(text.split()))
    size = f"{characters:,} of {MOST_POLICY_CHARACTERS:,} characters, blanks not counted"
    if characters > MOST_POLICY_CHARACTERS:
        size += f": {characters - MOST_POLICY_CHARACTERS:,} too many"
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return f"✘ No valid JSON yet: line {error.lineno}, column {error.colno}: {error.msg}. {size}."
    return f"✔ Valid JSON. {size}."
