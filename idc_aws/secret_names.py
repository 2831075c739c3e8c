"""Finds values that a name announces: ``password = …``, ``"SecretKey": "…"``, ``--token …``, a column."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterator

from idc_aws.secrets import (
    MIXED,
    REMOVED,
    TABLES,
    is_basic_credentials,
    is_dense,
    is_sentence,
    is_word,
    joined_pattern,
    looks_secret,
    says_nothing,
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
