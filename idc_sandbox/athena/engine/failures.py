"""What stops a query, in Athena's words: a reason, a category, a number."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

SYSTEM, USER, OTHER = 1, 2, 3
# https://docs.aws.amazon.com/athena/latest/ug/error-reference.html
EXHAUSTED, TIMED_OUT, RESULTS_NOT_WRITTEN, DDL_FAILED, BAD_STATEMENT, CANCELLED = (
    200,
    206,
    401,
    1003,
    1006,
    1014,
)
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


class Places(Protocol):
    """Where a query's text says something."""

    def of_column(self, name: str) -> str:
        """Return ``line 1:8`` of the first place that names a column."""

    def of_function(self, name: str) -> str:
        """Return ``line 1:8`` of the first call of a function."""


@dataclass(frozen=True)
class _Rule:
    pattern: str
    code: str
    text: str
    error_type: int = BAD_STATEMENT
    of_function: bool = False


# DuckDB's words → Trino's. The first group of a pattern is the name that the text has a place for.
_RULES = (
    _Rule(
        r'Column "([^"]*)" referenced that exists in the SELECT',
        "COLUMN_NOT_FOUND",
        "Column '{column}' cannot be resolved",
    ),
    _Rule(r'Referenced column "([^"]*)" not found', "COLUMN_NOT_FOUND", "Column '{0}' cannot be resolved"),
    _Rule(
        r'Referenced table "([^"]*)" not found', "COLUMN_NOT_FOUND", "Column '{column}' cannot be resolved"
    ),
    _Rule(
        r'does not have a column named "([^"]*)"', "COLUMN_NOT_FOUND", "Column '{column}' cannot be resolved"
    ),
    _Rule(
        r'Could not find key "([^"]*)" in struct', "COLUMN_NOT_FOUND", "Column '{column}' cannot be resolved"
    ),
    _Rule(r"Cannot extract field '([^']*)'", "TYPE_MISMATCH", "Expression of '{0}' is not of type ROW"),
    _Rule(r'Ambiguous reference to column name "([^"]*)"', "AMBIGUOUS_NAME", "Column '{0}' is ambiguous"),
    _Rule(
        r'column "([^"]*)" must appear in the GROUP BY',
        "EXPRESSION_NOT_AGGREGATE",
        "'{0}' must be an aggregate expression or appear in GROUP BY clause",
    ),
    _Rule(
        r"value (\S+) can't be cast because the value is out of range",
        "NUMERIC_VALUE_OUT_OF_RANGE",
        "Out of range: {0}",
    ),
    _Rule(r"(Malformed JSON)", "INVALID_FUNCTION_ARGUMENT", "Cannot convert value to JSON: {0}"),
    _Rule(
        r"(?:field format|parse string): \"([^\"]*)\"", "INVALID_FUNCTION_ARGUMENT", 'Invalid format: "{0}"'
    ),
    _Rule(r"Could not convert string '(.*)' to ", "INVALID_CAST_ARGUMENT", "Cannot cast '{0}'"),
    _Rule(
        r"Function with name \"?([a-z0-9_]+)\"? does not exist",
        "FUNCTION_NOT_FOUND",
        "Function '{0}' not registered",
        1303,
        True,
    ),
    _Rule(
        r"No function matches the given name and argument types '?\"?([^('\"]+)",
        "FUNCTION_NOT_FOUND",
        "Unexpected parameters for function {0}",
        1303,
        True,
    ),
    _Rule(
        r"for the function call \"([^(\"]+)",
        "FUNCTION_NOT_FOUND",
        "Unexpected parameters for function {0}",
        1303,
        True,
    ),
)
_ON_PURPOSE = r"'!([A-Z_]+: .*)' to INT(?:64|128)"  # a macro's cast that fails with a message of ours
_CODE_OF_KIND = {
    "ConversionException": "INVALID_CAST_ARGUMENT",
    "OutOfRangeException": "NUMERIC_VALUE_OUT_OF_RANGE",
    "ParserException": "SYNTAX_ERROR",
    "BinderException": "TYPE_MISMATCH",
    "CatalogException": "TYPE_MISMATCH",
    "InvalidInputException": "INVALID_FUNCTION_ARGUMENT",
}


def translate_error(error: Exception, places: Places, full_column: Callable[[str], str]) -> QueryFailedError:
    """Return the failure that Athena has for an error of DuckDB's."""
    kind, text = type(error).__name__, str(error)
    if kind == "OutOfMemoryException" or isinstance(error, MemoryError):
        return out_of_memory()
    if own := re.search(
        r"'!([A-Z_]+: .*)' to INT(?:64|128)", text, re.DOTALL
    ):  # a cast that fails on purpose
        return QueryFailedError(own[1])
    if "Division by zero" in text:
        return QueryFailedError("DIVISION_BY_ZERO: Division by zero")
    for rule in _RULES:
        if found := re.search(rule.pattern, text):
            name = found[1]
            place = places.of_function(name) if rule.of_function else places.of_column(name)
            reason = rule.text.format(name.removeprefix("trino_"), column=full_column(name))
            return QueryFailedError(f"{rule.code}: {place}: {reason}", rule.error_type)
    first = text.partition("\n")[0]
    said = re.sub(r"^[A-Z][A-Za-z ]* Error: ", "", first)
    if kind in _CODE_OF_KIND:
        return QueryFailedError(f"{_CODE_OF_KIND[kind]}: {said}")
    # A path of this machine helps nobody who reads the reason.
    return QueryFailedError(f"GENERIC_INTERNAL_ERROR: {kind}", INTERNAL, SYSTEM)
