"""Objects that nobody has read yet: a query takes what it needs, and all columns are read after it."""

from __future__ import annotations

import base64
import json
import os
import random
import time

import pytest
from athena_harness import CLOUDTRAIL_TABLE, NOW, TRAIL, AthenaClient, EngineHarness, event, trail_object
from patience import until
from sandbox_clients import GatewayClient
from test_athena_queries import CLOUDTRAIL

from idc_sandbox.athena.engine import tables
from idc_sandbox.athena.engine.dialect import TextPlaces, parse_query
from idc_sandbox.athena.engine.running import Job, run_job
from idc_sandbox.athena.engine.session import give_way
from idc_sandbox.athena.engine.tables import Binder


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """The engine with the trail's table, whose objects are too large to be read whole by a query."""
    monkeypatch.setattr(tables, "LARGEST_AT_ONCE", 0)
    harness = EngineHarness(tmp_path)
    harness.run(CLOUDTRAIL_TABLE)
    harness.run(
        "CREATE VIEW denied AS SELECT eventname, errorcode FROM cloudtrail_logs WHERE errorcode <> ''"
    )
    yield harness
    harness.store.close()


def read_ahead(engine: EngineHarness, text: str) -> None:
    run_job(Job(text, "default", [], NOW, engine.folder, engine.cache, is_ahead=True), engine, time.monotonic)


@pytest.mark.parametrize(("query", "rows"), CLOUDTRAIL)
def test_a_query_over_parts_of_objects_answers_the_same(engine, query, rows):
    assert engine.run(query)[1:] == rows
    if "*" not in query.replace("count(*)", ""):
        assert not list(engine.cache.iterdir())
        assert engine.outcome.has_parts == bool(engine.fetched)


# The rest of a query whose rows are those of all columns, or of columns that it does not name one by one.
WHOLE = [
    "SELECT * FROM cloudtrail_logs",
    "SELECT t.* FROM cloudtrail_logs t",
    "SELECT * FROM (SELECT * FROM cloudtrail_logs)",
    "WITH t AS (SELECT * FROM cloudtrail_logs) SELECT count(*) FROM t",
    "SELECT a.eventname FROM cloudtrail_logs a NATURAL JOIN cloudtrail_logs b",
    "SELECT * FROM cloudtrail_logs a JOIN (SELECT eventname FROM cloudtrail_logs) b USING (eventname)",
    "TABLE cloudtrail_logs",
]


@pytest.mark.parametrize("query", WHOLE)
def test_a_query_that_may_need_every_column_reads_every_column(engine, query):
    answer = sorted(engine.run(query), key=str)
    assert not engine.outcome.has_parts
    assert len(list(engine.cache.iterdir())) == 3
    assert answer == sorted(engine.run(query), key=str)


def test_objects_that_were_read_and_parts_of_others_stand_side_by_side(engine):
    read_ahead(engine, "SELECT 1 FROM cloudtrail_logs WHERE timestamp = '2026/11/28'")
    assert len(list(engine.cache.iterdir())) == 1
    engine.fetched.clear()
    for query, answer in {
        "SELECT count(*) FROM cloudtrail_logs": "4",
        "SELECT count(eventname) FROM cloudtrail_logs": "4",
        "SELECT count(useridentity.sessioncontext.attributes.creationdate) FROM cloudtrail_logs": "3",
    }.items():
        assert engine.run(query)[1:] == [[answer]]
        assert engine.outcome.has_parts == bool(engine.fetched)
    assert len(engine.fetched) == 6
    assert engine.run("SELECT eventname FROM cloudtrail_logs WHERE timestamp = '2026/11/28'")[1:] == [
        ["ListBuckets"],
        ["GetObject"],
    ]
    assert not engine.outcome.has_parts


_CREATED = "STRUCT(sessioncontext STRUCT(attributes STRUCT(creationdate VARCHAR)))"
_ALL = "STRUCT(type VARCHAR, principalid VARCHAR, arn VARCHAR, "
# what a query says → how the type of the column `useridentity` that it reads begins
FIELDS = {
    "useridentity.sessioncontext.attributes.creationdate": _CREATED,
    "c.useridentity.sessioncontext.attributes.creationdate": _CREATED,
    '"UserIdentity".SessionContext.Attributes.CreationDate': _CREATED,
    "useridentity.onbehalfof": "STRUCT(onbehalfof STRUCT(userid VARCHAR, identitystorearn VARCHAR))",
    "x.attributes.creationdate FROM (SELECT useridentity.sessioncontext AS x": (
        "STRUCT(sessioncontext STRUCT(attributes STRUCT(mfaauthenticated VARCHAR, creationdate VARCHAR), "
    ),
    "x.arn FROM (SELECT useridentity AS x": _ALL,
    "(useridentity).arn": _ALL,
    "CAST(useridentity AS JSON)": _ALL,
}


@pytest.mark.parametrize("said", FIELDS)
def test_a_query_reads_the_fields_of_a_struct_that_it_names(engine, said):
    tree = parse_query(f"SELECT {said} FROM cloudtrail_logs c" + ")" * said.count("(SELECT"))
    binder = Binder(engine, "default", NOW)
    binder.find_wanted(binder.bind(tree, TextPlaces("", tree)))
    (scan,) = binder.scans.values()
    assert scan.wanted is not None
    assert scan.wanted["useridentity"].in_duckdb().replace('"', "").startswith(FIELDS[said])


def test_what_is_wrong_with_an_object_is_said_by_the_query_that_needs_it(engine):
    engine.stored["trail", f"{TRAIL}/2026/11/29/bad.json.gz"] = b"not json"
    read_ahead(engine, "SELECT count(*) FROM cloudtrail_logs")
    assert len(list(engine.cache.iterdir())) == 3
    assert [path.name for path in engine.folder.iterdir()] == ["result"]
    assert "HIVE_BAD_DATA" in engine.failure("SELECT count(*) FROM cloudtrail_logs").reason


def test_a_wrong_query_names_columns_that_it_does_not_read(engine):
    reason = engine.failure("SELECT eventnam FROM cloudtrail_logs WHERE errorcode = ''").reason
    assert reason == "COLUMN_NOT_FOUND: line 1:8: Column 'eventnam' cannot be resolved"


def test_a_table_without_partitions_is_counted(engine):
    engine.run(
        "CREATE EXTERNAL TABLE papers (id int, name string) ROW FORMAT SERDE "
        "'org.apache.hive.hcatalog.data.JsonSerDe' LOCATION 's3://b/papers'"
    )
    engine.stored = {("b", "papers/x.json"): b'{"id": 1, "name": "a"}\n{"name": "b"}\n{}\n'}
    assert engine.run("SELECT count(*) FROM papers")[1:] == [["3"]]
    assert engine.run("SELECT name FROM papers")[1:] == [["a"], ["b"], [None]]
    assert engine.outcome.has_parts


@pytest.fixture
def house(tmp_path):
    """Athena with a table whose object is large, in a sandbox in this process."""
    gateway = GatewayClient(tmp_path)
    gateway.store._connection.execute("PRAGMA synchronous=OFF")
    athena = AthenaClient(gateway)
    noise = base64.b64encode(random.Random(1).randbytes(9 * 1024**2)).decode()
    records = [
        event("Noise", "2026-11-29T01:00:00Z", requestParameters={"x": noise[at : at + 100_000]})
        for at in range(0, len(noise), 100_000)
    ]
    body = trail_object(*records)
    assert len(body) > tables.LARGEST_AT_ONCE
    athena.s3.put_object(Bucket="trail", Key=f"{TRAIL}/2026/11/29/large.json.gz", Body=body)
    athena.rows(CLOUDTRAIL_TABLE)
    yield athena
    gateway.store.close()


def test_after_the_first_query_the_sandbox_reads_all_columns_by_itself(house):
    queries = house.clients.gateway.queries
    counted = house.run("SELECT count(*) FROM cloudtrail_logs")
    assert "has_parts" not in json.dumps(counted, default=str)
    until(lambda: len(list(queries.folder.glob("cache/*.parquet"))) == 4, "the files of all objects")
    until(lambda: not queries._is_reading_ahead, "the end of the reading")
    assert [path.name for path in queries.folder.iterdir()] == ["cache"]
    assert house.rows("SELECT count(requestparameters) FROM cloudtrail_logs")[1:] == [["130"]]


def test_going_back_ends_the_reading(house):
    gateway = house.clients.gateway
    gateway.keep_checkpoint("before")
    house.run("SELECT count(*) FROM cloudtrail_logs")
    gateway.go_back("before")
    assert not gateway.queries._is_reading_ahead
    assert gateway.queries._ahead is None
    assert not list(gateway.queries.folder.glob("query-*"))
    assert house.rows("SELECT count(*) FROM cloudtrail_logs")[1:] == [["130"]]


def test_a_cache_that_is_too_small_is_not_filled_again_and_again(house, monkeypatch):
    monkeypatch.setattr("idc_sandbox.athena.queue.LARGEST_CACHE", 1024**2)
    house.rows("SELECT count(*) FROM cloudtrail_logs")
    until(lambda: not house.clients.gateway.queries._engines, "the end of the query")
    assert not house.clients.gateway.queries._is_reading_ahead
    assert not list(house.clients.gateway.queries.folder.glob("cache/*"))


def test_reading_ahead_gives_way():
    read, write = os.pipe()
    if not (child := os.fork()):
        give_way()
        os.write(write, str(os.nice(0)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 10) == b"19"
    for one in (read, write):
        os.close(one)
