"""A sandbox's folder is private, refuses to be anything else, and says who serves it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from idc_sandbox.errors import SandboxStartError
from idc_sandbox.state_folder import StateFolder, default_path


def mode_of(path) -> int:
    return path.stat().st_mode & 0o777


def test_a_new_folder_and_its_secrets_are_its_owners_alone(tmp_path):
    folder = StateFolder(tmp_path / "deep" / "state")
    folder.prepare()
    assert mode_of(folder.path) == 0o700
    assert mode_of(folder.path / "secrets.json") == 0o600
    assert len(folder.read_secrets()["control_secret"]) >= 32


def test_a_folder_that_others_can_read_is_tightened(tmp_path):
    folder = StateFolder(tmp_path / "state")
    folder.prepare()
    folder.path.chmod(0o755)
    (folder.path / "secrets.json").chmod(0o644)
    folder.prepare()
    assert mode_of(folder.path) == 0o700
    assert mode_of(folder.path / "secrets.json") == 0o600


def test_preparing_again_keeps_the_secret(tmp_path):
    folder = StateFolder(tmp_path)
    folder.prepare()
    before = folder.read_secrets()
    folder.prepare()
    assert folder.read_secrets() == before


def test_a_folder_with_other_things_is_refused_and_left_as_it_was(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    tmp_path.chmod(0o755)
    with pytest.raises(SandboxStartError, match=r"holds other things.*--state"):
        StateFolder(tmp_path).prepare()
    assert mode_of(tmp_path) == 0o755
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_folder_with_a_file_of_ours_in_name_only_is_refused(tmp_path):
    (tmp_path / "secrets.json").write_text(json.dumps({"password": "somebody's"}))
    (tmp_path / "app.py").write_text("")
    with pytest.raises(SandboxStartError, match="holds other things"):
        StateFolder(tmp_path).prepare()


def test_a_sandbox_keeps_its_folder_when_somebody_drops_a_file_into_it(tmp_path):
    folder = StateFolder(tmp_path)
    folder.prepare()
    (tmp_path / "notes.txt").write_text("mine")
    folder.prepare()
    assert "secrets.json" in folder.delete_files()
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert not (tmp_path / "secrets.json").exists()


def test_deleting_in_a_folder_that_is_no_sandbox_is_refused(tmp_path):
    (tmp_path / "sandbox.db").write_text("somebody's database")
    (tmp_path / "app.py").write_text("")
    with pytest.raises(SandboxStartError, match="holds other things"):
        StateFolder(tmp_path).delete_files()
    assert (tmp_path / "sandbox.db").exists()


def test_a_folder_of_somebody_else_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(SandboxStartError, match=r"belongs to user \d+, not to you"):
        StateFolder(tmp_path).prepare()


@pytest.mark.parametrize("place", ["a_file/state", "a_file"])
def test_a_place_that_cannot_be_a_folder_is_named(tmp_path, place):
    (tmp_path / "a_file").write_text("")
    with pytest.raises(SandboxStartError, match=f"{place}.*cannot be used.*--state"):
        StateFolder(tmp_path / place).prepare()


def test_a_read_only_folder_is_named(tmp_path, monkeypatch):
    folder = StateFolder(tmp_path / "state")

    def refuse(*_arguments, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(folder.path), "mkdir", refuse)
    with pytest.raises(SandboxStartError, match=r"state' cannot be used: Permission denied.*--state"):
        folder.prepare()


def test_damaged_secrets_are_named_with_the_remedy(tmp_path):
    folder = StateFolder(tmp_path)
    folder.prepare()
    (tmp_path / "secrets.json").write_text('{"control_se')
    with pytest.raises(SandboxStartError, match=r"secrets.json.*damaged.*reset"):
        folder.read_secrets()


def test_what_the_server_says_about_itself_is_read_back_and_taken_back(tmp_path):
    folder = StateFolder(tmp_path)
    folder.prepare()
    assert folder.read_server() is None
    folder.write_server({"pid": 1, "port": 2})
    assert folder.read_server() == {"pid": 1, "port": 2}
    assert mode_of(tmp_path / "server.json") == 0o600
    folder.remove_server()
    folder.remove_server()
    assert folder.read_server() is None


def test_the_server_is_known_by_the_lock_that_it_holds(tmp_path):
    folder = StateFolder(tmp_path)
    folder.prepare()
    assert folder.server_pid() is None
    with folder.server_lock():
        assert StateFolder(tmp_path).server_pid() == os.getpid()
    assert folder.server_pid() is None


def test_a_second_server_is_refused_while_the_first_lives(tmp_path):
    folder = StateFolder(tmp_path)
    folder.prepare()
    program = (
        "import sys, pathlib; from idc_sandbox.state_folder import StateFolder\n"
        "with StateFolder(pathlib.Path(sys.argv[1])).server_lock(): print('served')"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with folder.server_lock():
        refused = subprocess.run(
            command, capture_output=True, text=True, env=python_environment(), check=False
        )
    assert "another sandbox is running in it" in refused.stderr
    served = subprocess.run(command, capture_output=True, text=True, env=python_environment(), check=True)
    assert served.stdout == "served\n"


def python_environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def test_a_new_folder_prepared_by_many_at_once_has_one_secret(tmp_path):
    def prepare(_number: int) -> str:
        folder = StateFolder(tmp_path / "state")
        folder.prepare()
        return folder.read_secrets()["control_secret"]

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(prepare, range(40)))) == 1


def test_two_starters_take_turns(tmp_path):
    folder = StateFolder(tmp_path)
    folder.prepare()
    inside, most = [], []

    def start() -> None:
        with StateFolder(tmp_path).start_lock():
            inside.append(1)
            most.append(len(inside))
            inside.pop()

    threads = [threading.Thread(target=start) for _ in range(8)]
    with folder.start_lock():
        for thread in threads:
            thread.start()
        assert most == []
    for thread in threads:
        thread.join()
    assert most == [1] * 8


def test_a_lock_that_is_never_free_is_an_error_with_a_reason(tmp_path):
    folder = StateFolder(tmp_path)
    folder.prepare()
    with (
        folder.start_lock(),
        pytest.raises(SandboxStartError, match="starting or stopping it"),
        folder.start_lock(timeout_s=0),
    ):
        pass


def test_the_usual_folder_can_be_named_by_a_variable(tmp_path, monkeypatch):
    monkeypatch.setenv("IDC_SANDBOX_STATE", str(tmp_path / "elsewhere"))
    assert default_path() == tmp_path / "elsewhere"
    monkeypatch.delenv("IDC_SANDBOX_STATE")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_path().name == "idc-sandbox"
