"""Unmodified clients of Athena: PyAthena, the AWS CLI, and awswrangler where it is installed."""

from __future__ import annotations

import json
import os
import subprocess

import pyathena
import pytest
from athena_harness import CLOUDTRAIL_TABLE, AthenaClient
from pyathena.error import OperationalError
from pyathena.pandas.cursor import PandasCursor
from sandbox_clients import GatewayClient, SandboxProcess

from idc_aws.signin.terminal import find_command_line

WHY = "awswrangler brings pyarrow, 150 MB: install it to run this test"
NAMES = "SELECT eventname, count(*) AS n FROM cloudtrail_logs GROUP BY 1 ORDER BY 1"
EXPECTED = [("CreateToken", 1), ("GetObject", 1), ("ListBuckets", 1), ("PutObject", 1)]


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    process = SandboxProcess(tmp_path_factory.mktemp("clients") / "state")
    athena = AthenaClient(process)
    athena.rows(CLOUDTRAIL_TABLE)
    yield athena
    process.stop()


@pytest.fixture
def environment(house, monkeypatch):
    """The environment that leads a client to the sandbox."""
    key, secret = house.clients.administrator_key()
    values = {
        "AWS_ENDPOINT_URL": house.clients.endpoint_url,
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return values


@pytest.fixture
def connection(environment):
    return pyathena.connect(
        s3_staging_dir="s3://results/pyathena/", region_name="us-east-1", poll_interval=0.1
    )


def test_pyathena_reads_rows_and_says_what_is_wrong(connection):
    cursor = connection.cursor()
    assert cursor.execute(NAMES).fetchall() == EXPECTED
    assert [one[:2] for one in cursor.description] == [("eventname", "varchar"), ("n", "bigint")]
    cursor.execute(
        "SELECT eventname FROM cloudtrail_logs WHERE eventname = ?", ["'PutObject'"], paramstyle="qmark"
    )
    assert cursor.fetchall() == [("PutObject",)]
    many = cursor.execute("SELECT x FROM unnest(sequence(1, 2500)) AS t(x)").fetchall()
    assert many == [(number,) for number in range(1, 2501)]
    cursor.execute(
        "SELECT resources, timestamp '2026-01-02 03:04:05', decimal '1.5', NULL FROM cloudtrail_logs "
        "WHERE eventname = 'PutObject'"
    )
    (row,) = cursor.fetchall()
    assert (str(row[1]), str(row[2]), row[3]) == ("2026-01-02 03:04:05", "1.5", None)
    with pytest.raises(OperationalError, match="COLUMN_NOT_FOUND: line 1:8"):
        cursor.execute("SELECT nobody FROM cloudtrail_logs")
    assert cursor.execute("SHOW TABLES").fetchall() == [("cloudtrail_logs",)]
    assert cursor.get_table_metadata("cloudtrail_logs", schema_name="default").table_type == "EXTERNAL_TABLE"
    assert [one.name for one in cursor.list_databases("AwsDataCatalog")] == ["default"]


def test_pyathenas_pandas_cursor_reads_the_object(connection):
    frame = connection.cursor(PandasCursor).execute(NAMES).as_pandas()
    assert list(frame.itertuples(index=False, name=None)) == EXPECTED


def test_awswrangler_reads_a_frame(environment):
    wrangler = pytest.importorskip("awswrangler", reason=WHY)
    import boto3

    session = boto3.Session()
    for name in ("s3", "athena", "sts"):
        setattr(wrangler.config, f"{name}_endpoint_url", environment["AWS_ENDPOINT_URL"])
    options = {
        "database": "default",
        "ctas_approach": False,
        "s3_output": "s3://results/wrangler/",
        "boto3_session": session,
    }
    frame = wrangler.athena.read_sql_query(NAMES, **options)
    assert list(frame.itertuples(index=False, name=None)) == EXPECTED
    kept = wrangler.athena.read_sql_query(NAMES, keep_files=False, **options)
    assert len(kept) == 4
    with pytest.raises(wrangler.exceptions.QueryFailed, match="COLUMN_NOT_FOUND"):
        wrangler.athena.read_sql_query("SELECT nobody FROM cloudtrail_logs", **options)
    with pytest.raises(wrangler.exceptions.QueryFailed, match="ctas_approach=False"):
        wrangler.athena.read_sql_query(NAMES, **{**options, "ctas_approach": True})
    assert (
        wrangler.athena.start_query_execution(
            "SELECT 1", wait=True, database="default", s3_output="s3://results/w/", boto3_session=session
        )["Status"]["State"]
        == "SUCCEEDED"
    )


def test_the_aws_command_line_finds_events_and_runs_a_query(house, environment):
    command = find_command_line()
    if command is None:
        pytest.skip("no AWS CLI v2 is on the path")

    def aws(*arguments):
        run = subprocess.run(
            # An AWS CLI before 2.13 knows no AWS_ENDPOINT_URL.
            [
                command.program,
                *arguments,
                "--output",
                "json",
                "--endpoint-url",
                environment["AWS_ENDPOINT_URL"],
            ],
            env={**os.environ, **environment},
            check=False,
            capture_output=True,
            text=True,
        )
        assert run.returncode == 0, run.stderr
        return json.loads(run.stdout or "{}")

    house.clients.client("s3").create_bucket(Bucket="named-in-an-event")
    named = "AttributeKey=EventName,AttributeValue=CreateBucket"
    events = aws("cloudtrail", "lookup-events", "--lookup-attributes", named)["Events"]
    assert events[0]["Resources"][0]["ResourceName"] == "named-in-an-event"

    started = aws(
        "athena",
        "start-query-execution",
        "--query-string",
        NAMES,
        "--result-configuration",
        "OutputLocation=s3://results/cli/",
    )
    query = ("--query-execution-id", started["QueryExecutionId"])
    while aws("athena", "get-query-execution", *query)["QueryExecution"]["Status"]["State"] in (
        "QUEUED",
        "RUNNING",
    ):
        pass
    rows = aws("athena", "get-query-results", *query)["ResultSet"]["Rows"]
    assert [cell["VarCharValue"] for cell in rows[1]["Data"]] == ["CreateToken", "1"]
    assert aws("athena", "list-databases", "--catalog-name", "AwsDataCatalog")["DatabaseList"] == [
        {"Name": "default"}
    ]


def test_boto3_in_this_process_and_over_the_wire_say_the_same(house, tmp_path):
    gateway = GatewayClient(tmp_path)
    inside = AthenaClient(gateway)
    inside.rows(CLOUDTRAIL_TABLE)
    assert inside.rows(NAMES) == house.rows(NAMES)
    gateway.store.close()
