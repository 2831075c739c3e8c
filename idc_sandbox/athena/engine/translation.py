"""A query whose tables are bound, said in DuckDB's words."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable

from sqlglot import exp
from sqlglot.errors import ErrorLevel, UnsupportedError

from idc_sandbox.athena.engine.functions import CAST_NAMES, MACRO_NAMES, OVER_ENTRIES
from idc_sandbox.athena.kinds import QueryFailedError, not_supported

KindOf = Callable[[exp.Expr], str]


def to_duckdb(tree: exp.Expr, now: float, kind_of: KindOf) -> exp.Expr:
    """Return the tree of a query whose tables are bound already, in DuckDB's words.

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
    return tree


def text_of(tree: exp.Expr) -> str:
    """Return the text of a tree in DuckDB's words; what DuckDB has no words for is refused."""
    try:
        return tree.sql(dialect="duckdb", unsupported_level=ErrorLevel.RAISE)
    except UnsupportedError as error:
        raise not_supported(f"NOT_SUPPORTED: line 1:1: not in the sandbox's Athena: {error}") from None


def condition_text(condition: exp.Expr, now: float) -> str:
    """Return a condition in DuckDB's words, its columns without a table's name."""
    copy = condition.copy()
    for column in copy.find_all(exp.Column):
        column.replace(exp.column(column.name.lower(), quoted=True))
    return text_of(to_duckdb(copy, now, lambda _one: "array"))


def _replaced(node: exp.Expr, now: float) -> exp.Expr:
    if isinstance(node, exp.Anonymous):
        return _replaced_call(node)
    if isinstance(node, exp.CurrentDate | exp.CurrentTimestamp | exp.CurrentTime | exp.Localtimestamp):
        return _time_of(node, now)
    if isinstance(node, exp.Cast):
        return _replaced_cast(node)
    if isinstance(node, exp.Extract) and node.name.upper() in _PARTS:
        node.set("this", exp.var(_PARTS[node.name.upper()]))
    if isinstance(node, exp.Predicate | exp.TimestampDiff | exp.DateDiff):
        _forget_zones(node)
    if isinstance(node, exp.Sub) and _is_date(node.this) and _is_date(node.expression):
        times = [exp.cast(one.copy(), "timestamp") for one in (node.this, node.expression)]
        return exp.Sub(this=times[0], expression=times[1])  # an interval, where DuckDB counts days
    # DuckDB makes a timestamp of a date and an interval; Trino a date, if the unit is a day or more.
    is_sum = isinstance(node, exp.Add | exp.Sub | exp.DateAdd) and _is_date(node.this)
    if is_sum and not isinstance(node.parent, exp.Cast) and _is_of_days(node):
        return exp.cast(node.copy(), "date")
    return node


# Trino's parts of a time that DuckDB calls otherwise.
_PARTS = {
    "DOW": "ISODOW", "DAY_OF_WEEK": "ISODOW", "DAY_OF_YEAR": "DOY", "DAY_OF_MONTH": "DAY", "YOW": "ISOYEAR",
    "YEAR_OF_WEEK": "ISOYEAR",
}  # fmt: skip


def _forget_zones(node: exp.Expr) -> None:
    """Compare moments, whatever the zone that they are shown in."""
    for one in list(node.iter_expressions()):
        is_shown = isinstance(one, exp.Anonymous) and one.name == "trino_at_timezone"
        if is_shown or isinstance(one, exp.AtTimeZone):
            moment = one.expressions[0] if is_shown else one.this
            one.replace(exp.cast(moment.copy(), "timestamptz"))


def _replaced_cast(node: exp.Cast) -> exp.Expr:
    kind, numbers = node.to.this, node.to.expressions
    if kind is exp.DType.DECIMAL and not numbers:
        return _decimal(node)
    if kind is exp.DType.JSON:
        return exp.func("to_json", node.this)
    if kind is exp.DType.VARCHAR and numbers:  # DuckDB has no longest text
        whole = type(node)(this=node.this.copy(), to=exp.DataType.build("varchar"))
        return exp.Left(this=_replaced_cast(whole), expression=numbers[0].this.copy())
    if kind in CAST_NAMES and not _is_plain(node):
        way = "try_cast" if isinstance(node, exp.TryCast) else "cast"
        return _call(f"trino_{way}_{CAST_NAMES[kind]}", node.this.copy())
    return node


def _is_plain(node: exp.Cast) -> bool:
    """Tell whether DuckDB's cast of a literal is Trino's."""
    value = node.this
    match CAST_NAMES[node.to.this]:
        case "timestamp":
            return bool(value.is_string and _TIMESTAMP.fullmatch(value.name))
        case "varchar":  # of a timestamp that is written down, the digits that it has
            return bool(value.is_string or (isinstance(value, exp.Cast) and value.this.is_string))
    return bool(value.is_int)


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


def _call(name: str, *arguments: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=list(arguments))


def _replaced_call(node: exp.Anonymous) -> exp.Expr:
    name, arguments = node.name.lower(), node.expressions
    if name in ("format_datetime", "parse_datetime") and len(arguments) == 2:
        form = exp.Literal.string(_joda_format(arguments[1].name))
        if name == "format_datetime":
            return _call("strftime", arguments[0], form)
        return exp.cast(_call("strptime", arguments[0], form), "timestamptz")
    if name in _WITH_LAMBDAS and len(arguments) == _WITH_LAMBDAS[name]:
        return _with_lambdas(name, arguments)
    if name in OVER_ENTRIES and arguments and isinstance(arguments[-1], exp.Lambda):
        return _over_pairs(name, arguments)
    if name.startswith("json_") and len(arguments) == 2 and arguments[1].is_string:
        arguments = [arguments[0], exp.Literal.string(duckdb_path(arguments[1].name))]
    if name.startswith("regexp_") and len(arguments) > 1:
        arguments = _of_pattern(name, arguments)
    if name in MACRO_NAMES:
        made = _call(f"trino_{name}", *arguments)
        if name in ("date_diff", "to_unixtime"):
            _forget_zones(made)
        return made
    return _formatted(arguments) if name == "format" and arguments else node


def _of_pattern(name: str, arguments: list[exp.Expr]) -> list[exp.Expr]:
    """Return the arguments of a regular expression's function, as RE2 writes pattern and replacement."""
    changed = list(arguments)
    if changed[1].is_string:
        changed[1] = exp.Literal.string(_re2_pattern(changed[1].name))
    if name == "regexp_replace" and len(changed) > 2:
        if isinstance(changed[2], exp.Lambda):
            raise not_supported("NOT_SUPPORTED: line 1:1: regexp_replace with a function; use a text with $1")
        if changed[2].is_string:
            changed[2] = exp.Literal.string(_re2_replacement(changed[2].name))
        else:
            changed[2] = _call("trino_re2_replacement", changed[2])
    return changed


def _formatted(arguments: list[exp.Expr]) -> exp.Expr:
    """Return DuckDB's printf, which takes nothing but texts for ``%s``."""
    form, values = arguments[0], list(arguments[1:])
    number = 0
    for place, kind in re.findall(r"%(?:%|(\d+\$)?[-#+ 0,(]*\d*(?:\.\d+)?([a-zA-Z]))", form.name, re.ASCII):
        if kind:
            number += not place
            at = int(place[:-1]) if place else number
            if kind == "s" and at <= len(values):
                values[at - 1] = exp.cast(values[at - 1].copy(), "varchar")
    return _call("printf", form, *values)


_WITH_LAMBDAS = {"any_match": 2, "all_match": 2, "none_match": 2, "reduce": 4}


def _with_lambdas(name: str, arguments: list[exp.Expr]) -> exp.Expr:
    one, zero = exp.Literal.number(1), exp.Literal.number(0)
    if name == "reduce":
        values, first, merge, finish = arguments
        merged = exp.array(_call("list_reduce", values, merge, first))
        return _call("list_extract", _call("list_transform", merged, finish), one)
    found = _call("len", _call("list_filter", *arguments))
    if name == "all_match":
        return exp.EQ(this=found, expression=_call("len", arguments[0].copy()))
    kind = exp.GT if name == "any_match" else exp.EQ
    return kind(this=found, expression=zero)


def _over_pairs(name: str, arguments: list[exp.Expr]) -> exp.Expr:
    """Return a call whose function takes two values, a key and its value or two items, as one with a pair."""
    function, pair = arguments[-1], exp.to_identifier("pair")
    is_zip = name == "zip_with"
    keys = map(exp.Literal.number, (1, 2)) if is_zip else map(exp.Literal.string, ("key", "value"))
    parts = [_call("struct_extract", exp.column("pair"), key) for key in keys]
    named = dict(zip((one.name for one in function.expressions), parts, strict=False))
    body = function.this.copy().transform(
        lambda node: named[node.name].copy() if _is_name(node) and node.name in named else node
    )
    if is_zip:
        zipped = _call("list_zip", *arguments[:2])
        return _call("list_transform", zipped, exp.Lambda(this=body, expressions=[pair]))
    entries = _call("map_entries", arguments[0])
    if name == "map_filter":
        kept = exp.Lambda(this=body, expressions=[pair])
        return _call("map_from_entries", _call("list_filter", entries, kept))
    made = (body, parts[1]) if name == "transform_keys" else (parts[0], body)
    changed = exp.Lambda(this=_call("row", *made), expressions=[pair])
    return _call("map_from_entries", _call("list_transform", entries, changed))


def _is_name(node: exp.Expr) -> bool:
    is_column = isinstance(node, exp.Column) and not node.table
    is_bare = isinstance(node, exp.Identifier) and not isinstance(node.parent, exp.Column | exp.Dot)
    return is_column or is_bare


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


# Regular expressions and formats of Java's, as DuckDB writes them.

# A timestamp without a zone, as Trino writes it.
_TIMESTAMP = re.compile(r"\d{4}-\d\d?-\d\d?( \d\d?:\d\d?(:\d\d?(\.\d+)?)?)?", re.ASCII)


def _re2_pattern(text: str) -> str:
    """Return a pattern with its named groups as RE2 writes them."""
    return re.sub(r"(?<!\\)\(\?<(?=[A-Za-z])", "(?P<", text)


def _re2_replacement(text: str) -> str:
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
_JODA = {
    "yyyy": "%Y", "YYYY": "%Y", "yy": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "M": "%-m", "dd": "%d",
    "d": "%-d", "EEEE": "%A", "EEE": "%a", "HH": "%H", "H": "%-H", "hh": "%I", "mm": "%M", "ss": "%S",
    "SSS": "%g", "a": "%p", "Z": "%z",
    "h": "%-I", "m": "%-M", "s": "%-S", "EE": "%a", "E": "%a", "y": "%Y", "DDD": "%j", "ZZ": "%z",
}  # fmt: skip


def _joda_format(text: str) -> str:
    """Return strftime's format for one of Joda's; what stands between quotes is itself."""
    made, rest = "", text
    while rest:
        if rest[0] == "'":
            literal, _, rest = rest[1:].partition("'")
            made += literal.replace("%", "%%") or "'"
            continue
        letters = (re.match(r"([A-Za-z])\1*|", rest) or [""])[0]
        if letters and letters not in _JODA:
            raise not_supported(
                f"NOT_SUPPORTED: line 1:1: the sandbox's Athena does not know {letters!r} in a time's format"
            )
        made += _JODA[letters] if letters else rest[0].replace("%", "%%")
        rest = rest[len(letters) or 1 :]
    return made
