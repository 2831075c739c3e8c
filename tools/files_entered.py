"""Count the files through which one permission set passes, with Python's profiler, in a sandbox of its own.

    .venv/bin/python tools/files_entered.py

A file counts when one of its functions is entered. What runs because a module is imported does not count, nor
do libraries, the standard library and the sandbox, which is another process.

- **From YAML to check**: the cells of notebook 05, run headless: `open_runbook` with a scenario of one
  permission set, the step, its form (a table), plan, apply, which writes the receipt, and check.
  Connecting is set-up: what `connect` enters does not count. Making the client does: the first call needs it.
- **From click to boto3**: guided, the plan is reviewed; then counting begins, and Apply is clicked. What
  counts is the way *down*: the files with a function that waits for the first call that writes,
  CreatePermissionSet. It begins in the button's handler, and crosses the kernel's loop and a thread: the
  context that asyncio hands on joins the stacks. What is only called in passing, and has returned by then,
  is listed below it.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import io
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import ipywidgets as widgets
from botocore.client import BaseClient

from idc_aws.connection import connect
from idc_helpers.notebook.runbook import open_runbook
from idc_sandbox import launcher
from idc_sandbox.state_folder import StateFolder

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = tuple(
    f"{folder}{os.sep}" for folder in ROOT.glob("idc_*") if folder.is_dir() and folder.name != "idc_sandbox"
)
SET_UP = connect.__code__
BOTO3_CALL = inspect.unwrap(BaseClient._make_api_call).__code__
FIRST_WRITE = "CreatePermissionSet"
TIMEOUT_S = 30
SCENARIO = """
permission_sets:
  - name: {name}
    description: Reads what is billed and deployed
    session_duration: PT8H
    managed_policies: [ReadOnlyAccess]
    inline_policy:
      Version: "2012-10-17"
      Statement: [{{Effect: Allow, Action: "ce:Get*", Resource: "*"}}]
"""

Files = dict[str, str]
"""The first function entered, by file, in the order of the entries."""


class Watch:
    """Follows which functions of the kit are entered, and who waits for the first write.

    Attributes
    ----------
    entered
        All files entered.
    entered_before_write, waiting
        Those entered when the first write begins, and those of them whose functions wait for it.
    """

    def __init__(self) -> None:
        self.entered: Files = {}
        self.entered_before_write: Files = {}
        self.waiting: Files = {}
        # A context is copied where work is handed to the loop or to a thread: it knows who handed it over.
        self._stack: ContextVar[tuple[CodeType, ...]] = ContextVar("stack", default=())

    @contextlib.contextmanager
    def on(self) -> Iterator[None]:
        """Watch this thread and those that it starts."""
        threading.setprofile(self._see)
        sys.setprofile(self._see)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)

    def _see(self, frame: FrameType, event: str, _argument: Any) -> None:
        code, stack = frame.f_code, self._stack.get()
        if event == "call" and code is BOTO3_CALL and not self.waiting:
            if frame.f_locals["operation_name"] == FIRST_WRITE:
                self.waiting = _files(stack)
                self.entered_before_write = {**self.entered}
        elif event not in ("call", "return") or not code.co_filename.startswith(PACKAGES):
            return
        elif event == "call":
            stack = (*stack, code)
            self._stack.set(stack)
            if not any(_is_aside(each) for each in stack):
                self.entered.setdefault(*_named(code))
        elif stack and stack[-1] is code:  # not what was entered before the watch began
            self._stack.set(stack[:-1])


def _is_aside(code: CodeType) -> bool:
    """Return whether nothing counts below it: the set-up, and the body of a module or class."""
    return code is SET_UP or not code.co_flags & inspect.CO_OPTIMIZED


def _files(stack: tuple[CodeType, ...]) -> Files:
    files: Files = {}
    for code in stack:
        files.setdefault(*_named(code))
    return files


def _named(code: CodeType) -> tuple[str, str]:
    return Path(code.co_filename).relative_to(ROOT).as_posix(), code.co_qualname


def from_yaml_to_check(folder: Path) -> Files:
    """Run the step's cells headless and return the files entered."""
    os.environ["IDC_INTERACTIVE"] = "headless"
    watch = Watch()
    with watch.on(), contextlib.redirect_stdout(io.StringIO()):
        runbook = open_runbook("05_permission_sets", **_parameters(folder, "FromYaml"))
        step = runbook.step("permission_sets")
        for movement in (step.wanted, step.plan, step.apply, step.check):  # the calls are shown beside it
            movement()
    if not (folder / "run/receipts.jsonl").exists():
        raise SystemExit("nothing was applied: there is no receipt")
    return watch.entered


async def from_click_to_boto3(folder: Path) -> tuple[Files, Files]:
    """Press Apply; return the files that wait for the first write, and all entered before it."""
    os.environ["IDC_INTERACTIVE"] = "guided"
    step = open_runbook("05_permission_sets", **_parameters(folder, "FromClick")).step("permission_sets")
    shown = _widgets(step.take().box)
    buttons = {each.description: each for each in shown if isinstance(each, widgets.Button)}
    review, apply = buttons["Review"], buttons["Apply in the sandbox"]
    watch = Watch()
    async with asyncio.timeout(TIMEOUT_S):
        with watch.on():  # before the review: asyncio keeps its thread, and a profiler is set when one starts
            review.click()
            while apply.disabled:
                await asyncio.sleep(0.01)
            watch.entered.clear()
            apply.click()
            while not watch.waiting or review.disabled:
                await asyncio.sleep(0.01)
    return watch.waiting, watch.entered_before_write


def _parameters(folder: Path, name: str) -> dict[str, str]:
    scenario = folder / f"{name}.yaml"
    scenario.write_text(SCENARIO.format(name=name), "utf-8")
    return {"scenario_file": str(scenario), "run_folder": str(folder / "run"), "target": "sandbox"}


def _widgets(top: Any) -> Iterator[Any]:
    yield top
    for child in getattr(top, "children", ()):
        yield from _widgets(child)


def table(flow: str, files: Files) -> str:
    """Return a count and its files, in the order in which they are entered first."""
    width = max(map(len, files), default=0)
    lines = [f"  {number:2}  {file:{width}}  {name}" for number, (file, name) in enumerate(files.items(), 1)]
    return "\n".join([f"{flow}: {len(files)} files", *lines])


@contextlib.contextmanager
def sandbox() -> Iterator[Path]:
    """Give a folder, and a sandbox with an instance that `connect` finds and that ends with it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for variable in [each for each in os.environ if each.startswith(("AWS_", "IDC_"))]:
            del os.environ[variable]
        os.environ |= {"HOME": name, "IDC_SANDBOX_STATE": str(folder / "state")}
        state = StateFolder(folder / "state")
        launcher.start(state, port=0, seed=7)
        try:
            console = connect().console
            assert console is not None, "the sandbox has a console"
            console.enable_organization_instance(region="us-east-1")
            yield folder
        finally:
            launcher.stop(state)


def main() -> None:
    """Print the counts."""
    with sandbox() as folder:
        entered = from_yaml_to_check(folder)
        waiting, before = asyncio.run(from_click_to_boto3(folder))
    print(table("From YAML to check", entered))
    print("\n" + table("From click to boto3", waiting))
    in_passing = {file: name for file, name in before.items() if file not in waiting}
    print("\n" + table("From click to boto3, called in passing", in_passing))


if __name__ == "__main__":
    main()
