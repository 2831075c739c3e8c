"""Sandboxes forked from a preloaded process are sandboxes like any other, and hold on to nothing of it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.config import Config
from botocore.session import Session
from patience import PATIENCE_S

from idc_sandbox import launcher
from idc_sandbox.loopback import find_sandbox
from idc_sandbox.state_folder import StateFolder

# Preloads, then runs each line of its input as a command in a forked child, as a runner does.
PRELOADED = """
import os, sys, threading
from idc_sandbox import launcher
assert not launcher.is_preloaded() and "moto" not in sys.modules
launcher.preload()
assert threading.active_count() == 1
from idc_sandbox.wire import registry
assert {service for service, _ in registry._HANDLERS} == set(registry._MODULES)
assert "idc_sandbox.__main__" in sys.modules
held = open(sys.argv[1])
for line in sys.stdin:
    pid = os.fork()
    if not pid:
        from idc_sandbox.__main__ import main
        status = main(line.split())
        sys.stdout.flush()
        os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


@pytest.fixture(scope="module")
def preloaded(tmp_path_factory):
    held = tmp_path_factory.mktemp("held") / "held.txt"
    held.touch()
    process = subprocess.Popen(
        [sys.executable, "-c", PRELOADED, str(held)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process
    process.stdin.close()
    assert process.wait(PATIENCE_S) == 0


@pytest.fixture
def folder(tmp_path):
    made = StateFolder(tmp_path / "state")
    yield made
    launcher.stop(made)


def run(process, *words) -> tuple[int, str]:
    """Return exit status and output of a command in a child of the preloaded process."""
    process.stdin.write(" ".join(words) + "\n")
    process.stdin.flush()
    lines = [process.stdout.readline()]
    while not lines[-1].strip().lstrip("-").isdigit():
        assert lines[-1], f"the preloaded process ended with {process.wait(PATIENCE_S)}"
        lines.append(process.stdout.readline())
    return int(lines[-1]), "".join(lines[:-1])


def start(process, folder, *options) -> dict:
    status, output = run(process, "start", "--state", str(folder.path), "--port", "0", "--json", *options)
    assert status == 0, folder.log.read_text()
    return json.loads(output)


def client(about, service_name):
    return Session().create_client(
        service_name,
        region_name="us-east-1",
        endpoint_url=about["endpoint_url"],
        aws_access_key_id=about["access_key_id"],
        aws_secret_access_key=about["secret_access_key"],
        config=Config(retries={"total_max_attempts": 1}),
    )


def test_a_forked_sandbox_answers_and_is_found_and_stopped_like_any_other(preloaded, folder):
    about = start(preloaded, folder)
    assert find_sandbox(folder).pid == about["pid"] != preloaded.pid
    assert client(about, "sso-admin").list_instances()["Instances"] == []
    assert len(client(about, "organizations").list_accounts()["Accounts"]) == 5
    assert run(preloaded, "start", "--state", str(folder.path), "--json")[0] == 0
    assert find_sandbox(folder).pid == about["pid"]
    assert launcher.stop(folder)
    assert folder.log.read_text() == ""


def test_it_lives_in_a_session_of_its_own_and_keeps_no_file_of_the_preloaded_process(preloaded, folder):
    about = start(preloaded, folder)
    assert os.getsid(about["pid"]) == about["pid"] != os.getsid(preloaded.pid)
    if sys.platform == "linux":
        targets = {entry.readlink() for entry in Path(f"/proc/{about['pid']}/fd").iterdir()}
        files = {target for target in targets if target.is_absolute() and not target.is_char_device()}
        assert {file.parent for file in files} == {folder.path}
        assert not {target for target in targets if target.name.startswith("pipe:")}


def test_two_of_one_preloaded_process_share_nothing(preloaded, folder, tmp_path):
    other_folder = StateFolder(tmp_path / "other")
    one, other = start(preloaded, folder, "--seed", "5"), start(preloaded, other_folder, "--seed", "5")
    try:
        client(one, "iam").create_user(UserName="ana")
        users = [user["UserName"] for user in client(other, "iam").list_users()["Users"]]
        accounts = [client(about, "organizations").list_accounts()["Accounts"] for about in (one, other)]
    finally:
        launcher.stop(other_folder)
    assert users == ["sandbox-administrator"]
    assert [account["Id"] for account in accounts[0]] == [account["Id"] for account in accounts[1]]
    assert one["access_key_id"] == other["access_key_id"]
    assert one["secret_access_key"] != other["secret_access_key"]


def test_its_state_is_there_again_for_a_sandbox_that_was_not_forked(preloaded, folder):
    about = start(preloaded, folder)
    client(about, "iam").create_user(UserName="ana")
    os.kill(about["pid"], 9)
    again = launcher.start(folder, port=0)._asdict()
    assert again["secret_access_key"] == about["secret_access_key"]
    assert client(again, "iam").get_user(UserName="ana")["User"]["UserName"] == "ana"


def test_what_stops_the_start_is_said_by_the_command(preloaded, folder):
    start(preloaded, folder, "--seed", "5")
    assert run(preloaded, "start", "--state", str(folder.path), "--seed", "6", "--json")[0] == 1
    launcher.stop(folder)
    folder.database.write_bytes(b"this is no database, but it is long enough to be taken for one" * 20)
    status, output = run(preloaded, "start", "--state", str(folder.path), "--port", "0", "--json")
    assert (status, output) == (1, "")
    assert "cannot be used: file is not a database" in folder.log.read_text()
