"""The owner's commands: the clock and the switches, from a terminal."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from athena_harness import ENDED
from patience import PATIENCE_S, until

from idc_runner.cli.sandbox import clock
from idc_sandbox.__main__ import main
from idc_sandbox.switches import DEFAULTS


@pytest.fixture
def said(sandbox, capsys):
    """Return a function that runs a command, and gives its exit status, what it printed, and its errors."""
    before = sandbox.switches()

    def run(*arguments: str) -> tuple[int, str, str]:
        try:
            status = main([*arguments, "--state", str(sandbox.folder.path)])
        except SystemExit as ended:
            status = int(ended.code or 0)
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    yield run
    sandbox.switches(**before)
    sandbox.control("POST", "clock", {"reset": True})


@pytest.mark.parametrize(
    ("length", "seconds"), [("300", 300), ("90s", 90), ("5m", 300), ("2h", 7200), ("1.5d", 129_600)]
)
def test_the_clock_is_moved_ahead_and_back(said, length, seconds):
    status, printed, _ = said("clock", "--advance", length, "--json")
    assert (status, json.loads(printed)["offset_s"]) == (0, seconds)
    assert "ahead of this machine's." in said("clock")[1]
    assert "ahead" not in said("clock", "--reset")[1]


@pytest.mark.parametrize("length", ["0", "-5", "5x", "", "m", "1e9", "٣", "5 m"])
def test_a_wrong_length_of_time_is_named_and_nothing_moves(said, length):
    status, _, error = said("clock", f"--advance={length}")
    assert status == 2
    assert f"{length!r} is not a length of time" in error
    assert json.loads(said("clock", "--json")[1])["offset_s"] == 0


def test_what_is_wrong_in_a_command_is_one_line_and_where_help_is(tmp_path, capfd):
    """`idc sandbox` hands over what was typed, also a value with a dash before it."""
    with pytest.raises(typer.Exit) as ended:
        clock(tmp_path, "-5m")
    assert ended.value.exit_code == 2
    assert capfd.readouterr().err.splitlines() == [
        "error: --advance: '-5m' is not a length of time: give seconds, or a number with s, m, h or d, such "
        "as 5m",
        "For help: python -m idc_sandbox clock --help",
    ]


def test_the_description_of_a_command_keeps_its_capitals(capsys):
    with pytest.raises(SystemExit):
        main(["env", "--help"])
    assert "Print the variables that point AWS clients at it." in capsys.readouterr().out


def test_either_ahead_or_back(said):
    assert said("clock", "--advance", "5m", "--reset") == (
        1,
        "",
        "error: give --advance or --reset, not both.\n",
    )


def test_switches_are_shown_set_and_set_back(said):
    said("switches", *(f"{name}=default" for name in DEFAULTS))
    assert said("switches")[1].splitlines() == [
        f"{name}={json.dumps(value)}" for name, value in DEFAULTS.items()
    ]
    _, printed, _ = said(
        "switches", "latency_s=0.001", "trail=false", 'fail_next_assignments=["full"]', "--json"
    )
    changed = {"latency_s": 0.001, "trail": False, "fail_next_assignments": ["full"]}
    assert json.loads(printed) == DEFAULTS | changed
    said("switches", *(f"{name}=default" for name in changed))
    assert json.loads(said("switches", "--json")[1]) == DEFAULTS


@pytest.mark.parametrize(
    ("given", "status", "words"),
    [
        ("latency_s", 2, "'latency_s' sets no switch: write NAME=VALUE"),
        ("trail=maybe", 2, "the value of trail is not JSON: 'maybe'"),
        ("trail=1", 1, "error: trail must be true or false, found 1."),
        ("speed=1", 1, "error: There is no switch 'speed'."),
    ],
)
def test_a_wrong_switch_is_named_and_nothing_is_set(said, given, status, words):
    ended, printed, error = said("switches", "latency_s=0.001", given)
    assert (ended, printed) == (status, "")
    assert words in error
    assert json.loads(said("switches", "--json")[1])["latency_s"] == 0


@pytest.mark.parametrize("command", ["clock", "switches"])
def test_where_nothing_runs_it_is_said(tmp_path, capsys, command):
    assert main([command, "--state", str(tmp_path / "none")]) == 1
    assert "no sandbox runs with state in" in capsys.readouterr().err


@pytest.mark.parametrize("script", ['set -e; eval "$({env})"; echo on AWS', 'eval "$({env})" && echo on AWS'])
def test_a_script_does_not_go_on_without_the_sandboxs_environment(tmp_path, script):
    env = f"{sys.executable} -m idc_sandbox env --state {tmp_path / 'none'}"
    done = subprocess.run(
        ["bash", "-c", script.format(env=env)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: no sandbox runs with state in")


def test_the_recipes_table_has_what_the_trail_delivered(sandbox, said):
    """The lines of docs/sandbox.md: a table over the whole trail, five minutes later."""
    statement = (Path(__file__).parents[2] / "recipes" / "athena" / "cloudtrail_logs.sql").read_text("utf-8")
    sandbox.client("s3").create_bucket(Bucket="recipe-results")
    said("clock", "--advance", "5m")
    athena = sandbox.client("athena")

    def rows(text: str) -> list[list[str]]:
        started = athena.start_query_execution(
            QueryString=text, ResultConfiguration={"OutputLocation": "s3://recipe-results/"}
        )
        named = {"QueryExecutionId": started["QueryExecutionId"]}
        until(lambda: athena.get_query_execution(**named)["QueryExecution"]["Status"]["State"] in ENDED)
        found = athena.get_query_results(**named)["ResultSet"]["Rows"]
        return [[one.get("VarCharValue", "") for one in row["Data"]] for row in found]

    rows(statement)
    events = (
        "SELECT DISTINCT eventname FROM cloudtrail_logs WHERE useridentity.accountid = recipientaccountid"
    )
    assert ["CreateBucket"] in rows(events)
