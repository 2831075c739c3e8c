"""Regular expressions and formats of Java's, as DuckDB writes them."""

from __future__ import annotations

import re

from idc_sandbox.athena.engine.failures import not_supported

# A timestamp without a zone, as Trino writes it.
TIMESTAMP = re.compile(r"\d{4}-\d\d?-\d\d?( \d\d?:\d\d?(:\d\d?(\.\d+)?)?)?", re.ASCII)


def re2_pattern(text: str) -> str:
    """Return a pattern with its named groups as RE2 writes them."""
    return re.sub(r"(?<!\\)\(\?<(?=[A-Za-z])", "(?P<", text)


def re2_replacement(text: str) -> str:
    """Return a replacement of Java's, with ``$1`` for a group, as RE2 writes it; a named group is refused."""
    made, at = "", 0
    while at < len(text):
        if text[at] == "\\" and at + 1 < len(text):
            made, at = made + text[at + 1].replace("\\", "\\\\"), at + 2
        elif found := re.compile(r"\$(\d)", re.ASCII).match(text, at):
            made, at = f"{made}\\{found[1]}", found.end()
        elif text.startswith("${", at):
            raise not_supported(
                "NOT_SUPPORTED: line 1:1: the sandbox's Athena has no ${NAME} in a replacement: use $1"
            )
        else:
            made, at = made + text[at].replace("\\", "\\\\"), at + 1
    return made


# Joda's letters → strftime's, longest first; for literals of format_datetime and parse_datetime.
JODA = {
    "yyyy": "%Y", "YYYY": "%Y", "yy": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "M": "%-m", "dd": "%d",
    "d": "%-d", "EEEE": "%A", "EEE": "%a", "HH": "%H", "H": "%-H", "hh": "%I", "mm": "%M", "ss": "%S",
    "SSS": "%g", "a": "%p", "Z": "%z",
    "h": "%-I", "m": "%-M", "s": "%-S", "EE": "%a", "E": "%a", "y": "%Y", "DDD": "%j", "ZZ": "%z",
}  # fmt: skip


def joda_format(text: str) -> str:
    """Return strftime's format for one of Joda's; what stands between quotes is itself."""
    made, rest = "", text
    while rest:
        if rest[0] == "'":
            literal, _, rest = rest[1:].partition("'")
            made += literal.replace("%", "%%") or "'"
            continue
        letters = (re.match(r"([A-Za-z])\1*|", rest) or [""])[0]
        if letters and letters not in JODA:
            raise not_supported(
                f"NOT_SUPPORTED: line 1:1: the sandbox's Athena does not know {letters!r} in a time's format"
            )
        made += JODA[letters] if letters else rest[0].replace("%", "%%")
        rest = rest[len(letters) or 1 :]
    return made
