"""``idc lab`` as people start it, in folders of its own, with a copy of the notebooks."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from command_line_versions import answered
from patience import PATIENCE_S

KIT = Path(__file__).parents[2]
TOKEN = "a-token-of-this-test"


class KitLab:
    """A JupyterLab that ``idc lab`` started.

    Attributes
    ----------
    origin, base_url
        ``"http://localhost:PORT"``, and the path below which Lab is, as on a JupyterHub.
    """

    def __init__(self, folder: Path, base_url: str = "/") -> None:
        self.folder = folder
        self.base_url = base_url
        self.state = folder / "state"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.origin = f"http://localhost:{self.port}"
        self._copy_kit()
        self._configure()
        self.process = self.start()

    def _copy_kit(self) -> None:
        """Make the folder in which one stands: a copy that was made by hand."""
        self.kit = self.folder / "kit"
        for name in ("notebooks", "parameters"):
            shutil.copytree(KIT / name, self.kit / name)

    def _configure(self) -> None:
        own = {name: self.folder / name.lower() for name in ("CONFIG", "DATA", "RUNTIME")}
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            **{f"JUPYTER_{name}_DIR": str(path) for name, path in own.items()},
            "JUPYTERLAB_SETTINGS_DIR": str(self.folder / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(self.folder / "workspaces"),
            "IDC_SANDBOX_STATE": str(self.state),
            "IDC_RUN_FOLDER": str(self.folder / "run"),
            "PYTHONPATH": str(KIT),
            **answered(),
        }
        own["CONFIG"].mkdir()
        configuration = {
            "ServerApp": {"base_url": self.base_url, "port_retries": 0},
            "IdentityProvider": {"token": TOKEN},
            "LabApp": {"expose_app_in_browser": True},
        }
        (own["CONFIG"] / "jupyter_server_config.json").write_text(json.dumps(configuration))

    def start(self) -> subprocess.Popen[bytes]:
        """Start it, and wait until it answers."""
        self.log = self.folder / "lab.log"
        command = [sys.executable, "-m", "idc_runner.cli", "lab", "--no-browser", "--port", str(self.port)]
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                command, cwd=self.kit, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                self.ask("GET", "api/status")
            except OSError:
                assert process.poll() is None, self.log.read_text()
                time.sleep(0.1)
            else:
                self.process = process
                return process
        raise AssertionError(f"idc lab did not start: {self.log.read_text()}")

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Return the JSON that Lab's own API answers."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"token {TOKEN}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url(path)}", data=data, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return json.loads(answer.read() or b"null")

    def url(self, path: str) -> str:
        return f"{self.origin}{self.base_url}{path}"

    def interrupt(self) -> int:
        """End it as Ctrl-C does; return the exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE_S)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.interrupt()
        stop = [sys.executable, "-m", "idc_sandbox", "stop", "--state", str(self.state)]
        subprocess.run(stop, env=self.environment, check=False, capture_output=True)

    def processes(self) -> set[int]:
        """Return every process that was started for this Lab: they inherit its state folder's name."""
        mark = f"IDC_SANDBOX_STATE={self.state}".encode()
        found = set()
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                if mark in path.read_bytes().split(b"\0"):
                    found.add(int(path.parent.name))
            except OSError:
                continue  # it has ended, or is somebody else's
        return found


class CloneLab(KitLab):
    """``idc lab`` in a clone of the kit, committed, whose own code runs."""

    def _copy_kit(self) -> None:
        self.kit = self.folder / "clone"
        names = (
            "idc_aws",
            "idc_helpers",
            "idc_runner",
            "idc_sandbox",
            "notebooks",
            "parameters",
            "docs",
            "recipes",
        )
        for name in names:
            shutil.copytree(KIT / name, self.kit / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(KIT / ".gitignore", self.kit / ".gitignore")
        for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "All"]):
            self.git(*words)

    def _configure(self) -> None:
        super()._configure()
        self.environment["PYTHONPATH"] = str(self.kit)
        del self.environment["IDC_RUN_FOLDER"]

    def git(self, *words: str) -> str:
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", *words]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        done = subprocess.run(command, cwd=self.kit, env=kept, capture_output=True, text=True, check=True)
        return done.stdout

    def idc(self, *words: str, where: str) -> str:
        command = [sys.executable, "-m", "idc_runner.cli", *words]
        folder = self.kit / where
        done = subprocess.run(
            command, cwd=folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
