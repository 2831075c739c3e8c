"""Takes secrets out of a text before anybody sees or stores it: the safety net, not the plan.

Secrets never enter parameters, widgets, receipts or outputs by design. What slips through, such as a header
that a library prints in an exception, is caught here: by a name that says what follows it is a secret, by
shapes that secrets have (`idc_helpers.secret_shapes`), and by the values of this process's secret variables,
wherever they appear.
"""

from __future__ import annotations

import base64
import functools
import html
import json
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from idc_helpers.secret_shapes import (
    NAMES_THAT_HIDE,
    NOT_SECRET_VALUES,
    REMOVED,
    apart_from_names,
    possible_shapes,
)

__all__ = ["REMOVED", "find_secrets", "remember_secret", "scrub", "scrub_values"]

_KNOWN_KIND = "the value of a secret variable"
_SECRET_VARIABLE = re.compile(
    r"secret|token|passw(?:or)?d|passphrase|private_?key|api_?key|credential", re.IGNORECASE
)
_NO_SECRET_VARIABLE = re.compile(
    r"_(?:file|path|dir|url|uri|arn|name|host|port|ttl|type|provider)$", re.IGNORECASE
)
_SHORTEST = 6
_LONGEST_KEPT = 1000
_LONG = 100_000
_WORDS = frozenset({"password", "passwd", "secret", "default", "disabled", "enabled", "required", REMOVED})
# Colours, and what moves the cursor or clears a line: control sequences of ECMA-48.
_CONTROLS = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_MOST_NESTED = 3
_remembered: set[str] = set()


def remember_secret(value: str) -> None:
    """Take a value that has just been learnt out of everything from now on, such as a sandbox's own key."""
    if len(value) >= _SHORTEST:
        _remembered.add(value)


def scrub(text: str) -> str:
    """Return the text without access keys, secret keys, tokens, codes, private keys and passwords.

    Access key ids keep their first four letters (``AKIA`` or ``ASIA``): which kind it was is what a reader
    learns from. A text with a terminal's colours loses them when they would hide a secret.

    Parameters
    ----------
    text
        Any text, such as a traceback, a page or a line of JSON. What is not secret stays as it is.
    """
    return _scrub(text, _known_values())


def _scrub(text: str, known: frozenset[str]) -> str:
    # The same notebook is saved several times: its texts are looked at once, unless they are huge.
    if len(text) <= _LONGEST_KEPT:
        return _looked_up(text, known)
    return _looked_up_long(text, known) if len(text) <= _LONG else _clean(text, known)


@functools.lru_cache(maxsize=8192)
def _looked_up(text: str, known: frozenset[str]) -> str:
    return _clean(text, known)


@functools.lru_cache(maxsize=64)
def _looked_up_long(text: str, known: frozenset[str]) -> str:
    return _clean(text, known)


def _clean(text: str, known: frozenset[str]) -> str:
    for plain in _plain_texts(text):
        cleaned = _without_secrets(plain, known)
        if cleaned != plain:
            return _clean(cleaned, known)  # what was taken out may have hidden where another one begins
    return text


def _plain_texts(text: str) -> Iterator[str]:
    """Yield a text as a terminal shows it, with blanks for its controls, and as it is.

    A control may stand within a secret, join a word and a secret, or be none and begin like one.
    """
    if "\x1b[" in text:
        for between in ("", " "):
            plain = text
            for _ in range(_MOST_NESTED):
                plain = _CONTROLS.sub(between, plain)
            yield plain
    yield text


def _without_secrets(text: str, known: frozenset[str]) -> str:
    pattern = _pattern(known)
    if pattern is not None:
        text = pattern.sub(REMOVED, text)
    for shape in possible_shapes(text):
        text = shape.remove(text)
    return text


def find_secrets(text: str) -> list[str]:
    """Return the kinds of what surely are secrets in a text, in words; never a value."""
    return list(dict.fromkeys(kind for plain in _plain_texts(text) for kind in _kinds_of_secrets(plain)))


def _kinds_of_secrets(text: str) -> Iterator[str]:
    pattern = _pattern(_known_values())
    if pattern is not None and pattern.search(text):
        yield _KNOWN_KIND
        text = pattern.sub(REMOVED, text)
    text = apart_from_names(text)
    for shape in possible_shapes(text):
        if shape.is_sure and shape.finds(text):
            yield shape.kind
            text = shape.remove(text)  # what one shape names, the next need not name again


def _known_values() -> frozenset[str]:
    named = (
        value
        for name, value in os.environ.items()
        if _SECRET_VARIABLE.search(name) and not _NO_SECRET_VARIABLE.search(name) and _may_be_secret(value)
    )
    return frozenset({*named, *_remembered})


def _may_be_secret(value: str) -> bool:
    is_place = value.startswith(("/", "~", "http://", "https://"))
    return len(value) >= _SHORTEST and not is_place and value.casefold() not in _WORDS


@functools.lru_cache(maxsize=16)
def _pattern(known: frozenset[str]) -> re.Pattern[str] | None:
    """Return what finds known values as they are, and as URLs, JSON, HTML and base64 write them."""
    forms: set[str] = set()
    for value in known:
        forms |= {value, quote(value, safe=""), json.dumps(value)[1:-1], html.escape(value)}
        forms.add(base64.b64encode(value.encode()).decode())
    longest_first = sorted(forms, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first))) if forms else None


def scrub_values(value: Any) -> Any:
    """Return JSON-like data with every text scrubbed, and with the values under secret names removed.

    Parameters
    ----------
    value
        Mappings, lists, texts, numbers, in any nesting; it is not changed.
    """
    return _scrub_values(value, _known_values())


def _scrub_values(value: Any, known: frozenset[str]) -> Any:
    if isinstance(value, str):
        return _scrub(value, known)
    if isinstance(value, Mapping):
        if value.get("model_name") == "PasswordModel":  # a widget whose state papermill keeps
            value = {**value, "state": _without_value(value.get("state"))}
        return {_scrub_values(name, known): _scrub_named(name, part, known) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_scrub_values(part, known) for part in value]
    return value


def _without_value(state: Any) -> Any:
    return {**state, "value": REMOVED} if isinstance(state, Mapping) and state.get("value") else state


_SECRET_NAME = re.compile(rf"(?:[a-z]+_)?(?:{NAMES_THAT_HIDE})", re.IGNORECASE)


def _scrub_named(name: Any, value: Any, known: frozenset[str]) -> Any:
    if isinstance(name, str) and isinstance(value, str) and _SECRET_NAME.fullmatch(name):
        return value if value.casefold() in NOT_SECRET_VALUES else REMOVED
    return _scrub_values(value, known)
