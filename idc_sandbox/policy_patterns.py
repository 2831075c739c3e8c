"""The patterns of policies: ``*`` and ``?``, and variables such as ``${aws:username}`` filled in.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
"""

from __future__ import annotations

import functools
import re

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


def as_text(pattern: str) -> str:
    """Return what `substitute` made, where there are no wildcards: all of it is text."""
    return pattern.translate(_AS_WILDCARD)


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
