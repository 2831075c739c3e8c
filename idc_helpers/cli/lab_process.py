"""JupyterLab as a process: what it is started with, and how it ends with everything that it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import idc_helpers
from idc_helpers.sandbox_starter import jupyter_variables

FIRST_NOTEBOOK = "notebooks/00_start_here.ipynb"
CONFIG_FOLDER = Path(idc_helpers.__file__).parent / "data" / "jupyter"
# Asked for when a terminal is opened: the sandbox may run on another port by then. bash, unlike a plain sh,
# ends what runs in the background when its terminal closes. Hints of the notebooks name `idc`.
_SHELL = (
    'eval "$("{python}" -m idc_sandbox env)"; PATH="{folder}:$PATH"; export PATH;'
    ' exec "${{SHELL:-$(command -v bash || echo /bin/sh)}}"'
)
_LOOK_S = 0.5
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def lab_command(folder: Path, *, browser: bool = True, port: int | None = None) -> list[str]:
    """Return the command line of JupyterLab on the first notebook of the kit's folder.

    The root is that folder, so that the notebooks' links to ``docs/`` and ``parameters/`` work.
    """
    options = [f"--ServerApp.root_dir={folder}", f"--LabApp.default_url=/lab/tree/{FIRST_NOTEBOOK}"]
    options.append("--LabApp.extension_manager=readonly")  # the other one asks the internet
    options.append("--LanguageServerManager.autodetect=False")  # the search starts npm, for seconds
    options += [] if browser else ["--no-browser"]
    options += [f"--port={port}"] if port is not None else []
    if os.geteuid() == 0:
        options.append("--allow-root")  # in a container there is often nobody else, and Lab would refuse
    shell = ["/bin/sh", "-c", _SHELL.format(python=sys.executable, folder=Path(sys.executable).parent)]
    options.append(f"--ServerApp.terminado_settings={ {'shell_command': shell} }")
    return [sys.executable, "-m", "jupyterlab", *options]


def lab_environment() -> dict[str, str]:
    """Return this process's environment, with the folders that hold the kit's configuration of JupyterLab.

    Raises
    ------
    SandboxError
        When the sandbox's package does not say where its folders are.
    """
    variables = jupyter_variables()
    folders = [str(CONFIG_FOLDER), variables["JUPYTER_CONFIG_PATH"]]
    return {**os.environ, **variables, "JUPYTER_CONFIG_PATH": os.pathsep.join(folders)}


def run_lab(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    meanwhile: Callable[[], None] = lambda: None,
    patience_s: float = 20.0,
) -> int:
    """Run JupyterLab until it ends, or until this process is told to end; return its exit status.

    It is asked once, and then ends its kernels and terminals; told again, it is ended at once.

    Parameters
    ----------
    meanwhile
        Called while JupyterLab starts, which takes seconds; when it raises, JupyterLab ends.
    patience_s
        How long it may take to end when it was asked. Asked while it opens its first notebook, it closes
        everything and then waits for a thread of its own that nobody ends: it is ended then, and that is 0.
    """
    # A session of its own: Ctrl-C comes here alone, and Lab does not ask back whether it was meant.
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    with _passing_on(process) as told:
        try:
            meanwhile()
        except BaseException:
            process.terminate()
            process.wait()
            raise
        return _wait(process, told, patience_s)


def _wait(process: subprocess.Popen[bytes], told: Sequence[int], patience_s: float) -> int:
    asked_at = None
    while True:
        try:
            return process.wait(_LOOK_S)
        except subprocess.TimeoutExpired:
            asked_at = asked_at or (time.monotonic() if told else None)
            if asked_at is not None and time.monotonic() - asked_at > patience_s:
                process.kill()  # kernels see that it is gone, and end
                process.wait()
                return 0


@contextmanager
def _passing_on(process: subprocess.Popen[bytes]) -> Iterator[Sequence[int]]:
    told: list[int] = []

    def pass_on(number: int, _frame: FrameType | None) -> None:
        told.append(number)
        if len(told) == 1:
            process.terminate()
        else:
            process.kill()

    before = {number: signal.signal(number, pass_on) for number in _ENDS}
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
