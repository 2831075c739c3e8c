"""``kill -9`` while Athena works: tables, results and saved queries stay; a query that ran has failed."""

from __future__ import annotations

import os
import subprocess
import sys

from athena_harness import CLOUDTRAIL_TABLE, AthenaClient
from patience import until
from test_athena_api import ENDLESS


def test_what_athena_answered_is_there_after_a_kill(fresh_sandbox):
    house = AthenaClient(fresh_sandbox)
    house.rows(CLOUDTRAIL_TABLE)
    counted = house.run("SELECT count(*) FROM cloudtrail_logs")["QueryExecutionId"]
    named = house.athena.create_named_query(Name="n", Database="default", QueryString="SELECT 1")[
        "NamedQueryId"
    ]
    running = [house.start(ENDLESS) for _ in range(2)]
    until(lambda: all(house.execution(one)["Status"]["State"] == "RUNNING" for one in running), "two queries")
    waiting = house.start("SELECT 5")
    assert house.execution(waiting)["Status"]["State"] == "QUEUED"
    workers = children_of(fresh_sandbox.running.pid)
    assert len(workers) >= 2
    fresh_sandbox.kill()
    until(lambda: not any(is_alive(pid) for pid in workers), "the end of the queries' processes")
    folder = fresh_sandbox.folder.path / "athena"
    assert len(list(folder.glob("query-*"))) == 2
    fresh_sandbox.start()
    house.athena = fresh_sandbox.client("athena")
    for query_id in running:
        status = house.execution(query_id)["Status"]
        assert (status["State"], status["AthenaError"]["ErrorCategory"]) == ("FAILED", 1)
        assert "stopped while the query ran" in status["StateChangeReason"]
    assert house.ended(waiting)["Status"]["State"] == "SUCCEEDED"
    until(lambda: not list(folder.glob("query-*")), "the end of what the queries needed for a moment")
    rows = house.athena.get_query_results(QueryExecutionId=counted)["ResultSet"]["Rows"]
    assert rows[1]["Data"] == [{"VarCharValue": "4"}]
    assert house.athena.get_named_query(NamedQueryId=named)["NamedQuery"]["Name"] == "n"
    assert house.rows("SELECT count(*) FROM cloudtrail_logs")[1:] == [["4"]]
    assert house.athena.list_query_executions()["QueryExecutionIds"][-1] != waiting


def children_of(pid):
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=True
    )
    return [int(one) for one in listed.stdout.split()]


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_reset_forgets_what_queries_have_read(fresh_sandbox):
    house = AthenaClient(fresh_sandbox)
    house.rows(CLOUDTRAIL_TABLE)
    house.rows("SELECT count(*) FROM cloudtrail_logs")
    folder = fresh_sandbox.folder.path / "athena"
    files = list(folder.glob("cache/*.parquet"))
    assert files
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in files)
    fresh_sandbox.stop()
    assert fresh_sandbox.folder.is_sandbox()
    fresh_sandbox.folder.delete_files()
    assert not folder.exists()


def test_neither_duckdb_nor_sqlglot_is_imported_before_a_query():
    script = (
        "import sys, idc_sandbox.gateway, idc_sandbox.server\n"
        "late = ('duckdb', 'sqlglot', 'idc_sandbox.athena.queue')\n"
        "print([name for name in late if name in sys.modules])\n"
        "import idc_sandbox.athena.operations, idc_sandbox.athena.queue\n"
        "print([name for name in late[:2] if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n[]\n"


def test_a_spare_process_whose_sandbox_is_gone_ends_without_a_word():
    code = "from idc_sandbox.athena.engine.worker import main; main()"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, stderr=pipe) as spare:
        spare.stdout.close()  # before it says that it is ready
        assert (spare.wait(60), spare.stderr.read()) == (1, b"")
