"""What secrets look like: shapes and values, in the patterns of ``data/secrets.toml``."""

from __future__ import annotations

import base64
import binascii
import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from idc_aws.files import read_table

REMOVED = "[removed]"
TABLES = read_table("secrets")


def joined_pattern(pieces: str | list[str]) -> re.Pattern[str]:
    """Return the pattern that a table holds in one piece or in several."""
    return re.compile("".join(pieces))


_SHORTEST = 6
_VALUES = {name: joined_pattern(pieces) for name, pieces in TABLES["values"].items() if name != "states"}
_STATES = frozenset(TABLES["values"]["states"].split())
_WORDS = re.compile(r"[^\W\d_]+(?:[-'/][^\W\d_]+)?[.,:;!?]?")
_WORD_PART = re.compile(r"[A-Z]?[a-z]{3,}")
_VOWEL = re.compile(r"[aeiouyAEIOUY]")
MIXED = re.compile(r"[\d!@#$%^&*?~]")
_ID_PART = re.compile(r"[0-9a-f]{8,}|[0-9A-F]{8,}|\d+")


def says_nothing(value: str) -> bool:
    """Tell whether an announced value hides nothing: a state, a placeholder, code, a place, a number."""
    value = value.strip().strip("\"'`")
    folded = value.casefold().rstrip(".,:;!?")
    return (
        folded in _STATES
        or REMOVED in value
        or len(value) < 3
        or any(_VALUES[kind].fullmatch(value) for kind in ("placeholder", "code", "amount"))
        or (_VALUES["place"].fullmatch(value) is not None and not _has_random_part(value))
    )


def is_sentence(value: str) -> bool:
    """Tell whether a value is prose about a secret, as ``must have 8 characters``; a passphrase is not."""
    return len(value.split()) > 1 and _VALUES["function_word"].search(value) is not None


def is_word(value: str) -> bool:
    """Tell whether a value is one word of a language."""
    return _WORDS.fullmatch(value) is not None


def looks_secret(value: str) -> bool:
    """Tell whether a value that stands near a secret's name is one: it mixes letters with digits or signs."""
    value = value.strip().strip("\"'`.,:;")
    if len(value) < _SHORTEST or MIXED.search(value) is None or not any(map(str.isalpha, value)):
        return False
    return not (says_nothing(value) or _VALUES["named_thing"].fullmatch(value) or _UUID.fullmatch(value))


def is_dense(value: str) -> bool:
    """Tell whether letters, digits and signs alternate, as in ``Tr0ub4dor&3``; in ``hunter2`` they do not."""
    kinds = [one.isdigit() if one.isalnum() else None for one in value]
    return looks_secret(value) and sum(one != other for one, other in itertools.pairwise(kinds)) >= 2


# Also as Identity Center's user ids are written.
_UUID = re.compile(r"(?:[0-9a-f]{10}-)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def is_random(value: str) -> bool:
    """Tell a random key from a long name or an id: it mixes its characters, and few of them make words."""
    rest = "".join(part for part in re.split(r"[-_./]", value) if not _ID_PART.fullmatch(part))
    if len(rest) < 0.75 * len(value) or not all(re.search(kind, rest) for kind in ("[A-Z]", "[a-z]", r"\d")):
        return False
    words = sum(len(part) for part in _WORD_PART.findall(value) if _VOWEL.search(part))
    return words < 0.45 * len(rest)


def _has_random_part(value: str) -> bool:
    return any(len(part) >= 20 and is_random(part) for part in re.split(r"[/:?&=]", value))


def is_seed(value: str) -> bool:
    """Tell an authenticator's base32 seed from a long upper-case name."""
    return len(set(value)) >= 8 and bool(re.search(r"\d", value)) and not re.fullmatch(r"[A-F2-7]+", value)


def decoded(value: str) -> str:
    """Return the text that a base64 value holds; empty when it is none."""
    value = value.rstrip("=")
    try:
        data = base64.b64decode(
            value + "=" * (-len(value) % 4), altchars=b"-_" if set(value) & set("-_") else None
        )
        return data.decode("utf-8")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""


def is_basic_credentials(value: str) -> bool:
    """Tell whether a value is base64 of ``user:password``, as headers and docker's files have it."""
    return ":" in decoded(value) and decoded(value).isprintable()


class Secret(NamedTuple):
    """A secret in a text: where it is, its kind in words, and whether it is one wherever it stands."""

    start: int
    end: int
    kind: str
    is_sure: bool


def _is_header_value(match: re.Match[str]) -> bool:
    scheme, value = match["scheme"].casefold(), match["secret"].rstrip(".,:;")
    if scheme == "basic":
        return is_basic_credentials(value)
    # Only after the header's name: "Digest" is the name of another one too.
    follows_header = re.search(r"authorization\W{1,6}\Z", match.string[: match.start()][-24:], re.IGNORECASE)
    if is_word(value) or says_nothing(value):
        return False
    looks_random = any(one.isdigit() for one in value) or len(value) >= 32
    return bool(follows_header) or (scheme == "bearer" and looks_random)


def _is_user_info(match: re.Match[str]) -> bool:
    password = match["secret"]
    return password.casefold() not in ("password", "pass", "pw", "secret", "token") and (
        not says_nothing(password) or (len(password) < 6 and password[0] not in "$<{*%")
    )


_KEY_BODY = re.compile(r"[A-Za-z0-9+/=]{12,}")
# Whether a match of a shape's pattern is a secret, by the name that the table has for the check.
_CHECKS: dict[str, Callable[[re.Match[str]], bool]] = {
    "": lambda _match: True,
    "has_body": lambda match: bool(_KEY_BODY.search(match["secret"].split("-----", 2)[2])),
    "has_digit": lambda match: any(map(str.isdigit, match[match.lastgroup or 0])),
    "holds_a_private_key": lambda match: "PRIVATE KEY" in decoded(match[0][:80]),
    "is_header_value": _is_header_value,
    "is_no_name": lambda match: re.fullmatch(r"(?:[A-Z][a-z]+)+", match["secret"]) is None,
    "is_user_info": _is_user_info,
    "looks_secret": lambda match: looks_secret(match["secret"]),
    "says_something": lambda match: not says_nothing(match["secret"]),
}


@dataclass(frozen=True)
class SecretShape:
    """One kind of secret."""

    kind: str
    pattern: re.Pattern[str]
    signs: list[str]
    check: str = ""
    is_sure: bool = True

    def find(self, text: str, folded: str) -> Iterator[Secret]:
        """Yield the secrets of this kind in a text."""
        if not any(sign in folded for sign in self.signs):
            return
        group = "secret" if "secret" in self.pattern.groupindex else 0
        for match in self.pattern.finditer(text):
            if match[group] != REMOVED and _CHECKS[self.check](match):
                yield Secret(*match.span(group), self.kind, self.is_sure)


SHAPES = [SecretShape(**{**row, "pattern": joined_pattern(row["pattern"])}) for row in TABLES["shapes"]]


_EXAMPLES = re.compile("|".join(map(re.escape, TABLES["examples"])))


def without_examples(text: str, found: Iterable[Secret]) -> list[Secret]:
    """Return what was found but for what lies within one of the made-up keys that the lesson shows."""
    examples = [match.span() for match in _EXAMPLES.finditer(text)]
    return [
        secret
        for secret in found
        if not any(start <= secret.start and secret.end <= end for start, end in examples)
    ]


_RUN = re.compile(r"(?<![A-Za-z0-9/+_-])[A-Za-z0-9/+_-]{32,}")
_KEY = re.compile(r"(?<![A-Za-z0-9/+])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])")
_BROKEN_KEY = re.compile(
    r"\r?\n(?=(?P<rest>[A-Za-z0-9/+]{4,36}(?:\r?\n[A-Za-z0-9/+]{4,36}){0,8})(?![A-Za-z0-9/+=]))"
)
_LINE_END = re.compile(r"(?<![A-Za-z0-9/+])[A-Za-z0-9/+]{4,36}\Z")
_TOKEN = re.compile(r"[\w-]{40}|[\w-]{43}|[\w-]{64}|[\w-]{86}")
_KEY_LENGTH = 40
_SEED = re.compile(r"[A-Z2-7]{32}|[A-Z2-7]{52}|[A-Z2-7]{64}")
_HARMLESS_NAME = joined_pattern(TABLES["harmless"]["name"])
_BLOCK_BEFORE = re.compile(r"[A-Za-z0-9/+]{60,}[\s\"'\\n]{1,12}\Z")
_BLOCK_AFTER = re.compile(r"[\s\"'\\n]{1,12}[A-Za-z0-9/+]{60,}")
_AWS_NAME = re.compile(r"(?:arn:aws[\w-]*:|AWSReservedSSO_|data:)[^\s\"'<>]*\Z", re.IGNORECASE)


def long_words(text: str) -> Iterator[Secret]:
    """Yield keys, tokens and seeds by their length, their alphabet and their disorder."""
    for run in _RUN.finditer(text):
        for start, end, kind in _kinds_in(text, run):
            if not _is_harmless(text, start, end):
                yield Secret(start, end, kind, True)


def _kinds_in(text: str, run: re.Match[str]) -> Iterator[tuple[int, int, str]]:
    whole, is_padded = run[0].rstrip("-"), text[run.end() : run.end() + 1] == "="
    if _SEED.fullmatch(whole) and is_seed(whole):
        yield run.start(), run.start() + len(whole), "the seed of an authenticator app"
        return
    if not is_padded and _TOKEN.fullmatch(whole) and is_random(whole):
        keys = list(_KEY.finditer(whole))
        if not keys:
            yield run.start(), run.start() + len(whole), "a random token"
            return
    for part in _KEY.finditer(text, run.start(), run.end()):
        if not (is_padded and part.end() == run.end()) and is_random(part[0]):
            yield *part.span(), "a secret access key"


def broken_keys(text: str) -> Iterator[Secret]:
    """Yield secret access keys that are written over several lines."""
    for match in _BROKEN_KEY.finditer(text):
        first = _LINE_END.search(text, max(0, match.start() - 37), match.start())
        if first is None:
            continue
        key, lines = first[0], re.finditer(r"\S+", match["rest"])
        while len(key) < _KEY_LENGTH and (line := next(lines, None)):
            key += line[0]
            if len(key) == _KEY_LENGTH and is_random(key):
                end = match.start("rest") + line.end()
                yield Secret(first.start(), end, "a secret access key", is_sure=True)


def _is_harmless(text: str, start: int, end: int) -> bool:
    """Tell whether a random word is an id or a hash by its name, of an ARN, or a line of base64."""
    before = text[max(0, start - 200) : start]
    return (
        _HARMLESS_NAME.search(before[-40:]) is not None
        or _AWS_NAME.search(before + text[start : start + 15]) is not None
        or _BLOCK_BEFORE.search(before) is not None
        or _BLOCK_AFTER.match(text, end) is not None
    )
