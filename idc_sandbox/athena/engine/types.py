"""Hive's types, as a table's definition has them: read, and said as DuckDB's."""

from __future__ import annotations

import re

from sqlglot import exp

from idc_sandbox.athena.engine.failures import ddl_failed

_SIMPLE = {
    exp.DType.TEXT: ("string", "VARCHAR"),
    exp.DType.VARCHAR: ("varchar", "VARCHAR"),
    exp.DType.CHAR: ("char", "VARCHAR"),
    exp.DType.TINYINT: ("tinyint", "TINYINT"),
    exp.DType.SMALLINT: ("smallint", "SMALLINT"),
    exp.DType.INT: ("int", "INTEGER"),
    exp.DType.BIGINT: ("bigint", "BIGINT"),
    exp.DType.FLOAT: ("float", "FLOAT"),
    exp.DType.DOUBLE: ("double", "DOUBLE"),
    exp.DType.BOOLEAN: ("boolean", "BOOLEAN"),
    exp.DType.TIMESTAMP: ("timestamp", "TIMESTAMP"),
    exp.DType.TIMESTAMPTZ: ("timestamp", "TIMESTAMP"),
    exp.DType.DATE: ("date", "DATE"),
    exp.DType.BINARY: ("binary", "BLOB"),
    exp.DType.VARBINARY: ("binary", "BLOB"),
}
# What a view's columns may be besides.
_AS_OTHERS = {
    exp.DType.INT128: "bigint",
    exp.DType.UBIGINT: "bigint",
    exp.DType.UINT: "bigint",
    exp.DType.USMALLINT: "int",
    exp.DType.UTINYINT: "smallint",
    exp.DType.JSON: "string",
    exp.DType.UUID: "string",
    exp.DType.TIME: "string",
    exp.DType.INTERVAL: "string",
    exp.DType.NULL: "string",
}


def plain_name(name: str) -> str:
    """Return a column's name in lower case; names go into statements, so odd ones are refused."""
    if not re.fullmatch(r"[\w@$-]{1,255}", name, re.ASCII):
        raise ddl_failed(
            f"FAILED: the name {name[:80]!r} of a column may have letters, digits, _, -, @ and $ only"
        )
    return name.lower()


def hive_type(kind: exp.DataType) -> str:
    """Return a type as Hive writes it, such as ``struct<arn:string>``; others are refused."""
    inner = kind.expressions
    if kind.this in _SIMPLE:
        numbers = [one.name for one in inner]
        name = _SIMPLE[kind.this][0]
        return f"{name}({','.join(numbers)})" if numbers and name in ("varchar", "char") else name
    if kind.this in _AS_OTHERS:
        return _AS_OTHERS[kind.this]
    if kind.this is exp.DType.DECIMAL:
        return f"decimal({','.join([one.name for one in inner] or ['10', '0'])})"
    if kind.this in (exp.DType.ARRAY, exp.DType.LIST) and len(inner) == 1:
        return f"array<{hive_type(inner[0])}>"
    if kind.this is exp.DType.MAP and len(inner) == 2:
        return f"map<{hive_type(inner[0])},{hive_type(inner[1])}>"
    if kind.this is exp.DType.STRUCT and inner:
        fields = (f"{plain_name(field.name)}:{hive_type(field.args['kind'])}" for field in inner)
        return f"struct<{','.join(fields)}>"
    raise ddl_failed(f"FAILED: ParseException: the type {kind.sql(dialect='hive')!r} is not one of Athena's")


def quoted(name: str) -> str:
    """Return a name as an identifier of SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str | None) -> str:
    """Return a text as a literal of SQL, or NULL."""
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"


_TOKENS = re.compile(r"[<>:,]|\([^)]*\)|[^<>:,()]+")


class HiveType:
    """A type of a table's column, read from its text.

    Attributes
    ----------
    name
        ``"struct"``, ``"array"``, ``"map"`` or the name of a simple type.
    fields
        The types of a struct by name; of an array ``element``; of a map ``key`` and ``value``.
    """

    def __init__(self, name: str, fields: dict[str, HiveType], numbers: str = "") -> None:
        self.name = name
        self.fields = fields
        self.numbers = numbers

    def in_duckdb(self) -> str:
        """Return the type as DuckDB writes it."""
        inner = [one.in_duckdb() for one in self.fields.values()]
        match self.name:
            case "array":
                return f"{inner[0]}[]"
            case "map":
                return f"MAP({inner[0]}, {inner[1]})"
            case "struct":
                named = zip(self.fields, inner, strict=True)
                return "STRUCT(" + ", ".join(f"{quoted(name)} {kind}" for name, kind in named) + ")"
            case "decimal":
                return f"DECIMAL{self.numbers}"
        return _IN_DUCKDB.get(self.name, "VARCHAR")


_IN_DUCKDB = dict(_SIMPLE.values()) | {"integer": "INTEGER", "real": "FLOAT"}


def read_type(text: str) -> HiveType:
    """Return a type from its text."""
    tokens = [token.strip() for token in _TOKENS.findall(text.strip()) if token.strip()]
    made, _ = _read(tokens, 0)
    return made


def _read(tokens: list[str], at: int) -> tuple[HiveType, int]:
    name, at = tokens[at].lower(), at + 1
    numbers = ""
    fields: dict[str, HiveType] = {}
    if at < len(tokens) and tokens[at].startswith("("):
        numbers, at = tokens[at], at + 1
    if at < len(tokens) and tokens[at] == "<":
        labels = {"array": ["element"], "map": ["key", "value"]}.get(name)
        while tokens[at] != ">":
            at += 1
            if labels is None:
                label, at = tokens[at], at + 2  # its name and a colon
            else:
                label = labels[len(fields)]
            fields[label], at = _read(tokens, at)
        at += 1
    return HiveType(name, fields, numbers), at


def duckdb_type(text: str) -> str:
    """Return DuckDB's type for one of Hive's."""
    return read_type(text).in_duckdb()
