"""What a check-up looks at on this machine: Python, the kit, its folder, the AWS CLI, the sandbox."""

from __future__ import annotations

import importlib.metadata
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import idc_helpers
from idc_helpers.aws.command_line import advice, find_command_lines
from idc_helpers.cli.findings import Finding
from idc_helpers.errors import KitError
from idc_helpers.project import project_folder, runs_folder, work_folder
from idc_helpers.runner.sandboxes import sandbox_command

OLDEST_PYTHON = (3, 11)
SANDBOX_PORT = 8723


def machine_findings() -> Iterator[Finding]:
    """Yield what there is to say of this machine; starts nothing, asks no other machine."""
    yield python_finding(sys.version_info[:3], sys.executable)
    yield kit_finding()
    yield folder_finding()
    yield aws_cli_finding()
    yield sandbox_finding()


def python_finding(version: tuple[int, ...], executable: str) -> Finding:
    """Tell whether this Python is new enough."""
    found = f"{'.'.join(map(str, version))} ({executable})"
    if version[:2] >= OLDEST_PYTHON:
        return Finding("ok", "Python", found)
    return Finding("fail", "Python", found, "The kit needs 3.11 or newer: install it and run `make` again.")


def kit_finding() -> Finding:
    """Tell the versions of the kit and of what it stands on."""
    names = ("boto3", "papermill", "jupyterlab", "pydantic")
    missing, found = [], [f"kit {idc_helpers.__version__}"]
    for name in names:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return Finding(
            "fail", "Packages", f"missing: {', '.join(missing)}", "Run `make setup` in the kit's folder."
        )
    return Finding("ok", "Packages", ", ".join(found))


def folder_finding() -> Finding:
    """Tell where the kit is, and whether the folder in which a person works can hold runs."""
    try:
        project, work, runs = project_folder(), work_folder(), runs_folder()
    except KitError as error:
        return Finding("fail", "Kit's folder", error.message, error.remedy)
    present = next(folder for folder in (runs, *runs.parents) if folder.exists())
    if os.access(present, os.W_OK):
        return Finding(
            "ok", "Kit's folder", str(project) if work == project else f"{project}; you work in {work}"
        )
    return Finding(
        "warn", "Kit's folder", f"{str(runs)!r} cannot be written", "Give `idc run` another with --out DIR."
    )


def aws_cli_finding() -> Finding:
    """Tell whether there is an AWS CLI that notebook 10 can use, and what to know about it."""
    found = find_command_lines()
    usable = next((one for one in found if one.can_sign_in), None)
    if usable is None:
        return Finding("warn", "AWS CLI", "none that can sign in", advice(found))
    words = f"{usable} ({usable.program})"
    if usable == found[0] and usable.takes_endpoint_url:
        return Finding("ok", "AWS CLI", words)
    return Finding("warn", "AWS CLI", words, advice(found))


def sandbox_finding() -> Finding:
    """Tell whether the standing sandbox runs, or whether its port is free for it."""
    try:
        about = json.loads(_answer(sandbox_command("status", "--json")))
    except ValueError as error:
        return Finding("fail", "Sandbox", f"its status cannot be read: {error}", "Run `idc sandbox status`.")
    if about.get("running"):
        return Finding("ok", "Sandbox", f"runs at {about['endpoint_url']}, state in {about['state_folder']}")
    state = Path(about["state_folder"])
    if port_is_free(SANDBOX_PORT):
        return Finding(
            "ok", "Sandbox", f"not running, starts when needed; port {SANDBOX_PORT} is free; state in {state}"
        )
    remedy = "Start the sandbox on another: idc sandbox start --port 0"
    return Finding(
        "warn", "Sandbox", f"not running, and port {SANDBOX_PORT} is in use by something else", remedy
    )


def port_is_free(port: int) -> bool:
    """Return whether nothing listens on a port of 127.0.0.1."""
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _answer(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return done.stdout or done.stderr
