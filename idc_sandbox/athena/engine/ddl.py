"""Statements about databases, tables, views and partitions, as a learner pastes them."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

from idc_sandbox.athena.engine.partitions import hive_values, is_projected, objects_under, split_address
from idc_sandbox.athena.engine.reading import form_of
from idc_sandbox.athena.engine.rendering import create_statement, described
from idc_sandbox.athena.engine.session import Line
from idc_sandbox.athena.engine.types import hive_type, plain_name
from idc_sandbox.athena.kinds import (
    DDL_FAILED,
    MISSING_PATH,
    MISSING_TABLE,
    QueryFailedError,
    ddl_failed,
    not_supported,
)

_SERDES = {
    "PARQUET": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
    "TEXTFILE": "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
}
_INPUT_FORMATS = {
    "PARQUET": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "TEXTFILE": "org.apache.hadoop.mapred.TextInputFormat",
}
_NAME = r"[`\"]?([\w-]+)[`\"]?"
_TABLE = rf"(?:{_NAME}\.)?{_NAME}"


@dataclass
class Listed:
    """What a statement answers: the lines of its result under the names of their columns."""

    columns: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


Describe = Callable[[str], list[tuple[str, str]]]
_Run = Callable[["Definitions", re.Match[str]], Listed | None]
_STATEMENTS: list[tuple[re.Pattern[str], _Run]] = []


def _statement(pattern: str) -> Callable[[_Run], _Run]:
    def register(run: _Run) -> _Run:
        compact = pattern.replace(" ", r"\s+")
        _STATEMENTS.append((re.compile(rf"{compact}\s*", re.IGNORECASE | re.DOTALL), run))
        return run

    return register


class Definitions:
    """Runs statements that are no queries; `describe` returns names and DuckDB's types of a query."""

    def __init__(self, shelf: Line, database: str, describe: Describe) -> None:
        self.shelf = shelf
        self.database = database
        self._describe = describe

    def run(self, text: str) -> Listed:
        """Carry a statement out, and return what it answers. Writes."""
        for pattern, run in _STATEMENTS:
            if match := pattern.fullmatch(text):
                return run(self, match) or Listed()
        if re.match(r"(?i)CREATE\s+EXTERNAL\s+TABLE\b", text, re.ASCII):
            return self._create_table(text)
        if re.match(r"(?i)CREATE\s+(?:OR\s+REPLACE\s+)?VIEW\b", text, re.ASCII):
            return self._create_view(text)
        if re.match(r"(?i)ALTER\s+(?:DATABASE|SCHEMA)\b", text, re.ASCII):
            raise not_supported("NOT_SUPPORTED: the databases of the sandbox's Athena have no properties")
        if re.match(r"(?i)CREATE\s+TABLE\b", text, re.ASCII):
            raise not_supported(
                "NOT_SUPPORTED: the sandbox has external tables alone, no tables of its own: use CREATE "
                "EXTERNAL TABLE, and no CREATE TABLE AS SELECT"
            )
        raise ddl_failed(f"FAILED: ParseException line 1:0 cannot recognize input near '{text[:40]}'")

    def table(self, database: str | None, name: str) -> dict[str, Any]:
        """Return the definition of a table; a missing one is refused."""
        named = (database or self.database).lower()
        table = self.shelf.find_table(named, name.lower())
        if table is None:
            raise QueryFailedError(
                f"FAILED: SemanticException [Error 10001]: Table not found {named}.{name.lower()}",
                MISSING_TABLE,
            )
        return table

    def change(self, kind: str, table: dict[str, Any], **values: Any) -> None:
        """Change what belongs to a table. Writes."""
        self.shelf.change(kind, database=table["database"], name=table["name"], **values)

    def put(self, table: dict[str, Any]) -> None:
        """Put a table in place of the one of its name. Writes."""
        self.shelf.change("create_table", table=table, replace=True)

    def _create_table(self, text: str) -> Listed:
        tree = _parsed(text)
        schema = tree.this
        if not isinstance(tree, exp.Create) or not isinstance(schema, exp.Schema):
            raise ddl_failed("FAILED: ParseException: CREATE EXTERNAL TABLE needs columns in parentheses")
        properties = tree.args.get("properties")
        table = _definition(schema, list(properties.expressions) if properties else [])
        table |= {"database": (schema.this.db or self.database).lower(), "name": schema.this.name.lower()}
        form_of(table)
        if not table["location"]:
            raise QueryFailedError("FAILED: a table needs LOCATION 's3://BUCKET/FOLDER/'", MISSING_PATH)
        split_address(table["location"])
        self.shelf.change("create_table", table=table, if_missing=bool(tree.args.get("exists")))
        return Listed()

    def _create_view(self, text: str) -> Listed:
        found = re.match(rf"(?is)CREATE\s+(OR\s+REPLACE\s+)?VIEW\s+{_TABLE}\s+AS\s+(.*)", text)
        if found is None:
            raise ddl_failed("FAILED: ParseException: CREATE [OR REPLACE] VIEW NAME AS SELECT …")
        query = found[4]
        columns = [
            {
                "name": name.lower(),
                "type": hive_type(exp.DataType.build(kind, dialect="duckdb")),
                "comment": "",
            }
            for name, kind in self._describe(query)
        ]
        table = _empty_definition() | {
            "database": (found[2] or self.database).lower(),
            "name": found[3].lower(),
            "kind": "VIRTUAL_VIEW",
            "columns": columns,
            "view": query,
            "view_database": self.database.lower(),
        }
        self.shelf.change("create_table", table=table, replace=bool(found[1]))
        return Listed()


def _parsed(text: str) -> exp.Expr:
    try:
        return sqlglot.parse_one(text, read="athena")
    except ParseError as error:
        first = error.errors[0] if error.errors else {}
        place = f"line {first.get('line', 1)}:{first.get('col', 0)}"
        raise ddl_failed(
            f"FAILED: ParseException {place} mismatched input '{first.get('highlight') or '<EOF>'}'"
        ) from None
    except (TokenError, RecursionError):
        raise ddl_failed("FAILED: ParseException line 1:0 cannot recognize the statement") from None


def _empty_definition() -> dict[str, Any]:
    return {
        "kind": "EXTERNAL_TABLE",
        "columns": [],
        "partitions": [],
        "serde": _SERDES["TEXTFILE"],
        "serde_properties": {},
        "input_format": _INPUT_FORMATS["TEXTFILE"],
        "output_format": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
        "location": "",
        "properties": {},
        "comment": "",
    }


def _definition(schema: exp.Schema, properties: list[exp.Expr]) -> dict[str, Any]:
    made = _empty_definition() | {"columns": _columns(schema.expressions)}
    for item in properties:
        match item:
            case exp.PartitionedByProperty():
                made["partitions"] = _columns(item.this.expressions)
            case exp.RowFormatSerdeProperty():
                made["serde"] = item.this.name
                inner = item.args.get("serde_properties")
                made["serde_properties"] |= _pairs(inner.expressions if inner else [])
            case exp.RowFormatDelimitedProperty():
                made["serde_properties"] |= _delimiters(item)
            case exp.SerdeProperties():
                made["serde_properties"] |= _pairs(item.expressions)
            case exp.FileFormatProperty():
                made |= _file_format(item)
            case exp.LocationProperty():
                made["location"] = item.this.name
            case exp.SchemaCommentProperty():
                made["comment"] = item.this.name
            case exp.Property():
                made["properties"] |= _pairs([item])
    _require_names_once(made)
    return made


def _require_names_once(table: dict[str, Any]) -> None:
    names = [column["name"] for column in [*table["columns"], *table["partitions"]]]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ddl_failed(f"FAILED: SemanticException [Error 10036]: Duplicate column name: {twice[0]}")


def _columns(definitions: list[exp.Expr]) -> list[dict[str, str]]:
    found = []
    for one in definitions:
        if not isinstance(one, exp.ColumnDef) or one.args.get("kind") is None:
            raise ddl_failed(f"FAILED: ParseException: the column {one.sql(dialect='hive')!r} has no type")
        comment = one.find(exp.CommentColumnConstraint)
        found.append(
            {
                "name": plain_name(one.name),
                "type": hive_type(one.args["kind"]),
                "comment": comment.this.name if comment is not None else "",
            }
        )
    return found


def _pairs(properties: list[exp.Expr]) -> dict[str, str]:
    return {one.this.name: one.args["value"].name for one in properties if type(one) is exp.Property}


def _delimiters(item: exp.RowFormatDelimitedProperty) -> dict[str, str]:
    names = {
        "fields": "field.delim",
        "escaped": "escape.delim",
        "null": "serialization.null.format",
        "collection_items": "collection.delim",
        "map_keys": "mapkey.delim",
    }
    found = {mine: item.args[theirs].name for theirs, mine in names.items() if item.args.get(theirs)}
    return {name: _unescaped(value) for name, value in found.items()}


def _unescaped(text: str) -> str:
    known = {"\\t": "\t", "\\n": "\n", "\\\\": "\\", "\\001": "\x01"}
    return known.get(text, text)


def _file_format(item: exp.FileFormatProperty) -> dict[str, Any]:
    if isinstance(item.this, exp.InputOutputFormat):
        return {
            "input_format": item.this.args["input_format"].name,
            "output_format": item.this.args["output_format"].name,
        }
    name = item.this.name.upper()
    if name not in _SERDES:
        raise not_supported(f"the sandbox does not read STORED AS {name}; it reads TEXTFILE and PARQUET")
    made: dict[str, Any] = {"input_format": _INPUT_FORMATS[name]}
    return made | {"serde": _SERDES[name]} if name == "PARQUET" else made


# --- the statements that are short enough for a pattern


@_statement(
    rf"CREATE (?:DATABASE|SCHEMA)(?P<quiet> IF NOT EXISTS)? {_NAME}(?: COMMENT '(?P<comment>[^']*)')?"
    r"(?: LOCATION '(?P<location>[^']*)')?(?: WITH DBPROPERTIES\s*\(.*\))?"
)
def _create_database(definitions: Definitions, match: re.Match[str]) -> None:
    if match["location"] is not None:
        split_address(match["location"])
    definitions.shelf.change(
        "create_database",
        name=match[2].lower(),
        if_missing=bool(match["quiet"]),
        description=match["comment"] or "",
        location=match["location"] or "",
    )


@_statement(rf"DROP (?:DATABASE|SCHEMA)(?P<quiet> IF EXISTS)? {_NAME}(?P<cascade> CASCADE)?(?: RESTRICT)?")
def _drop_database(definitions: Definitions, match: re.Match[str]) -> None:
    name = match[2].lower()
    definitions.shelf.change(
        "drop_database", name=name, if_there=bool(match["quiet"]), cascade=bool(match["cascade"])
    )


@_statement(rf"DROP (?P<kind>TABLE|VIEW)(?P<quiet> IF EXISTS)? {_TABLE}(?: PURGE)?")
def _drop_table(definitions: Definitions, match: re.Match[str]) -> None:
    definitions.shelf.change(
        "drop_table",
        database=(match[3] or definitions.database).lower(),
        name=match[4].lower(),
        is_view=match["kind"].upper() == "VIEW",
        if_there=bool(match["quiet"]),
    )


def _partition_names(table: dict[str, Any]) -> list[str]:
    return [column["name"] for column in table["partitions"]]


def _spec(names: list[str], values: Iterable[str | None]) -> str:
    """Return ``year=2026/month=11``, as folders and Hive name a partition."""
    return "/".join(f"{name}={value}" for name, value in zip(names, values, strict=True))


_VALUE = r"[`\"]?([\w-]+)[`\"]?\s*=\s*(?:'([^']*)'|\"([^\"]*)\"|([\w.-]+))"
_SPEC = r"PARTITION\s*\(((?:'[^']*'|\"[^\"]*\"|[^()'\"])*)\)"


_COMMAS = r",(?=\s*\S)|\Z"
_COMMAS_OR_SPACES = r"(?:,(?=\s*\S))?"


def _items(pattern: str, text: str, between: str = _COMMAS) -> list[re.Match[str]]:
    """Return the items that a list consists of; what is not one, or not between two, is refused."""
    item, found, at = re.compile(rf"(?is)\s*{pattern}\s*(?:{between})"), [], 0
    while at < len(text.rstrip()):
        match = item.match(text, at)
        if match is None:
            near = text[at : at + 40].strip()
            raise ddl_failed(f"FAILED: ParseException: cannot recognize input near {near!r}")
        found.append(match)
        at = match.end()
    return found


@_statement(rf"ALTER TABLE {_TABLE} ADD(?P<quiet> IF NOT EXISTS)? (?P<specs>PARTITION.*)")
def _add_partitions(definitions: Definitions, match: re.Match[str]) -> None:
    table = definitions.table(match[1], match[2])
    names = _partition_names(table)
    added = []
    for spec in _items(rf"{_SPEC}(?:\s*LOCATION\s+'([^']*)')?", match["specs"], _COMMAS_OR_SPACES):
        values = _values(spec[1], names)
        location = spec[2] or f"{table['location'].rstrip('/')}/{_spec(names, values)}"
        split_address(location)
        added.append([list(values), location])
    definitions.change("add_partitions", table, partitions=added, if_missing=bool(match["quiet"]))


@_statement(rf"ALTER TABLE {_TABLE} DROP(?P<quiet> IF EXISTS)? (?P<specs>PARTITION.*)")
def _drop_partitions(definitions: Definitions, match: re.Match[str]) -> None:
    table = definitions.table(match[1], match[2])
    names = _partition_names(table)
    dropped = [list(_values(spec[1], names)) for spec in _items(_SPEC, match["specs"])]
    definitions.change("drop_partitions", table, partitions=dropped, if_there=bool(match["quiet"]))


def _values(spec: str, names: list[str]) -> tuple[str, ...]:
    items = [(one[1].lower(), one[2] or one[3] or one[4] or "") for one in _items(_VALUE, spec)]
    if sorted(name for name, _ in items) != sorted(names):
        raise ddl_failed(
            f"FAILED: SemanticException: the partition spec ({spec.strip()}) must have each of the table's "
            f"partition columns once: {', '.join(names) or 'it has none'}"
        )
    return tuple(dict(items)[name] for name in names)


@_statement(rf"ALTER TABLE {_TABLE} SET TBLPROPERTIES\s*\((?P<pairs>.*)\)")
def _set_properties(definitions: Definitions, match: re.Match[str]) -> None:
    table = definitions.table(match[1], match[2])
    text = r"(?:'([^']*)'|\"([^\"]*)\")"
    found = _items(rf"{text}\s*=\s*{text}", match["pairs"])
    pairs = {one[1] or one[2] or "": one[3] or one[4] or "" for one in found}
    definitions.put({**table, "properties": table["properties"] | pairs})


@_statement(rf"ALTER TABLE {_TABLE} SET LOCATION '(?P<location>[^']*)'")
def _set_location(definitions: Definitions, match: re.Match[str]) -> None:
    split_address(match["location"])
    definitions.put({**definitions.table(match[1], match[2]), "location": match["location"]})


@_statement(rf"ALTER TABLE {_TABLE} (?P<how>ADD|REPLACE) COLUMNS (?P<columns>\(.*\))")
def _set_columns(definitions: Definitions, match: re.Match[str]) -> None:
    table = definitions.table(match[1], match[2])
    schema = _parsed(f"CREATE EXTERNAL TABLE t {match['columns']}").this
    columns = _columns(schema.expressions if isinstance(schema, exp.Schema) else [])
    kept = table["columns"] if match["how"].upper() == "ADD" else []
    changed = {**table, "columns": [*kept, *columns]}
    _require_names_once(changed)
    definitions.put(changed)


@_statement(rf"ALTER TABLE {_TABLE} {_SPEC} SET LOCATION '(?P<location>[^']*)'")
def _move_partition(definitions: Definitions, match: re.Match[str]) -> None:
    split_address(match["location"])
    _change_partition(definitions, match, match[3], match["location"])


@_statement(rf"ALTER TABLE {_TABLE} {_SPEC} RENAME TO {_SPEC}")
def _rename_partition(definitions: Definitions, match: re.Match[str]) -> None:
    _change_partition(definitions, match, match[4], None)


def _change_partition(
    definitions: Definitions, match: re.Match[str], new_spec: str, location: str | None
) -> None:
    table = definitions.table(match[1], match[2])
    names = _partition_names(table)
    definitions.change(
        "change_partition",
        table,
        values=list(_values(match[3], names)),
        new_values=list(_values(new_spec, names)),
        location=location,
    )


@_statement(rf"MSCK REPAIR TABLE {_TABLE}")
def _repair(definitions: Definitions, match: re.Match[str]) -> Listed:
    table = definitions.table(match[1], match[2])
    names = _partition_names(table)
    if not names or is_projected(table):
        raise QueryFailedError(
            f"FAILED: Execution Error: {table['name']} has no partitions of its own to look for", DDL_FAILED
        )
    location = table["location"].rstrip("/")
    _, folder = split_address(location)
    known = {values for values, _ in definitions.shelf.partitions(table["database"], table["name"])}
    seen = (hive_values(one.key, folder, names) for one in objects_under(location, definitions.shelf.objects))
    found = sorted({one for one in seen if one is not None} - known)
    specs = [_spec(names, one) for one in found]
    if found:
        added = [[list(one), f"{location}/{spec}"] for one, spec in zip(found, specs, strict=True)]
        definitions.change("add_partitions", table, partitions=added, if_missing=True)
    missing = ["\t".join(["Partitions not in metastore:", *(f"{table['name']}:{spec}" for spec in specs)])]
    repaired = [f"Repair: Added partition to metastore {table['name']}:{spec}" for spec in specs]
    return Listed(["repair"], [*missing, *repaired] if specs else [])


@_statement(r"SHOW (?:DATABASES|SCHEMAS)(?: LIKE)?(?:\s*'(?P<like>[^']*)')?")
def _show_databases(definitions: Definitions, match: re.Match[str]) -> Listed:
    return Listed(["database_name"], _like(definitions.shelf.databases(), match["like"]))


@_statement(rf"SHOW (?P<kind>TABLES|VIEWS)(?: (?:IN|FROM) {_NAME})?(?: LIKE)?(?:\s*'(?P<like>[^']*)')?")
def _show_tables(definitions: Definitions, match: re.Match[str]) -> Listed:
    database = (match[2] or definitions.database).lower()
    if database not in definitions.shelf.databases():
        raise ddl_failed(f"FAILED: SemanticException [Error 10072]: Database does not exist: {database}")
    views_alone = match["kind"].upper() == "VIEWS"
    found = definitions.shelf.tables(database)
    names = [one["name"] for one in found if not views_alone or one["kind"] == "VIRTUAL_VIEW"]
    return Listed(["views" if views_alone else "tab_name"], _like(names, match["like"]))


def _like(names: list[str], pattern: str | None) -> list[str]:
    """Return the names that fit Hive's pattern: ``*`` for any text, ``|`` between choices."""
    choices = pattern.lower().split("|") if pattern else ["*"]
    return [name for name in names if any(fnmatch.fnmatchcase(name, one) for one in choices)]


@_statement(rf"SHOW TBLPROPERTIES {_TABLE}\s*(?:\(\s*['\"](?P<name>[^'\"]*)['\"]\s*\))?")
def _show_properties(definitions: Definitions, match: re.Match[str]) -> Listed:
    table, name = definitions.table(match[1], match[2]), match["name"]
    properties = {"EXTERNAL": "TRUE", **table["properties"]}
    if name is None:
        return Listed(["prpt_name"], [f"{one}\t{value}" for one, value in sorted(properties.items())])
    missing = f"Table {table['database']}.{table['name']} does not have property: {name}"
    return Listed(["prpt_name"], [properties.get(name, missing)])


@_statement(rf"SHOW PARTITIONS {_TABLE}")
def _show_partitions(definitions: Definitions, match: re.Match[str]) -> Listed:
    table = definitions.table(match[1], match[2])
    names = _partition_names(table)
    if not names:
        raise ddl_failed(f"FAILED: SemanticException: {table['name']} is not a partitioned table")
    known = definitions.shelf.partitions(table["database"], table["name"])
    return Listed(["partition"], sorted(_spec(names, values) for values, _ in known))


@_statement(rf"SHOW COLUMNS (?:IN|FROM) {_TABLE}(?: (?:IN|FROM) {_NAME})?")
def _show_columns(definitions: Definitions, match: re.Match[str]) -> Listed:
    table = definitions.table(match[1] or match[3], match[2])
    return Listed(["field"], [column["name"] for column in [*table["columns"], *table["partitions"]]])


@_statement(rf"SHOW CREATE (?P<kind>TABLE|VIEW) {_TABLE}")
def _show_create(definitions: Definitions, match: re.Match[str]) -> Listed:
    return Listed(["createtab_stmt"], create_statement(definitions.table(match[2], match[3])).split("\n"))


@_statement(rf"(?:DESCRIBE|DESC)(?P<full> FORMATTED| EXTENDED)?(?: VIEW)? {_TABLE}")
def _describe(definitions: Definitions, match: re.Match[str]) -> Listed:
    table = definitions.table(match[2], match[3])
    return Listed(["col_name", "data_type", "comment"], described(table, is_full=bool(match["full"])))
