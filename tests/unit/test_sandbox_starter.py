import json
import subprocess

import pytest

from idc_aws.errors import SandboxError
from idc_aws.sandbox import SandboxAddress, new_python, start_module, start_sandbox, stop_sandbox

ABOUT = {
    "endpoint_url": "http://127.0.0.1:1",
    "port": 1,
    "pid": 2,
    "state_folder": "/state",
    "region": "us-east-1",
    "account_id": "111122223333",
    "access_key_id": "AKIA",
    "secret_access_key": "hush",
    "control_secret": "hush",
    "started": "now",
    "state_id": "one",
}


@pytest.fixture
def run(monkeypatch):
    """Answer in place of the sandbox's command line, and remember the command."""
    commands = []

    def install(stdout="", stderr="", returncode=0):
        def answer(module, arguments, **_options):
            commands.append([module, *arguments])
            return subprocess.CompletedProcess(arguments, returncode, stdout, stderr)

        monkeypatch.setattr("idc_aws.sandbox.run_module", answer)
        monkeypatch.setattr("idc_aws.sandbox.find_sandbox", lambda folder: None)
        return commands

    return install


def test_the_address_comes_from_the_sandboxs_own_command(run):
    commands = run(json.dumps({**ABOUT, "newer": "field"}))
    assert start_sandbox("/state", port=0, seed=7).endpoint_url == "http://127.0.0.1:1"
    options = ["start", "--json", "--state", "/state", "--port", "0", "--seed", "7"]
    assert commands == [["idc_sandbox", *options]]


def test_nothing_given_leaves_all_to_the_sandbox(run):
    commands = run(json.dumps(ABOUT))
    start_sandbox()
    assert commands[0][1:] == ["start", "--json"]


@pytest.mark.parametrize("port", [None, 0, 1])
def test_one_that_runs_is_found_without_a_process(run, monkeypatch, port):
    commands = run(json.dumps(ABOUT))
    address = SandboxAddress(**ABOUT)
    monkeypatch.setattr("idc_aws.sandbox.find_sandbox", lambda folder: address)
    assert start_sandbox("/state", port=port) is address
    assert commands == []


@pytest.mark.parametrize("wanted", [{"port": 2}, {"seed": 7}])
def test_what_one_that_runs_may_not_be_is_for_the_sandbox_to_refuse(run, monkeypatch, wanted):
    commands = run(stderr="error: it runs on port 1 already", returncode=1)
    monkeypatch.setattr("idc_aws.sandbox.find_sandbox", lambda folder: SandboxAddress(**ABOUT))
    with pytest.raises(SandboxError, match="runs on port 1 already"):
        start_sandbox("/state", **wanted)
    assert len(commands) == 1


def test_what_a_fork_left_undone_when_its_engine_ended_is_done_by_a_new_python(monkeypatch):
    starters = []

    def answer(module, arguments, *, timeout_s, starter=start_module):
        starters.append(starter)
        return subprocess.CompletedProcess(arguments, 0 if starter is new_python else -9, "", "")

    monkeypatch.setattr("idc_aws.sandbox.run_module", answer)
    stop_sandbox("/state")
    assert starters == [start_module, new_python]


def test_secrets_are_not_shown(run):
    run(json.dumps(ABOUT))
    assert "hush" not in repr(start_sandbox())


def test_a_refusal_is_told_in_the_sandboxs_words(run):
    run(stderr="error: the port 8723 is in use\n", returncode=1)
    with pytest.raises(SandboxError, match=r"did not start: the port 8723 is in use(.|\n)*idc doctor"):
        start_sandbox()


@pytest.mark.parametrize("stdout", ["", "not json", "{}"])
def test_an_answer_of_another_version_is_refused(run, stdout):
    run(stdout)
    with pytest.raises(SandboxError, match="version"):
        start_sandbox()


def test_a_sandbox_that_does_not_answer(monkeypatch):
    def hang(module, arguments, *, timeout_s):
        raise subprocess.TimeoutExpired(arguments, timeout_s)

    monkeypatch.setattr("idc_aws.sandbox.run_module", hang)
    monkeypatch.setattr("idc_aws.sandbox.find_sandbox", lambda folder: None)
    with pytest.raises(SandboxError, match=r"server\.log"):
        start_sandbox()
