"""Attacks on the host by SQL: refused as text, refused by DuckDB's locks, or ended by the limits."""

from __future__ import annotations

import subprocess
import sys

import duckdb
import pytest
from athena_harness import CLOUDTRAIL_TABLE, AthenaClient, EngineHarness
from patience import until
from sandbox_clients import GatewayClient

from idc_sandbox.athena.engine import session
from idc_sandbox.athena.kinds import QueryFailedError
from idc_sandbox.athena.queue import LONGEST_QUERY_S, Queries

SECRET = "the-secret-of-this-machine"

# Each would read, write, load or run something of the machine's; {file} holds a secret.
ATTACKS = """
    SELECT * FROM read_csv('{file}')
    SELECT * FROM read_csv_auto('{file}')
    SELECT * FROM read_text('{file}')
    SELECT * FROM read_blob('{file}')
    SELECT * FROM read_json('{file}')
    SELECT * FROM read_parquet('{file}')
    SELECT * FROM parquet_metadata('{file}')
    SELECT * FROM sniff_csv('{file}')
    SELECT * FROM glob('/*')
    SELECT * FROM '{file}'
    SELECT * FROM "{file}"
    SELECT * FROM "file://{file}"
    SELECT * FROM "https://example.com/x.csv"
    SELECT * FROM "s3://trail/x.parquet"
    SELECT read_text('{file}')
    SELECT "read_text"('{file}')
    SELECT main.read_text('{file}')
    SELECT x.read_text('{file}') FROM (SELECT 1 AS x) x
    SELECT * FROM (SELECT 1) a, read_text('{file}') b
    SELECT * FROM UNNEST(read_text('{file}')) AS t(x)
    SELECT * FROM TABLE(read_text('{file}'))
    SELECT * FROM cloudtrail_logs WHERE eventname IN (SELECT content FROM read_text('{file}'))
    SELECT (SELECT content FROM read_text('{file}'))
    WITH read_text(a) AS (SELECT 1) SELECT * FROM read_text('{file}')
    WITH getenv(a) AS (SELECT 1) SELECT getenv('HOME')
    WITH t AS (SELECT * FROM read_csv('{file}')) SELECT * FROM t
    SELECT getenv('HOME')
    SELECT version()
    SELECT current_database()
    SELECT read_csv('{file}')
    SELECT x.version() FROM (SELECT 1 AS x) x
    SELECT "version" ()
    SELECT version/* a comment */()
    SELECT current_setting('temp_directory')
    SELECT * FROM duckdb_settings()
    SELECT * FROM duckdb_secrets()
    SELECT * FROM duckdb_extensions()
    SELECT * FROM pragma_database_list()
    SELECT * FROM information_schema.tables
    SELECT * FROM sqlite_master
    SELECT * FROM duckdb_tables
    SELECT * FROM query('SELECT 1')
    SELECT * FROM query_table('athena_0')
    SELECT * FROM athena_0
    SELECT * FROM main.athena_0
    SELECT * FROM json_execute_serialized_sql('x')
    SELECT nextval('x')
    SELECT txid_current()
    SELECT write_log('x')
    SELECT COLUMNS('x') FROM cloudtrail_logs
    SELECT 1 INTO OUTFILE '{file}.new'
    SELECT 1 INTO x
    COPY (SELECT 1) TO '{file}.new'
    COPY cloudtrail_logs FROM '{file}'
    EXPORT DATABASE '{file}.new'
    IMPORT DATABASE '{file}.new'
    ATTACH '{file}.new' AS x
    ATTACH DATABASE '{file}.new'
    DETACH x
    USE x
    INSTALL httpfs
    INSTALL 'https://example.com/x.duckdb_extension'
    LOAD '{file}'
    LOAD httpfs
    SET enable_external_access = true
    SET GLOBAL lock_configuration = false
    RESET enable_external_access
    PRAGMA database_list
    PRAGMA enable_external_access
    CALL pragma_version()
    CHECKPOINT
    VACUUM
    CREATE MACRO f(x) AS 1
    CREATE FUNCTION f(x) AS 1
    CREATE TEMP TABLE x AS SELECT 1
    CREATE SECRET (TYPE s3, KEY_ID 'x', SECRET 'y')
    CREATE TYPE x AS ENUM ('a')
    CREATE SEQUENCE x
    PREPARE x AS SELECT 1
    EXECUTE x
    BEGIN TRANSACTION
    SELECT 1; COPY (SELECT 1) TO '{file}.new'
    EXPLAIN COPY (SELECT 1) TO '{file}.new'
    EXPLAIN ANALYZE COPY (SELECT 1) TO '{file}.new'
    EXPLAIN SELECT * FROM read_text('{file}')
    SUMMARIZE cloudtrail_logs
    FROM read_text('{file}')
    PIVOT cloudtrail_logs ON eventname
    DESCRIBE read_text('{file}')
    CREATE VIEW v AS SELECT * FROM read_text('{file}')
    CREATE VIEW v AS SELECT 1; COPY (SELECT 1) TO '{file}.new'
    CREATE EXTERNAL TABLE t (x string) LOCATION '{file}'
    CREATE EXTERNAL TABLE t (x string) LOCATION 'file://{file}'
    CREATE EXTERNAL TABLE t (x string) LOCATION 's3://b/'; DROP TABLE cloudtrail_logs
"""


@pytest.fixture
def engine(tmp_path):
    harness = EngineHarness(tmp_path)
    harness.run(CLOUDTRAIL_TABLE)
    yield harness
    harness.store.close()


def test_no_statement_reaches_the_machine(engine, tmp_path):
    file = tmp_path / "secret.csv"
    file.write_text(SECRET)
    let_through = []
    for attack in ATTACKS.strip().splitlines():
        try:
            rows = engine.run(attack.strip().format(file=file))
        except QueryFailedError as error:
            if SECRET in error.reason:
                let_through.append((attack, error.reason))
        else:
            let_through.append((attack, rows))
    assert let_through == []
    assert not list(tmp_path.glob("secret.csv.*"))
    assert engine.find_table("default", "cloudtrail_logs") is not None


# What DuckDB itself refuses, should a text ever come so far.
LOCKED = """
    SELECT * FROM read_csv('{file}')
    SELECT * FROM read_text('{file}')
    SELECT * FROM '{file}'
    SELECT * FROM glob('{folder}/*')
    COPY (SELECT 1) TO '{file}.new'
    ATTACH '{file}.new'
    EXPORT DATABASE '{file}.new'
    INSTALL httpfs
    LOAD httpfs
    SELECT * FROM read_csv('https://example.com/x.csv')
    SET enable_external_access = true
    SET lock_configuration = false
    SET allowed_directories = ['/']
    SET memory_limit = '100GB'
    SET temp_directory = '{folder}'
    RESET enable_external_access
    SET python_enable_replacements = true
"""


def test_duckdb_is_locked_too(tmp_path):
    file = tmp_path / "secret.csv"
    file.write_text(SECRET)
    spill = tmp_path / "spill"
    spill.mkdir()
    connection = session.open_locked(spill)
    session.lock(connection)
    for statement in LOCKED.strip().splitlines():
        with pytest.raises(duckdb.Error):
            connection.execute(statement.strip().format(file=file, folder=tmp_path))
    dangerous = [SECRET]  # a variable of Python's is no table
    with pytest.raises(duckdb.Error):
        connection.execute("SELECT * FROM dangerous")
    assert dangerous


def test_duckdb_reads_the_files_of_the_query_and_no_others(tmp_path):
    for name in ("own", "other"):
        duckdb.sql("SELECT 1 AS x").write_parquet(str(tmp_path / f"{name}.parquet"))
    spill = tmp_path / "spill"
    spill.mkdir()
    connection = session.open_locked(spill, files=[str(tmp_path / "own.parquet")])
    assert connection.execute(f"SELECT x FROM read_parquet('{tmp_path}/own.parquet')").fetchall() == [(1,)]
    with pytest.raises(duckdb.PermissionException):
        connection.execute(f"SELECT x FROM read_parquet('{tmp_path}/other.parquet')")


def test_the_process_is_bounded_by_the_system():
    script = (
        "import resource; from idc_sandbox.athena.engine.session import limit_process; limit_process(7)\n"
        "print([resource.getrlimit(one) for one in (resource.RLIMIT_CPU, resource.RLIMIT_CORE)])\n"
        "try:\n    bytearray(7 * 1024 ** 3)\nexcept MemoryError:\n    print('bounded')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[(7, 7), (0, 0)]\nbounded\n"


# Queries without an end: each is ended, and the next query works.
ENDLESS = {
    "recursion": "WITH RECURSIVE t(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM t) SELECT count(*) FROM t",
    "product": "SELECT count(*) FROM "
    + ", ".join(f"unnest(sequence(1, 100000)) AS t{one}(x{one})" for one in range(3))
    + " WHERE x0 + x1 + x2 > 0",
    "text": "SELECT length(array_join(transform(sequence(1, 100000000), x -> repeat('x', 10000)), ''))",
    "result": "SELECT x, y, 'a long text in every row' FROM unnest(sequence(1, 1000000)) AS t(x), "
    "unnest(sequence(1, 1000000)) AS u(y)",
}
# And too large ones, which need no clock.
TOO_LARGE = {
    "memory": "SELECT array_agg(x) FROM unnest(sequence(1, 1000000)) AS t(x), "
    "unnest(sequence(1, 10000)) AS u(y)",
    "list": "SELECT cardinality(sequence(1, 100000000000))",
    "expression": "SELECT " + "+".join(["1"] * 20_000),
    "parentheses": "SELECT " + "(" * 5_000 + "1" + ")" * 5_000,
    "nesting": "SELECT " + "array[" * 2_000 + "1" + "]" * 2_000,
}


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    gateway = GatewayClient(tmp_path_factory.mktemp("athena"))
    gateway.store._connection.execute("PRAGMA synchronous=OFF")
    yield AthenaClient(gateway)
    gateway.store.close()


@pytest.mark.parametrize("name", ENDLESS)
def test_a_query_without_an_end_is_ended(house, name):
    queries: Queries = house.clients.gateway.queries
    queries.longest_s = 1.0
    try:
        status = house.run(ENDLESS[name])["Status"]
    finally:
        queries.longest_s = LONGEST_QUERY_S
    assert status["State"] == "FAILED"
    reason = status["StateChangeReason"]
    assert "timed out" in reason or "exhausted" in reason, reason
    assert house.rows("SELECT 1")[1:] == [["1"]]


@pytest.mark.parametrize("name", TOO_LARGE)
def test_a_query_that_is_too_large_is_refused(house, name):
    status = house.run(TOO_LARGE[name])["Status"]
    assert status["State"] == "FAILED"
    reason = status["StateChangeReason"]
    assert any(word in reason for word in ("exhausted", "SYNTAX_ERROR", "ARGUMENT")), reason
    assert house.rows("SELECT 1")[1:] == [["1"]]


def test_an_object_that_unpacks_without_an_end_is_refused(engine, monkeypatch):
    monkeypatch.setattr("idc_sandbox.athena.engine.reading._LARGEST", 1_000)
    assert "exhausted resources" in engine.failure("SELECT count(*) FROM cloudtrail_logs").reason


def test_the_process_ends_with_the_sandbox_and_leaves_no_files(house):
    queries: Queries = house.clients.gateway.queries
    house.rows("SELECT 1")
    until(lambda: not queries._engines, "the end of the query")
    assert [path.name for path in queries.folder.iterdir()] == ["cache"]
    assert queries.folder.stat().st_mode & 0o777 == 0o700
