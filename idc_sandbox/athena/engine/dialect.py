"""A query in Athena's dialect: read, held against what may be asked, and said in DuckDB's."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import sqlglot
from sqlglot import exp
from sqlglot.dialects.trino import Trino
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokens import TokenType

from idc_sandbox.athena.engine.failures import QueryFailedError, not_supported
from idc_sandbox.athena.engine.functions import (
    ALLOWED_FUNCTIONS,
    MACRO_NAMES,
    WORDS_BEFORE_PARENTHESES,
    joda_format,
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
            not in MACRO_NAMES | {"format", "format_datetime", "parse_datetime", "reduce", "row"}
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
    _require_known_calls(tree, places)


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
    reason = f"FUNCTION_NOT_FOUND: {places.of_function(name)}: Function '{name.lower()}' not registered"
    return QueryFailedError(reason, 1303)


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


KindOf = Callable[[exp.Expr], str]


def to_duckdb(tree: exp.Expr, now: float, kind_of: KindOf) -> str:
    """Return a query whose tables are bound already in DuckDB's words.

    `now` is the time that the query sees, epoch seconds; `kind_of` tells of what is unnested whether it is
    ``"array"`` or ``"map"``.
    """
    for node in reversed(list(tree.walk(bfs=False))):  # what is inside of a call before the call
        changed = _replaced(node, now)
        if changed is not node:
            tree = changed if node is tree else tree
            node.replace(changed)
    for unnest in list(tree.find_all(exp.Unnest)):
        unnest.replace(_lateral(unnest, kind_of))
    return tree.sql(dialect="duckdb")


def condition_text(condition: exp.Expr, now: float) -> str:
    """Return a condition in DuckDB's words, its columns without a table's name."""
    copy = condition.copy()
    for column in copy.find_all(exp.Column):
        column.replace(exp.column(column.name.lower(), quoted=True))
    return to_duckdb(copy, now, lambda _one: "array")


def _replaced(node: exp.Expr, now: float) -> exp.Expr:
    if isinstance(node, exp.Anonymous):
        return _replaced_call(node)
    if isinstance(node, exp.CurrentDate | exp.CurrentTimestamp | exp.CurrentTime | exp.Localtimestamp):
        return _time_of(node, now)
    if isinstance(node, exp.Cast):
        return _replaced_cast(node)
    if isinstance(node, exp.Sub) and _is_date(node.this) and _is_date(node.expression):
        times = [exp.cast(one.copy(), "timestamp") for one in (node.this, node.expression)]
        return exp.Sub(this=times[0], expression=times[1])  # an interval, where DuckDB counts days
    # DuckDB makes a timestamp of a date and an interval; Trino a date, if the unit is a day or more.
    is_sum = isinstance(node, exp.Add | exp.Sub | exp.DateAdd) and _is_date(node.this)
    if is_sum and not isinstance(node.parent, exp.Cast) and _is_of_days(node):
        return exp.cast(node.copy(), "date")
    return node


def _replaced_cast(node: exp.Cast) -> exp.Expr:
    kind, numbers = node.to.this, node.to.expressions
    if kind is exp.DType.DECIMAL and not numbers:
        return _decimal(node)
    if kind is exp.DType.JSON:
        return exp.func("to_json", node.this)
    if kind is exp.DType.VARCHAR and numbers:  # DuckDB has no longest text
        whole = type(node)(this=node.this.copy(), to=exp.DataType.build("varchar"))
        return exp.Left(this=whole, expression=numbers[0].this.copy())
    return node


def _decimal(node: exp.Cast) -> exp.Expr:
    """Return ``decimal '1.5'`` with the places that it has, and any other decimal without them, as Trino."""
    text = node.this.name.strip()
    if node.this.is_string and re.fullmatch(r"[+-]?\d+(?:\.\d+)?", text, re.ASCII):
        return exp.Literal.number(text.removeprefix("+"))
    return exp.cast(node.this, "decimal(38, 0)")


def _is_date(node: exp.Expr) -> bool:
    return isinstance(node, exp.CurrentDate) or (isinstance(node, exp.Cast) and node.is_type("date"))


def _is_of_days(node: exp.Expr) -> bool:
    unit = node.args.get("unit")
    if unit is None and isinstance(node.expression, exp.Interval):
        unit = node.expression.args.get("unit")
    return unit is not None and unit.name.upper() in ("DAY", "WEEK", "MONTH", "QUARTER", "YEAR")


def _time_of(node: exp.Expr, now: float) -> exp.Expr:
    moment = datetime.datetime.fromtimestamp(now, datetime.UTC)
    text = moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{moment.microsecond // 1000:03d}"
    match node:
        case exp.CurrentDate():
            return exp.cast(exp.Literal.string(text[:10]), "date")
        case exp.CurrentTime():
            return exp.cast(exp.Literal.string(text[11:]), "time")
        case exp.Localtimestamp():
            return exp.cast(exp.Literal.string(text), "timestamp")
    return exp.cast(exp.Literal.string(f"{text}+00"), "timestamptz")


def _replaced_call(node: exp.Anonymous) -> exp.Expr:
    name, arguments = node.name.lower(), node.expressions
    if name in ("format_datetime", "parse_datetime") and len(arguments) == 2:
        form = exp.Literal.string(joda_format(arguments[1].name))
        if name == "format_datetime":
            return exp.Anonymous(this="strftime", expressions=[arguments[0], form])
        return exp.cast(exp.Anonymous(this="strptime", expressions=[arguments[0], form]), "timestamptz")
    if name in _WITH_LAMBDAS and len(arguments) == _WITH_LAMBDAS[name]:
        return _with_lambdas(name, arguments)
    if name.startswith("json_") and len(arguments) == 2 and arguments[1].is_string:
        arguments = [arguments[0], exp.Literal.string(duckdb_path(arguments[1].name))]
    if name in MACRO_NAMES:
        return exp.Anonymous(this=f"trino_{name}", expressions=arguments)
    return exp.Anonymous(this="printf", expressions=arguments) if name == "format" else node


_WITH_LAMBDAS = {"any_match": 2, "all_match": 2, "none_match": 2, "reduce": 4}


def _with_lambdas(name: str, arguments: list[exp.Expr]) -> exp.Expr:
    if name == "reduce":
        values, first, merge, finish = arguments
        merged = exp.Anonymous(this="list_reduce", expressions=[values, merge, first])
        finished = exp.Anonymous(this="list_transform", expressions=[exp.array(merged), finish])
        return exp.Anonymous(this="list_extract", expressions=[finished, exp.Literal.number(1)])
    found = exp.Anonymous(this="len", expressions=[exp.Anonymous(this="list_filter", expressions=arguments)])
    if name == "all_match":
        return exp.EQ(this=found, expression=exp.Anonymous(this="len", expressions=[arguments[0].copy()]))
    kind = exp.GT if name == "any_match" else exp.EQ
    return kind(this=found, expression=exp.Literal.number(0))


def duckdb_path(path: str) -> str:
    """Return a JSON path with ``["a.b"]`` as DuckDB writes it, ``."a.b"``."""
    return re.sub(r"""\[(["'])(.*?)\1\]""", r'."\2"', path)


def _lateral(unnest: exp.Unnest, kind_of: KindOf) -> exp.Expr:
    """Return DuckDB's UNNEST: a subquery, with a map's keys and values as columns and arrays side by side."""
    # A row in an array is one column, as Presto did it and as Athena's page has it (Trino makes a column of
    # each field): https://docs.aws.amazon.com/athena/latest/ug/query-examples-waf-logs-count.html
    columns, count = [], 0
    for value in unnest.expressions:
        kind = kind_of(value)
        depth = [exp.PropertyEQ(this=exp.to_identifier("max_depth"), expression=exp.Literal.number(2))]
        inner = exp.Anonymous(this="map_entries", expressions=[value]) if kind == "map" else value
        more = depth if kind == "map" else []
        count += 2 if kind == "map" else 1
        columns.append(exp.Anonymous(this="unnest", expressions=[inner, *more]))
    alias = unnest.args.get("alias")
    offset = unnest.args.get("offset")
    names = list(alias.columns) if alias is not None else []
    if offset:
        first = unnest.expressions[0]
        counted = (
            exp.Anonymous(this="map_keys", expressions=[first.copy()])
            if kind_of(first) == "map"
            else first.copy()
        )
        columns.append(
            exp.Anonymous(this="generate_subscripts", expressions=[counted, exp.Literal.number(1)])
        )
        names.append(offset if isinstance(offset, exp.Identifier) else exp.to_identifier("ordinality"))
        count += 1
    if names and len(names) != count:
        raise QueryFailedError(
            f"SYNTAX_ERROR: line 1:1: Column alias list has {len(names)} entries but '{unnest.alias}' has "
            f"{count} columns available"
        )
    query = exp.Subquery(this=exp.select(*columns))
    name = alias.this if alias is not None and alias.this is not None else exp.to_identifier("unnested")
    return exp.Lateral(this=query, alias=exp.TableAlias(this=name, columns=names))
