"""``idc lab`` and ``idc init``: JupyterLab as a process that ends with everything that it started."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Annotated

import typer

from idc_aws.project import holds_a_kit, is_repository, lab_folder, project_folder
from idc_runner.working_copy import follow, is_working_copy, lay_out, start_afresh

FIRST_NOTEBOOK = "notebooks/00_start_here.ipynb"
CONFIG_FOLDER = Path(__file__).parents[1] / "data" / "jupyter"
# Asked for when a terminal is opened: the sandbox may run on another port by then. bash, unlike a plain sh,
# ends what runs in the background when its terminal closes.
_SHELL = 'eval "$("{python}" -m idc_sandbox env)"; exec "${{SHELL:-$(command -v bash || echo /bin/sh)}}"'
_LOOK_S = 0.5
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def lab_command(folder: Path, *, browser: bool = True, port: int | None = None) -> list[str]:
    """Return the command line of JupyterLab on the first notebook of the kit's folder."""
    # The root is that folder, so that the notebooks' links to docs/ and parameters/ work.
    options = [f"--ServerApp.root_dir={folder}", f"--LabApp.default_url=/lab/tree/{FIRST_NOTEBOOK}"]
    options.append("--LabApp.extension_manager=readonly")  # the other one asks the internet
    options.append("--LanguageServerManager.autodetect=False")  # the search starts npm, for seconds
    options += [] if browser else ["--no-browser"]
    options += [f"--port={port}"] if port is not None else []
    if os.geteuid() == 0:
        options.append("--allow-root")  # in a container there is often nobody else, and Lab would refuse
    shell = ["/bin/sh", "-c", _SHELL.format(python=sys.executable)]
    options.append(f"--ServerApp.terminado_settings={ {'shell_command': shell} }")
    return [sys.executable, "-m", "idc_runner.jupyterlab", *options]


def lab_environment(programs: Path) -> dict[str, str]:
    """Return this process's environment, with the folders of what the kit adds; `programs` come first."""
    from idc_aws.sandbox import jupyter_variables  # noqa: PLC0415

    variables = jupyter_variables()
    own = str(CONFIG_FOLDER)  # the lesson's side bar is there too
    return {
        **os.environ,
        "PATH": search_path(programs),
        "JUPYTER_CONFIG_PATH": os.pathsep.join([own, variables["JUPYTER_CONFIG_PATH"]]),
        "JUPYTER_PATH": os.pathsep.join([variables["JUPYTER_PATH"], own]),
    }


def search_path(*first: Path) -> str:
    """Return where terminals and kernels look for programs: first there, then beside this Python."""
    # Hints of the notebooks name `idc`, which is beside it.
    folders = (*first, Path(sys.executable).parent, os.environ.get("PATH", os.defpath))
    return os.pathsep.join(map(str, folders))


def link_command_line(programs: Path) -> None:
    """Let `aws` be the AWS CLI that can sign in, where another one comes first on the path. Writes a link."""
    from idc_aws.signin.terminal import find_command_line  # noqa: PLC0415

    usable = find_command_line(search_path())
    if usable is not None and usable.program != shutil.which("aws", path=search_path()):
        (programs / "aws").symlink_to(Path(usable.program).absolute())


def run_lab(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    meanwhile: Callable[[], None] = lambda: None,
    patience_s: float = 20.0,
) -> int:
    """Run JupyterLab until it ends, or until this process is asked to end; return its exit status."""
    # It is asked once, and then ends its kernels and terminals; asked again, it is ended at once.
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
    while not told:
        with suppress(subprocess.TimeoutExpired):
            return process.wait(_LOOK_S)
    try:
        return process.wait(patience_s)
    except subprocess.TimeoutExpired:
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


_Fresh = Annotated[
    bool,
    typer.Option(
        "--fresh", help="Lay the notebooks and scenarios out again first. The old ones are kept in earlier/."
    ),
]


def lab(
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Whether to open a browser.", show_default=True)
    ] = True,
    port: Annotated[
        int | None, typer.Option("--port", metavar="N", help="JupyterLab's port.", min=0, max=65535)
    ] = None,
    fresh: _Fresh = False,
) -> None:
    """Open JupyterLab on the first notebook, and start the sandbox.

    Ctrl-C ends what this started.

    JupyterLab works on your own copy, made at the first start: the folder lab/ of the kit's repository, or
    the folder that `idc init` laid out. The state stays: the next time everything is as it was.
    """
    from idc_aws.sandbox import SandboxAddress, find_sandbox, start_sandbox, stop_sandbox  # noqa: PLC0415

    folder, ran_before = _lab_folder(fresh), find_sandbox() is not None
    started: list[SandboxAddress] = []

    def start(programs: Path) -> None:
        started.append(start_sandbox())
        ending = "it ran before and stays" if ran_before else "it ends with JupyterLab, and its state stays"
        typer.echo(f"The sandbox runs at {started[0].endpoint_url}; {ending}. Ctrl-C ends JupyterLab.")
        link_command_line(programs)

    try:
        command = lab_command(folder, browser=browser, port=port)
        with TemporaryDirectory(prefix="idc-lab-") as programs:
            status = run_lab(
                command, lab_environment(Path(programs)), meanwhile=lambda: start(Path(programs))
            )
    finally:
        if started and not ran_before:
            stop_sandbox(Path(started[0].state_folder))
    typer.echo("JupyterLab has ended, with its kernels and terminals. Your work is kept.")
    raise typer.Exit(status)


def init(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Made when it does not exist.")],
    update: Annotated[
        bool,
        typer.Option("--update", help="Bring a working copy up to date, except for what you changed in it."),
    ] = False,
    fresh: _Fresh = False,
) -> None:
    """Lay out a working copy in a folder. Nothing there is overwritten.

    It holds the notebooks, the scenarios and a README.

    There, `idc lab` opens your copy of the notebooks, and `idc run` takes your scenarios.
    """
    folder = folder.absolute()
    is_copy = is_working_copy(folder) or (holds_a_kit(folder) and not is_repository(folder))
    if fresh:
        _start_afresh(folder)
    elif update and is_copy:
        _follow(folder)
    else:
        lay_out(folder, project_folder())
    typer.echo(f"Your working copy is {folder}. To begin: cd {folder} && idc lab")


def _lab_folder(fresh: bool) -> Path:
    """Return the folder that JupyterLab opens, laid out; one that was copied by hand stays as it is."""
    folder = lab_folder()
    if not holds_a_kit(folder) and not is_working_copy(folder):
        lay_out(folder, project_folder())
        if is_repository(folder.parent):
            _link_runs(folder)
        typer.echo(f"Your copy of the notebooks is {folder}: everything in it is yours to change.")
    elif fresh:
        _start_afresh(folder)
    elif is_working_copy(folder):
        _follow(folder)
    return folder


def _link_runs(folder: Path) -> None:
    """Let the runs of a lab be the ones of the repository: `idc undo` finds them from both folders."""
    with suppress(OSError):  # a file system without links costs the convenience
        (folder.parent / "runs").mkdir(exist_ok=True)
        (folder / "runs").symlink_to(Path("..") / "runs", target_is_directory=True)


def _start_afresh(folder: Path) -> None:
    aside = start_afresh(folder, project_folder())
    typer.echo(f"The notebooks and scenarios are fresh; the earlier ones are in {aside}")


def _follow(folder: Path) -> None:
    followed = follow(folder, project_folder())
    if followed.updated:
        typer.echo(f"The kit was updated, and so was your copy: {', '.join(followed.updated)}.")
    if followed.outdated:
        typer.echo(
            f"The kit has newer versions of files that you changed: {', '.join(followed.outdated)}. Yours"
            " stay. For the newer ones, add --fresh: yours are then kept in earlier/."
        )
