"""What API and engine both go by: the kind of a statement, by its first words, and what stops a query."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import Any

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


# What stops a query, in Athena's words: a reason, a category, a number.

SYSTEM, USER = 1, 2
# https://docs.aws.amazon.com/athena/latest/ug/error-reference.html
EXHAUSTED, TIMED_OUT, RESULTS_NOT_WRITTEN, DDL_FAILED, BAD_STATEMENT = 200, 206, 401, 1003, 1006
BAD_PROPERTY, MISSING_PATH, MISSING_TABLE, NOT_SUPPORTED, MISSING_FUNCTION = 1103, 1109, 1110, 1200, 1303
MISSING_BUCKET, NO_S3_PERMISSION, BAD_DATA, INTERNAL = 1306, 1501, 1600, 9999


class QueryFailedError(Exception):
    """A query ends as FAILED; the message is its StateChangeReason."""

    def __init__(self, reason: str, error_type: int = BAD_STATEMENT, category: int = USER) -> None:
        super().__init__(reason)
        self.reason = reason
        self.error_type = error_type
        self.category = category

    def as_values(self) -> dict[str, Any]:
        """Return what the sandbox keeps of it."""
        return {"reason": self.reason, "error_type": self.error_type, "category": self.category}


not_supported = partial(QueryFailedError, error_type=NOT_SUPPORTED)
ddl_failed = partial(QueryFailedError, error_type=DDL_FAILED)


def out_of_memory() -> QueryFailedError:
    """Return the failure of a query that wants more memory or disk than one gets."""
    return QueryFailedError("Query exhausted resources at this scale factor", EXHAUSTED, SYSTEM)
