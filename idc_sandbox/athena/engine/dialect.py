"""A query in Athena's dialect: read, and held against what may be asked; DuckDB's errors in Trino's words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import sqlglot
from sqlglot import exp
from sqlglot.dialects.trino import Trino
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokens import TokenType

from idc_sandbox.athena.engine.functions import (
    ALLOWED_FUNCTIONS,
    MACRO_NAMES,
    NOT_HERE,
    OVER_ENTRIES,
    WORDS_BEFORE_PARENTHESES,
)
from idc_sandbox.athena.kinds import (
    BAD_STATEMENT,
    INTERNAL,
    MISSING_FUNCTION,
    SYSTEM,
    QueryFailedError,
    not_supported,
    out_of_memory,
)

_DEEPEST = 120
_REFUSED = (
    exp.Command, exp.DDL, exp.DML, exp.Drop, exp.Alter, exp.Set, exp.Use, exp.Pragma, exp.Attach, exp.Detach,
    exp.Copy, exp.Into, exp.Parameter, exp.SessionParameter, exp.Transaction, exp.Commit, exp.Rollback,
    exp.Kill, exp.Describe, exp.Show, exp.Summarize, exp.Analyze, exp.Lock, exp.Columns, exp.Version,
)  # fmt: skip


class AthenaDialect(Trino):
    """Trino's, whose functions stay as they are written where the sandbox has a macro for them."""

    class Parser(Trino.Parser):  # type: ignore[valid-type,misc]  # a variable, made by sqlglot
        """The parser; a function that it does not know keeps its name."""

        FUNCTIONS: ClassVar[Any] = {
            name: make
            for name, make in Trino.Parser.FUNCTIONS.items()
            if name.lower()
            not in MACRO_NAMES
            | OVER_ENTRIES
            | {"format", "format_datetime", "parse_datetime", "reduce", "row"}
        }


@dataclass(frozen=True)
class TextPlaces:
    """A query's text, and where it says something, as Trino counts: ``line 1:8``."""

    text: str
    tree: exp.Expr | None = None

    def at(self, offset: int) -> str:
        """Return line and column of an offset, both from 1."""
        before = self.text[: max(offset, 0)]
        return f"line {before.count(chr(10)) + 1}:{len(before) - (before.rfind(chr(10)) + 1) + 1}"

    def of(self, node: exp.Expr) -> str:
        """Return where an expression begins."""
        starts = [one.meta["start"] for one in node.find_all(exp.Expr) if "start" in one.meta]
        return self.at(min(starts, default=0))

    def of_column(self, name: str) -> str:
        """Return the place of the first column or field of a name."""
        found = self._column(name)
        return self.of(found) if found is not None else self.at(0)

    def of_function(self, name: str) -> str:
        """Return the place of the first call of a function."""
        wanted = name.removeprefix("trino_")
        found = re.search(rf"\b{re.escape(wanted)}\s*\(", self.text, re.IGNORECASE | re.ASCII)
        return self.at(found.start() if found else 0)

    def full_column(self, name: str) -> str:
        """Return a column as the text has it, with the names before it."""
        found = self._column(name)
        return ".".join(one.name for one in found.parts) if isinstance(found, exp.Column) else name

    def _column(self, name: str) -> exp.Expr | None:
        columns = [] if self.tree is None else list(self.tree.find_all(exp.Column, bfs=False))
        return next(
            (one for one in columns if name.lower() in [part.name.lower() for part in one.parts]), None
        )


def parse_query(text: str, places: TextPlaces | None = None) -> exp.Expr:
    """Return the tree of a query; what is no query that Athena takes is refused."""
    places = places or TextPlaces(text)
    try:
        trees = [tree for tree in sqlglot.parse(text, read=AthenaDialect) if tree is not None]
    except ParseError as error:
        raise _syntax_failure(error) from None
    except (TokenError, RecursionError, ValueError) as error:
        said = (
            "it is nested too deeply"
            if isinstance(error, RecursionError)
            else "a quotation mark or comment has no end"
        )
        raise QueryFailedError(f"SYNTAX_ERROR: line 1:1: {said}") from None
    if len(trees) != 1:
        raise not_supported("Only one sql statement is allowed. Found: " + text[:200])
    (tree,) = trees
    if not isinstance(tree, exp.Query | exp.Values):
        word = (re.findall(r"\w+", text, re.ASCII) or ["<EOF>"])[0]
        raise QueryFailedError(f"SYNTAX_ERROR: line 1:1: mismatched input '{word}'. Expecting: a query")
    for select in list(tree.find_all(exp.Select)):
        if not select.expressions:
            raise QueryFailedError(f"SYNTAX_ERROR: {places.of(select)}: SELECT names no columns")
    return tree


def _syntax_failure(error: ParseError) -> QueryFailedError:
    first = error.errors[0] if error.errors else {}
    found = str(first.get("highlight") or "<EOF>")
    line, column = int(first.get("line") or 1), int(first.get("col") or 1)
    begin = max(column - len(found) + 1, 1)
    return QueryFailedError(f"SYNTAX_ERROR: line {line}:{begin}: mismatched input '{found}'")


def require_allowed(tree: exp.Expr, places: TextPlaces) -> None:
    """Refuse everything but reading from tables with the functions that Athena has."""
    deepest = max((node.depth for node in tree.walk()), default=0)
    if deepest > _DEEPEST * 4:
        raise QueryFailedError("SYNTAX_ERROR: line 1:1: the query is nested too deeply")
    for node in tree.walk():
        if isinstance(node, _REFUSED):
            raise not_supported(f"NOT_SUPPORTED: {places.of(node)}: {node.key.upper()} inside of a query")
        if isinstance(node, exp.Table) and not isinstance(node.this, exp.Identifier):
            raise not_supported(f"NOT_SUPPORTED: {places.of(node)}: a function in place of a table")
        if isinstance(node, exp.DataType) and node.this in (exp.DType.IPADDRESS, exp.DType.IPPREFIX):
            raise not_supported(
                f"NOT_SUPPORTED: {places.at(0)}: the sandbox's Athena has no type {node.this.value}: compare "
                "addresses as text, such as address LIKE '10.%'"
            )
        if isinstance(node, exp.Lateral):
            raise not_supported(f"NOT_SUPPORTED: {places.of(node)}: LATERAL")
        if isinstance(node, exp.Anonymous) and node.name.lower() not in ALLOWED_FUNCTIONS:
            raise _unknown_function(node.name, places)
        if what := _what_trino_has_not(node):
            raise QueryFailedError(f"SYNTAX_ERROR: {places.of(node)}: mismatched input '{what}'")
    _require_trinos_words(places)
    _require_known_calls(tree, places)


def _what_trino_has_not(node: exp.Expr) -> str:
    """Return the word of a node that sqlglot and DuckDB know and Trino does not, or nothing."""
    match node:
        case exp.Join() if node.kind in ("SEMI", "ANTI") or node.method == "ASOF":
            return str(node.kind or node.method)
        case exp.Distinct() if node.args.get("on"):
            return "ON"
        case exp.Group() if node.args.get("all") is not None:
            return "ALL"
    return ""


# Words of DuckDB's, and operators, that no query of Trino's has; a bracket follows a value or ARRAY.
_FOREIGN = {"::": "::", "{": "{", "glob": "GLOB", "ilike": "ILIKE", "qualify": "QUALIFY"}
_BEFORE_VALUES = frozenset(
    [*"(,[=<>+-*/", "<>", "||", "select", "where", "and", "or", "not", "in", "then", "by"]
)


def _require_trinos_words(places: TextPlaces) -> None:
    tokens = sqlglot.tokenize(places.text, read=AthenaDialect)
    for before, token in pairwise([tokens[0], *tokens]):
        if token.token_type in (TokenType.STRING, TokenType.IDENTIFIER):
            continue
        is_foreign = token.text == "[" and before.text.lower() in _BEFORE_VALUES
        is_foreign |= token.text.lower() == "sample" and before.text.lower() == "using"
        if is_foreign or (token.text.lower() in _FOREIGN and before.text != "."):
            raise QueryFailedError(f"SYNTAX_ERROR: {places.at(token.start)}: mismatched input '{token.text}'")
    for limit, _count, offset in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if limit.token_type is TokenType.LIMIT and offset.token_type is TokenType.OFFSET:
            raise QueryFailedError(
                f"SYNTAX_ERROR: {places.at(offset.start)}: mismatched input 'OFFSET'. Expecting: <EOF>"
            )


def require_no_early_alias(tree: exp.Expr, columns: set[str], places: TextPlaces) -> None:
    """Refuse a name that SELECT makes in WHERE, GROUP BY, HAVING or beside it: DuckDB knows it there.

    `columns` are the names of all columns of the query's tables.
    """
    for select in tree.find_all(exp.Select):
        made = {one.alias.lower() for one in select.expressions if isinstance(one, exp.Alias)}
        parts = [select.args.get(part) for part in ("where", "group", "having")]
        for part in [*(one for one in parts if one is not None), *select.expressions]:
            for column in part.find_all(exp.Column):
                name = column.name.lower()
                if (
                    name in made
                    and not column.table
                    and column.find_ancestor(exp.Select) is select
                    and name not in columns
                    and not _is_elsewhere(tree, select, column, name)
                ):
                    raise QueryFailedError(
                        f"COLUMN_NOT_FOUND: {places.of(column)}: Column '{name}' cannot be resolved"
                    )


def _is_elsewhere(tree: exp.Expr, select: exp.Select, column: exp.Column, name: str) -> bool:
    """Tell whether a name is perhaps that of a column of another query, of UNNEST, or of a function."""
    if any(name in (one.name.lower() for one in function.expressions) for function in _lambdas(column)):
        return True
    if any(name == one.name.lower() for alias in tree.find_all(exp.TableAlias) for one in alias.columns):
        return True
    offsets = (one.args.get("offset") for one in tree.find_all(exp.Unnest))
    if any(isinstance(one, exp.Identifier) and name == one.name.lower() for one in offsets):
        return True
    others = (one for one in tree.find_all(exp.Select) if one is not select)
    return any(name == one.alias_or_name.lower() for other in others for one in other.expressions)


def _lambdas(node: exp.Expr) -> Iterator[exp.Lambda]:
    while node.parent is not None:
        node = node.parent
        if isinstance(node, exp.Lambda):
            yield node


def _require_known_calls(tree: exp.Expr, places: TextPlaces) -> None:
    """Refuse a call of what Athena does not have, by the words of the text itself."""
    aliases = {alias.name.lower() for alias in tree.find_all(exp.TableAlias)}
    tokens = sqlglot.tokenize(places.text, read=AthenaDialect)
    for token, following in pairwise(tokens):
        if following.token_type is not TokenType.L_PAREN or not re.match(r"[A-Za-z_]", token.text):
            continue
        name = token.text.lower()
        if token.token_type is TokenType.STRING or name in WORDS_BEFORE_PARENTHESES | aliases:
            continue
        if name not in ALLOWED_FUNCTIONS:
            raise _unknown_function(token.text, places)


def _unknown_function(name: str, places: TextPlaces) -> QueryFailedError:
    if name.lower() in NOT_HERE:
        return not_supported(
            f"NOT_SUPPORTED: {places.of_function(name)}: the sandbox's Athena does not have Trino's function "
            f"{name.lower()}{NOT_HERE[name.lower()]}"
        )
    reason = f"FUNCTION_NOT_FOUND: {places.of_function(name)}: Function '{name.lower()}' not registered"
    return QueryFailedError(reason, MISSING_FUNCTION)


def fill_parameters(tree: exp.Expr, values: list[str]) -> exp.Expr:
    """Put the values of a request in place of question marks, in order."""
    marks = _in_text_order(tree)
    if len(marks) != len(values):
        raise QueryFailedError(
            "INVALID_PARAMETER_USAGE: line 1:1: Incorrect number of parameters: "
            f"expected {len(marks)} but found {len(values)}"
        )
    for mark, value in zip(marks, values, strict=True):
        mark.replace(_parameter(value))
    return tree


def _in_text_order(tree: exp.Expr) -> list[exp.Expr]:
    # A question mark does not say where it stands; the generated text has them in the order of the tree.
    marked = tree.copy()
    for number, mark in enumerate(marked.find_all(exp.Placeholder, bfs=False)):
        mark.set("this", f"p{number}_")
    order = [int(one) for one in re.findall(r":p(\d+)_", marked.sql(dialect=AthenaDialect), re.ASCII)]
    marks = list(tree.find_all(exp.Placeholder, bfs=False))
    return [marks[number] for number in order]


def _parameter(value: str) -> exp.Expr:
    """Return a parameter's value: a literal as it would stand in SQL; any other text is a text."""
    try:
        tree = sqlglot.parse_one(value, read=AthenaDialect)
    except (ParseError, TokenError, RecursionError):
        return exp.Literal.string(value)
    plain = tree.this if isinstance(tree, exp.Neg | exp.Cast) else tree
    is_literal = isinstance(plain, exp.Literal | exp.Boolean | exp.Null)
    return tree if is_literal else exp.Literal.string(value)


def name_columns(tree: exp.Expr) -> None:
    """Give each column of the answer, and of what is inside, the name that Trino gives it."""
    for select in list(tree.find_all(exp.Select)):
        for number, column in enumerate(list(select.expressions)):
            if not (isinstance(column, exp.Alias | exp.Column | exp.Dot | exp.Star) or column.is_star):
                column.replace(exp.alias_(column.copy(), f"_col{number}", quoted=True))
    first: Any = tree
    while isinstance(first, exp.SetOperation | exp.Subquery):
        first = first.this
    if not isinstance(first, exp.Select):
        return
    for column in list(first.expressions):
        if isinstance(column, exp.Column | exp.Dot) and not column.is_star:
            column.replace(exp.alias_(column.copy(), column.name, quoted=True))


def in_scope(table: exp.Table) -> bool:
    """Tell whether a name without a database is that of a WITH query at this place."""
    name = table.name.lower()
    inside: exp.Expr = table
    while (parent := inside.parent) is not None:
        clause = parent.args.get("with_")
        if clause is not None:
            for query in clause.expressions:
                is_itself = any(query is one for one in _upwards(table, parent))
                if is_itself and not clause.args.get("recursive"):
                    break
                if query.alias.lower() == name:
                    return True
        inside = parent
    return False


def _upwards(node: exp.Expr, top: exp.Expr) -> Iterator[exp.Expr]:
    current: exp.Expr | None = node
    while current is not None and current is not top:
        yield current
        current = current.parent


def conjuncts_on(table: exp.Table, columns: set[str]) -> list[exp.Expr]:
    """Return the conditions of a table's query that speak of nothing but some of its columns."""
    select = table.find_ancestor(exp.Select)
    if select is None or select.args.get("where") is None or not columns:
        return []
    joins = select.args.get("joins") or []
    if any(join.side in ("RIGHT", "FULL") or (join.side and join.this is table) for join in joins):
        return []  # what the condition refuses may come back as a row of NULLs
    is_direct = table.parent is select.args.get("from_") or any(join.this is table for join in joins)
    where = select.args["where"].this
    parts = list(where.flatten()) if isinstance(where, exp.And) else [where]
    return [part for part in parts if is_direct and _speaks_of(part, table.alias_or_name, columns)]


def _speaks_of(condition: exp.Expr, alias: str, columns: set[str]) -> bool:
    if condition.find(exp.Query, exp.AggFunc, exp.Window, exp.Unnest, exp.Rand, exp.Placeholder):
        return False
    named = list(condition.find_all(exp.Column))
    return bool(named) and all(
        one.name.lower() in columns and one.table.lower() in ("", alias.lower()) and not one.args.get("db")
        for one in named
    )


# DuckDB's words → code and words of Trino's. A pattern's first group is a name that the query's text has.
_RESOLVED = "Column '{column}' cannot be resolved"
_UNEXPECTED = "Unexpected parameters for function {0}"
_RULES = (
    (r'Column "([^"]*)" referenced that exists in the SELECT', "COLUMN_NOT_FOUND", _RESOLVED),
    (r'Referenced column "([^"]*)" not found', "COLUMN_NOT_FOUND", "Column '{0}' cannot be resolved"),
    (r'Referenced table "([^"]*)" not found', "COLUMN_NOT_FOUND", _RESOLVED),
    (r'does not have a column named "([^"]*)"', "COLUMN_NOT_FOUND", _RESOLVED),
    (r'Could not find key "([^"]*)" in struct', "COLUMN_NOT_FOUND", _RESOLVED),
    (r"Cannot extract field '([^']*)'", "TYPE_MISMATCH", "Expression of '{0}' is not of type ROW"),
    (r'Ambiguous reference to column name "([^"]*)"', "AMBIGUOUS_NAME", "Column '{0}' is ambiguous"),
    (
        r'column "([^"]*)" must appear in the GROUP BY',
        "EXPRESSION_NOT_AGGREGATE",
        "'{0}' must be an aggregate expression or appear in GROUP BY clause",
    ),
    (
        r"value (\S+) can't be cast because the value is out of range",
        "NUMERIC_VALUE_OUT_OF_RANGE",
        "Out of range: {0}",
    ),
    (r"(Malformed JSON)", "INVALID_FUNCTION_ARGUMENT", "Cannot convert value to JSON: {0}"),
    (
        r"(?:field format|parse string): \"([^\"]*)\"",
        "INVALID_FUNCTION_ARGUMENT",
        'Invalid format: "{0}"',
    ),
    (r"Could not convert string '(.*)' to ", "INVALID_CAST_ARGUMENT", "Cannot cast '{0}'"),
    (
        r"Function with name \"?([a-z0-9_]+)\"? does not exist",
        "FUNCTION_NOT_FOUND",
        "Function '{0}' not registered",
    ),
    (
        r"No function matches the given name and argument types '?\"?([^('\"]+)",
        "FUNCTION_NOT_FOUND",
        _UNEXPECTED,
    ),
    (r"for the function call \"([^(\"]+)", "FUNCTION_NOT_FOUND", _UNEXPECTED),
)
_ON_PURPOSE = re.compile(r"'!([A-Z_]+: .*)' to INT(?:64|128)", re.DOTALL)  # a macro's own words
_CODE_OF_KIND = {
    "ConversionException": "INVALID_CAST_ARGUMENT",
    "OutOfRangeException": "NUMERIC_VALUE_OUT_OF_RANGE",
    "ParserException": "SYNTAX_ERROR",
    "BinderException": "TYPE_MISMATCH",
    "CatalogException": "TYPE_MISMATCH",
    "InvalidInputException": "INVALID_FUNCTION_ARGUMENT",
}


def translate_error(error: Exception, places: TextPlaces) -> QueryFailedError:
    """Return the failure that Athena has for an error of DuckDB's."""
    kind, text = type(error).__name__, str(error)
    if kind == "OutOfMemoryException" or isinstance(error, MemoryError):
        return out_of_memory()
    if own := _ON_PURPOSE.search(text):
        return QueryFailedError(own[1])
    if "Division by zero" in text:
        return QueryFailedError("DIVISION_BY_ZERO: Division by zero")
    for pattern, code, words in _RULES:
        if found := re.search(pattern, text):
            name, is_function = found[1], code == "FUNCTION_NOT_FOUND"
            place = places.of_function(name) if is_function else places.of_column(name)
            reason = words.format(name.removeprefix("trino_"), column=places.full_column(name))
            error_type = MISSING_FUNCTION if is_function else BAD_STATEMENT
            return QueryFailedError(f"{code}: {place}: {reason}", error_type)
    said = re.sub(r"^[A-Z][A-Za-z ]* Error: ", "", text.partition("\n")[0])
    if kind in _CODE_OF_KIND:
        return QueryFailedError(f"{_CODE_OF_KIND[kind]}: {said}")
    # A path of this machine helps nobody who reads the reason.
    return QueryFailedError(f"GENERIC_INTERNAL_ERROR: {kind}", INTERNAL, SYSTEM)
