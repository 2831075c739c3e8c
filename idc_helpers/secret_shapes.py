"""What secrets look like: by a name that says so, or by shapes that AWS's, OAuth's and other keys have.

Each shape says its kind in words, so that a leak can be reported without showing it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass

REMOVED = "[removed]"

NAMES_THAT_HIDE = (
    r"aws[_-]?secret[_-]?access[_-]?key|secret[_-]?access[_-]?key|secret[_-]?key"
    r"|aws[_-]?session[_-]?token|session[_-]?token|security[_-]?token|x-amz-security-token"
    r"|access[_-]?token|refresh[_-]?token|id[_-]?token|subject[_-]?token|actor[_-]?token|auth[_-]?token"
    r"|client[_-]?secret|control[_-]?secret|pass(?:word|wd|phrase)|one[_-]?time[_-]?password|api[_-]?key"
    r"|private[_-]?key|(?:mfa|totp|otp)[_-]?(?:secret|seed)|device[_-]?code|code[_-]?verifier"
    r"|authorization[_-]?code|x-amz-sso[_-]bearer[_-]token|x-sandbox-secret"
)
_QUOTE = r"""(?:\\*["']|&quot;|&\#(?:x27|34|39);)"""
# Of a casefolded text: literals, of which it holds one, or a pattern that is quicker than the shape's own.
Sign = tuple[str, ...] | re.Pattern[str]
# What a name may stand before without being a secret: kinds, choices and nothing.
NOT_SECRET_VALUES = frozenset({"", "none", "null", "true", "false", "email", "one-time-password", REMOVED})


@dataclass(frozen=True)
class SecretShape:
    """One kind of secret.

    Attributes
    ----------
    kind
        In words: ``"a private key"``.
    pattern
        Its group ``name``, where there is one, stays; the rest of the match is taken out.
    sign
        What no match can do without; see `possible_shapes`.
    is_secret
        Decides for a match; most need no second look.
    is_sure
        Whether it is a secret wherever it stands: an output that holds one must not be kept.
    """

    kind: str
    pattern: re.Pattern[str]
    sign: Sign
    is_secret: Callable[[re.Match[str]], bool] = lambda _match: True
    is_sure: bool = True

    def remove(self, text: str) -> str:
        """Return a text without secrets of this kind."""
        return self.pattern.sub(self._without, text)

    def finds(self, text: str) -> bool:
        """Tell whether a text holds a secret of this kind."""
        return any(self._without(match) != match[0] for match in self.pattern.finditer(text))

    def _without(self, match: re.Match[str]) -> str:
        if not self.is_secret(match):
            return match[0]
        groups = match.groupdict()
        return f"{groups.get('name') or ''}{REMOVED}{groups.get('rest') or ''}"


def _says_something(match: re.Match[str]) -> bool:
    return match["value"].casefold() not in NOT_SECRET_VALUES


def _is_mixed(match: re.Match[str]) -> bool:
    """Tell a secret key from a git commit or a path: it mixes upper case, lower case and digits."""
    value = match[0]
    mixed = re.search(r"[A-Z]", value) and re.search(r"[a-z]", value) and re.search(r"\d", value)
    return bool(mixed) and value.count("/") <= 4


def _is_random(match: re.Match[str]) -> bool:
    """Tell a random token from a long name: its kinds of characters change at nearly every second place."""
    kinds = re.sub(r"[a-z]", "a", re.sub(r"[A-Z]", "A", re.sub(r"\d", "0", match[0])))
    changes = sum(one != other for one, other in itertools.pairwise(kinds))
    return {"a", "A", "0"} <= set(kinds) and changes >= 14


def _is_seed(match: re.Match[str]) -> bool:
    return bool(re.search(r"\d", match[0])) and len(set(match[0])) >= 8


def _shape(kind: str, pattern: str, sign: Sign, **more: object) -> SecretShape:
    return SecretShape(kind, re.compile(pattern), sign, **more)  # type: ignore[arg-type]


# `name = value`, `"name": "value"`, `name='value'`; a value goes to its closing quote, or to the next blank.
_NAME = rf"(?P<name>(?i:\b(?:[a-z]+_)?(?:{NAMES_THAT_HIDE})){_QUOTE}?\s*(?:=|:)\s*"
_NAMED = "a value whose name says that it is a secret"
_WORD = r"(?<![A-Za-z0-9/+=])"
_END = r"(?![A-Za-z0-9/+=])"

_NAME_SIGN = re.compile(
    rf"(?:key|token|secret|seed|code|ver.{{1,4}}er|pass(?:word|wd|phrase)){_QUOTE}?\s*[=:]"
)
_URL_SIGN = re.compile(r"://[^\s/@\"'<>]*@")
_LONG_WORD_SIGN = re.compile(r"[\w/+-]{32}")
# What is looked for in any case has no i here: casefolding leaves it its dotless and its dotted relative.
_HEADER_SIGN = ("bearer", "bas", "gest")

SHAPES: tuple[SecretShape, ...] = (
    _shape(
        "a private key",
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----[\s\S]*?"
        r"(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\Z)",
        ("private key",),
    ),
    _shape("the seed of an authenticator app", r"(?i:otpauth(?:-migration)?)://[^\s\"'<>\\]+", ("otpauth",)),
    _shape(
        _NAMED,
        rf"{_NAME}[bru]?\\*\")(?P<value>(?:[^\"\\\n]|\\[^\"])*?)(?P<rest>\\*\")",
        _NAME_SIGN,
        is_secret=_says_something,
        is_sure=False,
    ),
    _shape(
        _NAMED,
        rf"{_NAME}[bru]?\\*')(?P<value>(?:[^'\\\n]|\\[^'])*?)(?P<rest>\\*')",
        _NAME_SIGN,
        is_secret=_says_something,
        is_sure=False,
    ),
    _shape(
        _NAMED,
        rf"{_NAME}(?:&quot;|&\#(?:x27|34|39);))(?P<value>.*?)(?P<rest>&quot;|&\#(?:x27|34|39);)",
        _NAME_SIGN,
        is_secret=_says_something,
        is_sure=False,
    ),
    _shape(
        _NAMED,
        rf"{_NAME})(?!\[removed\])(?!&quot;|&\#)(?P<value>[^\s,;&)}}\]\"'\\<]+)",
        _NAME_SIGN,
        is_secret=_says_something,
        is_sure=False,
    ),
    _shape(
        "credentials in a header",
        r"(?P<name>\b(?i:Bearer|Basic|Digest)\s+)(?!\[removed\])[A-Za-z0-9._~+/=-]{8,}",
        _HEADER_SIGN,
    ),
    _shape(
        "a cookie",
        r"(?P<name>\b(?i:set-)?(?i:cookie)\\*[\"']?\s*:\s*\\*[\"']?[\w.-]+=)(?!\[removed\])[^\s;,\"'\\]+",
        ("cook",),
    ),
    _shape(
        "a password in a URL",
        r"(?P<name>\b[a-z][a-z0-9+.-]*://[^\s/:@\"'<>]*:)(?!\[removed\])[^\s/@\"'<>]+(?=@)",
        _URL_SIGN,
    ),
    _shape(
        "the signature of a signed URL",
        r"(?P<name>\b(?:X-Amz-)?Signature=)(?!\[removed\])[A-Za-z0-9%/+=_~.-]{20,}",
        ("signature=",),
    ),
    _shape(
        "a session token",
        r"(?P<name>\bX-Amz-Security-Token=)(?!\[removed\])[^\s&\"'<>]+",
        ("x-amz-security-token=",),
    ),
    _shape("an authorization code", r"(?P<name>[?&]code=)(?!\[removed\])[A-Za-z0-9%._~-]{12,}", ("code=",)),
    _shape(
        "an access key id",
        r"(?<![A-Za-z0-9])(?P<name>A[KS]IA)[A-Z0-9]{12,124}(?![A-Za-z0-9])",
        ("akia", "asia"),
        is_sure=False,
    ),
    _shape(
        "a session token",
        rf"{_WORD}(?:FwoGZXIvYXdz|IQoJb3JpZ2lu)[A-Za-z0-9/+=]{{20,}}",
        ("fwogzxivyxdz", "iqojb3jpz2lu"),
    ),
    _shape("a JSON web token", r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*", ("eyj",)),
    _shape(
        "an API token",
        r"\b(?:gh[oprsu]_[A-Za-z0-9]{36,}|github_pat_\w{40,}|xox[abprs]-[A-Za-z0-9-]{10,}|AIza[\w-]{35}|npm_[A-Za-z0-9]{36}"
        r"|pypi-[\w-]{40,}|glpat-[\w-]{20,}|sk_live_[A-Za-z0-9]{16,}|sk-[A-Za-z0-9_-]{32,})",
        re.compile(r"gh[oprsu]_|github_pat_|xox[abprs]-|aiza|npm_|pypi-|glpat-|sk_live_|sk-"),
    ),
    _shape(
        "the seed of an authenticator app",
        rf"{_WORD}(?:[A-Z2-7]{{32}}|[A-Z2-7]{{52}}|[A-Z2-7]{{64}}){_END}",
        _LONG_WORD_SIGN,
        is_secret=_is_seed,
    ),
    _shape("a secret access key", rf"{_WORD}[A-Za-z0-9/+]{{40}}{_END}", _LONG_WORD_SIGN, is_secret=_is_mixed),
    _shape(
        "a random token",
        r"(?<![\w/+=.-])(?:[\w-]{40}|[\w-]{43}|[\w-]{64}|[\w-]{86})(?![\w/+=-])",
        _LONG_WORD_SIGN,
        is_secret=_is_random,
    ),
)


def possible_shapes(text: str) -> list[SecretShape]:
    """Return, in their order, the shapes that a text may hold secrets of; no other one matches anywhere.

    Nearly all texts hold none, and all that a run writes is looked at: that something is not there which a
    shape cannot do without is found much sooner. Taking secrets out makes no other shape possible.
    """
    folded = text.casefold()
    shown = {sign: _is_shown(sign, folded) for sign in _SIGNS}
    return [shape for shape in SHAPES if shown[shape.sign]]


_NAME_BEFORE_VALUE = re.compile(rf"(?i:(\b(?:[a-z]+_)?(?:{NAMES_THAT_HIDE})))=")


def apart_from_names(text: str) -> str:
    """Return a text with a blank for each ``=`` between a name that hides and its value.

    Base64 has ``=`` too, so a word that begins after one is the end of another one; after such a name it is
    a word of its own.
    """
    if _NAME_SIGN.search(text.casefold()) is None:
        return text
    return _NAME_BEFORE_VALUE.sub(r"\1 ", text)


def _is_shown(sign: Sign, folded: str) -> bool:
    if isinstance(sign, tuple):
        return any(literal in folded for literal in sign)
    return sign.search(folded) is not None


_SIGNS = frozenset(shape.sign for shape in SHAPES)
