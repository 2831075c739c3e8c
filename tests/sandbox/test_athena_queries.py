"""Queries in Athena's dialect, a row each: what they answer, what they read, and how values are written."""

from __future__ import annotations

import gzip
import json

import pytest
from athena_harness import CLOUDTRAIL_TABLE, OBJECTS, TRAIL, EngineHarness, event, trail_object

ALL_BYTES = sum(len(body) for body in OBJECTS.values())
OF_THE_29TH = sum(len(body) for key, body in OBJECTS.items() if "/29/" in key)
BY_USER = "useridentity.sessioncontext.sessionissuer.username"


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """The engine with the trail's table; the tests share it and change nothing."""
    harness = EngineHarness(tmp_path_factory.mktemp("engine"))
    harness.run(CLOUDTRAIL_TABLE)
    harness.run(
        "CREATE VIEW denied AS SELECT eventname, errorcode FROM cloudtrail_logs WHERE errorcode <> ''"
    )
    yield harness
    harness.store.close()


# query, rows without the header
CLOUDTRAIL = [
    ("SELECT count(*) FROM cloudtrail_logs", [["4"]]),
    ("SELECT count(*) FROM default.cloudtrail_logs", [["4"]]),
    ('SELECT count(*) FROM "awsdatacatalog"."default"."cloudtrail_logs"', [["4"]]),
    ("SELECT default.cloudtrail_logs.eventname FROM default.cloudtrail_logs LIMIT 1", [["ListBuckets"]]),
    ("SELECT EventName FROM CloudTrail_Logs WHERE readOnly = 'false'", [["PutObject"]]),
    (
        f"SELECT {BY_USER} AS who, count(*) AS n FROM cloudtrail_logs GROUP BY 1 ORDER BY n DESC",
        [["AWSReservedSSO_Readers_0123456789abcdef", "3"], [None, "1"]],
    ),
    (
        "SELECT t.useridentity.onbehalfof.userid FROM cloudtrail_logs t WHERE eventname = 'GetObject'",
        [["u-1"]],
    ),
    (
        "SELECT json_extract_scalar(requestparameters, '$.bucketName'), "
        "json_extract_scalar(requestparameters, '$.inner[\"a.b\"]'), "
        "json_extract_scalar(requestparameters, '$.tags[1]'), json_extract_scalar(requestparameters, '$.tags'), "
        "json_extract(requestparameters, '$.tags') FROM cloudtrail_logs WHERE eventname = 'PutObject'",
        [["papers", "1", "b", None, '["a","b"]']],
    ),
    (
        "SELECT eventname FROM cloudtrail_logs WHERE from_iso8601_timestamp(eventtime) > "
        "timestamp '2026-11-29 00:00:00 UTC' ORDER BY eventtime",
        [["PutObject"], ["CreateToken"]],
    ),
    (
        "SELECT date_diff('minute', min(from_iso8601_timestamp(eventtime)), "
        "max(from_iso8601_timestamp(eventtime))) FROM cloudtrail_logs WHERE eventtime < '2026-11-29'",
        [["30"]],
    ),
    (
        "SELECT eventname, lag(eventname) OVER (ORDER BY eventtime) FROM cloudtrail_logs ORDER BY eventtime LIMIT 2",
        [["ListBuckets", None], ["GetObject", "ListBuckets"]],
    ),
    (
        "SELECT r.arn, r.type, r.accountid FROM cloudtrail_logs CROSS JOIN UNNEST(resources) AS t(r) "
        "WHERE eventname = 'GetObject' ORDER BY 1",
        [
            ["arn:aws:s3:::papers", "AWS::S3::Bucket", "111122223333"],
            ["arn:aws:s3:::papers/x", "AWS::S3::Object", None],
        ],
    ),
    (
        "WITH t AS (SELECT * FROM cloudtrail_logs, UNNEST(resources) AS t(one)) SELECT one.type, count(*) "
        "FROM t WHERE eventname = 'GetObject' GROUP BY one.type ORDER BY 1",
        [["AWS::S3::Bucket", "1"], ["AWS::S3::Object", "1"]],
    ),
    (
        "SELECT r.arn, n FROM cloudtrail_logs CROSS JOIN UNNEST(resources) WITH ORDINALITY AS t(r, n) "
        "WHERE eventname = 'GetObject' AND n = 2",
        [["arn:aws:s3:::papers/x", "2"]],
    ),
    (
        "SELECT eventname FROM cloudtrail_logs LEFT JOIN UNNEST(resources) AS t(r) ON true WHERE r IS NULL",
        [["ListBuckets"]],
    ),
    (
        "SELECT element_at(resources, 1).arn FROM cloudtrail_logs WHERE eventname = 'PutObject'",
        [["arn:aws:s3:::papers"]],
    ),
    ("SELECT cardinality(resources) FROM cloudtrail_logs WHERE eventname = 'PutObject'", [["2"]]),
    (
        "WITH who AS (SELECT eventname AS name FROM cloudtrail_logs WHERE errorcode = 'AccessDenied') "
        "SELECT w.name FROM who w WHERE regexp_like(w.name, '^Get')",
        [["GetObject"]],
    ),
    (
        "SELECT eventname, count(*) * 100.0 / 4 FROM cloudtrail_logs GROUP BY eventname ORDER BY 1 LIMIT 1",
        [["CreateToken", "25.0"]],
    ),
    (
        "SELECT n / 3, avg(n) OVER (), avg(n) FILTER (WHERE n > 0) OVER () FROM (SELECT 1.0 * count(*) AS n FROM "
        "cloudtrail_logs)",
        [["1.3", "4.0", "4.0"]],
    ),
    ("SELECT x / 3.0 FROM (VALUES 1, 2) AS t(x) GROUP BY x / 3.0 ORDER BY x / 3.0", [["0.3"], ["0.7"]]),
    ("SELECT avg(x) FROM UNNEST(ARRAY[1.0, 2.0, 2.0]) AS t(x)", [["1.7"]]),
    ("SELECT typeof(count(*)) FROM cloudtrail_logs", [["bigint"]]),
    (
        "SELECT resources[1].arn FROM cloudtrail_logs WHERE eventname <> 'GetObject' ORDER BY 1 LIMIT 1",
        [["arn:aws:s3:::papers"]],
    ),
    (
        "SELECT a, count(*) FROM (VALUES 'x', 'y') AS t(a) GROUP BY GROUPING SETS ((a), ()) ORDER BY 1",
        [["x", "1"], ["y", "1"], [None, "2"]],
    ),
    ("SELECT every(x) FROM UNNEST(ARRAY[true, true]) AS t(x)", [["true"]]),
    ("SELECT count(*) FROM cloudtrail_logs TABLESAMPLE BERNOULLI (100)", [["4"]]),
    ("SELECT eventname AS name FROM cloudtrail_logs ORDER BY name LIMIT 1", [["CreateToken"]]),
    (
        "SELECT name FROM (SELECT eventname AS name FROM cloudtrail_logs) WHERE name = 'PutObject'",
        [["PutObject"]],
    ),
    ("WITH cloudtrail_logs AS (SELECT 1 AS x) SELECT * FROM cloudtrail_logs", [["1"]]),
    ("WITH c AS (SELECT 1 AS x), d AS (SELECT x + 1 AS y FROM c) SELECT y FROM d", [["2"]]),
    ("SELECT * FROM denied", [["GetObject", "AccessDenied"]]),
    ("SELECT _col0 + 1 FROM (SELECT count(*) FROM denied)", [["2"]]),
    ("SELECT eventname FROM denied WHERE 'x' IN (SELECT lower('X')) GROUP BY eventname", [["GetObject"]]),
    ("SELECT count(*) FROM denied d JOIN cloudtrail_logs c ON c.eventname = d.eventname", [["1"]]),
    ("SELECT eventname FROM denied UNION ALL SELECT 'x' ORDER BY 1", [["GetObject"], ["x"]]),
    ("SELECT approx_distinct(eventsource), count_if(errorcode IS NULL) FROM cloudtrail_logs", [["2", "3"]]),
    (
        "SELECT array_agg(eventname ORDER BY eventname) FILTER (WHERE eventname LIKE '%Object') FROM cloudtrail_logs",
        [["[GetObject, PutObject]"]],
    ),
    (
        "SELECT max_by(eventname, eventtime), min(eventtime) FROM cloudtrail_logs",
        [["CreateToken", "2026-11-28T10:00:00Z"]],
    ),
    (
        "SELECT eventname FROM cloudtrail_logs WHERE eventtime > to_iso8601(current_timestamp - interval '1' day)",
        [["PutObject"], ["CreateToken"]],
    ),
    (
        "SELECT \"$path\" FROM cloudtrail_logs WHERE eventname = 'CreateToken'",
        [[f"s3://trail/{TRAIL}/2026/11/29/two.json.gz"]],
    ),
]


@pytest.mark.parametrize(("query", "rows"), CLOUDTRAIL)
def test_queries_over_cloudtrails_objects(engine, query, rows):
    assert engine.run(query)[1:] == rows


# an expression → Athena's text of its value
VALUES = {
    "7 / 2": "3",
    "7 / 2.0": "3.5",
    "10 % 3": "1",
    "CAST(1.5e10 AS double)": "1.5E10",
    "CAST(0.5 AS double)": "0.5",
    "CAST(1.10 AS decimal(5,2))": "1.10",
    "1 = 1": "true",
    "NULL": None,
    "''": "",
    "'a\"b'": 'a"b',
    "date '2026-01-02'": "2026-01-02",
    "timestamp '2026-01-02 03:04:05'": "2026-01-02 03:04:05.000",
    "timestamp '2026-01-02 03:04:05.678 UTC'": "2026-01-02 03:04:05.678 UTC",
    "from_iso8601_timestamp('2026-01-02T03:04:05Z')": "2026-01-02 03:04:05.000 UTC",
    "current_date": "2026-11-30",
    "current_timestamp": "2026-11-30 00:00:00.000 UTC",
    "current_date - interval '7' day": "2026-11-23",
    "date_add('day', -1, current_date)": "2026-11-29",
    "date_add('hour', 1, timestamp '2026-01-02 03:04:05')": "2026-01-02 04:04:05.000",
    "date_diff('hour', timestamp '2026-01-01 00:59:00', timestamp '2026-01-01 02:00:00')": "1",
    "date_trunc('hour', timestamp '2026-01-02 03:04:05')": "2026-01-02 03:00:00.000",
    "date_format(timestamp '2026-01-02 03:04:05', '%Y-%m %H:%i')": "2026-01 03:04",
    "date_parse('2026-01-02', '%Y-%m-%d')": "2026-01-02 00:00:00.000",
    "format_datetime(timestamp '2026-01-02 03:04:05', 'yyyy-MM-dd''T''HH:mm')": "2026-01-02T03:04",
    "at_timezone(from_iso8601_timestamp('2026-01-02T03:04:05Z'), 'Europe/Berlin')": "2026-01-02 04:04:05.000",
    "from_iso8601_timestamp('2026-01-02T03:04:05Z') AT TIME ZONE 'Asia/Tokyo'": "2026-01-02 12:04:05.000",
    "to_iso8601(from_iso8601_timestamp('2026-01-02T03:04:05Z'))": "2026-01-02T03:04:05.000Z",
    "to_unixtime(from_iso8601_timestamp('1970-01-01T00:01:00Z'))": "60.0",
    "from_unixtime(60)": "1970-01-01 00:01:00.000 UTC",
    "year(date '2026-01-02')": "2026",
    "ARRAY[1, NULL]": "[1, null]",
    "MAP(ARRAY['k'], ARRAY[1])": "{k=1}",
    "MAP(ARRAY['k'], ARRAY[1])['k']": "1",
    "element_at(MAP(ARRAY['k'], ARRAY[1]), 'x')": None,
    "map_entries(MAP(ARRAY['k'], ARRAY[1]))": "[{field0=k, field1=1}]",
    "split_to_map('a=1,b=x=y', ',', '=')": "{a=1, b=x=y}",
    "reduce(ARRAY[5, 20, 50], 0, (s, x) -> s + x, s -> s)": "75",
    "reduce(ARRAY[1, 2], 10, (s, x) -> s + x, s -> s * 2)": "26",
    "array_position(ARRAY['a', 'b'], 'b')": "2",
    "array_position(ARRAY['a', 'b'], 'z')": "0",
    "array_position(NULL, 'z')": None,
    "repeat('a', 3)": "[a, a, a]",
    "split('a,b,c', ',', 2)": "[a, b,c]",
    "split('a,b', ',', 5)": "[a, b]",
    "split_part('a/b', '/', 3)": None,
    "format('%s-%05d', 'a', 7)": "a-00007",
    "millisecond(timestamp '2026-01-02 03:04:05.678')": "678",
    "date_trunc('week', date '2026-01-04')": "2025-12-29",
    "date_trunc('week', timestamp '2026-01-04 03:04:05')": "2025-12-29 00:00:00.000",
    "date_trunc('day', from_iso8601_timestamp('2026-01-02T03:04:05Z'))": "2026-01-02 00:00:00.000 UTC",
    "date '2026-01-02' - date '2026-01-01'": "1 00:00:00.000",
    "parse_datetime('2026-01-02T03:04:05Z', 'yyyy-MM-dd''T''HH:mm:ss''Z')": "2026-01-02 03:04:05.000 UTC",
    "parse_datetime('02/Jan/2026:03:04 +0100', 'dd/MMM/yyyy:HH:mm Z')": "2026-01-02 02:04:00.000 UTC",
    "sequence(date '2026-01-01', date '2026-01-03')": "[2026-01-01, 2026-01-02, 2026-01-03]",
    "sequence(date '2026-01-01', date '2026-02-01', interval '1' month)": "[2026-01-01, 2026-02-01]",
    "sequence(3, 1)": "[3, 2, 1]",
    "sequence(1, 5, 2)": "[1, 3, 5]",
    "CAST('abc' AS varchar(2))": "ab",
    "TRY_CAST(12345 AS varchar(3))": "123",
    "current_timezone()": "UTC",
    "is_nan(nan())": "true",
    "infinity()": "Infinity",
    "url_decode('a%20b+c')": "a b c",
    "url_encode('a b&c')": "a+b%26c",
    "url_extract_parameter('https://x/?a=1&b.c=2%203#d', 'b.c')": "2 3",
    "url_extract_parameter('https://x/?a=1', 'b')": None,
    "url_extract_port('https://x:8443/a:1')": "8443",
    "url_extract_port('https://x/a:1')": None,
    "CAST(ROW(1, 'x') AS ROW(a bigint, b varchar))": "{a=1, b=x}",
    "ROW(1, 'x')": "{field0=1, field1=x}",
    "TRY_CAST('x' AS bigint)": None,
    "TRY(1 / 0)": None,
    "IF(1 = 2, 'a')": None,
    "COALESCE(NULL, 'b')": "b",
    "json_extract_scalar('no json', '$.a')": None,
    "json_extract_scalar('{\"a\": null}', '$.a')": None,
    "json_array_length('[1, 2]')": "2",
    "json_format(json_parse('{\"a\": [1]}'))": '{"a":[1]}',
    "CAST(json_parse('{\"a\": \"b\"}') AS map(varchar, varchar))['a']": "b",
    "regexp_extract('abc', 'a(b)', 1)": "b",
    "regexp_extract('abc', 'z')": None,
    "regexp_replace('abcb', '(b)', '<$1>')": "a<b>c<b>",
    "split_part('a/b/c', '/', 2)": "b",
    "split('a,b', ',')": "[a, b]",
    "array_join(ARRAY['a', 'b'], '-')": "a-b",
    "contains(ARRAY['a'], 'a')": "true",
    "filter(ARRAY[1, 2, 3], x -> x > 1)": "[2, 3]",
    "transform(ARRAY['a'], x -> upper(x))": "[A]",
    "any_match(ARRAY[1, 2], x -> x = 2)": "true",
    "all_match(ARRAY[1, 2], x -> x = 2)": "false",
    "none_match(ARRAY[1, 2], x -> x = 3)": "true",
    "sequence(1, 3)": "[1, 2, 3]",
    "slice(ARRAY[1, 2, 3], 2, 2)": "[2, 3]",
    "url_extract_host('https://d-1.awsapps.com/start?x=1')": "d-1.awsapps.com",
    "'a' || 'b'": "ab",
    "ARRAY[1] || 2 || 3": "[1, 2, 3]",
    "1 || ARRAY[2]": "[1, 2]",
    "reverse(ARRAY[1, 2])": "[2, 1]",
    "concat('a', NULL)": None,
    "substr('abcd', 2, 2)": "bc",
    "strpos('abc', 'c')": "3",
    "to_hex(md5(to_utf8('a')))": "0CC175B9C0F1B6A831C399E269772661",
    "X'6162'": "61 62",
    "typeof(1)": "integer",
    # numbers and decimals
    "1.0 / 3": "0.3",
    "1.00 / 3.000": "0.333",
    "100 * 3 / 7.0": "42.9",
    "2.01 / 2.00": "1.01",
    "-2.01 / 2.00": "-1.01",
    "CAST(1 AS double) / 3": "0.3333333333333333",
    "1e0 / 0": "Infinity",
    "0e0 / 0": "NaN",
    "TRY(1 / 0.0)": None,
    "round(1.256, 2)": "1.260",
    "round(DOUBLE '2.5')": "3.0",
    "sign(DOUBLE '-5.5')": "-1.0",
    "cbrt(27)": "3.0",
    "CAST(DOUBLE '2.5' AS integer)": "3",
    "TRY_CAST('1.5' AS integer)": None,
    "TRY_CAST(' 1' AS bigint)": None,
    "TRY_CAST('1e3' AS bigint)": None,
    "TRY_CAST('1e3' AS double)": "1000.0",
    "TRY_CAST('yes' AS boolean)": None,
    "TRY_CAST('2026-01-02T03:04:05Z' AS timestamp)": None,
    "TRY(CAST('x' AS bigint))": None,
    "CAST(1e10 AS varchar)": "1.0E10",
    "CAST(-0.00125e0 AS varchar)": "-1.25E-3",
    "CAST(1e23 AS varchar)": "1.0E23",
    "CAST(0e0 AS varchar)": "0E0",
    "CAST(1.5 AS varchar)": "1.5",
    "CAST(json '\"abc\"' AS varchar)": "abc",
    "CAST(from_iso8601_timestamp('2026-01-02T03:04:05Z') AS varchar)": "2026-01-02 03:04:05.000 UTC",
    "CAST(timestamp '2026-01-02 03:04:05' AS varchar)": "2026-01-02 03:04:05",
    "format('%s%%', 12)": "12%",
    # texts and patterns
    "strpos('abcabc', 'b', 2)": "5",
    "substr('abcd', 0)": "",
    "substr('abcd', -2)": "cd",
    "regexp_extract('a', '(a)|(b)', 2)": None,
    "regexp_extract('a', '(a)(b*)', 2)": "",
    "regexp_replace('a.b', '\\.', '\\$')": "a$b",
    "regexp_replace('ab', '(?<x>a)', '<$1>')": "<a>b",
    "regexp_position('I have 23 apples', '\\b\\d+\\b')": "8",
    "split_to_multimap('a:1;a:3', ';', ':')": "{a=[1, 3]}",
    # times
    "extract(dow FROM date '2026-11-29')": "7",
    "extract(day_of_year FROM date '2026-02-01')": "32",
    "to_iso8601(timestamp '2026-01-02 03:04:05')": "2026-01-02T03:04:05.000",
    "format_datetime(timestamp '2026-01-02 13:04:05', 'EEE, d MMM yyyy h:mm a')": "Fri, 2 Jan 2026 1:04 PM",
    "interval '3' year + interval '5' month": "3-5",
    "interval '14' month": "1-2",
    "- interval '1' month": "-0-1",
    "interval '2' day + interval '25' hour": "3 01:00:00.000",
    "- interval '90' minute": "-0 01:30:00.000",
    "at_timezone(timestamp '2026-01-02 03:04:05 UTC', 'Asia/Tokyo') > timestamp '2026-01-02 04:00:00 UTC'": "false",
    # arrays, maps, JSON
    "element_at(ARRAY[1, 2], 3)": None,
    "array_distinct(ARRAY[2, 1, NULL, 2, NULL])": "[2, 1, null]",
    "array_union(ARRAY[1, 2], ARRAY[2, 3])": "[1, 2, 3]",
    "array_max(ARRAY[1, NULL])": None,
    "array_min(ARRAY[2, 1])": "1",
    "contains(ARRAY[1, NULL], 2)": None,
    "contains(ARRAY[1], 2)": "false",
    "zip_with(ARRAY[1, 2], ARRAY[3, 4], (x, y) -> x + y)": "[4, 6]",
    "map_filter(MAP(ARRAY['a', 'b'], ARRAY[1, 2]), (k, v) -> v > 1)": "{b=2}",
    "transform_keys(MAP(ARRAY['a'], ARRAY[1]), (k, v) -> upper(k))": "{A=1}",
    "transform_values(MAP(ARRAY['a'], ARRAY[1]), (k, v) -> k || CAST(v AS varchar))": "{a=a1}",
    "cardinality(MAP(ARRAY['a'], ARRAY[1]))": "1",
    "json_array_get('[\"a\"]', 0)": "a",
    "json_parse('[1, 2]')": "[1,2]",
    # names of types
    "typeof(1.0)": "decimal(2,1)",
    "typeof('abc')": "varchar(3)",
    "typeof(NULL)": "unknown",
    "typeof(MAP(ARRAY['a'], ARRAY[ARRAY[1]]))": "map(varchar, array(integer))",
    "typeof(CAST(ROW(1, 2e0) AS ROW(x bigint, y double)))": "row(x bigint, y double)",
    "typeof(ROW(1, 'x'))": "row(integer, varchar)",
    "typeof(now())": "timestamp(3) with time zone",
    "typeof(1.0 / 3)": "decimal(2,1)",
    "typeof(X'61')": "varbinary",
}


def test_values_are_written_as_athena_writes_them(engine):
    row = engine.run("SELECT " + ", ".join(VALUES))[1]
    assert dict(zip(VALUES, row, strict=True)) == VALUES


def test_columns_have_the_names_and_types_that_athena_gives_them(engine):
    engine.run(
        "SELECT count(*), eventname, useridentity.arn, sum(1) AS s, 1.5 AS d, resources, tlsdetails, "
        "json_parse('1') AS j, MAP(ARRAY[1], ARRAY[2]) AS m FROM cloudtrail_logs GROUP BY 2, 3, 6, 7 LIMIT 1"
    )
    assert [(one["Name"], one["Type"]) for one in engine.outcome.columns] == [
        ("_col0", "bigint"),
        ("eventname", "varchar"),
        ("arn", "varchar"),
        ("s", "bigint"),
        ("d", "decimal"),
        ("resources", "array"),
        ("tlsdetails", "row"),
        ("j", "json"),
        ("m", "map"),
    ]


def test_a_star_has_the_columns_of_the_table_and_then_its_partitions(engine):
    header = engine.run("SELECT * FROM cloudtrail_logs LIMIT 1")[0]
    assert (header[0], header[-1]) == ("eventversion", "timestamp")
    assert engine.run('SELECT *, "$path" FROM cloudtrail_logs LIMIT 1')[0] == [*header, "$path"]


def test_structs_have_the_names_of_the_table_and_text_keeps_its_own(engine):
    rows = engine.run(
        "SELECT useridentity.sessioncontext.attributes, resources, requestparameters FROM cloudtrail_logs "
        "WHERE eventname = 'PutObject'"
    )
    assert rows[1] == [
        "{mfaauthenticated=false, creationdate=2026-11-29T09:00:00Z}",
        "[{arn=arn:aws:s3:::papers, accountid=111122223333, type=AWS::S3::Bucket}, "
        "{arn=arn:aws:s3:::papers/x, accountid=null, type=AWS::S3::Object}]",
        '{"bucketName":"papers","tags":["a","b"],"inner":{"a.b":1}}',
    ]


# condition → bytes that the query reads
PRUNED = [
    ("", ALL_BYTES),
    ("WHERE \"timestamp\" = '2026/11/29'", OF_THE_29TH),
    ("WHERE t.timestamp >= '2026/11/29' AND eventname <> 'x'", OF_THE_29TH),
    ("WHERE timestamp BETWEEN '2026/11/01' AND '2026/11/27'", 0),
    ("WHERE timestamp IN ('2026/11/28', '2026/11/29')", ALL_BYTES),
    ("WHERE timestamp LIKE '2026/11/2%' AND timestamp > '2026/11/28'", OF_THE_29TH),
    ("WHERE timestamp = date_format(current_date - interval '1' day, '%Y/%m/%d')", OF_THE_29TH),
    ("WHERE timestamp = '2026/11/29' OR eventname = 'ListBuckets'", ALL_BYTES),
    ("WHERE eventtime > '2026-11-29'", ALL_BYTES),
]


@pytest.mark.parametrize(("condition", "scanned"), PRUNED)
def test_only_the_partitions_that_a_query_needs_are_read_and_counted(engine, condition, scanned):
    engine.run(f"SELECT count(*) FROM cloudtrail_logs t {condition}")
    assert engine.outcome.scanned == scanned


def test_a_table_that_stands_twice_in_a_query_is_pruned_for_neither_alone(engine):
    query = (
        "SELECT count(*) FROM cloudtrail_logs a JOIN (SELECT * FROM cloudtrail_logs WHERE timestamp = '2026/11/28') b "
        "ON a.eventname = b.eventname WHERE a.timestamp = '2026/11/29'"
    )
    assert engine.run(query)[1:] == [["0"]]
    assert engine.outcome.scanned == ALL_BYTES


def test_the_right_side_of_a_left_join_is_not_pruned_by_a_later_condition(engine):
    query = (
        "SELECT count(*) FROM (SELECT 1 AS x) o LEFT JOIN cloudtrail_logs c ON c.eventname = 'GetObject' "
        "WHERE c.timestamp IS NULL"
    )
    assert engine.run(query)[1:] == [["0"]]


def test_days_outside_of_the_projections_range_are_not_there(engine):
    count = engine.run("SELECT count(*) FROM cloudtrail_logs", now=1_764_288_000.0)[1:]
    assert count == [["0"]]  # a year before: NOW is before the range


def test_an_object_is_read_from_s3_once_and_again_when_it_changes(tmp_path):
    engine = EngineHarness(tmp_path)
    engine.run(CLOUDTRAIL_TABLE)
    for _ in range(2):
        assert engine.run("SELECT count(*) FROM cloudtrail_logs")[1:] == [["4"]]
    assert sorted(engine.fetched) == sorted(OBJECTS)
    key = f"{TRAIL}/2026/11/29/two.json.gz"
    engine.stored["trail", key] = trail_object(event("One", "2026-11-29T01:00:00Z"), event("Two", "x"))
    assert engine.run("SELECT count(*) FROM cloudtrail_logs")[1:] == [["5"]]
    assert engine.fetched.count(key) == 2
    assert {path.name for path in engine.folder.iterdir()} == {"result"}  # nothing else is left behind


def test_records_may_be_written_in_other_ways(tmp_path):
    """Unpacked, with blanks, with other members, in several gzip members, or none at all."""
    engine = EngineHarness(tmp_path)
    engine.run(CLOUDTRAIL_TABLE)
    one = event("One", "2026-11-29T01:00:00Z")
    texts = [
        json.dumps({"Records": [one]}, indent=2).encode(),
        json.dumps({"Other": 1, "Records": [one]}).encode(),
        gzip.compress(b'{"Records": [', mtime=0) + gzip.compress(json.dumps(one).encode() + b"]}\n"),
        b'{"Records": []}',
    ]
    engine.stored = {
        ("trail", f"{TRAIL}/2026/11/29/{number}.json"): text for number, text in enumerate(texts)
    }
    assert engine.run("SELECT eventname, count(*) FROM cloudtrail_logs GROUP BY 1")[1:] == [["One", "3"]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"not json", "HIVE_BAD_DATA"),
        (b'{"Records": [{"eventName": ]}', "HIVE_BAD_DATA"),
        (b"\x1f\x8b damaged", "damaged"),
        (gzip.compress(b'{"Records": []}', mtime=0)[:-9], "ends too early"),
    ],
)
def test_a_damaged_object_is_named_and_nothing_of_this_machine(tmp_path, text, said):
    engine = EngineHarness(tmp_path)
    engine.run(CLOUDTRAIL_TABLE)
    engine.stored["trail", f"{TRAIL}/2026/11/29/bad.json"] = text
    failure = engine.failure("SELECT count(*) FROM cloudtrail_logs")
    assert said in failure.reason
    assert str(tmp_path) not in failure.reason
    assert engine.run("SELECT count(*) FROM cloudtrail_logs WHERE timestamp = '2026/11/28'")[1:] == [["2"]]


# --- parameters, in place of question marks

PARAMETERS = [
    ("SELECT ?", ["1"], [["1"]]),
    ("SELECT ?", ["'it''s'"], [["it's"]]),
    ("SELECT ?", ["plain words"], [["plain words"]]),
    ("SELECT ?, ?", ["-1", "date '2026-01-02'"], [["-1", "2026-01-02"]]),
    ("SELECT 'a?b', ? WHERE 1 < ?", ["'x'", "2"], [["a?b", "x"]]),
    (
        "SELECT eventname FROM cloudtrail_logs WHERE eventname IN (?, ?) LIMIT ?",
        ["'x'", "'PutObject'", "1"],
        [["PutObject"]],
    ),
    ("SELECT ?", ["(SELECT count(*) FROM cloudtrail_logs)"], [["(SELECT count(*) FROM cloudtrail_logs)"]]),
]


@pytest.mark.parametrize(("query", "values", "rows"), PARAMETERS)
def test_parameters_stand_where_the_question_marks_are(engine, query, values, rows):
    assert engine.run(query, *values)[1:] == rows


def test_parameters_prune_too(engine):
    engine.run("SELECT count(*) FROM cloudtrail_logs WHERE timestamp = ?", "'2026/11/29'")
    assert engine.outcome.scanned == OF_THE_29TH


# --- what is wrong, a row each: reason, number
# fmt: off
# ruff: noqa: E501

WRONG = [
    ("SELECT nobody FROM cloudtrail_logs", "COLUMN_NOT_FOUND: line 1:8: Column 'nobody' cannot be resolved", 1006),
    ("SELECT eventname,\n  c.nobody FROM cloudtrail_logs c", "COLUMN_NOT_FOUND: line 2:3: Column 'c.nobody' cannot be resolved", 1006),
    ("SELECT useridentity.nobody FROM cloudtrail_logs", "COLUMN_NOT_FOUND: line 1:8: Column 'useridentity.nobody' cannot be resolved", 1006),
    ("SELECT x.eventname FROM cloudtrail_logs", "COLUMN_NOT_FOUND: line 1:8: Column 'x.eventname' cannot be resolved", 1006),
    ("SELECT * FROM nowhere", "TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.default.nowhere' does not exist", 1110),
    ("SELECT * FROM other.t", "TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.other.t' does not exist", 1110),
    ("SELECT eventname, count(*) FROM cloudtrail_logs", "EXPRESSION_NOT_AGGREGATE: line 1:8: 'eventname' must be an aggregate expression or appear in GROUP BY clause", 1006),
    ("SELECT eventname FROM cloudtrail_logs a, cloudtrail_logs b", "AMBIGUOUS_NAME: line 1:8: Column 'eventname' is ambiguous", 1006),
    ("SELECT * FROM sequence(1, 2)", "NOT_SUPPORTED: line 1:15: a function in place of a table", 1200),
    ("SELECT r.arn FROM cloudtrail_logs, UNNEST(resources) AS r(arn, accountid, type)", "SYNTAX_ERROR: line 1:1: Column alias list has 3 entries but 'r' has 1 columns available", 1006),
    ("SELECT CAST(sourceipaddress AS IPADDRESS) FROM cloudtrail_logs", "NOT_SUPPORTED: line 1:1: the sandbox's Athena has no type IPADDRESS: compare addresses as text, such as address LIKE '10.%'", 1200),
    ("SELECT * FROM information_schema.tables", "NOT_SUPPORTED: line 1:15: the sandbox's Athena has no information_schema and no $partitions; use SHOW TABLES, SHOW COLUMNS, SHOW PARTITIONS", 1200),
    ('SELECT * FROM "cloudtrail_logs$partitions"', "NOT_SUPPORTED: line 1:15: the sandbox's Athena has no information_schema and no $partitions; use SHOW TABLES, SHOW COLUMNS, SHOW PARTITIONS", 1200),
    ("PREPARE q FROM SELECT 1", "NOT_SUPPORTED: line 1:1: the sandbox's Athena has no PREPARE: give the values of question marks as ExecutionParameters of StartQueryExecution", 1200),
    ("/* x */ execute q", "NOT_SUPPORTED: line 1:1: the sandbox's Athena has no EXECUTE: give the values of question marks as ExecutionParameters of StartQueryExecution", 1200),
    ("SELECT string_agg('a', ',')", "FUNCTION_NOT_FOUND: line 1:8: Function 'string_agg' not registered", 1303),
    ("SELECT nofunction(1)", "FUNCTION_NOT_FOUND: line 1:8: Function 'nofunction' not registered", 1303),
    ("SELECT\n  sum('x')", "FUNCTION_NOT_FOUND: line 2:3: Unexpected parameters for function sum", 1303),
    ("SELEC 1", "SYNTAX_ERROR: line 1:7: mismatched input '1'", 1006),
    ("SELECT * FRM cloudtrail_logs", "SYNTAX_ERROR: line 1:14: mismatched input 'cloudtrail_logs'", 1006),
    ("SELECT 'x", "SYNTAX_ERROR: line 1:1: a quotation mark or comment has no end", 1006),
    ("SELECT FROM cloudtrail_logs", "SYNTAX_ERROR: line 1:13: SELECT names no columns", 1006),
    ("WHAT IS THIS", "SYNTAX_ERROR: line 1:1: mismatched input 'WHAT'. Expecting: a query", 1006),
    ("SELECT 1; SELECT 2", "Only one sql statement is allowed. Found: SELECT 1; SELECT 2", 1200),
    ("SELECT CAST('x' AS bigint)", "INVALID_CAST_ARGUMENT: Cannot cast 'x' to BIGINT", 1006),
    ("SELECT CAST('1.5' AS integer)", "INVALID_CAST_ARGUMENT: Cannot cast '1.5' to INT", 1006),
    ("SELECT CAST('2026-01-02T03:04:05Z' AS timestamp)", "INVALID_CAST_ARGUMENT: Value cannot be cast to timestamp: 2026-01-02T03:04:05Z", 1006),
    ("SELECT CAST(70000 AS smallint)", "NUMERIC_VALUE_OUT_OF_RANGE: line 1:1: Out of range: 70000", 1006),
    ("SELECT CAST(ARRAY[1] AS varchar)", "TYPE_MISMATCH: Cannot cast INTEGER[] to varchar", 1006),
    ("SELECT 1.0 / 0", "DIVISION_BY_ZERO: Division by zero", 1006),
    ("SELECT ARRAY[1, 2][3]", "INVALID_FUNCTION_ARGUMENT: Array subscript must be less than or equal to array length: 3 > 2", 1006),
    ("SELECT MAP(ARRAY['a'], ARRAY[1])['b']", "INVALID_FUNCTION_ARGUMENT: Key not present in map: b", 1006),
    ("SELECT split_part('a', ',', 0)", "INVALID_FUNCTION_ARGUMENT: Index must be greater than zero", 1006),
    ("SELECT 1 FROM cloudtrail_logs WHERE recipientaccountid = 111122223333", "TYPE_MISMATCH: line 1:37: Cannot apply operator: varchar = integer", 1006),
    ("SELECT 1 FROM cloudtrail_logs WHERE readonly IN (true)", "TYPE_MISMATCH: line 1:37: Cannot apply operator: varchar IN boolean", 1006),
    ("SELECT 1 FROM cloudtrail_logs WHERE from_iso8601_timestamp(eventtime) > '2026-11-29'", "TYPE_MISMATCH: line 1:37: Cannot apply operator: timestamp(3) with time zone > varchar", 1006),
    ("SELECT 'n: ' || count(*) FROM cloudtrail_logs", "FUNCTION_NOT_FOUND: line 1:8: Unexpected parameters (varchar, bigint) for function concat", 1303),
    ("SELECT eventname AS e FROM cloudtrail_logs WHERE e = 'x'", "COLUMN_NOT_FOUND: line 1:50: Column 'e' cannot be resolved", 1006),
    ("SELECT eventname AS e, count(*) FROM cloudtrail_logs GROUP BY e", "COLUMN_NOT_FOUND: line 1:63: Column 'e' cannot be resolved", 1006),
    ("SELECT count(*) AS c FROM cloudtrail_logs HAVING c > 1", "COLUMN_NOT_FOUND: line 1:50: Column 'c' cannot be resolved", 1006),
    ("SELECT json_value(requestparameters, 'lax $.a') FROM cloudtrail_logs", "NOT_SUPPORTED: line 1:8: the sandbox's Athena does not have Trino's function json_value: use json_extract_scalar", 1200),
    ("SELECT map_zip_with(1, 2, 3)", "NOT_SUPPORTED: line 1:8: the sandbox's Athena does not have Trino's function map_zip_with", 1200),
    ("SELECT ends_with('abc', 'c')", "FUNCTION_NOT_FOUND: line 1:8: Function 'ends_with' not registered", 1303),
    ("SELECT regexp_replace('a', '(a)', x -> upper(x[1]))", "NOT_SUPPORTED: line 1:1: regexp_replace with a function; use a text with $1", 1200),
    ("SELECT format_datetime(now(), 'yyyy-QQ')", "NOT_SUPPORTED: line 1:1: the sandbox's Athena does not know 'QQ' in a time's format", 1200),
    ("SELECT eventname FROM cloudtrail_logs LIMIT 1 OFFSET 1", "SYNTAX_ERROR: line 1:47: mismatched input 'OFFSET'. Expecting: <EOF>", 1006),
    ("SELECT eventname::varchar FROM cloudtrail_logs", "SYNTAX_ERROR: line 1:17: mismatched input '::'", 1006),
    ("SELECT [1, 2]", "SYNTAX_ERROR: line 1:8: mismatched input '['", 1006),
    ("SELECT {'a': 1}", "SYNTAX_ERROR: line 1:8: mismatched input '{'", 1006),
    ("SELECT 1 FROM cloudtrail_logs WHERE eventname ILIKE 'p%'", "SYNTAX_ERROR: line 1:47: mismatched input 'ILIKE'", 1006),
    ("SELECT eventname FROM cloudtrail_logs GROUP BY ALL", "SYNTAX_ERROR: line 1:1: mismatched input 'ALL'", 1006),
    ("SELECT DISTINCT ON (eventname) eventname FROM cloudtrail_logs", "SYNTAX_ERROR: line 1:21: mismatched input 'ON'", 1006),
    ("SELECT 1 FROM cloudtrail_logs USING SAMPLE 1", "SYNTAX_ERROR: line 1:37: mismatched input 'SAMPLE'", 1006),
    ("SELECT a.eventname FROM cloudtrail_logs a SEMI JOIN cloudtrail_logs b ON a.eventname = b.eventname", "SYNTAX_ERROR: line 1:53: mismatched input 'SEMI'", 1006),
    ("SELECT 1 / 0", "DIVISION_BY_ZERO: Division by zero", 1006),
    ("SELECT 1 WHERE 1 = ?", "INVALID_PARAMETER_USAGE: line 1:1: Incorrect number of parameters: expected 1 but found 0", 1006),
    ("EXPLAIN SELECT nobody FROM cloudtrail_logs", "COLUMN_NOT_FOUND: line 1:16: Column 'nobody' cannot be resolved", 1006),
]
# fmt: on


@pytest.mark.parametrize(("query", "reason", "number"), WRONG)
def test_a_wrong_query_says_what_is_wrong_and_where(engine, query, reason, number):
    fetched = len(engine.fetched)
    failure = engine.failure(query)
    assert (failure.reason, failure.error_type, failure.category) == (reason, number, 2)
    assert len(engine.fetched) == fetched, "objects were read for a query that cannot run"


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE copy AS SELECT 1 AS x",
        "CREATE TABLE default.copy WITH (format = 'PARQUET', external_location = 's3://b/') AS SELECT 1 AS x",
        "UNLOAD (SELECT 1) TO 's3://results/x' WITH (format = 'PARQUET')",
        "INSERT INTO cloudtrail_logs VALUES (1)",
        "DELETE FROM cloudtrail_logs",
        "MERGE INTO cloudtrail_logs USING denied ON true WHEN MATCHED THEN DELETE",
    ],
)
def test_what_writes_tables_is_refused_by_name(engine, text):
    """A success without the files that it promises is an empty table without an error to some clients."""
    failure = engine.failure(text)
    assert failure.error_type == 1200
    assert "ctas_approach=False" in failure.reason


def test_explain_shows_a_plan(engine):
    assert any(
        "Read Parquet" in str(line) for line in engine.run("EXPLAIN SELECT count(*) FROM cloudtrail_logs")
    )
