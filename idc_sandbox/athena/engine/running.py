"""One statement from its text to the file with its answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp

from idc_sandbox.athena.engine.ddl import Definitions
from idc_sandbox.athena.engine.dialect import (
    TextPlaces,
    fill_parameters,
    name_columns,
    parse_query,
    require_allowed,
    require_no_early_alias,
    translate_error,
)
from idc_sandbox.athena.engine.functions import macro_statements
from idc_sandbox.athena.engine.reading import PATH
from idc_sandbox.athena.engine.rendering import column_info, csv_line, renderer_of
from idc_sandbox.athena.engine.session import Line, lock, open_locked
from idc_sandbox.athena.engine.static_types import settle_types
from idc_sandbox.athena.engine.tables import Binder, Loader, Scan, make_view, text_names
from idc_sandbox.athena.engine.translation import text_of, to_duckdb
from idc_sandbox.athena.engine.types import quoted
from idc_sandbox.athena.kinds import (
    QueryFailedError,
    kind_of_statement,
    not_supported,
    out_of_memory,
    without_comments,
)

LARGEST_RESULT = 256 * 1024 * 1024
_ROWS_AT_ONCE = 2_000
_WRITING = ("INSERT", "UPDATE", "DELETE", "MERGE", "UNLOAD", "OPTIMIZE", "VACUUM", "CREATE_TABLE_AS_SELECT")


@dataclass(frozen=True)
class Job:
    """A statement to run, and where."""

    text: str
    database: str
    parameters: list[str]
    now: float  # the time that the query sees, epoch seconds
    folder: Path  # what this query alone uses
    cache: Path  # what stays for later ones
    is_ahead: bool = False  # whether to read its objects for later ones, and answer nothing

    @property
    def result(self) -> Path:
        """The file that the answer is written into."""
        return self.folder / "result"


@dataclass
class Outcome:
    """What a statement that succeeded leaves besides its result: columns, bytes of S3 read, rows, times.

    `has_parts` says that it took what it needed out of objects which nobody has read whole.
    """

    columns: list[dict[str, Any]] = field(default_factory=list)
    scanned: int = 0
    rows: int = 0
    planning_s: float = 0.0
    has_parts: bool = False


def run_job(job: Job, shelf: Line, clock: Callable[[], float]) -> Outcome:
    """Run a statement and write its answer into the job's result file. Writes."""
    if job.is_ahead:
        _load(job, _bind(job, job.text, shelf), shelf)
        return Outcome()
    kind = kind_of_statement(job.text)
    if kind.substatement in _WRITING:
        name = kind.substatement.replace("_", " ")
        raise not_supported(
            f"NOT_SUPPORTED: line 1:1: the sandbox's Athena writes no tables, so it has no {name}; with "
            "awswrangler, pass ctas_approach=False"
        )
    if prepared := re.match(r"(?i)(PREPARE|EXECUTE|DEALLOCATE)\s", without_comments(job.text)):
        raise not_supported(
            f"NOT_SUPPORTED: line 1:1: the sandbox's Athena has no {prepared[1].upper()}: give the values of "
            "question marks as ExecutionParameters of StartQueryExecution"
        )
    if kind.type == "DML":
        return _run_query(job, job.text, shelf, clock)
    if kind.substatement == "EXPLAIN":
        # Blanks in place of the first word: what is wrong is where it was.
        words = re.match(
            r"(?is)(?:\s|--[^\n]*\n|/\*.*?\*/)*EXPLAIN(?:\s+ANALYZE(?=\s))?(?:\s*\([^)]*\)(?=\s*SELECT))?",
            job.text,
        )
        cut = words.end() if words else 0
        blank = re.sub(r"[^\n]", " ", job.text[:cut])
        return _explain(job, blank + job.text[cut:], shelf, clock)
    listed = Definitions(shelf, job.database, lambda query: _bind(job, query, shelf).columns).run(
        without_comments(job.text)
    )
    with job.result.open("w", encoding="utf-8", newline="") as file:
        file.writelines(f"{line}\n" for line in listed.lines)
    columns = [{**column_info(name, "VARCHAR"), "Type": "string"} for name in listed.columns]
    return Outcome(columns, rows=len(listed.lines))


@dataclass
class _Prepared:
    """A query that DuckDB can run."""

    connection: duckdb.DuckDBPyConnection
    sql: str
    names: list[str]
    types: list[str]
    scanned: int
    has_parts: bool
    places: TextPlaces

    def failure(self, error: Exception) -> QueryFailedError:
        return translate_error(error, self.places)


@dataclass
class _Bound:
    """A query in DuckDB's words, with the tables that it reads and the columns that it answers."""

    sql: str
    scans: list[Scan]
    has_path: bool
    columns: list[tuple[str, str]]
    places: TextPlaces


def _bind(job: Job, text: str, shelf: Line) -> _Bound:
    """Read a query and find out all that can be wrong with it before any object is read."""
    text = re.sub(r"[\s;]+$", "", text)
    tree = parse_query(text)
    require_allowed(tree, TextPlaces(text, tree))
    places = TextPlaces(text, tree.copy())
    if "?" in text or job.parameters:
        tree = fill_parameters(tree, job.parameters)
    name_columns(tree)
    binder = Binder(shelf, job.database, job.now)
    tree = binder.bind(tree, places)
    binder.find_wanted(tree)
    scans = list(binder.scans.values())
    names = {one["name"] for scan in scans for one in [*scan.table["columns"], *scan.table["partitions"]]}
    require_no_early_alias(tree, names | {PATH}, places)
    tree = to_duckdb(tree, job.now, binder.kind_of)
    _settle_types(job, tree, scans, places, has_path=binder.has_path)
    sql = text_of(tree)
    try:
        columns = _described(job, scans, binder, sql, places)
    except QueryFailedError:  # the reason, and what could have been meant, is among all columns
        for scan in scans:
            scan.wanted = None
        columns = _described(job, scans, binder, sql, places)
    return _Bound(sql, scans, binder.has_path, columns, places)


def _settle_types(job: Job, tree: exp.Expr, scans: list[Scan], places: TextPlaces, *, has_path: bool) -> None:
    connection: duckdb.DuckDBPyConnection | None = None
    known: set[str] = set()

    def failure(asked: exp.Expr) -> str:
        nonlocal connection
        sql = text_of(asked)
        if connection is None:
            connection = _opened(job, scans, "", has_path=has_path)
        for statement in macro_statements(sql):  # in order: some call those before them
            if statement not in known:
                connection.execute(statement)
                known.add(statement)
        try:
            connection.execute(f"DESCRIBE {sql}")
        except (duckdb.Error, MemoryError) as error:
            return str(error)
        return ""

    try:
        settle_types(tree, failure, text_names(scans), places.of)
    finally:
        if connection is not None:
            connection.close()


def _prepare(job: Job, text: str, shelf: Line) -> _Prepared:
    bound = _bind(job, text, shelf)
    scanned, has_parts = _load(job, bound, shelf)
    connection = _opened(job, bound.scans, bound.sql, has_path=bound.has_path)
    names, types = [name for name, _ in bound.columns], [kind for _, kind in bound.columns]
    return _Prepared(connection, _printable(bound.sql, types), names, types, scanned, has_parts, bound.places)


def _load(job: Job, bound: _Bound, shelf: Line) -> tuple[int, bool]:
    loader = Loader(shelf, job.cache, job.folder, job.now, is_ahead=job.is_ahead)
    return loader.load(bound.scans), loader.has_parts


def _opened(job: Job, scans: list[Scan], sql: str, *, has_path: bool) -> duckdb.DuckDBPyConnection:
    """Return DuckDB with a query's tables, locked; a table whose objects are not read yet is empty."""
    connection = open_locked(job.folder, files=[file for scan in scans for file in scan.files])
    for statement in macro_statements(sql):
        connection.execute(statement)
    for scan in scans:
        make_view(connection, scan, has_path=has_path)
    lock(connection)
    return connection


def _described(
    job: Job, scans: list[Scan], binder: Binder, sql: str, places: TextPlaces
) -> list[tuple[str, str]]:
    with _opened(job, scans, sql, has_path=binder.has_path) as connection:
        try:
            return [(row[0], row[1]) for row in connection.execute(f"DESCRIBE {sql}").fetchall()]
        except (duckdb.Error, MemoryError) as error:
            raise translate_error(error, places) from None


def _printable(sql: str, types: list[str]) -> str:
    """Return a query whose times with a zone are times in UTC, and intervals texts, which Python can show."""
    if not any("WITH TIME ZONE" in kind or kind == "INTERVAL" for kind in types):
        return sql
    names = [quoted(f"c{number}") for number in range(len(types))]
    shown = [
        (f"CAST({name} AS TIMESTAMP)" if kind == "TIMESTAMP WITH TIME ZONE" else f"CAST({name} AS VARCHAR)")
        if "WITH TIME ZONE" in kind or kind == "INTERVAL"
        else name
        for name, kind in zip(names, types, strict=True)
    ]
    return f"SELECT {', '.join(shown)} FROM ({sql}) AS printed({', '.join(names)})"  # noqa: S608


def _run_query(job: Job, text: str, shelf: Line, clock: Callable[[], float]) -> Outcome:
    started = clock()
    prepared = _prepare(job, text, shelf)
    planned = clock() - started
    renderers = [renderer_of(kind) for kind in prepared.types]
    count, size = 0, 0
    with prepared.connection, job.result.open("w", encoding="utf-8", newline="") as file:
        size += file.write(csv_line(prepared.names))
        for row in _rows(prepared):
            values = (render(value) for render, value in zip(renderers, row, strict=True))
            size += file.write(csv_line(values))
            count += 1
            if size > LARGEST_RESULT:
                raise out_of_memory()
    columns = [column_info(name, kind) for name, kind in zip(prepared.names, prepared.types, strict=True)]
    return Outcome(columns, prepared.scanned, count, planned, prepared.has_parts)


def _rows(prepared: _Prepared) -> Iterator[tuple[Any, ...]]:
    try:
        cursor = prepared.connection.execute(prepared.sql)
        while rows := cursor.fetchmany(_ROWS_AT_ONCE):
            yield from rows
    except (duckdb.Error, MemoryError) as error:
        raise prepared.failure(error) from None


def _explain(job: Job, text: str, shelf: Line, clock: Callable[[], float]) -> Outcome:
    started = clock()
    prepared = _prepare(job, text, shelf)
    with prepared.connection:
        try:
            rows = prepared.connection.execute(f"EXPLAIN {prepared.sql}").fetchall()
        except (duckdb.Error, MemoryError) as error:
            raise prepared.failure(error) from None
    lines = [line for row in rows for line in str(row[1]).split("\n")]
    job.result.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return Outcome(
        [{**column_info("Query Plan", "VARCHAR"), "Type": "string"}],
        rows=len(lines),
        planning_s=clock() - started,
    )
