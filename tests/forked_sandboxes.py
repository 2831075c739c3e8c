"""Sandboxes for tests: forks of one process that has imported what a server needs, once for each worker."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys

from idc_sandbox import launcher
from idc_sandbox.loopback import RunningSandbox
from idc_sandbox.state_folder import StateFolder

# Each line of its input is a command and an environment; it answers with the exit status and the output.
_PRELOADED = """
import json, os, sys
from idc_sandbox import launcher
launcher.preload()
from idc_sandbox.__main__ import main
for line in sys.stdin:
    arguments, environment = json.loads(line)
    source, target = os.pipe()
    pid = os.fork()
    if not pid:
        os.environ.clear()
        os.environ.update(environment)
        os.dup2(target, 1)
        os.close(source)
        os.close(target)
        status = main(arguments)
        sys.stdout.flush()
        os._exit(status)
    os.close(target)
    with open(source, encoding="utf-8") as output:
        said = output.read()
    print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said]), flush=True)
"""


@functools.cache
def _preloaded() -> subprocess.Popen[str]:
    """Return this worker's process; it ends with its input, so with the worker."""
    return subprocess.Popen(
        [sys.executable, "-c", _PRELOADED],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=launcher.child_environment(),
        start_new_session=True,  # Ctrl-C is for the tests
    )


def start(folder: StateFolder, *, seed: int | None = 7) -> RunningSandbox:
    """Start the sandbox of a folder on a free port, as `idc sandbox start` does, or find the running one."""
    arguments = ["start", "--json", "--state", str(folder.path), "--port", "0"]
    arguments += ["--seed", str(seed)] if seed is not None else []
    process = _preloaded()
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps([arguments, dict(os.environ)]) + "\n")
    process.stdin.flush()
    status, output = json.loads(process.stdout.readline())
    assert status == 0, folder.log.read_text("utf-8")
    return RunningSandbox(**json.loads(output))
