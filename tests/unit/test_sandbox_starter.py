import json
import subprocess
import sys

import pytest

from idc_helpers.errors import SandboxError
from idc_helpers.sandbox_starter import start_sandbox

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
}


@pytest.fixture
def run(monkeypatch):
    """Answer in place of the sandbox's command line, and remember the command."""
    commands = []

    def install(stdout="", stderr="", returncode=0):
        def answer(command, **_options):
            commands.append(command)
            return subprocess.CompletedProcess(command, returncode, stdout, stderr)

        monkeypatch.setattr("subprocess.run", answer)
        return commands

    return install


def test_the_address_comes_from_the_sandboxs_own_command(run):
    commands = run(json.dumps({**ABOUT, "newer": "field"}))
    assert start_sandbox("/state", port=0, seed=7).endpoint_url == "http://127.0.0.1:1"
    options = ["start", "--json", "--state", "/state", "--port", "0", "--seed", "7"]
    assert commands == [[sys.executable, "-m", "idc_sandbox", *options]]


def test_nothing_given_leaves_all_to_the_sandbox(run):
    commands = run(json.dumps(ABOUT))
    start_sandbox()
    assert commands[0][3:] == ["start", "--json"]


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
    def hang(command, timeout, **_options):
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr("subprocess.run", hang)
    with pytest.raises(SandboxError, match=r"server\.log"):
        start_sandbox()
