import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from idc_aws.errors import InvalidValueError, NotFoundError, ParametersError
from idc_aws.scenario.reading import scenario_json_schema
from idc_runner.cli import sandbox

KIT = Path(__file__).parents[3]


@pytest.fixture
def called(monkeypatch):
    seen = []

    def run(command, **_options):
        seen.append(command)
        return SimpleNamespace(returncode=3)

    monkeypatch.setattr(sandbox.subprocess, "run", run)
    return seen


@pytest.mark.parametrize(
    ("given", "passed_on"),
    [
        (["start"], ["start"]),
        (
            ["start", "--port", "0", "--seed", "7", "--json"],
            ["start", "--port=0", "--seed=7", "--json"],
        ),
        (
            ["start", "--frame-ancestor", "http://a.example", "--frame-ancestor", "http://b.example"],
            ["start", "--frame-ancestor=http://a.example", "--frame-ancestor=http://b.example"],
        ),
        (["stop", "--state", "there"], ["stop", "--state=there"]),
        (["status", "--json"], ["status", "--json"]),
        (["reset", "--seed", "7"], ["reset", "--seed=7"]),
        (["env"], ["env"]),
        (["clock", "--advance", "5m"], ["clock", "--advance=5m"]),
        (["clock", "--advance=-5m"], ["clock", "--advance=-5m"]),
        (["clock", "--reset", "--json"], ["clock", "--reset", "--json"]),
        (["switches"], ["switches"]),
        (["switches", "trail=false", "latency_s=1"], ["switches", "trail=false", "latency_s=1"]),
    ],
)
def test_the_sandbox_is_spoken_to_as_a_process_and_its_exit_status_is_ours(idc, called, given, passed_on):
    assert idc("sandbox", *given).exit_code == 3
    assert called == [[sys.executable, "-m", "idc_sandbox", *passed_on]]


def test_an_impossible_port_is_refused_before_anything_is_called(idc, called):
    assert idc("sandbox", "start", "--port", "65536").exit_code == 2
    assert called == []


def test_a_scenario_that_is_fine_is_summed_up(idc):
    done = idc("parameters", "check", str(KIT / "parameters" / "sandbox.yaml"))
    assert done.exit_code == 0
    assert "fine. Target sandbox, Region us-east-1: 3 permission sets, 3 groups" in done.output


def test_a_scenario_with_problems_is_refused_with_all_of_them(idc, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        'region: us-east-1\nexpected_account: 012345670123\nusers:\n  - user_name: "ana"\n', "utf-8"
    )
    done = idc("parameters", "check", str(path))
    assert isinstance(done.exception, ParametersError)
    assert {problem.path for problem in done.exception.problems} >= {
        "expected_account",
        "users[0].given_name",
    }


def test_the_schema_is_printed_or_written(idc, tmp_path):
    assert json.loads(idc("parameters", "schema").output) == scenario_json_schema()
    assert idc("parameters", "schema", "--out", str(tmp_path / "schema.json")).exit_code == 0
    assert json.loads((tmp_path / "schema.json").read_text("utf-8")) == scenario_json_schema()


def test_undo_of_an_unknown_run_says_where_it_looked(idc, tmp_path):
    done = idc("undo", "20261123-054500", "--out", str(tmp_path))
    assert isinstance(done.exception, NotFoundError)
    assert str(tmp_path) in str(done.exception)


def test_undo_names_the_lines_that_are_no_receipts_before_it_asks(idc, tmp_path):
    (tmp_path / "20261123-054500").mkdir()
    (tmp_path / "20261123-054500" / "receipts.jsonl").write_bytes(b"half of a li\n" + b"[]\n" * 30)
    done = idc("undo", "20261123-054500", "--out", str(tmp_path))
    assert done.exit_code == 3
    assert "receipts.jsonl, so what it names is not undone: line 1: is not a JSON object; l" in done.output
    assert done.output.endswith("and 11 more\n\nVerdict: 0 undone, 0 left alone, 31 unreadable.\n")


@pytest.mark.parametrize("only", ["", ",", " , "])
def test_an_empty_list_of_notebooks_is_refused_and_never_means_all(idc, only):
    done = idc("run", "--only", only, "--engine", "kernel")
    assert isinstance(done.exception, InvalidValueError)
    assert "no notebook is called" in str(done.exception)
