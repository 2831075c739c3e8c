"""``idc lab``: the notebooks as a guided walk-through."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def lab(
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Whether to open a browser.", show_default=True)
    ] = True,
    port: Annotated[
        int | None, typer.Option("--port", metavar="N", help="JupyterLab's port.", min=0, max=65535)
    ] = None,
) -> None:
    """Open JupyterLab on the first notebook, with the sandbox running; Ctrl-C ends what this started.

    The state stays: the next time everything is as it was.
    """
    from idc_helpers.cli.lab_process import lab_command, lab_environment, run_lab  # noqa: PLC0415
    from idc_helpers.project import project_folder  # noqa: PLC0415
    from idc_helpers.runner.sandboxes import sandbox_runs, stop_sandbox  # noqa: PLC0415
    from idc_helpers.sandbox_starter import SandboxAddress, start_sandbox  # noqa: PLC0415

    project, ran_before = project_folder(), sandbox_runs()
    started: list[SandboxAddress] = []

    def start() -> None:
        started.append(start_sandbox())
        ending = "it ran before and stays" if ran_before else "it ends with JupyterLab, and its state stays"
        typer.echo(f"The sandbox runs at {started[0].endpoint_url}; {ending}. Ctrl-C ends JupyterLab.")

    try:
        command = lab_command(project, browser=browser, port=port)
        status = run_lab(command, lab_environment(), meanwhile=start)
    finally:
        if started and not ran_before:
            stop_sandbox(Path(started[0].state_folder))
    typer.echo("JupyterLab has ended, with its kernels and terminals. What you did is kept.")
    raise typer.Exit(status)


def add_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(lab)
