"""What secrets look like: shapes, values, and what a name announces: ``password = …``, ``--token …``.

The patterns are those of ``data/secrets.toml``.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import re
import string
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
# It begins with a line's end, which is quickly found; before that are letters.
_BROKEN_KEY = re.compile(
    r"\n(?<=[A-Za-z0-9/+]{3}[A-Za-z0-9/+\r]\n)"
    r"(?=(?P<rest>[A-Za-z0-9/+]{4,36}(?:\r?\n[A-Za-z0-9/+]{4,36}){0,8})(?![A-Za-z0-9/+=]))"
)
_LINE_END = re.compile(r"(?<![A-Za-z0-9/+])[A-Za-z0-9/+]{4,36}\Z")
_TOKEN = re.compile(r"[\w-]{40}|[\w-]{43}|[\w-]{64}|[\w-]{86}")
_KEY_LENGTH = 40
_SEED = re.compile(r"[A-Z2-7]{32}|[A-Z2-7]{52}|[A-Z2-7]{64}")
_HARMLESS_NAME = joined_pattern(TABLES["harmless"]["name"])
# A line of base64 beside it, in a text or quoted; a hash is none.
_LINE = r"(?<![A-Za-z0-9/+])(?![0-9A-Fa-f]+(?![A-Za-z0-9/+]))[A-Za-z0-9/+]{60,}"
_BETWEEN_LINES = r"[ \t\r\"']{0,8}(?:\n|\\n)[\s\"']{0,8}"
_BLOCK_BEFORE = re.compile(rf"{_LINE}{_BETWEEN_LINES}\Z")
_BLOCK_AFTER = re.compile(_BETWEEN_LINES + _LINE)
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
        line_end = match.start() - text.endswith("\r", 0, match.start())
        first = _LINE_END.search(text, max(0, line_end - 37), line_end)
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


Span = tuple[int, int]  # start and end in a text

_JOIN = r"[_\-. ]?"
_LONGEST_NAME = 60


def _name_pattern(pieces: str | list[str], end: str = "") -> re.Pattern[str]:
    return re.compile("".join(pieces).replace("{join}", _JOIN) + end, re.IGNORECASE)


# By the letters that they begin with, which are quickly found in a long text.
_ROWS = TABLES["names"].items()
_CORES = {start: _name_pattern(row["pattern"]) for start, row in _ROWS}
_NEEDED_BEFORE = {start: _name_pattern(row["before"], r"\Z") for start, row in _ROWS if "before" in row}
_SUFFIX = _name_pattern(TABLES["announced"]["suffix"], r"(?![A-Za-z0-9_])")
_OF_A_NAME = string.ascii_letters + string.digits + "_-. "
_HARMLESS_BEFORE = joined_pattern(TABLES["announced"]["harmless_before"])
_IN_ARN = re.compile(r"arn:aws[^\s\"'<>]*\Z")
_TAG = r"<[^<>\n]{1,200}>"
_CLOSE = re.compile(r"""(?:\\*["'`\])]|&quot;|&\#(?:x27|34|39);){0,4}""")
_STRONG = re.compile(
    rf"(?:{_TAG}|[ \t]){{0,9}}(?::[ \t]*[\w.|\[\] ]{{1,40}}=(?!=)|=>|:=|:(?![:/])|={{1,3}}|->)"
    rf"(?:{_TAG}|[ \t]){{0,9}}"
)
_IN_XML = re.compile(r">")
_FLAG = re.compile(r"""[ \t]+|\\*["'],\s*(?=\\*["'])""")
_PAIR = re.compile(
    r"""\s{0,40}(?:[,;{]?[^<>{}\n]{0,80}?[\s,;])??(?:\n[\s-]{0,40}(?:type\s*=\s*\w+\s+|description\s*=[^\n]*\s+)?)?"""
    r"""\s{0,20}\\*["']?(?:\w{0,20}value|default)\\*["']?\s{0,9}[:=]\s{0,9}""",
    re.IGNORECASE,
)
_NEXT_LINE = re.compile(r"[ \t]*(?:\\*[|>][+-]?)?[ \t]*\r?\n[ \t]*")
_BESIDE = re.compile(rf"[ \t]*(?:[|│\t]|[ ]{{2}}|{_TAG}(?=\s*[^\s<]|\s*<))(?:[ \t|│]|{_TAG}|(?<=>)\s)*")
_LISTED = re.compile(r",\s*(?=\\*[\"'])")
_PROSE = re.compile(r"(?: (?:for|of) \S+(?: \S+)?)? (?:is|was)(?: now)?:? ", re.IGNORECASE)
_BLANK = re.compile(r" \(?")
_NETRC = re.compile(r"(?:^|\n|login[ \t]+\S+)\s*\Z")
_QUOTED = re.compile(
    r"""[\[({]?[bBrRfFuU]{0,2}(?P<q>\\*(?:\"\"\"|'''|["'`]))(?P<v>(?:(?!(?P=q))(?:\\.|[^\n])){0,4000})"""
)
_ENTITY_QUOTED = re.compile(r"(?P<q>&quot;|&\#(?:x27|34|39);)(?P<v>(?:(?!(?P=q))[^\n]){0,4000})")
_UNQUOTED = re.compile(
    r"""(?:[^\s"'`<>,;&)}\]\\]|&(?!\w+=|\w+;|\#)|[)}\]](?=[A-Za-z0-9!@$%^*]))+(?:<(?![a-zA-Z/!])\S*)?"""
)
_TO_BLANK = re.compile(r"""[^\s"'`<>\\]+(?:\\(?![nrt])\S*)?""")
_VARIABLE_LINE = re.compile(
    r"(?:^|\n)[ \t]*(?:(?:export|set|declare -x|ENV|-e|env)[ \t]+)?[A-Z][A-Z0-9_]*\Z", re.IGNORECASE
)
_AFTER_CHANGE = re.compile(r"""\\*["']?\s*->\s*(?=\\*["'])""")
_TEXT_UNTIL_TAG = re.compile(r"[^<\n]+")
_SNAKE = re.compile(r"[A-Za-z]+(?:_[A-Za-z]+)+")


def announced_values(text: str, folded: str) -> Iterator[Span]:
    """Yield where values are that a name announces."""
    for start, core in _CORES.items():
        position = folded.find(start)
        while position >= 0:
            end = position + len(start)
            if match := core.match(text, position):
                name = _Name.at(text, position, match.end(), start)
                if name is not None:
                    end = max(end, name.end)
                    yield from name.values()
            position = folded.find(start, end)
    yield from _columns(text, folded)


class _Name:
    """A name of a secret in a text."""

    def __init__(self, text: str, start: int, end: int, core: str, before: str) -> None:
        self.text, self.start, self.end, self.core, self.before = text, start, end, core, before

    @classmethod
    def at(cls, text: str, position: int, core_end: int, core: str) -> _Name | None:
        """Return the name whose core begins at a position, or None when it announces nothing."""
        suffix = _SUFFIX.match(text, core_end)
        if text[position - 1 : position] == ":" and _IN_ARN.search(text, max(0, position - 200), position):
            return None
        if suffix is None:
            return None
        window = text[max(0, position - _LONGEST_NAME) : position]
        before = window[len(window.rstrip(_OF_A_NAME)) :]
        whole = text[position:core_end].casefold()
        needed = None if core == "pass" and whole != "pass" else _NEEDED_BEFORE.get(core)
        if needed and not needed.search(
            before.rsplit(" ", 1)[-1] if core in ("pw", "pass", "otp", "auth") else before
        ):
            return None
        if _HARMLESS_BEFORE.search(before) and whole not in ("password", "secret"):
            return None
        close = _CLOSE.match(text, suffix.end())
        return cls(text, position - len(before), close.end() if close else suffix.end(), core, before)

    def values(self) -> Iterator[Span]:
        """Yield where its values are."""
        for separator, read in self._ways():
            match = separator.match(self.text, self.end)
            place = read(match) if match else None
            if place is not None:
                yield place
                after = _AFTER_CHANGE.match(self.text, place[1])
                if after and (second := self._strong(after)):
                    yield second
                return

    def _ways(self) -> Iterator[tuple[re.Pattern[str], Callable[[re.Match[str]], Span | None]]]:
        """Yield what may join a name and its value, and what reads the value then."""
        first = self.text[self.end : self.end + 1]
        if not first or first.isalnum() or self.text.startswith(REMOVED, self.end + 1):
            return
        beside = self.text[self.end : self.end + 60].casefold()
        if ":" in beside or "=" in beside or "->" in beside:
            yield _STRONG, self._strong
        if first == ">":
            yield _IN_XML, self._in_xml
        if self._is_flag():
            yield _FLAG, self._flag
        if "value" in beside or "default" in beside:
            yield _PAIR, self._strong
        if MIXED.search(beside) is None:
            return  # what only stands near is one when it has a digit or a sign
        yield _NEXT_LINE, self._weak
        yield _BESIDE, self._weak
        yield _LISTED, self._weak
        yield _PROSE, self._weak
        yield _BLANK, self._blank

    def _strong(self, separator: re.Match[str]) -> Span | None:
        position = separator.end()
        quoted = _QUOTED.match(self.text, position) or _ENTITY_QUOTED.match(self.text, position)
        if quoted:
            hides = self._may_hold(quoted["v"]) and not is_sentence(quoted["v"])
            return quoted.span("v") if hides else None
        next_line = _NEXT_LINE.match(self.text, position)
        if next_line:
            return self._weak(next_line)
        is_variable = separator[0] == "=" and _VARIABLE_LINE.search(
            self.text, max(0, self.start - 24), self.end
        )
        match = (_TO_BLANK if is_variable else _UNQUOTED).match(self.text, position)
        if match is None or not self._may_hold(match[0]) or self._is_code_or_prose(separator[0], match):
            return None
        return match.span()

    def _may_hold(self, value: str) -> bool:
        if self.core == "auth":
            return is_basic_credentials(value)
        if self.core == "cred" or re.fullmatch(r"A[KS]IA[A-Z0-9]{12,}", value):
            return looks_secret(value) and not value.startswith(("AKIA", "ASIA"))
        return not says_nothing(value)

    def _is_code_or_prose(self, separator: str, value: re.Match[str]) -> bool:
        """Tell whether an unquoted value is a variable, or the first word of a sentence."""
        if not (is_word(value[0]) or _SNAKE.fullmatch(value[0])):
            return False
        after = self.text[value.end() : value.end() + 2]
        is_assigned = "=" in separator and separator != separator.strip()
        return is_assigned or after[:1] in tuple("),](") or re.match(r" [\w(]", after) is not None

    def _in_xml(self, separator: re.Match[str]) -> Span | None:
        value = _TEXT_UNTIL_TAG.match(self.text, separator.end())
        if value and self.text[self.start - 1 : self.start] not in ("<", ":"):  # the value of an attribute
            return value.span() if looks_secret(value[0]) and not is_sentence(value[0]) else None
        return value.span() if value and self._may_hold(value[0]) and not is_sentence(value[0]) else None

    def _is_flag(self) -> bool:
        word = self.before.rpartition(" ")[2]
        return word.startswith("-") and len(word.lstrip("-")) >= len(word) - 2

    def _flag(self, separator: re.Match[str]) -> Span | None:
        value = _QUOTED.match(self.text, separator.end()) or _TO_BLANK.match(self.text, separator.end())
        if value is None or value[0].startswith("-"):
            return None
        place = value.span("v") if "v" in value.re.groupindex else value.span()
        word = self.text[slice(*place)]
        is_prose = is_word(word) and re.match(r"[ \t]+[a-z(]", self.text[place[1] : place[1] + 9]) is not None
        return place if self._may_hold(word) and not is_prose and not word.isupper() else self._dense(place)

    def _dense(self, place: Span) -> Span | None:
        return place if is_dense(self.text[slice(*place)]) else None

    def _weak(self, separator: re.Match[str]) -> Span | None:
        place = self._value_at(separator.end())
        if place is None or self.text[place[1] : place[1] + 1] in (":", "="):
            return None
        value = self.text[slice(*place)]
        return place if self._is_digits(value) or (looks_secret(value) and self._may_hold(value)) else None

    def _is_digits(self, value: str) -> bool:
        return self.core in ("code", "otp") and re.fullmatch(r"\d{6,8}\.?", value) is not None

    def _blank(self, separator: re.Match[str]) -> Span | None:
        place = self._value_at(separator.end())
        if place is None:
            return None
        word = self.text[slice(*place)]
        if looks_secret(word) and _NETRC.search(self.text, max(0, self.start - 80), self.start):
            return place
        return place if self._is_digits(word) else self._dense(place)

    def _value_at(self, position: int) -> Span | None:
        quoted = _QUOTED.match(self.text, position) or _ENTITY_QUOTED.match(self.text, position)
        if quoted:
            return quoted.span("v")
        match = _UNQUOTED.match(self.text, position)
        return match.span() if match else None


_COLUMN_NAME = _name_pattern(TABLES["announced"]["column_name"])
_ENDS_CELL = re.compile(r"[\"'*]?[ ]*(?:[,;|│\s]|\Z)")
_COLUMN_SIGNS = {sign: joined_pattern(pieces) for sign, pieces in TABLES["column_signs"].items()}
_WORD = re.compile(r"\S+")
_MOST_ROWS = 10_000
_MOST_LOOKED_BACK = 100  # lines
_RULE = re.compile(r"\s*[-=─═]{2,}(?:\s+[-=─═]+)*\s*")


def _columns(text: str, folded: str) -> Iterator[Span]:
    """Yield the values under a column of a table in text that has a secret's name."""
    if "\n" not in text:
        return
    for sign, core in _COLUMN_SIGNS.items():
        position = folded.find(sign)
        while position >= 0:
            after = position + 1
            match = core.match(folded, position)
            if match and _ENDS_CELL.match(folded, match.end()):
                start, end = text.rfind("\n", 0, position) + 1, text.find("\n", position)
                if end < 0:
                    break
                places, after = _column_values(text, start, end) if end - start < 2000 else ([], end)
                yield from places
            position = folded.find(sign, after)


def _column_values(text: str, start: int, end: int) -> tuple[list[Span], int]:
    """Return where the values under a header are, and where its table ends."""
    header = text[start:end]
    for delimiter in (",", ";", "\t", "|", "│"):
        if delimiter not in header:
            continue
        names = [cell.strip(" \"'*\r") for cell in header.split(delimiter)]
        columns = [number for number, name in enumerate(names) if _COLUMN_NAME.fullmatch(name)]
        if columns and all(len(name) <= 40 and not name.endswith(".") for name in names):
            return _delimited(text, end + 1, delimiter, len(names), columns)
    words = list(re.finditer(r"\S+", header))
    is_header = len({word[0] for word in words}) == len(words)  # prose says its words again
    columns_at = [word.span() for word in words if is_header and _COLUMN_NAME.fullmatch(word[0])]
    if len(words) < 2 or not columns_at or _is_below_rule(text, start, end):
        return [], end
    return _aligned(text, end + 1, columns_at, len(words))


def _is_below_rule(text: str, start: int, end: int) -> bool:
    """Return whether a line is a row already: a rule stands above it in its table, and none follows it."""
    above = text[text.rfind("\n\n", 0, start) + 1 : start].splitlines()[-_MOST_LOOKED_BACK:]
    after = text.find("\n", end + 1)
    following = text[end + 1 : after if after >= 0 else len(text)]
    return any(_RULE.fullmatch(line) for line in above) and not _RULE.fullmatch(following)


def _lines(text: str, position: int) -> Iterator[tuple[int, str]]:
    for _ in range(_MOST_ROWS):
        end = text.find("\n", position)
        yield position, text[position : end if end >= 0 else len(text)]
        if end < 0:
            return
        position = end + 1


def _delimited(
    text: str, position: int, delimiter: str, width: int, columns: list[int]
) -> tuple[list[Span], int]:
    places: list[Span] = []
    start = position
    for start, line in _lines(text, position):
        cells = line.split(delimiter)
        if len(cells) == 1 and re.fullmatch(r"[\s+=│├┼┤─-]+", line):
            continue
        if len(cells) != width:
            break
        for column in columns:
            cell = cells[column]
            value = cell.strip(" \"'\r")
            begin = start + sum(len(one) + 1 for one in cells[:column]) + cell.find(value)
            if value and not is_sentence(value) and not is_word(value) and not says_nothing(value):
                places.append((begin, begin + len(value)))
    return places, max(start, position)


def _aligned(text: str, position: int, columns: list[Span], width: int) -> tuple[list[Span], int]:
    places: list[Span] = []
    start = position
    for start, line in _lines(text, position):
        if not width <= len(line.split()) <= width + 1:
            break
        for left, right in columns:
            under = _WORD.search(line, max(0, line.rfind(" ", 0, left + 1) + 1), right)
            word = _WORD.match(line, under.start()) if under else None
            if word and looks_secret(word[0]):
                places.append((start + word.start(), start + word.end()))
    return places, max(start, position)
