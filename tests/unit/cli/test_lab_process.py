import ast
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from patience import PATIENCE_S, until

from idc_aws.errors import SandboxError
from idc_runner.cli import lab
from idc_runner.cli.lab import (
    CONFIG_FOLDER,
    lab_command,
    lab_environment,
    link_command_line,
    run_lab,
    search_path,
)

KIT = Path(__file__).parents[3]


@pytest.mark.parametrize(("user_id", "is_root"), [(1000, False), (0, True)])
def test_the_lab_opens_the_first_notebook_in_the_kits_folder(monkeypatch, user_id, is_root):
    monkeypatch.setattr(lab.os, "geteuid", lambda: user_id)
    command = lab_command(KIT, browser=False, port=8899)
    assert command[:3] == [sys.executable, "-m", "idc_runner.jupyterlab"]
    assert ("--allow-root" in command) is is_root
    assert {"--no-browser", "--port=8899", f"--ServerApp.root_dir={KIT}"} <= set(command)
    opened = next(one for one in command if one.startswith("--LabApp.default_url=/lab/tree/"))
    assert (KIT / opened.partition("/lab/tree/")[2]).is_file()
    assert "--no-browser" not in lab_command(KIT)


def test_a_terminal_asks_for_the_sandbox_when_it_is_opened():
    settings = next(one for one in lab_command(KIT) if one.startswith("--ServerApp.terminado_settings="))
    shell, _, script = ast.literal_eval(settings.partition("=")[2])["shell_command"]
    assert (shell, f'"{sys.executable}" -m idc_sandbox env' in script) == ("/bin/sh", True)


def terminal_says(command, programs):
    """Return what a command says in a terminal of the Lab."""
    settings = next(one for one in lab_command(KIT) if one.startswith("--ServerApp.terminado_settings="))
    shell = ast.literal_eval(settings.partition("=")[2])["shell_command"]
    own = {"PATH": search_path(programs), "SHELL": str(program(programs, "shell", command))}
    return subprocess.run(shell, env=own, capture_output=True, text=True, check=True).stdout


def program(folder, name, script):
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def venv(monkeypatch, tmp_path):
    """The folder that Python is in, with nothing of the machine's on the search path."""
    monkeypatch.setattr(sys, "executable", str(program(tmp_path / "venv", "python", "true")))
    monkeypatch.setenv("PATH", "/nowhere")
    return tmp_path / "venv"


def test_a_terminal_finds_idc_which_the_notebooks_name(venv, tmp_path):
    program(venv, "idc", "echo found")
    assert terminal_says("idc", tmp_path / "programs") == "found\n"


@pytest.mark.parametrize(
    ("versions", "typed"),
    [
        (["1.45.11", "2.36.7"], "2.36.7"),
        (["2.36.7", "1.45.11"], "2.36.7"),
        (["2.4.0", "1.45.11", "2.9.19"], "2.9.19"),
        (["1.45.11"], "1.45.11"),
        (["broken", "2.36.7"], "2.36.7"),
    ],
)
@pytest.mark.parametrize("has_its_own", [False, True])
def test_aws_in_a_terminal_is_the_one_that_can_sign_in_where_there_is_one(
    venv, tmp_path, monkeypatch, versions, typed, has_its_own
):
    folders = [venv if has_its_own and not at else tmp_path / f"bin{at}" for at in range(len(versions))]
    for folder, version in zip(folders, versions, strict=True):
        program(folder, "aws", "exit 3" if version == "broken" else f"echo aws-cli/{version} Python/3")
    monkeypatch.setenv("PATH", os.pathsep.join(map(str, folders)))
    programs = tmp_path / "programs"
    programs.mkdir()
    link_command_line(programs)
    assert terminal_says("aws", programs) == f"aws-cli/{typed} Python/3\n"
    assert (programs / "aws").exists() is (typed != versions[0])


def test_the_environment_names_the_folders_that_configure_jupyter(monkeypatch):
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "/mine")
    variables = lab_environment(Path("/programs"))
    assert variables["PATH"].split(os.pathsep)[:2] == ["/programs", str(Path(sys.executable).parent)]
    kit, sandbox, mine = variables["JUPYTER_CONFIG_PATH"].split(os.pathsep)
    assert (kit, mine) == (str(CONFIG_FOLDER), "/mine")
    extensions = json.loads(next(Path(sandbox).glob("jupyter_server_config.d/*.json")).read_text("utf-8"))
    assert extensions["ServerApp"]["jpserver_extensions"] == {"idc_sandbox.jupyter": True}
    data = Path(variables["JUPYTER_PATH"].split(os.pathsep)[0])
    assert (data / "labextensions" / "identity-center-sandbox" / "static" / "remoteEntry.js").is_file()
    assert variables["JUPYTER_PATH"].split(os.pathsep)[-1] == str(CONFIG_FOLDER)
    assert (CONFIG_FOLDER / "labextensions/identity-center-lesson/static/remoteEntry.js").is_file()
    own = json.loads(next(CONFIG_FOLDER.glob("jupyter_server_config.d/*.json")).read_text("utf-8"))
    assert own["ServerApp"]["jpserver_extensions"] == {"idc_runner.jupyterlab": True}
    page = json.loads((CONFIG_FOLDER / "labconfig" / "page_config.json").read_text("utf-8"))
    # What asks for a build reads every extension's files while the first notebook waits.
    assert (page["buildAvailable"], page["buildCheck"]) == (False, False)
    assert page["disabledExtensions"] == {"@jupyterlab/apputils-extension:announcements": True}


# Says that it listens, and ends with 7 when it is asked; "deaf" does not end for that.
CHILD = """
import os, signal, sys, time
def end(number, frame):
    if "deaf" not in sys.argv:
        sys.exit(7)
    os.write(1, b"no\\n")  # the signal may come while "ready" is being printed
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
while True:
    time.sleep(0.01)
"""
PARENT = """
import sys
from idc_runner.cli.lab import run_lab
import os
command = [sys.executable, "-c", sys.argv[2], *sys.argv[3:]]
sys.exit(run_lab(command, dict(os.environ), patience_s=float(sys.argv[1])) % 256)
"""


def start(*words: str, patience_s: float = 600.0) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(KIT)}
    command = [sys.executable, "-c", PARENT, str(patience_s), CHILD, *words]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_whatever_ends_this_process_asks_the_lab_to_end_and_waits_for_it(number):
    with start() as process:
        process.send_signal(number)
        assert process.wait(PATIENCE_S) == 7


def test_who_asks_twice_does_not_wait():
    with start("deaf") as process:
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "no\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 256 - signal.SIGKILL


def test_a_lab_that_does_not_end_when_asked_is_ended():
    with start("deaf", patience_s=0.1) as process:
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "no\n"
        assert process.wait(PATIENCE_S) == 0


def test_the_handlers_are_given_back():
    assert threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    assert run_lab([sys.executable, "-c", "raise SystemExit(4)"], dict(os.environ)) == 4
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_lab_ends_when_what_it_needs_does_not_start(tmp_path):
    ended = tmp_path / "ended"
    script = f"""
import pathlib, signal, sys, time
def end(number, frame):
    pathlib.Path({str(ended)!r}).write_text("ended")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
pathlib.Path({str(tmp_path / "ready")!r}).write_text("ready")
while True:
    time.sleep(0.01)
"""

    def fail():
        until((tmp_path / "ready").exists, "the lab's start")
        raise SandboxError("no sandbox")

    with pytest.raises(SandboxError, match="no sandbox"):
        run_lab([sys.executable, "-c", script], dict(os.environ), meanwhile=fail)
    assert ended.read_text() == "ended"
