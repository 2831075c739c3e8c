"""The kit as people install it: wheel and source distribution, installed in a fresh environment, and used.

The environment sees the packages of the tests' own one, so that nothing is downloaded: that pip finds the
requirements is not shown here. Needs setuptools as `make setup-test` installs it.
"""

import email
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tarfile
import time
import urllib.error
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest

KIT = Path(__file__).parents[2]
PARTS = ("notebooks", "parameters", "docs", "recipes")
# What a clone has, and git does not hold.
JUNK = shutil.ignore_patterns(
    ".git", ".venv", "runs", "lab", "build", "dist", "tests", "*.egg-info", ".*_cache", ".hypothesis",
    "__pycache__", ".ipynb_checkpoints",
)  # fmt: skip
BUILD = "import sys; from setuptools import build_meta; print(getattr(build_meta, sys.argv[1])(sys.argv[2]))"


def build(kind, source, out):
    """Build as pip and other tools do; return the file."""
    command = [sys.executable, "-c", BUILD, f"build_{kind}", str(out)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return the source distribution, the wheel, and the wheel that comes of the source distribution."""
    folder = tmp_path_factory.mktemp("build")
    source, out, second = folder / "source", folder / "out", folder / "second"
    shutil.copytree(KIT, source, ignore=JUNK)
    (source / "notebooks" / ".ipynb_checkpoints").mkdir()
    (source / "notebooks" / ".ipynb_checkpoints" / "00-checkpoint.ipynb").write_text("{}")
    out.mkdir()
    second.mkdir()
    sdist, wheel = build("sdist", source, out), build("wheel", source, out)
    shutil.unpack_archive(sdist, folder / "unpacked")  # 3.11.2 has no filters yet
    (unpacked,) = (folder / "unpacked").iterdir()
    return sdist, wheel, build("wheel", unpacked, second)


def files_of(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/RECORD")}


def test_the_wheel_holds_the_packages_and_the_kit_and_nothing_else(built):
    here = {
        path.relative_to(KIT).as_posix(): path
        for package in ("idc_aws", "idc_helpers", "idc_runner", "idc_sandbox")
        for path in (KIT / package).rglob("*")
    }
    here |= {
        f"idc_aws/data/kit/{path.relative_to(KIT).as_posix()}": path
        for part in PARTS
        for path in (KIT / part).rglob("*")
    }
    junk = ("__pycache__", ".ipynb_checkpoints")
    wanted = {
        name: path.read_bytes()
        for name, path in here.items()
        if path.is_file() and not any(part in junk for part in path.parts)
    }
    there = {name: content for name, content in files_of(built[1]).items() if ".dist-info/" not in name}
    assert set(there) == set(wanted)
    assert there == wanted


def test_the_source_distribution_builds_the_same_wheel(built):
    assert files_of(built[2]) == files_of(built[1])
    with tarfile.open(built[0]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "README.md", "setup.py", "requirements.txt", "requirements.lock"} <= names


def test_the_metadata_say_what_it_is(built):
    files = files_of(built[1])
    text = next(content for name, content in files.items() if name.endswith(".dist-info/METADATA"))
    metadata = email.message_from_bytes(text)
    assert (metadata["License-Expression"], metadata["License-File"]) == ("Apache-2.0", "LICENSE")
    assert metadata["Requires-Python"] == ">=3.11"
    assert "boto3==" in "".join(metadata.get_all("Requires-Dist"))
    licence = next(content for name, content in files.items() if name.endswith("licenses/LICENSE"))
    assert b"END OF TERMS AND CONDITIONS" in licence


class Machine:
    """A home without anything but a virtual environment into which the wheel is installed."""

    def __init__(self, folder, wheel):
        self.home, self.python = folder / "home", folder / "venv" / "bin" / "python"
        self.home.mkdir()
        venv.create(folder / "venv", with_pip=False, symlinks=True)
        (packages,) = (folder / "venv").glob("lib/*/site-packages")
        (packages / "zz_of_the_tests.pth").write_text(sysconfig.get_path("purelib"))
        install = [sys.executable, "-m", "pip", "--python", str(self.python), "install", "--quiet"]
        subprocess.run([*install, "--no-deps", "--no-index", str(wheel)], check=True)
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "IDC_", "PYTHON", "VIRTUAL_ENV", "JUPYTER"))
        }
        self.environment = {
            **kept,
            "HOME": str(self.home),
            "IDC_SANDBOX_STATE": str(folder / "sandbox"),
            "PATH": f"{self.python.parent}{os.pathsep}{os.environ['PATH']}",
            # JupyterLab's own files are the tests' ones too.
            "JUPYTERLAB_DIR": str(Path(sys.prefix) / "share" / "jupyter" / "lab"),
            "JUPYTER_PATH": str(Path(sys.prefix) / "share" / "jupyter"),
        }

    def give(self, *words, where, status=0):
        """Give a command in a folder and return what it says."""
        done = subprocess.run(
            words, cwd=where, env=self.environment, capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == status, f"{words}: {done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def machine(built, tmp_path_factory):
    machine = Machine(tmp_path_factory.mktemp("machine"), built[1])
    yield machine
    machine.give("idc", "sandbox", "stop", where="/")


@pytest.fixture(scope="module")
def copy(machine):
    machine.give("idc", "init", "copy", where=machine.home)
    return machine.home / "copy"


def test_what_runs_is_what_was_installed(machine):
    found = machine.give("python", "-c", "import idc_helpers; print(idc_helpers.__file__)", where="/")
    assert Path(found.strip()).is_relative_to(machine.python.parents[1])
    assert "ok    Kit's folder" in machine.give("idc", "doctor", where="/", status=0)


def test_a_working_copy_is_laid_out_once_and_runs_and_is_undone(machine, copy):
    assert len(list((copy / "notebooks").glob("*.ipynb"))) == len(list((KIT / "notebooks").glob("*.ipynb")))
    assert "working copy already" in machine.give("idc", "init", "copy", where=machine.home, status=1)
    scenario = copy / "parameters" / "sandbox.yaml"
    scenario.write_text(scenario.read_text("utf-8").replace("description: ", "description: My "), "utf-8")
    machine.give("idc", "run", "--only", "01,06", where=copy / "notebooks")
    receipts = (copy / "runs" / "latest" / "receipts.jsonl").read_text("utf-8")
    assert '"My ' in receipts, "the copy's own scenario"
    assert "passed" in machine.give("idc", "undo", "latest", "--yes", where=copy)
    assert "Nothing is left" in machine.give("idc", "undo", "latest", "--yes", where=copy / "parameters")


def test_a_batch_runs_in_a_working_copy(machine, copy):
    (copy / "jobs.yaml").write_text("jobs:\n  - name: one\n    notebook: '01'\n", "utf-8")
    machine.give("idc", "batch", "jobs.yaml", "--mode", "plan", where=copy)
    assert (copy / "runs" / "batch-jobs" / "index.html").is_file()


def test_elsewhere_runs_go_to_the_home(machine):
    machine.give("idc", "run", "--only", "01", "--mode", "plan", where="/")
    assert (machine.home / "identity-center" / "runs" / "latest" / "summary.json").is_file()


def test_papermill_runs_a_notebook_with_any_working_folder(machine, copy, tmp_path):
    notebook, out = str(copy / "notebooks" / "01_enable_identity_center.ipynb"), str(tmp_path / "out.ipynb")
    machine.give("python", "-m", "papermill", notebook, out, "--cwd", str(tmp_path), where="/")
    assert (machine.home / "identity-center" / "runs" / "notebooks" / "events.jsonl").is_file()


def test_the_lab_opens_a_copy_in_the_home(machine):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**machine.environment, "JUPYTER_TOKEN": "a-token-of-this-test"}
    command = ["idc", "lab", "--no-browser", "--port", str(port)]
    url = f"http://127.0.0.1:{port}/api/contents/notebooks?token=a-token-of-this-test"
    log = machine.home / "lab.log"
    with log.open("wb") as file:
        process = subprocess.Popen(command, cwd="/", env=environment, stdout=file, stderr=file)
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                with urllib.request.urlopen(url, timeout=20) as answer:
                    listed = json.loads(answer.read())
                break
            except urllib.error.URLError:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.2)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
    assert "00_start_here.ipynb" in {entry["name"] for entry in listed["content"]}
    assert (machine.home / "identity-center" / "README.md").is_file()
