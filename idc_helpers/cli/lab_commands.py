"""``idc lab`` and ``idc init``: the notebooks as a guided walk-through, in a copy of one's own."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

_FRESH_HELP = "Lay the notebooks and scenarios out again first. The old ones are kept in earlier/."


def lab(
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Whether to open a browser.", show_default=True)
    ] = True,
    port: Annotated[
        int | None, typer.Option("--port", metavar="N", help="JupyterLab's port.", min=0, max=65535)
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help=_FRESH_HELP)] = False,
) -> None:
    """Open JupyterLab on the first notebook, with the sandbox running; Ctrl-C ends what this started.

    JupyterLab works on a copy of yours, made at the first start: the folder lab/ of the kit's repository, or
    the folder that `idc init` laid out. The state stays: the next time everything is as it was.
    """
    from idc_helpers.cli.lab_process import lab_command, lab_environment, run_lab  # noqa: PLC0415
    from idc_helpers.runner.sandboxes import sandbox_runs, stop_sandbox  # noqa: PLC0415
    from idc_helpers.sandbox_starter import SandboxAddress, start_sandbox  # noqa: PLC0415

    folder, ran_before = _lab_folder(fresh), sandbox_runs()
    started: list[SandboxAddress] = []

    def start() -> None:
        started.append(start_sandbox())
        ending = "it ran before and stays" if ran_before else "it ends with JupyterLab, and its state stays"
        typer.echo(f"The sandbox runs at {started[0].endpoint_url}; {ending}. Ctrl-C ends JupyterLab.")

    try:
        command = lab_command(folder, browser=browser, port=port)
        status = run_lab(command, lab_environment(), meanwhile=start)
    finally:
        if started and not ran_before:
            stop_sandbox(Path(started[0].state_folder))
    typer.echo("JupyterLab has ended, with its kernels and terminals. What you did is kept.")
    raise typer.Exit(status)


def init(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Made when it does not exist.")],
    update: Annotated[
        bool,
        typer.Option("--update", help="Bring a working copy up to date, except for what you changed in it."),
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help=_FRESH_HELP)] = False,
) -> None:
    """Lay out a working copy in a folder: notebooks, scenarios and a README. Nothing there is overwritten.

    There, `idc lab` opens your copy of the notebooks, and `idc run` takes your scenarios.
    """
    from idc_helpers.project import holds_a_kit, is_repository, project_folder  # noqa: PLC0415
    from idc_helpers.working_copy import is_working_copy, lay_out  # noqa: PLC0415

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
    from idc_helpers.project import holds_a_kit, is_repository, lab_folder, project_folder  # noqa: PLC0415
    from idc_helpers.working_copy import is_working_copy, lay_out  # noqa: PLC0415

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
    from idc_helpers.project import project_folder  # noqa: PLC0415
    from idc_helpers.working_copy import start_afresh  # noqa: PLC0415

    aside = start_afresh(folder, project_folder())
    typer.echo(f"The notebooks and scenarios are fresh; the earlier ones are in {aside}")


def _follow(folder: Path) -> None:
    from idc_helpers.project import project_folder  # noqa: PLC0415
    from idc_helpers.working_copy import follow  # noqa: PLC0415

    followed = follow(folder, project_folder())
    if followed.updated:
        typer.echo(f"The kit was updated, and so was your copy: {', '.join(followed.updated)}.")
    if followed.outdated:
        typer.echo(
            f"The kit has newer versions of files that you changed: {', '.join(followed.outdated)}. Yours"
            " stay. For the newer ones, add --fresh: yours are then kept in earlier/."
        )


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(lab)
    app.command()(init)
