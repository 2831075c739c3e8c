"""JupyterLab as a process: what it is started with, and how it ends with everything that it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
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
    command: Sequence[str], environment: Mapping[str, str], *, meanwhile: Callable[[], None] = lambda: None
) -> int:
    """Run JupyterLab until it ends, or until this process is told to end; return its exit status.

    It is asked once, and then ends its kernels and terminals; told again, it is ended at once.

    Parameters
    ----------
    meanwhile
        Called while JupyterLab starts, which takes seconds; when it raises, JupyterLab ends.
    """
    # A session of its own: Ctrl-C comes here alone, and Lab does not ask back whether it was meant.
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    with _passing_on(process):
        try:
            meanwhile()
        except BaseException:
            process.terminate()
            process.wait()
            raise
        return process.wait()


@contextmanager
def _passing_on(process: subprocess.Popen[bytes]) -> Iterator[None]:
    told: list[int] = []

    def pass_on(number: int, _frame: FrameType | None) -> None:
        told.append(number)
        if len(told) == 1:
            process.terminate()
        else:
            process.kill()

    before = {number: signal.signal(number, pass_on) for number in _ENDS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
