"""Starting, finding, stopping and resetting: one sandbox for everybody, or one clear line."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from patience import PATIENCE_S, until

from idc_sandbox import launcher, loopback
from idc_sandbox.__main__ import main
from idc_sandbox.errors import SandboxStartError
from idc_sandbox.loopback import find_sandbox, listen
from idc_sandbox.state_folder import StateFolder
from idc_sandbox.store import Store


@pytest.fixture
def folder(tmp_path):
    folder = StateFolder(tmp_path / "state")
    yield folder
    launcher.stop(folder)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a person does, with neither HOME nor configuration."""
    root = Path(launcher.__file__).resolve().parent.parent
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(root), "AWS_PROFILE": "somebody's"}
    return subprocess.run(
        [sys.executable, "-m", "idc_sandbox", *arguments],
        capture_output=True,
        text=True,
        env=environment,
        timeout=PATIENCE_S,
        check=False,
    )


def test_a_whole_life(tmp_path):
    """Start, start again, status, env, stop, env: what each says and how it ends."""
    state = str(tmp_path / "state")
    first = run("start", "--state", state, "--port", "0", "--seed", "7", "--json")
    assert first.returncode == 0, first.stderr
    about = json.loads(first.stdout)
    assert set(about) == {
        "endpoint_url", "port", "pid", "state_folder", "region", "account_id",
        "access_key_id", "secret_access_key", "control_secret", "started", "state_id",
    }  # fmt: skip
    assert about["endpoint_url"] == f"http://127.0.0.1:{about['port']}"
    assert (about["state_folder"], about["region"], about["account_id"]) == (
        state,
        "us-east-1",
        "111122223333",
    )

    assert json.loads(run("start", "--state", state, "--json").stdout) == about
    status = run("status", "--state", state)
    assert status.returncode == 0
    assert about["endpoint_url"] in status.stdout
    assert about["secret_access_key"] not in status.stdout
    assert json.loads(run("status", "--state", state, "--json").stdout) == {"running": True, **about}
    variables = json.loads(run("env", "--state", state, "--json").stdout)
    assert variables["AWS_ENDPOINT_URL"] == about["endpoint_url"]
    assert variables["AWS_SECRET_ACCESS_KEY"] == about["secret_access_key"]
    assert variables["AWS_CONFIG_FILE"].startswith(state)
    assert variables["IDC_SANDBOX_STATE"] == state, "below another HOME, idc would look for another sandbox"

    stopped = run("stop", "--state", state)
    assert (stopped.returncode, stopped.stdout) == (0, "The sandbox is stopped; its state is kept.\n")
    assert not (tmp_path / "state" / "server.json").exists()
    assert run("stop", "--state", state).stdout == "No sandbox was running.\n"
    assert run("status", "--state", state).returncode == 1
    none = run("env", "--state", state)
    assert (none.returncode, none.stdout) == (1, "false\n")  # which `eval` fails by
    assert "start --state" in none.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks here, and tells of open files so")
def open_by(pid):
    return {entry.readlink() for entry in Path(f"/proc/{pid}/fd").iterdir() if entry.is_symlink()}


def folders_of(targets):
    return {file.parent for file in targets if file.is_absolute() and not file.is_char_device()}


def test_the_command_forks_its_server_which_keeps_nothing_of_it(folder):
    started = run("start", "--state", str(folder.path), "--port", "0", "--json")
    assert started.returncode == 0, started.stderr
    pid = json.loads(started.stdout)["pid"]
    assert b"start" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    assert os.getsid(pid) == pid
    targets = open_by(pid)
    assert not {target for target in targets if target.name.startswith("pipe:")}
    until(lambda: folders_of(open_by(pid)) == {folder.path})  # a module may be read just now


def test_env_is_what_a_shell_can_evaluate(folder, capsys):
    running = launcher.start(folder, port=0)
    assert main(["env", "--state", str(folder.path)]) == 0
    script = f"{capsys.readouterr().out}\nenv -0"
    environment = {"PATH": os.environ["PATH"], "AWS_PROFILE": "mine", "AWS_SESSION_TOKEN": "old"}
    result = subprocess.run(
        ["sh", "-eu", "-c", script], capture_output=True, text=True, env=environment, check=True
    )
    seen = dict(line.split("=", 1) for line in result.stdout.split("\0") if line)
    assert seen["AWS_ENDPOINT_URL"] == running.endpoint_url
    assert (seen["AWS_PAGER"], seen["AWS_EC2_METADATA_DISABLED"]) == ("", "true")
    assert seen["AWS_REGION"] == seen["AWS_DEFAULT_REGION"] == "us-east-1"
    assert "AWS_PROFILE" not in seen
    assert "AWS_SESSION_TOKEN" not in seen


def test_env_quotes_a_folder_with_odd_characters(tmp_path, capsys):
    folder = StateFolder(tmp_path / "it's $HOME; echo")
    folder.prepare()
    assert main(["status", "--state", str(folder.path)]) == 1
    assert shlex.quote(str(folder.path)) in capsys.readouterr().out


def test_the_command_line_is_made_once_for_a_command_and_its_fork(folder, monkeypatch):
    monkeypatch.delattr("idc_sandbox.__main__._parser")
    assert main(["status", "--state", str(folder.path)]) == 1


def test_what_it_says_to_type_is_a_command_of_idc(tmp_path, capsys, monkeypatch):
    state = str(tmp_path / "state")
    assert main(["status", "--state", state]) == 1
    said = capsys.readouterr().out
    assert said.startswith("No sandbox runs")
    assert f"Start one with: idc sandbox start --state {state}\n" in said
    monkeypatch.setenv("IDC_SANDBOX_STATE", state)
    assert main(["env"]) == 1
    assert capsys.readouterr().err.endswith("Start one with: idc sandbox start\n")


def test_starts_at_the_same_time_give_one_sandbox(folder):
    with ThreadPoolExecutor(4) as pool:
        pids = {running.pid for running in pool.map(lambda _: launcher.start(folder, port=0), range(4))}
    assert len(pids) == 1


def test_another_port_than_the_one_it_runs_on_is_refused(folder):
    running = launcher.start(folder, port=0)
    with pytest.raises(SandboxStartError, match=rf"port {running.port} already, not on {running.port - 1}"):
        launcher.start(folder, port=running.port - 1)
    assert launcher.start(folder, port=running.port).pid == running.pid


def test_a_usual_port_that_is_taken_is_no_obstacle_to_who_did_not_ask_for_it(folder, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        usual = taken.getsockname()[1]
        monkeypatch.setattr(launcher, "DEFAULT_PORT", usual)
        running = launcher.start(folder)
    try:
        assert running.port != usual
    finally:
        launcher.stop(folder)


def test_a_port_of_another_program_is_named_with_the_remedy(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        result = run("start", "--state", str(tmp_path / "state"), "--port", str(port))
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"error: port {port} of 127.0.0.1 is in use by another program.")
    assert "--port 0" in line


def test_a_port_of_another_sandbox_is_called_that(sandbox, tmp_path):
    with pytest.raises(
        SandboxStartError, match=f"sandbox with another state folder .process {sandbox.running.pid}"
    ):
        launcher.start(StateFolder(tmp_path / "state"), port=sandbox.running.port)


@pytest.mark.parametrize("port", ["-1", "65536", "http", "1e3"])
def test_a_port_that_is_none_is_refused(port, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["start", f"--port={port}"])
    assert caught.value.code == 2
    assert "is not a port" in capsys.readouterr().err


def test_there_is_no_way_to_another_address(capsys):
    with pytest.raises(SystemExit):
        main(["start", "--host", "0.0.0.0"])
    assert "--host" in capsys.readouterr().err


def test_a_privileged_port_is_no_traceback(monkeypatch):
    def refuse(*_arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(loopback.socket.socket, "bind", refuse)
    with pytest.raises(SandboxStartError, match=r"port 80 .*Permission denied.*--port 0"):
        listen(80)


def test_a_killed_sandbox_is_seen_as_gone_and_started_again(fresh_sandbox):
    pid = fresh_sandbox.running.pid
    fresh_sandbox.kill()
    assert fresh_sandbox.folder.read_server()["pid"] == pid  # what it left behind
    assert find_sandbox(fresh_sandbox.folder) is None
    assert fresh_sandbox.start().pid != pid


def test_a_stale_file_does_not_send_secrets_to_whoever_has_the_port_now(sandbox, tmp_path):
    """Our file names a port on which a sandbox answers, but that one does not know our secret."""
    folder = StateFolder(tmp_path / "state")
    folder.prepare()
    folder.write_secrets({**folder.read_secrets(), "access_key_id": "AKIA", "secret_access_key": "hush"})
    server = sandbox.folder.read_server()
    folder.write_server(server)
    assert find_sandbox(folder) is None
    assert launcher.stop(folder) is False
    assert find_sandbox(sandbox.folder) is not None


def test_a_program_that_answers_nonsense_is_no_sandbox(tmp_path):
    folder = StateFolder(tmp_path / "state")
    folder.prepare()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        other.settimeout(10)
        about = {"pid": os.getpid(), "region": "us-east-1", "account_id": "111122223333", "started": "now"}
        folder.write_server({"port": other.getsockname()[1], **about})
        with ThreadPoolExecutor(1) as pool:
            found = pool.submit(find_sandbox, folder)
            connection, _ = other.accept()
            request = connection.recv(4096)
            connection.sendall(b'HTTP/1.1 200 OK\r\n\r\n{"status": "ok", "proof": 7}')
            connection.close()
            assert found.result() is None
    assert folder.read_secrets()["control_secret"].encode() not in request


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}'])
def test_a_damaged_server_file_is_no_sandbox(tmp_path, text):
    folder = StateFolder(tmp_path / "state")
    folder.prepare()
    (folder.path / "server.json").write_text(text)
    assert find_sandbox(folder) is None


def test_a_sandbox_that_does_not_answer_is_stopped_by_its_pid(fresh_sandbox):
    pid = fresh_sandbox.running.pid
    os.kill(pid, signal.SIGSTOP)  # it lives, but hears nothing: neither requests nor SIGTERM
    assert launcher.stop(fresh_sandbox.folder, timeout_s=0.3)
    assert fresh_sandbox.folder.server_pid() is None


def test_sigterm_ends_it_tidily(fresh_sandbox):
    os.kill(fresh_sandbox.running.pid, signal.SIGTERM)
    assert launcher._wait_until_gone(fresh_sandbox.folder, 30)
    assert fresh_sandbox.folder.read_server() is None
    assert not fresh_sandbox.folder.database.with_name("sandbox.db-wal").exists()


def test_state_stays_over_stop_and_start(fresh_sandbox):
    key = fresh_sandbox.running.access_key_id
    fresh_sandbox.client("iam").create_user(UserName="ana")
    assert fresh_sandbox.stop()
    assert fresh_sandbox.start().access_key_id == key
    assert fresh_sandbox.client("iam").get_user(UserName="ana")["User"]["UserName"] == "ana"


def test_reset_empties_it_and_keeps_the_seed(fresh_sandbox):
    first_ids = fresh_sandbox.member_account_ids()
    fresh_sandbox.client("iam").create_user(UserName="ana")
    secret = fresh_sandbox.running.secret_access_key
    deleted = launcher.reset(fresh_sandbox.folder)
    assert {"sandbox.db", "secrets.json", "server.log"} <= set(deleted)
    assert launcher.state_seed(fresh_sandbox.folder) == 7
    assert find_sandbox(fresh_sandbox.folder) is None
    assert fresh_sandbox.start().secret_access_key != secret
    users = {user["UserName"] for user in fresh_sandbox.client("iam").list_users()["Users"]}
    assert "ana" not in users
    assert fresh_sandbox.member_account_ids() == first_ids


def test_reset_with_another_seed(folder, capsys):
    launcher.reset(folder, seed=1)
    assert main(["reset", "--state", str(folder.path), "--seed", "5"]) == 0
    assert "seed 5" in capsys.readouterr().out
    assert launcher.state_seed(folder) == 5


def test_reset_refuses_a_folder_of_other_things(tmp_path, capsys):
    (tmp_path / "thesis.tex").write_text("years of work")
    (tmp_path / "sandbox.db").write_text("mine")
    assert main(["reset", "--state", str(tmp_path)]) == 1
    assert "holds other things" in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"thesis.tex", "sandbox.db"}


def test_another_seed_than_the_states_is_refused(folder, capsys):
    launcher.reset(folder, seed=1)
    for command in ("start", "serve"):
        assert main([command, "--state", str(folder.path), "--port", "0", "--seed", "2"]) == 1
        assert "made with seed 1, not 2" in capsys.readouterr().err
    assert find_sandbox(folder) is None


def newer_version(path: Path) -> None:
    Store(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()


def corrupt(path: Path) -> None:
    Store(path).close()
    path.write_bytes(b"this is no database" * 500)


def read_only_log(path: Path) -> None:
    path.with_name("server.log").mkdir()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (newer_version, "has version 99, which is newer than this kit's version"),
        (corrupt, "cannot be used: file is not a database"),
        (read_only_log, "server.log"),
    ],
)
def test_state_that_cannot_be_used_is_one_clear_line(folder, damage, said):
    folder.prepare()
    damage(folder.database)
    result = run("start", "--state", str(folder.path), "--port", "0")
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert said in line
    assert "reset" in line or "--state" in line


def test_a_corrupt_state_can_be_reset(folder):
    folder.prepare()
    corrupt(folder.database)
    launcher.reset(folder)
    assert launcher.state_seed(folder) == 0


def test_serve_stays_in_the_foreground_until_interrupted(folder):
    folder.prepare()
    root = Path(launcher.__file__).resolve().parent.parent
    command = [sys.executable, "-m", "idc_sandbox", "serve", "--state", str(folder.path), "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        line = process.stderr.readline()
        while find_sandbox(folder) is None:
            assert process.poll() is None, "it ended by itself"
        running = find_sandbox(folder)
        assert line == f"Serving on {running.endpoint_url}; Ctrl-C ends it.\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=PATIENCE_S) == 0
        assert "Traceback" not in process.stderr.read()
    assert folder.read_server() is None


def test_a_second_server_of_one_folder_is_refused(fresh_sandbox):
    result = run("serve", "--state", str(fresh_sandbox.folder.path), "--port", "0")
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].endswith(
        "another sandbox is running in it. Wait for it, or stop it."
    )
    assert find_sandbox(fresh_sandbox.folder) is not None


def test_what_is_found_shows_no_secret(sandbox):
    shown = f"{sandbox.running!r} {sandbox.running}"
    assert sandbox.running.secret_access_key not in shown
    assert sandbox.running.control_secret not in shown


def test_asking_for_the_status_imports_nothing_heavy():
    program = (
        "import sys; from idc_sandbox.__main__ import main; main(['status', '--state', '/nonexistent'])\n"
        "print([name for name in ('boto3', 'botocore', 'moto', 'uvicorn', 'starlette', 'sqlite3', 'asyncio', "
        "'http.client', 'ssl', 'pydantic') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"


def test_stopping_waits_for_a_server_whose_starter_was_killed_meanwhile(folder):
    """However early the starter is killed: nothing runs afterwards."""
    command = [sys.executable, "-m", "idc_sandbox", "start", "--state", str(folder.path), "--port", "0"]
    for delay_s in (0.1, 0.15, 0.2, 0.25, 0.3):
        starter = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay_s)
        starter.kill()
        starter.wait()
        launcher.stop(folder)
        time.sleep(0.5)
        assert folder.server_pid() is None, f"killed after {delay_s} s"
