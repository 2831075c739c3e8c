"""JSON that others have sent: read without trusting its depth."""

from __future__ import annotations

import json
from typing import Any

_DEEPEST = 100


def parse_json(text: str | bytes) -> Any:
    """Return what a JSON text says.

    Raises
    ------
    ValueError
        When it is no JSON, holds half of a character, or lists and objects are nested more than 100 deep:
        what works on it recurses.
    """
    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False).encode()  # an escaped half of a character is no text
    except RecursionError:
        raise ValueError(f"it is nested more than {_DEEPEST} deep") from None
    level, depth = [value], 0
    while level := [inner for item in level for inner in _inside(item)]:
        depth += 1
        if depth > _DEEPEST:
            raise ValueError(f"it is nested more than {_DEEPEST} deep")
    return value


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
