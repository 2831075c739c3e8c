"""What depends on the types of values: decimals are divided as Trino does, and types have Trino's names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.expressions import apply_index_offset

from idc_sandbox.athena.kinds import MISSING_FUNCTION, QueryFailedError

# No function of DuckDB's takes arguments under this name, so its error lists the types of what it was given.
_PROBE = "txid_current"
_TYPES = re.compile(rf"argument types '{_PROBE}\((.*?)\)'\. You might", re.DOTALL)
_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)", re.ASCII)
_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between, exp.In)
_OF_TYPES = (
    exp.Div, exp.Avg, exp.Round, exp.Sign, exp.Typeof, exp.DPipe, exp.Concat, exp.Bracket, exp.ArraySize,
    exp.Reverse, *_COMPARISONS,
)  # fmt: skip
_PLAIN = {"INTEGER_LITERAL": "integer", "INTEGER": "integer", "BIGINT": "bigint", "DATE": "date"}
_DIGITS = {
    "TINYINT": 3, "SMALLINT": 5, "INTEGER": 10, "INTEGER_LITERAL": 10, "BIGINT": 19, "HUGEINT": 19,
}  # fmt: skip
_NAMES = {
    "VARCHAR": "varchar", "STRING_LITERAL": "varchar", "INTEGER_LITERAL": "integer", "FLOAT": "real",
    "BLOB": "varbinary", "HUGEINT": "bigint", '"NULL"': "unknown",
    "TIMESTAMP": "timestamp(3)", "TIMESTAMP_S": "timestamp(3)", "TIMESTAMP_MS": "timestamp(3)",
    "TIMESTAMP WITH TIME ZONE": "timestamp(3) with time zone", "TIME": "time(3)",
    "INTERVAL": "interval day to second",
}  # fmt: skip


def settle_types(
    tree: exp.Expr, failure: Callable[[exp.Expr], str], texts: set[str], place: Callable[[exp.Expr], str]
) -> None:
    """Make what depends on types, in a tree in DuckDB's words, what Trino would make of it.

    `failure` tells what DuckDB has against a tree: it is asked once for each expression whose types matter.
    `texts` are names of columns that hold texts, and `place` tells where an expression is in the query.
    """
    settled: set[int] = set()
    nodes: list[exp.Expr] = [
        one for one in _inside_out(tree) if isinstance(one, _OF_TYPES) and not _is_known(one, texts)
    ]
    for node in nodes:
        if id(node) in settled:
            continue
        # An expression in SELECT and GROUP BY is one: both change, or DuckDB would not know it again.
        select = node.find_ancestor(exp.Select)
        alike = [one for one in nodes if one == node and one.find_ancestor(exp.Select) is select]
        settled |= {id(one) for one in alike}
        kinds = _types_of(tree, alike, failure)
        for one in alike if kinds else []:
            _require_alike(one, kinds, place)
            _settle(one, kinds)


def _inside_out(node: exp.Expr) -> Iterator[exp.Expr]:
    """Yield what is below a node, and then the node; the tables of a query come before what it selects."""
    parts = ("with_", "from_", "joins", "laterals")
    first = [node.args.get(part) for part in parts] if isinstance(node, exp.Select) else []
    begun = [one for value in first for one in (value if isinstance(value, list) else [value]) if one]
    seen = {id(one) for one in begun}
    for one in [*begun, *(child for child in node.iter_expressions() if id(child) not in seen)]:
        yield from _inside_out(one)
    yield node


def _is_known(node: exp.Expr, texts: set[str]) -> bool:
    """Tell whether a node's types are plain from its words, so that nobody has to be asked."""
    operands = _operands(node)
    if isinstance(node, exp.Bracket):
        return bool(node.args.get("safe"))  # element_at
    if isinstance(node, exp.Div):
        return all(one.is_int or isinstance(one, exp.Count) for one in operands)
    if isinstance(node, exp.DPipe | exp.Concat):
        return all(_is_text(one, texts) for one in operands)
    if isinstance(node, _COMPARISONS):
        are_texts = [_is_text(one, texts) for one in operands]
        is_plain = [isinstance(one, exp.Literal | exp.Boolean) or one.is_number for one in operands]
        return all(are_texts) or not any(is_plain) or (all(is_plain) and not any(are_texts))
    return False


def _is_text(node: exp.Expr, texts: set[str]) -> bool:
    if isinstance(node, exp.Column | exp.Dot):
        return node.name.lower() in texts
    is_cast = isinstance(node, exp.Anonymous) and node.name.endswith("cast_varchar")
    return node.is_string or is_cast or isinstance(node, exp.DPipe | exp.Concat | exp.Lower | exp.Upper)


def _operands(node: exp.Expr) -> list[exp.Expr]:
    match node:
        case exp.Concat():
            return list(node.expressions)
        case exp.Between():
            return [node.this, node.args["low"], node.args["high"]]
        case exp.In():
            return [node.this, *node.expressions]
        case exp.Bracket():
            shift = DuckDB.INDEX_OFFSET - node.args.get("offset", 0)
            return [node.this, *apply_index_offset(node.this, node.expressions, shift, dialect="duckdb")]
        case exp.Binary():
            return [node.this, node.expression]
    return [node.this]


def _require_alike(node: exp.Expr, kinds: list[str], place: Callable[[exp.Expr], str]) -> None:
    """Refuse texts beside other values, which Trino neither compares nor joins, and DuckDB does."""
    names = [_trino_name(kind) for kind in kinds]
    others = [name for name in names if name not in ("varchar", "unknown", "json") and "(" not in name[:6]]
    if "varchar" not in names or not others:
        return
    if isinstance(node, exp.DPipe | exp.Concat):
        raise QueryFailedError(
            f"FUNCTION_NOT_FOUND: {place(node)}: Unexpected parameters ({', '.join(names)}) "
            "for function concat",
            MISSING_FUNCTION,
        )
    if isinstance(node, _COMPARISONS):
        sign = {"eq": "=", "neq": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}.get(
            node.key, node.key.upper()
        )
        raise QueryFailedError(
            f"TYPE_MISMATCH: {place(node)}: Cannot apply operator: {f' {sign} '.join(names[:2])}"
        )


def _types_of(tree: exp.Expr, alike: list[exp.Expr], failure: Callable[[exp.Expr], str]) -> list[str]:
    """Return DuckDB's types of what a node is made of, or nothing where the query is wrong anyhow."""
    probes = []
    for one in alike:
        probes.append(exp.Anonymous(this=_PROBE, expressions=[part.copy() for part in _operands(one)]))
    for one, probe in zip(alike, probes, strict=True):
        one.replace(probe)
    found = _TYPES.search(failure(tree))
    for one, probe in zip(alike, probes, strict=True):
        probe.replace(one)
    return _split(found[1]) if found else []


def _split(text: str) -> list[str]:
    """Return what commas part, outside of parentheses and quotation marks."""
    parts, depth, is_quoted = [""], 0, False
    for character in text:
        is_quoted ^= character == '"'
        depth += 0 if is_quoted else {"(": 1, ")": -1}.get(character, 0)
        if character == "," and not depth and not is_quoted:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def _settle(node: exp.Expr, kinds: list[str]) -> None:
    numbers = [_digits(kind) for kind in kinds]
    match node:
        case exp.Div():
            if {"DOUBLE", "FLOAT"} & set(kinds):
                node.replace(_double_quotient(node.this, node.expression))
            elif numbers[0] and numbers[1] and any(kind.startswith("DECIMAL") for kind in kinds):
                node.replace(_decimal_quotient(node.this, node.expression, numbers[0], numbers[1]))
        case exp.Bracket() | exp.ArraySize() | exp.DPipe() | exp.Reverse():
            _settle_nested(node, kinds)
        case exp.Typeof():
            asked = exp.Case().when(exp.false(), node.copy())  # an aggregate in it stays one
            node.replace(asked.else_(exp.Literal.string(_trino_name(kinds[0], node.this))))
        case exp.Sign():
            kind = "double" if kinds[0] in ("DOUBLE", "FLOAT") else "bigint" if kinds[0] == "BIGINT" else None
            if kind:
                node.replace(exp.cast(node.copy(), kind))
        case exp.Avg() | exp.Round() if kinds[0].startswith("DECIMAL") and numbers[0]:
            _keep_scale(node, *numbers[0])


def _settle_nested(node: exp.Expr, kinds: list[str]) -> None:
    """Do the same for what arrays and maps have under another name than texts."""
    are_arrays = [kind.endswith("]") for kind in kinds]
    match node:
        case exp.Bracket() if are_arrays[0] and _digits(kinds[1]):
            node.replace(exp.Anonymous(this="trino_subscript", expressions=_operands(node)))
        case exp.Bracket() if kinds[0].startswith("MAP("):
            value, key = _operands(node)
            node.replace(_value_of_key(value, key, kinds[1]))
        case exp.ArraySize() if kinds[0].startswith("MAP("):
            node.replace(exp.Anonymous(this="cardinality", expressions=[node.this.copy()]))
        case exp.DPipe() if are_arrays[0] != are_arrays[1]:  # an array and an element
            name = "list_append" if are_arrays[0] else "list_prepend"
            node.replace(exp.Anonymous(this=name, expressions=_operands(node)))
        case exp.Reverse() if are_arrays[0]:
            node.replace(exp.Anonymous(this="list_reverse", expressions=_operands(node)))


def _keep_scale(node: exp.Avg | exp.Round, precision: int, scale: int) -> None:
    """Make an average or a rounded value a decimal with the places of what it is of."""
    whole: exp.Expr = node
    while isinstance(whole.parent, exp.Filter | exp.Window) and whole.parent.this is whole:
        whole = whole.parent
    if isinstance(node, exp.Avg):
        rounded = exp.Round(this=whole.copy(), decimals=exp.Literal.number(scale))
        whole.replace(exp.cast(rounded, f"decimal({precision}, {scale})"))
    elif node.args.get("decimals") is not None:
        whole.replace(exp.cast(whole.copy(), f"decimal({min(38, precision + 1)}, {scale})"))


def _digits(kind: str) -> tuple[int, int] | None:
    """Return precision and scale of a number that is exact."""
    found = _DECIMAL.fullmatch(kind)
    if found:
        return int(found[1]), int(found[2])
    return (_DIGITS[kind], 0) if kind in _DIGITS else None


def _value_of_key(value: exp.Expr, key: exp.Expr, kind: str) -> exp.Expr:
    """Return a map's value for a key that must be there."""
    said = exp.Literal.string("!INVALID_FUNCTION_ARGUMENT: Key not present in map: ")
    message = exp.DPipe(this=said, expression=exp.cast(key.copy(), "varchar"))
    failing = exp.cast(exp.cast(exp.cast(message, "bigint"), "varchar"), _PLAIN.get(kind, "varchar"))
    is_there = exp.Anonymous(this="map_contains", expressions=[value.copy(), key.copy()])
    is_null = exp.Is(this=value.copy(), expression=exp.null())
    checked = exp.Case().when(exp.or_(is_there, is_null), key.copy()).else_(failing)
    return exp.Anonymous(this="map_extract_value", expressions=[value.copy(), checked])


def _double_quotient(left: exp.Expr, right: exp.Expr) -> exp.Expr:
    """Return a division of doubles, which ends as Infinity or NaN and not as an error."""
    infinite = exp.Mul(
        this=exp.cast(left.copy(), "double"), expression=exp.cast(exp.Literal.string("inf"), "double")
    )
    is_zero = exp.EQ(this=right.copy(), expression=exp.Literal.number(0))
    quotient = exp.Div(this=left.copy(), expression=right.copy(), typed=True)
    return exp.paren(exp.Case().when(is_zero, infinite).else_(quotient), copy=False)


def _decimal_quotient(
    left: exp.Expr, right: exp.Expr, of_left: tuple[int, int], of_right: tuple[int, int]
) -> exp.Expr:
    """Return a division of decimals, whole numbers of units: https://trino.io/docs/current/functions/decimal.html."""
    (left_precision, left_scale), (_, right_scale) = of_left, of_right
    scale = max(left_scale, right_scale)
    precision = min(38, left_precision + right_scale + max(0, right_scale - left_scale))
    units = [exp.Anonymous(this="trino_decimal_units", expressions=[one.copy()]) for one in (left, right)]
    shift = exp.cast(exp.Literal.string(str(10 ** (scale - left_scale + right_scale))), "int128")
    shifted = exp.Mul(this=units[0], expression=shift)
    made: exp.Expr = exp.Anonymous(this="trino_decimal_quotient", expressions=[shifted, units[1]])
    if scale:
        unit = exp.Literal.number("0." + "1".rjust(scale, "0"))
        made = exp.Mul(this=exp.cast(made, f"decimal({37 - scale}, 0)"), expression=unit)
    return exp.cast(made, f"decimal({precision}, {scale})")


def _trino_name(kind: str, value: exp.Expr | None = None) -> str:
    """Return Trino's name of a type of DuckDB's; a text that is written down has a length."""
    if isinstance(value, exp.Literal) and value.is_string:
        return f"varchar({len(value.name)})"
    if kind.endswith("]"):
        return f"array({_trino_name(kind[: kind.rindex('[')])})"
    name, _, inner = kind.removesuffix(")").partition("(")
    parts = _split(inner)
    match name:
        case "MAP" | "TUPLE":
            return f"{'map' if name == 'MAP' else 'row'}({', '.join(map(_trino_name, parts))})"
        case "STRUCT":
            fields = [re.fullmatch(r'("(?:[^"]|"")*"|\S+) (.*)', part, re.DOTALL) for part in parts]
            named = [f"{one[1].strip(chr(34))} {_trino_name(one[2])}" for one in fields if one is not None]
            return f"row({', '.join(named)})"
    return _NAMES.get(kind, kind.lower())
