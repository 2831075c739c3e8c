import ast
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from idc_helpers.cli import lab_commands, sandbox_commands
from idc_helpers.errors import NotFoundError, ParametersError
from idc_helpers.parameters import scenario_json_schema

KIT = Path(__file__).parents[3]


@pytest.fixture
def called(monkeypatch):
    seen = []

    def run(command, **_options):
        seen.append(command)
        return SimpleNamespace(returncode=3)

    monkeypatch.setattr(sandbox_commands.subprocess, "run", run)
    return seen


@pytest.mark.parametrize(
    ("given", "passed_on"),
    [
        (["start"], ["start"]),
        (
            ["start", "--port", "0", "--seed", "7", "--json"],
            ["start", "--port", "0", "--seed", "7", "--json"],
        ),
        (["stop", "--state", "there"], ["stop", "--state", "there"]),
        (["status", "--json"], ["status", "--json"]),
        (["reset", "--seed", "7"], ["reset", "--seed", "7"]),
        (["env"], ["env"]),
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


@pytest.mark.parametrize(("user_id", "more"), [(1000, []), (0, ["--allow-root"])])
def test_the_lab_opens_the_first_notebook_with_the_sandbox_running(idc, monkeypatch, user_id, more):
    became = []
    monkeypatch.setattr(lab_commands.os, "geteuid", lambda: user_id)
    sandbox = SimpleNamespace(endpoint_url="http://127.0.0.1:1")
    monkeypatch.setattr("idc_helpers.sandbox_starter.start_sandbox", lambda: sandbox)
    monkeypatch.setattr(lab_commands.os, "execv", lambda path, command: became.append(command))
    monkeypatch.chdir(KIT / "notebooks")
    done = idc("lab", "--no-browser", "--port", "8899")
    assert "http://127.0.0.1:1" in done.output
    first = "notebooks/00_start_here.ipynb"
    [[*command, settings, opened]] = became
    assert command == [sys.executable, "-m", "jupyterlab", "--no-browser", "--port=8899", *more]
    assert opened == first
    name, _, values = settings.partition("=")
    assert name == "--ServerApp.terminado_settings"
    shell, _, script = ast.literal_eval(values)["shell_command"]
    assert (shell, f'"{sys.executable}" -m idc_sandbox env' in script) == ("/bin/sh", True)
    assert (Path.cwd() / first).exists()


def test_undo_of_an_unknown_run_says_where_it_looked(idc, tmp_path):
    done = idc("undo", "20261123-054500", "--out", str(tmp_path))
    assert isinstance(done.exception, NotFoundError)
    assert str(tmp_path) in str(done.exception)
