"""Statements about databases, tables, views and partitions, as a learner pastes them; and other SerDes."""

from __future__ import annotations

import duckdb
import pytest
from athena_harness import CLOUDTRAIL_TABLE, EngineHarness

JSON_LINES = b'{"Id": 1, "Sub": {"Names": ["a"]}, "ts": "2026-01-02 03:04:05"}\n{"Id": 2, "Sub": null}\n'
JSON_TABLE = (
    "CREATE EXTERNAL TABLE papers (id int, sub struct<names:array<string>>, ts timestamp) {partitioned} "
    "ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe' LOCATION 's3://b/papers/'"
)
CSV = b'id,name\n1,"a, ""b"""\n2,\nx,c\n'


@pytest.fixture
def engine(tmp_path):
    """An engine whose catalog is empty."""
    harness = EngineHarness(tmp_path)
    yield harness
    harness.store.close()


def lines(engine, text):
    return [row[0] for row in engine.run(text)]


def test_a_database_is_made_shown_and_dropped(engine):
    engine.run("CREATE DATABASE IF NOT EXISTS papers COMMENT 'on paper' LOCATION 's3://b/papers/'")
    engine.run("CREATE SCHEMA IF NOT EXISTS `papers`")
    assert lines(engine, "SHOW DATABASES") == ["default", "papers"]
    assert lines(engine, "show schemas like 'pa*'") == ["papers"]
    assert "already exists" in engine.failure("CREATE DATABASE papers").reason
    engine.run("CREATE EXTERNAL TABLE papers.t (x int) LOCATION 's3://b/t/'")
    assert "is not empty" in engine.failure("DROP DATABASE papers").reason
    engine.run("DROP DATABASE papers CASCADE")
    engine.run("DROP DATABASE IF EXISTS papers")
    assert "does not exist" in engine.failure("DROP SCHEMA papers").reason
    assert lines(engine, "SHOW DATABASES;") == ["default"]


def test_a_table_is_made_shown_described_and_dropped(engine):
    engine.run(f"-- AWS's own statement\n{CLOUDTRAIL_TABLE};")
    assert lines(engine, "SHOW TABLES") == ["cloudtrail_logs"]
    assert lines(engine, "SHOW TABLES IN default 'cloud*|x'") == ["cloudtrail_logs"]
    assert lines(engine, "SHOW TABLES 'x*'") == []
    assert "timestamp" in lines(engine, "SHOW COLUMNS IN cloudtrail_logs")
    described = engine.run("DESCRIBE cloudtrail_logs")
    assert described[0] == ["\t".join(part.ljust(20) for part in ("eventversion", "string", ""))]
    assert ["\t".join(part.ljust(20) for part in ("# Partition Information", "", ""))] in described
    assert any("JsonSerDe" in line for line in lines(engine, "DESCRIBE FORMATTED default.cloudtrail_logs"))
    assert "already exists" in engine.failure(CLOUDTRAIL_TABLE).reason
    engine.run(CLOUDTRAIL_TABLE.replace("TABLE ", "TABLE IF NOT EXISTS ", 1))
    engine.run("DROP TABLE cloudtrail_logs")
    engine.run("DROP TABLE IF EXISTS cloudtrail_logs")
    assert engine.failure("DROP TABLE cloudtrail_logs").error_type == 1110
    assert engine.failure("DESCRIBE cloudtrail_logs").error_type == 1110


def test_what_show_create_table_says_makes_the_same_table(engine):
    engine.run(CLOUDTRAIL_TABLE)
    before = engine.find_table("default", "cloudtrail_logs")
    statement = "\n".join(lines(engine, "SHOW CREATE TABLE cloudtrail_logs"))
    engine.run("DROP TABLE cloudtrail_logs")
    engine.run(statement.replace("`default.cloudtrail_logs`", "`default`.`cloudtrail_logs`"))
    assert engine.find_table("default", "cloudtrail_logs") == before


def test_a_view_has_columns_and_may_be_replaced(engine):
    engine.run(CLOUDTRAIL_TABLE)
    engine.run(
        "CREATE VIEW names AS SELECT eventname AS Name, count(*) AS n, resources FROM cloudtrail_logs "
        "GROUP BY 1, 3"
    )
    assert engine.find_table("default", "names")["columns"] == [
        {"name": "name", "type": "string", "comment": ""},
        {"name": "n", "type": "bigint", "comment": ""},
        {
            "name": "resources",
            "type": "array<struct<arn:string,accountid:string,type:string>>",
            "comment": "",
        },
    ]
    assert engine.run("SELECT n FROM names WHERE name = 'PutObject'")[1:] == [["1"]]
    assert "already exists" in engine.failure("CREATE VIEW names AS SELECT 1 AS x").reason
    engine.run("CREATE OR REPLACE VIEW names AS SELECT 1 AS x")
    assert engine.run("SELECT * FROM names") == [["x"], ["1"]]
    assert lines(engine, "SHOW VIEWS") == ["names"]
    assert "SELECT 1 AS x" in lines(engine, "SHOW CREATE VIEW names")
    assert "COLUMN_NOT_FOUND" in engine.failure("CREATE VIEW bad AS SELECT y FROM names").reason
    assert "DROP VIEW" in engine.failure("DROP TABLE names").reason
    engine.run("DROP VIEW names")
    assert lines(engine, "SHOW VIEWS") == []


def test_a_view_that_leads_to_itself_is_refused(engine):
    engine.run("CREATE VIEW a AS SELECT 1 AS x")
    engine.run("CREATE VIEW b AS SELECT * FROM a")
    engine.run("CREATE OR REPLACE VIEW a AS SELECT * FROM b")
    assert "VIEW_IS_RECURSIVE" in engine.failure("SELECT * FROM a").reason


def test_partitions_are_found_added_dropped_and_pruned(engine):
    engine.stored = {("b", f"papers/dt={day}/x.json"): JSON_LINES for day in (1, 2)}
    engine.run(JSON_TABLE.format(partitioned="PARTITIONED BY (dt int)"))
    assert engine.run("SELECT count(*) FROM papers")[1:] == [["0"]]
    assert "Repair: Added partition to metastore papers:dt=1" in lines(engine, "MSCK REPAIR TABLE papers")
    assert lines(engine, "MSCK REPAIR TABLE papers") == []
    assert lines(engine, "SHOW PARTITIONS papers") == ["dt=1", "dt=2"]
    assert engine.run("SELECT dt, count(*) FROM papers GROUP BY 1 ORDER BY 1")[1:] == [["1", "2"], ["2", "2"]]
    engine.run("SELECT * FROM papers WHERE dt > 1")
    assert engine.outcome.scanned == len(JSON_LINES)
    engine.run(
        "ALTER TABLE papers ADD IF NOT EXISTS PARTITION (dt='1') PARTITION (dt='7') LOCATION 's3://b/papers/dt=1/'"
    )
    assert "already exists" in engine.failure("ALTER TABLE papers ADD PARTITION (dt='7')").reason
    assert engine.run("SELECT count(*) FROM papers WHERE dt = 7")[1:] == [["2"]]
    engine.run("ALTER TABLE papers DROP PARTITION (dt='7'), PARTITION (dt='2')")
    assert lines(engine, "SHOW PARTITIONS papers") == ["dt=1"]
    assert "must have each" in engine.failure("ALTER TABLE papers ADD PARTITION (other='1')").reason
    engine.run("ALTER TABLE papers SET TBLPROPERTIES ('note'='x')")
    assert engine.find_table("default", "papers")["properties"] == {"note": "x"}
    assert lines(engine, "SHOW PARTITIONS papers") == ["dt=1"]
    engine.run("DROP TABLE papers")
    assert engine.store._connection.execute("SELECT count(*) FROM athena_partition").fetchone()[0] == 0


# properties of the projection → number of objects in its range; None: refused
PROJECTIONS = [
    ({"type": "integer", "range": "1,2"}, 2),
    ({"type": "enum", "values": "1,x"}, 1),
    ({"type": "injected"}, 3),
    ({"type": "integer", "range": "one,two"}, None),
    ({"type": "integer"}, None),
    ({"type": "date", "range": "NOW,NOW"}, None),
    ({"type": "date", "range": "NOW-99999YEARS,NOW", "format": "yyyy"}, None),
    ({"type": "other"}, None),
]


@pytest.mark.parametrize(("projection", "found"), PROJECTIONS)
def test_partitions_are_projected_by_the_tables_properties(engine, projection, found):
    engine.stored = {("b", f"papers/dt={day}/x.json"): JSON_LINES for day in (1, 2, 30)}
    properties = {f"projection.dt.{name}": value for name, value in projection.items()}
    pairs = ", ".join(
        f"'{name}'='{value}'" for name, value in {"projection.enabled": "true", **properties}.items()
    )
    engine.run(f"{JSON_TABLE.format(partitioned='PARTITIONED BY (dt int)')} TBLPROPERTIES ({pairs})")
    if found is None:
        assert engine.failure("SELECT * FROM papers").error_type == 1103
    else:
        assert engine.run("SELECT count(*) FROM papers")[1:] == [[str(found * 2)]]


def test_json_lines_are_read_whatever_the_case_of_their_keys(engine):
    engine.stored = {
        ("b", "papers/x.json"): JSON_LINES,
        ("b", "papers/_hidden"): b"no",
        ("b", "papers/y/"): b"",
    }
    engine.run(JSON_TABLE.format(partitioned=""))
    assert engine.run("SELECT id, sub, sub.names[1], ts FROM papers ORDER BY id")[1:] == [
        ["1", "{names=[a]}", "a", "2026-01-02 03:04:05.000"],
        ["2", None, None, None],
    ]


def test_a_key_that_comes_late_in_a_long_object_is_found(engine):
    many = b'{"a": 1}\n' * 5_000
    engine.stored = {("b", "papers/x.json"): many + b'{"LateKey": "here"}\n'}
    engine.run(
        "CREATE EXTERNAL TABLE papers (latekey string) ROW FORMAT SERDE "
        "'org.apache.hive.hcatalog.data.JsonSerDe' LOCATION 's3://b/papers'"
    )
    assert engine.run("SELECT latekey FROM papers WHERE latekey IS NOT NULL")[1:] == [["here"]]


def test_a_json_table_may_name_a_key_and_pass_over_bad_lines(engine):
    engine.stored = {("b", "papers/x.json"): b'{"ts": "a"}\nnot json\n{"ts": "b"}\n'}
    table = (
        "CREATE EXTERNAL TABLE papers (moment string) ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe' "
        "WITH SERDEPROPERTIES ('mapping.moment'='ts'{more}) LOCATION 's3://b/papers/'"
    )
    engine.run(table.format(more=""))
    assert "HIVE_BAD_DATA: s3://b/papers/x.json" in engine.failure("SELECT * FROM papers").reason
    engine.run("DROP TABLE papers")
    engine.run(table.format(more=", 'ignore.malformed.json'='true'"))
    assert sorted(engine.run("SELECT moment FROM papers WHERE moment IS NOT NULL")[1:]) == [["a"], ["b"]]


def test_csv_is_read_by_both_serdes(engine):
    engine.stored = {("b", "csv/x.csv"): CSV}
    end = "LOCATION 's3://b/csv/' TBLPROPERTIES ('skip.header.line.count'='1')"
    engine.run(
        "CREATE EXTERNAL TABLE quoted (id string, name string) ROW FORMAT SERDE "
        "'org.apache.hadoop.hive.serde2.OpenCSVSerde' WITH SERDEPROPERTIES ('separatorChar'=',', "
        f"'quoteChar'='\"', 'escapeChar'='\"') {end}"
    )
    assert engine.run("SELECT * FROM quoted")[1:3] == [["1", 'a, "b"'], ["2", ""]]
    engine.stored = {("b", "csv/x.csv"): b"id,name\n1,a\nx,\\N\n"}
    engine.run(
        "CREATE EXTERNAL TABLE plain (id int, name string) ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' "
        f"STORED AS TEXTFILE {end}"
    )
    assert engine.run("SELECT * FROM plain")[1:] == [["1", "a"], [None, None]]


def test_what_is_inside_a_text_is_read_by_its_delimiters(engine):
    """As LazySimpleSerDe does: arrays, maps and structs, the delimiters given or Hive's own."""
    engine.stored = {
        ("b", "given/x"): b"x|y,k:v|l:,1|z\\,\n,,\n",
        ("b", "own/x"): b"1\x022\x01k\x033\x01a\x02b\n",
    }
    engine.run(
        "CREATE EXTERNAL TABLE given (l array<string>, m map<string,string>, s struct<a:int,b:string>) ROW "
        "FORMAT DELIMITED FIELDS TERMINATED BY ',' ESCAPED BY '\\\\' COLLECTION ITEMS TERMINATED BY '|' "
        "MAP KEYS TERMINATED BY ':' NULL DEFINED AS '' LOCATION 's3://b/given'"
    )
    assert engine.run("SELECT * FROM given")[1:] == [
        ["[x, y]", "{k=v, l=null}", "{a=1, b=z,}"],
        [None, None, None],
    ]
    engine.run(
        "CREATE EXTERNAL TABLE own (l array<int>, m map<string,int>, s struct<a:string,b:string>) LOCATION 's3://b/own'"
    )
    assert engine.run("SELECT l[2], m['k'], s.b FROM own")[1:] == [["2", "3", "b"]]
    engine.run("CREATE EXTERNAL TABLE deep (l array<array<int>>) LOCATION 's3://b/own'")
    assert "does not read INTEGER[][] from text" in engine.failure("SELECT * FROM deep").reason


def test_a_table_is_changed(engine):
    engine.stored = {
        ("b", "t/dt=1/x"): b'{"a": 1, "b": 2}\n',
        ("b", "u/dt=1/x"): b'{"a": 3}\n',
    }
    engine.run(
        "CREATE EXTERNAL TABLE t (a int) PARTITIONED BY (dt string) ROW FORMAT SERDE "
        "'org.openx.data.jsonserde.JsonSerDe' LOCATION 's3://b/t/' TBLPROPERTIES ('x'='1')"
    )
    engine.run("MSCK REPAIR TABLE t")
    engine.run("ALTER TABLE t ADD COLUMNS (b int COMMENT 'more', c string)")
    assert engine.run("SELECT * FROM t") == [["a", "b", "c", "dt"], ["1", "2", None, "1"]]
    engine.run("ALTER TABLE t PARTITION (dt='1') RENAME TO PARTITION (dt = '2')")
    assert engine.run("SHOW PARTITIONS t") == [["dt=2"]]
    assert engine.run("SELECT a FROM t WHERE dt = '2'")[1:] == [["1"]]
    engine.run("ALTER TABLE default.t PARTITION (dt='2') SET LOCATION 's3://b/u/dt=1/'")
    assert engine.run("SELECT a, dt FROM t")[1:] == [["3", "2"]]
    engine.run("ALTER TABLE t REPLACE COLUMNS (b int)")
    assert engine.run("SELECT * FROM t") == [["b", "dt"], [None, "2"]]
    engine.run("ALTER TABLE t SET LOCATION 's3://b/u/'")
    assert engine.find_table("default", "t")["location"] == "s3://b/u/"
    engine.run("ALTER TABLE t SET TBLPROPERTIES ('comment'='A (b), c')")
    assert engine.run("SHOW TBLPROPERTIES t") == [["EXTERNAL\tTRUE"], ["comment\tA (b), c"], ["x\t1"]]
    assert engine.run("SHOW TBLPROPERTIES t('x')") == [["1"]]
    assert "does not have property: y" in str(engine.run('SHOW TBLPROPERTIES t ("y")'))
    engine.run("ALTER TABLE t ADD PARTITION (dt='3')")
    for text, said in {
        "ALTER TABLE t ADD COLUMNS (B int)": "Duplicate column name: b",
        "ALTER TABLE t REPLACE COLUMNS (dt int)": "Duplicate column name: dt",
        "ALTER TABLE t ADD COLUMNS (x)": "has no type",
        "ALTER TABLE t SET LOCATION '/etc'": "no address of S3",
        "ALTER TABLE t PARTITION (dt='2') SET LOCATION '/etc'": "no address of S3",
        "ALTER TABLE t PARTITION (dt='9') RENAME TO PARTITION (dt='4')": "Partition not found ['9']",
        "ALTER TABLE t PARTITION (dt='2') RENAME TO PARTITION (dt='3')": "Partition already exists: ['3']",
        "ALTER DATABASE default SET DBPROPERTIES ('a'='b')": "have no properties",
    }.items():
        assert said in engine.failure(text).reason
    assert engine.run("SHOW PARTITIONS t") == [["dt=2"], ["dt=3"]]


def test_parquet_is_read_by_the_names_of_its_columns(engine, tmp_path):
    path = tmp_path / "x.parquet"
    duckdb.sql("SELECT 1 AS \"Id\", 'a' AS name").write_parquet(str(path))
    engine.stored = {("b", "parquet/x"): path.read_bytes()}
    engine.run(
        "CREATE EXTERNAL TABLE p (name string, id bigint, later string) STORED AS PARQUET LOCATION 's3://b/parquet/'"
    )
    assert engine.run("SELECT * FROM p")[1:] == [["a", "1", None]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("CREATE EXTERNAL TABLE t (x int)", "LOCATION"),
        ("CREATE EXTERNAL TABLE t (x int) LOCATION '/etc'", "no address of S3"),
        ("CREATE EXTERNAL TABLE t (x int, X string) LOCATION 's3://b/'", "Duplicate column name: x"),
        ("CREATE EXTERNAL TABLE t (x geometry) LOCATION 's3://b/'", "not one of Athena's"),
        ("CREATE EXTERNAL TABLE t (x int) STORED AS ORC LOCATION 's3://b/'", "STORED AS ORC"),
        ("CREATE EXTERNAL TABLE t (x int) ROW FORMAT SERDE 'com.x.Own' LOCATION 's3://b/'", "com.x.Own"),
        ("CREATE EXTERNAL TABLE t (x int LOCATION 's3://b/'", "ParseException"),
        ("CREATE EXTERNAL TABLE t (`x\" INT); SELECT 1; --` int) LOCATION 's3://b/'", "the name 'x"),
        ("CREATE EXTERNAL TABLE t (x struct<`a\" y`:int>) LOCATION 's3://b/'", "the name 'a"),
        ("CREATE EXTERNAL TABLE other.t (x int) LOCATION 's3://b/'", "Database does not exist: other"),
        ("CREATE TABLE t (x int)", "external tables alone"),
        ("SHOW TABLES IN other", "Database does not exist: other"),
        ("ALTER TABLE t RENAME TO u", "cannot recognize input near 'ALTER TABLE t RENAME TO u'"),
        ("DROP DATABASE default", "keeps the database 'default'"),
        ("SHOW EVERYTHING", "cannot recognize input"),
    ],
)
def test_a_statement_that_cannot_be_says_why_and_changes_nothing(engine, text, said):
    assert said in engine.failure(text).reason
    assert (engine.tables("default"), engine.databases()) == ([], ["default"])


# What was behind or between the items of a list was once left out without a word.
@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE papers ADD PARTITION (dt='1'') OR ('')",
        "ALTER TABLE papers ADD PARTITION (dt='1') LOCATIONS 's3://b/papers/'",
        "ALTER TABLE papers ADD PARTITION (dt='1') AND PARTITION (dt='2')",
        "ALTER TABLE papers ADD PARTITION (dt='1'),",
        "ALTER TABLE papers ADD PARTITION (dt='1' or so)",
        "ALTER TABLE papers DROP PARTITION (dt='7') PURGED",
        "ALTER TABLE papers DROP PARTITION (dt='7') PARTITION (dt='8')",
        "ALTER TABLE papers ADD PARTITION (dt='1' dt='2')",
        "ALTER TABLE papers SET TBLPROPERTIES ('a'='1' 'b'='2')",
        "ALTER TABLE papers SET TBLPROPERTIES ('a'='1' 'b')",
        "ALTER TABLE papers SET TBLPROPERTIES ('a'='it''s')",
        "CREATE DATABASE other COMMENTS 'x'",
        "CREATE DATABASE other LOCATION 's3://b/x/' COMMENT 'the wrong way round'",
    ],
)
def test_a_list_with_something_else_in_it_is_refused(engine, statement):
    engine.run(JSON_TABLE.format(partitioned="PARTITIONED BY (dt int)"))
    engine.run("ALTER TABLE papers ADD PARTITION (dt='7')")
    before = engine.tables("default"), engine.partitions("default", "papers"), engine.databases()
    assert "cannot recognize input near" in engine.failure(statement).reason
    assert (engine.tables("default"), engine.partitions("default", "papers"), engine.databases()) == before


@pytest.mark.parametrize("spec", ["", " ", "dt='1', dt='2'", "dt='1', other='2'", "other='1'"])
def test_a_partition_has_each_column_once(engine, spec):
    engine.run(JSON_TABLE.format(partitioned="PARTITIONED BY (dt int)"))
    failed = engine.failure(f"ALTER TABLE papers ADD PARTITION ({spec})")
    assert "must have each of the table's partition columns once: dt" in failed.reason
    assert engine.partitions("default", "papers") == []


def test_partition_values_are_written_in_several_ways(engine):
    engine.run(JSON_TABLE.format(partitioned="PARTITIONED BY (dt int, `hour` int)"))
    engine.run(
        "ALTER TABLE papers ADD PARTITION ( DT = \"1\" , `hour`=2 ) , PARTITION (hour='3',dt=1)"
        "\nPARTITION (dt='4', hour='5') "
    )
    assert lines(engine, "SHOW PARTITIONS papers") == ["dt=1/hour=2", "dt=1/hour=3", "dt=4/hour=5"]
    engine.run("ALTER TABLE papers DROP PARTITION (dt=1, hour=2) , PARTITION (dt=4, hour=5)")
    assert lines(engine, "SHOW PARTITIONS papers") == ["dt=1/hour=3"]
    engine.run("ALTER TABLE papers SET TBLPROPERTIES ('a' = \"1\" , \"b\"='' )")
    assert engine.find_table("default", "papers")["properties"] == {"a": "1", "b": ""}
    elsewhere = engine.failure("ALTER TABLE papers ADD PARTITION (dt=9, hour=9) LOCATION '/etc'")
    assert "no address of S3" in elsewhere.reason


def test_a_database_is_in_s3(engine):
    assert "no address of S3" in engine.failure("CREATE DATABASE other LOCATION '/etc'").reason
    assert engine.databases() == ["default"]
    engine.run("CREATE DATABASE other LOCATION 's3://b/x/' WITH DBPROPERTIES ('a'='b')")
    assert engine.databases() == ["default", "other"]


def test_a_partition_value_may_have_parentheses(engine):
    engine.run(JSON_TABLE.format(partitioned="PARTITIONED BY (dt string)"))
    engine.run("ALTER TABLE papers ADD PARTITION (dt='a (b)')")
    assert lines(engine, "SHOW PARTITIONS papers") == ["dt=a (b)"]
