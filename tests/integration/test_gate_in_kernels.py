"""The law of the gate in real kernels: nothing is written that the plan on the screen did not show.

Kernels differ in what becomes of a change that arrives while a cell runs: some lose it, some run its
callback on another thread, some keep it until the cell ends. The oldest and the newest that the
requirements allow are tried.
"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from queue import Empty

import pytest
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager
from packaging.requirements import Requirement
from patience import PATIENCE_S

from idc_aws.connection import connect
from idc_aws.groups import Groups
from idc_aws.identity_store import find_principal_id

ROOT = Path(__file__).parents[2]
INSTALLED = importlib.metadata.version("ipykernel")
VERSIONS = ("6.31.0", INSTALLED)
# Of an older ipykernel, what the newer one does not bring along.
ALONE = {"6.31.0": ("nest-asyncio==1.6.0",)}
# On a busy machine these lose a message that has arrived: a cell or a press does nothing.
# https://github.com/ipython/ipykernel/issues/1554
REFUSED = ("7.0.1", "7.1.0", "7.2.0", "7.3.0")
LOOK_AGAIN_S = 5
OPEN = """
from idc_helpers import open_runbook
groups = [{"display_name": "Operators", "description": "Zero"}]
step = open_runbook("06_groups", groups=groups).step("groups")
step.take()
"""


def test_the_versions_tried_are_the_ends_of_what_the_requirements_allow():
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    (line,) = [line.partition("#")[0].strip() for line in lines if line.startswith("ipykernel")]
    allowed = Requirement(line).specifier
    assert {str(one) for one in allowed if one.operator != "!="} == {f">={VERSIONS[0]}", f"<={VERSIONS[-1]}"}
    assert all(version in allowed for version in VERSIONS)
    assert not any(version in allowed for version in REFUSED)


def folder_of(version):
    """Return a folder with that ipykernel, made once for each environment; None: the installed one."""
    if version == INSTALLED:
        return None
    folder = Path(sys.prefix) / "other-kernels" / f"ipykernel-{version}"
    if not folder.exists():
        making = folder.with_name(f"{folder.name}.{os.getpid()}")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(making)]
        packages = [f"ipykernel=={version}", *ALONE.get(version, ())]
        done = subprocess.run([*command, *packages], capture_output=True, text=True, check=False)
        if done.returncode:
            shutil.rmtree(making, ignore_errors=True)
            pytest.skip(f"ipykernel {version} cannot be fetched here: {done.stderr.strip()[-200:]}")
        making.rename(folder)
    return folder


class FrontEnd:
    """What JupyterLab is to a kernel: runs cells, keeps the widgets' state, types and clicks."""

    def __init__(self, version, environment):
        other = folder_of(version)
        path = [str(other)] if other else []
        self.manager = KernelManager(kernel_name="python3")
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        self.manager._kernel_spec = KernelSpec(argv=argv, display_name="Python", language="python")
        python_path = os.pathsep.join([*path, str(ROOT)])
        self.manager.start_kernel(
            env={**os.environ, **environment, "PYTHONPATH": python_path, "IDC_INTERACTIVE": "guided"},
            cwd=str(ROOT),
        )
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE_S)
        self.widgets, self.said = {}, []
        self.ended, self.errors, self.printed = set(), {}, ""

    def stop(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def run(self, code):
        message_id = self.start(code)
        self.until(lambda: message_id in self.ended)
        assert message_id not in self.errors, self.errors[message_id]

    def start(self, code):
        return self.client.execute(code, allow_stdin=True)

    def asked(self, code):
        self.printed = ""
        self.run(f"print({code})")
        self.until(lambda: self.printed)
        return self.printed.strip()

    def until(self, condition):
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert self.manager.is_alive(), "the kernel has ended"
            assert time.monotonic() < deadline, (self.errors, self.said[-5:])
            with suppress(Empty):
                self._take(self.client.get_iopub_msg(timeout=LOOK_AGAIN_S))

    def _take(self, message):
        kind, content = message["header"]["msg_type"], message["content"]
        parent = message["parent_header"].get("msg_id")
        if kind == "comm_open":
            self.widgets[content["comm_id"]] = dict(content["data"].get("state", {}))
        elif kind == "comm_msg" and content["data"].get("method") == "update":
            state = content["data"]["state"]
            self.widgets.get(content["comm_id"], {}).update(state)
            self.said.append(str(state.get("value", "")))
        elif kind == "error":
            self.errors[parent] = content
        elif kind == "stream":
            self.printed += content["text"]
        elif kind == "status" and content["execution_state"] == "idle":
            self.ended.add(parent)

    def widget(self, description):
        (found,) = [key for key, state in self.widgets.items() if state.get("description") == description]
        return found

    def type(self, description, value):
        self._send(
            self.widget(description), {"method": "update", "state": {"value": value}, "buffer_paths": []}
        )

    def click(self, description):
        self._send(self.widget(description), {"method": "custom", "content": {"event": "click"}})

    def _send(self, comm_id, data):
        message = self.client.session.msg("comm_msg", {"comm_id": comm_id, "data": data})
        self.client.shell_channel.send(message)


@pytest.fixture
def run_environment(sandbox_folder, tmp_path):
    yield {"IDC_SANDBOX_STATE": str(sandbox_folder), "IDC_RUN_FOLDER": str(tmp_path / "run")}
    connection = connect(state_folder=sandbox_folder)
    store = {"IdentityStoreId": connection.instance.identity_store_id}
    group_id = find_principal_id(connection, "GROUP", "Operators")
    if group_id:  # a test that failed early has made none, and its own failure is what to read
        connection.client("identitystore").delete_group(GroupId=group_id, **store)


@pytest.fixture
def front_end(run_environment, version):
    front_end = FrontEnd(version, run_environment)
    yield front_end
    front_end.stop()


def written(environment):
    """What the target holds, read past the kernel."""
    connection = connect(state_folder=environment["IDC_SANDBOX_STATE"])
    return Groups(connection).read(["Operators"]).get("Operators", {}).get("description")


def press(front_end, button, answer):
    """Press a button and return what the panel says then, from the first that holds the answer."""
    before = len(front_end.said)
    front_end.click(button)
    front_end.until(lambda: any(answer in text for text in front_end.said[before:]))
    return next(text for text in front_end.said[before:] if answer in text)


def review(front_end):
    """Press Review and return the description that the plan shows; None where nothing is to do."""
    plan = press(front_end, "Review", "Plan for")
    shown = [word for word in ("Zero", "One", "Two", "Three") if f"Description: {word}" in plan]
    assert len(shown) == (0 if "1 unchanged" in plan else 1), plan
    return shown[0] if shown else None


@pytest.mark.parametrize("version", VERSIONS)
def test_nothing_is_written_that_the_plan_did_not_show(front_end, run_environment, version):
    assert front_end.asked("__import__('ipykernel').__version__") == version
    front_end.run(OPEN)
    front_end.type("Description – optional", "One")
    assert review(front_end) == "One"
    # A person goes on typing while a cell works, and presses Apply in the same breath.
    front_end.run("import asyncio, threading; go_on = asyncio.Event(); loop = asyncio.get_running_loop()")
    busy = front_end.start(
        "threading.Timer(0.5, lambda: loop.call_soon_threadsafe(go_on.set)).start(); await go_on.wait()"
    )
    front_end.type("Description – optional", "Two")
    front_end.type("Description – optional", "Three")
    front_end.click("Apply in the sandbox")
    front_end.until(lambda: busy in front_end.ended)
    front_end.run("pass")
    front_end.until(lambda: front_end.asked("step.step.running") == "False")
    assert written(run_environment) in (None, "One"), "a value was written that no plan had shown"

    held = front_end.asked("step.values.values[0]['description']")
    assert review(front_end) in (held, None)
    press(front_end, "Apply in the sandbox", "✔ Done")
    assert written(run_environment) == held
    front_end.run("step.take()")
