"""What kind of statement a text is, by its first words: API and engine both go by this."""

from __future__ import annotations

import re
from dataclasses import dataclass

_COMMENTS = re.compile(r"^(?:\s+|--[^\n]*(?:\n|$)|/\*.*?\*/)+", re.DOTALL)
_KINDS = {
    **dict.fromkeys(("SELECT", "WITH", "VALUES", "TABLE"), ("DML", "SELECT")),
    **{
        word: ("DML", word)
        for word in ("INSERT", "UPDATE", "DELETE", "MERGE", "UNLOAD", "OPTIMIZE", "VACUUM")
    },
    **{word: ("UTILITY", word) for word in ("EXPLAIN", "DESCRIBE", "DESC")},
}
_NOISE = {"OR", "REPLACE", "EXTERNAL", "IF", "NOT", "EXISTS", "FORMATTED", "EXTENDED"}


@dataclass(frozen=True)
class StatementKind:
    """StatementType and SubstatementType, as GetQueryExecution says them."""

    type: str
    substatement: str

    @property
    def ending(self) -> str:
        """How the name of the result's object ends."""
        return "csv" if self.type == "DML" else "txt"


def without_comments(text: str) -> str:
    """Return a statement without comments before it, and without a semicolon at its end."""
    return re.sub(r"[\s;]+$", "", _COMMENTS.sub("", text, count=1))


def kind_of_statement(text: str) -> StatementKind:
    """Return the kind of a statement; of what is none, that of a query."""
    plain = without_comments(text).lstrip("(").lstrip()
    words = [word.upper() for word in re.findall(r"[A-Za-z]+", plain[:200])]
    if not words:
        return StatementKind("DML", "SELECT")
    first = words[0]
    if first in _KINDS:
        return StatementKind(*_KINDS[first])
    if first == "CREATE" and re.search(
        r"^\s*CREATE\s+TABLE\b(?:.*\)|\s+\S+)\s*AS\b", plain, re.IGNORECASE | re.DOTALL | re.ASCII
    ):
        return StatementKind("DDL", "CREATE_TABLE_AS_SELECT")
    if first in ("CREATE", "DROP", "ALTER", "MSCK", "SHOW"):
        rest = [word for word in words[1:] if word not in _NOISE]
        named = "_".join([first, *rest[:1]])
        return StatementKind("UTILITY" if first == "SHOW" else "DDL", named)
    return StatementKind("DML", "SELECT")
