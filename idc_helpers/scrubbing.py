"""Takes secrets out of a text before anybody sees or stores it: the safety net, not the plan.

Secrets never enter parameters, widgets, receipts or outputs by design. What slips through, such as a header
that a library prints in an exception, is caught here: by a name that says what follows it is a secret, and by
shapes that AWS's secrets have.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

REMOVED = "[removed]"

_NAMES_THAT_HIDE = (
    r"aws_?secret_?access_?key|secret_?access_?key|secret_?key|aws_?session_?token|session_?token|security_?token"
    r"|x-amz-security-token|access_?token|refresh_?token|id_?token|client_?secret|control_?secret|pass(?:word|wd|phrase)"
    r"|one_?time_?password|api_?key|private_?key|mfa_?(?:secret|seed)|device_?code|x-amz-sso[_-]bearer[_-]token"
)
# `name = value`, `"name": "value"`, `name='value'`; the value is taken to its closing quote, or to the next
# blank.
_NAMED = re.compile(
    rf"""(?P<name>\b(?:[a-z]+_)?(?:{_NAMES_THAT_HIDE})\\*["']?\s*(?:=|:)\s*)(?!\[removed\])"""
    r"""(?P<value>\\+"[^"\n]*?\\+"|[bru]?"(?:\\.|[^"\\\n])*"|[bru]?'(?:\\.|[^'\\\n])*'|[^\s,;&)}\]"'\\]+)""",
    re.IGNORECASE,
)
_BEARER = re.compile(r"\b(?P<name>Bearer\s+)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
_SIGNATURE = re.compile(r"(?P<name>\b(?:X-Amz-)?Signature=)[0-9a-fA-F]{32,}")
_ACCESS_KEY_ID = re.compile(r"(?<![A-Za-z0-9])(?P<name>A[KS]IA)[A-Z0-9]{12,124}(?![A-Za-z0-9])")
_SESSION_TOKEN = re.compile(r"(?<![A-Za-z0-9/+=])(?:FwoGZXIvYXdz|IQoJb3JpZ2lu)[A-Za-z0-9/+=]{20,}")
_SECRET_SHAPE = re.compile(r"(?<![A-Za-z0-9/+=])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])")
_JSON_WEB_TOKEN = re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*")
_NOT_SECRET_VALUES = frozenset({"", "none", "null", "true", "false", "email", "one-time-password", REMOVED})


def scrub(text: str) -> str:
    """Return the text without access keys, secret keys, session tokens, bearer tokens and passwords.

    Access key ids keep their first four letters (``AKIA`` or ``ASIA``): which kind it was is what a reader
    learns from.

    Parameters
    ----------
    text
        Any text, such as a traceback, a page or a line of JSON. What is not secret stays as it is.
    """
    text = _NAMED.sub(_without_value, text)
    for pattern in (_BEARER, _SIGNATURE):
        text = pattern.sub(rf"\g<name>{REMOVED}", text)
    text = _ACCESS_KEY_ID.sub(rf"\g<name>{REMOVED}", text)
    text = _SESSION_TOKEN.sub(REMOVED, text)
    text = _JSON_WEB_TOKEN.sub(REMOVED, text)
    return _SECRET_SHAPE.sub(_without_secret_key, text)


def _without_value(match: re.Match[str]) -> str:
    value = match["value"]
    closing = re.search(r"\\*[\"']$", value)
    quote = closing[0] if closing else ""
    bare = value.lstrip("bruBRU").strip("\\\"'") if quote else value
    if bare.casefold() in _NOT_SECRET_VALUES:
        return match[0]
    return f"{match['name']}{quote}{REMOVED}{quote}"


def _without_secret_key(match: re.Match[str]) -> str:
    # Forty letters are also a git commit or a path: a secret key mixes upper case, lower case and digits.
    value = match[0]
    mixed = re.search(r"[A-Z]", value) and re.search(r"[a-z]", value) and re.search(r"\d", value)
    return REMOVED if mixed and value.count("/") <= 4 else value


def scrub_values(value: Any) -> Any:
    """Return JSON-like data with every text scrubbed, and with the values under secret names removed.

    Parameters
    ----------
    value
        Mappings, lists, texts, numbers, in any nesting; it is not changed.
    """
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, Mapping):
        return {name: _scrub_named(name, part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [scrub_values(part) for part in value]
    return value


_SECRET_NAME = re.compile(rf"(?:[a-z]+_)?(?:{_NAMES_THAT_HIDE})", re.IGNORECASE)


def _scrub_named(name: Any, value: Any) -> Any:
    if isinstance(name, str) and isinstance(value, str) and _SECRET_NAME.fullmatch(name):
        return value if value.casefold() in _NOT_SECRET_VALUES else REMOVED
    return scrub_values(value)
