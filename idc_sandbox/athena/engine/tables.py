"""A query's tables: found, their views unfolded, and bound to the files that hold their objects."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp

from idc_sandbox.athena.engine.dialect import (
    TextPlaces,
    conjuncts_on,
    in_scope,
    name_columns,
    parse_query,
    require_allowed,
)
from idc_sandbox.athena.engine.functions import macro_statements
from idc_sandbox.athena.engine.partitions import (
    SourceObject,
    is_projected,
    objects_under,
    projected_objects,
    prune,
)
from idc_sandbox.athena.engine.reading import PATH, Converter, cached_name
from idc_sandbox.athena.engine.session import THREADS, Line, lock, open_locked
from idc_sandbox.athena.engine.translation import condition_text
from idc_sandbox.athena.engine.types import HiveType, literal, quoted, read_type, renamed
from idc_sandbox.athena.kinds import MISSING_TABLE, QueryFailedError, not_supported

LARGEST_AT_ONCE = 8 * 1024**2
_DEEPEST_VIEW = 10
_CATALOG = "awsdatacatalog"


@dataclass
class Scan:
    """A table of a query, with the conditions by which each place that names it may be pruned.

    `wanted` are the columns that the query names, with the fields of theirs that it names, None for all.
    `files` hold objects with all columns, and `parts` those with the wanted ones alone.
    """

    table: dict[str, Any]
    view: str
    conditions: list[list[str]] = field(default_factory=list)
    wanted: dict[str, HiveType] | None = None
    sources: list[SourceObject] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)


class Binder:
    """Puts views of DuckDB's in place of a query's tables; `now` is the time that it sees, epoch seconds."""

    def __init__(self, shelf: Line, database: str, now: float) -> None:
        self._shelf = shelf
        self._database = database
        self._now = now
        self.scans: dict[tuple[str, str], Scan] = {}
        self.has_path = False

    def bind(self, tree: exp.Expr, places: TextPlaces) -> exp.Expr:
        """Return a query's tree so that it names views of DuckDB's alone; the tree is changed."""
        self.has_path = any(column.name.lower() == PATH for column in tree.find_all(exp.Column))
        self._bind(tree, self._database, places, 0)
        return tree

    def _bind(self, tree: exp.Expr, database: str, places: TextPlaces, depth: int) -> None:
        for node in list(tree.find_all(exp.Table)):
            if not node.args.get("db") and in_scope(node):
                continue
            self._bind_table(node, database, places, depth)

    def _bind_table(self, node: exp.Table, database: str, places: TextPlaces, depth: int) -> None:
        catalog = node.catalog.lower() or _CATALOG
        named = (node.db or database).lower()
        name = node.name.lower()
        if named == "information_schema" or name.endswith("$partitions"):
            raise not_supported(
                f"NOT_SUPPORTED: {places.of(node)}: the sandbox's Athena has no information_schema and no "
                "$partitions; use SHOW TABLES, SHOW COLUMNS, SHOW PARTITIONS"
            )
        table = self._shelf.find_table(named, name) if catalog == _CATALOG else None
        if table is None:
            raise QueryFailedError(
                f"TABLE_NOT_FOUND: {places.of(node)}: Table '{catalog}.{named}.{name}' does not exist",
                MISSING_TABLE,
            )
        alias = node.args.get("alias") or exp.TableAlias(this=exp.to_identifier(node.name, quoted=True))
        _forget_database(node, named)
        if table["kind"] == "VIRTUAL_VIEW":
            node.replace(self._view(table, alias, depth))
            return
        names = {column["name"] for column in table["partitions"]}
        conditions = [condition_text(one, self._now) for one in conjuncts_on(node, names)]
        scan = self.scans.setdefault((named, name), Scan(table, f"athena_{len(self.scans)}"))
        scan.conditions.append(conditions)
        if self.has_path:
            _hide_path(node)
        bound = exp.Table(this=exp.to_identifier(scan.view, quoted=True), alias=alias)
        for part in ("sample", "joins"):
            if node.args.get(part):
                bound.set(part, node.args[part])
        node.replace(bound)

    def _view(self, table: dict[str, Any], alias: exp.TableAlias, depth: int) -> exp.Expr:
        if depth >= _DEEPEST_VIEW:
            raise QueryFailedError(f"VIEW_IS_RECURSIVE: the view {table['name']!r} leads to itself")
        text = table["view"]
        inner = parse_query(text)
        places = TextPlaces(text, inner)
        require_allowed(inner, places)
        name_columns(inner)
        holder = exp.Subquery(this=inner, alias=alias)
        self._bind(inner, table["view_database"], places, depth + 1)
        return holder

    def find_wanted(self, tree: exp.Expr) -> None:
        """Tell each scan which of its columns a tree that is bound may name: too many rather than too few."""
        names = {one.name.lower() for one in tree.find_all(exp.Identifier)}
        of_no_table = {one.name.lower() for one in tree.find_all(exp.Column) if not one.table}
        whole = {
            node.name
            for node in tree.find_all(exp.Table)
            if node.alias_column_names or node.alias.lower() in of_no_table or _is_for_star(node)
        }
        ends = {one.name.lower() for one in tree.find_all(exp.Identifier) if not _is_before_dot(one)}
        for scan in self.scans.values():
            if scan.view not in whole:
                columns = {one["name"]: read_type(one["type"]) for one in scan.table["columns"]}
                scan.wanted = _named_alone(columns, names, ends)

    def kind_of(self, value: exp.Expr) -> str:
        """Tell of what is unnested whether it is an array or a map."""
        if isinstance(value, exp.Map | exp.MapFromEntries | exp.VarMap):
            return "map"
        kind = (
            value.to.sql(dialect="hive").lower() if isinstance(value, exp.Cast) else self._column_type(value)
        )
        return "map" if kind.startswith("map<") else "array"

    def _column_type(self, value: exp.Expr) -> str:
        if not isinstance(value, exp.Column | exp.Dot):
            return ""
        parts = [one.name.lower() for one in value.parts]
        for scan in self.scans.values():
            columns = {column["name"]: column["type"] for column in scan.table["columns"]}
            for start in range(len(parts)):
                if parts[start] in columns:
                    kind = read_type(columns[parts[start]])
                    for name in parts[start + 1 :]:
                        kind = kind.fields.get(name, kind)
                    return f"{kind.name}<"
        return ""


def text_names(scans: Iterable[Scan]) -> set[str]:
    """Return the names of columns and fields that hold texts wherever they are."""
    found: dict[bool, set[str]] = {True: set(), False: set()}

    def look(fields: dict[str, HiveType]) -> None:
        for name, kind in fields.items():
            found[kind.in_duckdb() == "VARCHAR"].add(name)
            look(kind.fields)

    for scan in scans:
        look(
            {
                one["name"]: read_type(one["type"])
                for one in [*scan.table["columns"], *scan.table["partitions"]]
            }
        )
    return found[True] - found[False]


def _is_before_dot(name: exp.Identifier) -> bool:
    """Tell whether a name is followed by that of a field, so that the rest of its value is not needed."""
    held = name.parent
    if isinstance(held, exp.Column) and held.this is not name:
        return True
    if not isinstance(held, exp.Column | exp.Dot) or not isinstance(held.parent, exp.Dot):
        return False
    return held.parent.this is held


def _named_alone(kinds: dict[str, HiveType], names: set[str], ends: set[str]) -> dict[str, HiveType]:
    """Return the columns or fields that are named, each whole where it is not a field of it that is named."""
    return {
        name: kind
        if kind.name != "struct" or name in ends
        else HiveType("struct", _named_alone(kind.fields, names, ends) or kind.fields)
        for name, kind in kinds.items()
        if name in names
    }


def _forget_database(node: exp.Table, database: str) -> None:
    """Make ``database.table.column`` of a query's columns ``table.column``: a view has no database."""
    select = node.find_ancestor(exp.Select)
    for column in select.find_all(exp.Column) if select is not None and not node.alias else ():
        parts = [one.name.lower() for one in column.parts]
        if len(parts) == 3 and parts[0] == database and parts[1] == node.name.lower():
            column.set("db", None)


def _hide_path(node: exp.Table) -> None:
    """Leave ``"$path"`` out of a star beside it."""
    select = node.find_ancestor(exp.Select)
    for star in (one for one in (select.expressions if select else ()) if one.is_star):
        inner = star if isinstance(star, exp.Star) else star.this
        if isinstance(inner, exp.Star) and not inner.args.get("except_"):
            inner.set("except_", [exp.to_identifier(PATH, quoted=True)])


def _is_for_star(node: exp.Table) -> bool:
    select = node.find_ancestor(exp.Select)
    if select is None or any(join.method == "NATURAL" for join in select.args.get("joins") or ()):
        return True
    return any(not isinstance(star.parent, exp.Count) for star in select.find_all(exp.Star))


class Loader:
    """Finds the objects of scans, and makes the files that are not there yet.

    Where these are more than `LARGEST_AT_ONCE`, it takes out of their objects what the query needs and no
    more, into files that end with the query: that is two to three times as fast. `has_parts` tells whether it
    did so. One that `is_ahead` reads for later queries: all columns of all objects that can be read.
    """

    def __init__(self, shelf: Line, cache: Path, folder: Path, now: float, *, is_ahead: bool = False) -> None:
        self._shelf = shelf
        self._cache = cache
        self._folder = folder
        self._now = now
        self._is_ahead = is_ahead
        self.has_parts = False

    def load(self, scans: Iterable[Scan]) -> int:
        """Give each scan its files; return how many bytes of S3 the query reads."""
        scanned = 0
        with open_locked(self._folder, folders=[self._cache, self._folder]) as connection:
            scans = list(scans)
            conditions = " ".join(one for scan in scans for listed in scan.conditions for one in listed)
            for statement in macro_statements(conditions):
                connection.execute(statement)
            lock(connection)
            for scan in scans:
                scan.sources = self._pruned(connection, scan)
                for bucket in {source.bucket for source in scan.sources}:
                    keys = [source.key for source in scan.sources if source.bucket == bucket]
                    self._shelf.allow_objects(bucket, keys)
                self._convert(connection, scan)
                scanned += sum(source.size for source in scan.sources)
        return scanned

    def _pruned(self, connection: duckdb.DuckDBPyConnection, scan: Scan) -> list[SourceObject]:
        table = scan.table
        if is_projected(table):
            found = projected_objects(table, self._shelf.objects, self._now)
        elif table["partitions"]:
            told = self._shelf.partitions(table["database"], table["name"])
            wanted = self._wanted(connection, scan, [values for values, _ in told])
            found = [
                one
                for values, location in told
                if values in wanted
                for one in objects_under(location, self._shelf.objects, values)
            ]
        else:
            return objects_under(table["location"], self._shelf.objects)
        wanted = self._wanted(connection, scan, [one.values for one in found])
        return [one for one in found if one.values in wanted]

    def _wanted(
        self, connection: duckdb.DuckDBPyConnection, scan: Scan, tuples: list[tuple[str | None, ...]]
    ) -> set[tuple[str | None, ...]]:
        wanted: set[tuple[str | None, ...]] = set()
        for conditions in scan.conditions:  # of each place that names the table: what any of them wants
            try:
                wanted |= prune(connection, scan.table, tuples, conditions)
            except duckdb.Error:  # the query itself will say what is wrong
                return set(tuples)
        return wanted

    def _convert(self, connection: duckdb.DuckDBPyConnection, scan: Scan) -> None:
        missing = {}
        for source in scan.sources:
            target = self._cache / cached_name(scan.table, source)
            if target.exists():
                os.utime(target)
                scan.files.append(str(target))
            else:
                missing[source] = target
        is_much = sum(source.size for source in missing) > LARGEST_AT_ONCE
        wanted = scan.wanted if is_much and not self._is_ahead else None
        if wanted is None:
            scan.files += map(str, missing.values())
        else:
            missing = {source: self._folder / target.name for source, target in missing.items()}
            scan.parts += map(str, missing.values())
            self.has_parts = True
        self._make(connection, scan.table, missing, wanted)

    def _make(
        self,
        connection: duckdb.DuckDBPyConnection,
        table: dict[str, Any],
        targets: dict[SourceObject, Path],
        wanted: dict[str, HiveType] | None,
    ) -> None:
        converter = Converter(table, self._folder)

        def convert(cursor: duckdb.DuckDBPyConnection, source: SourceObject, raw: Path, target: Path) -> None:
            # What is wrong with an object is for a query to say that needs it.
            with suppress(*[QueryFailedError] if self._is_ahead else []):
                converter.convert(cursor, source, raw, target, wanted)

        waiting = deque[Future[None]]()
        with ThreadPoolExecutor(1 if self._is_ahead else THREADS) as pool:
            try:
                for source, target in targets.items():
                    if len(waiting) > THREADS:
                        waiting.popleft().result()
                    raw = Path(self._shelf.fetch(source.bucket, source.key))
                    waiting.append(pool.submit(convert, connection.cursor(), source, raw, target))
            finally:
                done = [one.exception() for one in waiting]
            for error in done:
                if error is not None:
                    raise error


def make_view(connection: duckdb.DuckDBPyConnection, scan: Scan, *, has_path: bool) -> None:
    """Make the view of DuckDB's that a scan's table is."""
    whole = {column["name"]: read_type(column["type"]) for column in scan.table["columns"]}
    types = dict(whole if scan.wanted is None else scan.wanted)
    types |= {column["name"]: read_type(column["type"]) for column in scan.table["partitions"]}
    if has_path:
        types[PATH] = HiveType("string", {})
    shown = ", ".join(map(quoted, types)) or "1 AS athena_nothing"
    texts = [f"SELECT {shown} FROM {_files(scan.parts)}"] if scan.parts else []  # noqa: S608
    if scan.files:
        # Beside parts, fields that those do not have are left out: a column of both has one type.
        alike = [f"{renamed(quoted(one), kind)} AS {quoted(one)}" for one, kind in types.items()]
        texts.append(f"SELECT {', '.join(alike) if texts else shown} FROM {_files(scan.files)}")  # noqa: S608
    if not texts:
        empty = ", ".join(f"NULL::{kind.in_duckdb()} AS {quoted(name)}" for name, kind in types.items())
        texts = [f"SELECT {empty or shown} WHERE false"]
    connection.execute(f"CREATE VIEW {quoted(scan.view)} AS {' UNION ALL '.join(texts)}")


def _files(paths: list[str]) -> str:
    return f"read_parquet([{', '.join(map(literal, paths))}])"
