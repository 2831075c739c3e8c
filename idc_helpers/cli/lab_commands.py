"""``idc lab``: the notebooks as a guided walk-through."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

# Asked for when a terminal is opened: the sandbox may run on another port by then.
_SHELL = 'eval "$("{python}" -m idc_sandbox env)"; exec "${{SHELL:-/bin/sh}}"'


def lab(
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Whether to open a browser.", show_default=True)
    ] = True,
    port: Annotated[
        int | None, typer.Option("--port", metavar="N", help="JupyterLab's port.", min=0, max=65535)
    ] = None,
) -> None:
    """Open JupyterLab on the first notebook, with the sandbox running."""
    from idc_helpers.runbook.opening import project_folder  # noqa: PLC0415
    from idc_helpers.sandbox_starter import start_sandbox  # noqa: PLC0415

    project = project_folder()
    sandbox = start_sandbox()
    typer.echo(
        f"The sandbox runs at {sandbox.endpoint_url}; `idc sandbox stop` ends it. Ctrl-C ends JupyterLab."
    )
    options = [] if browser else ["--no-browser"]
    options += [f"--port={port}"] if port is not None else []
    if os.geteuid() == 0:
        options.append("--allow-root")  # in a container there is often nobody else, and Lab would refuse
    shell = ["/bin/sh", "-c", _SHELL.format(python=sys.executable)]
    options.append(f"--ServerApp.terminado_settings={ {'shell_command': shell} }")
    os.chdir(project)
    # The root is the kit's folder, so that the notebooks' links to docs/ and parameters/ work.
    command = [sys.executable, "-m", "jupyterlab", *options, "notebooks/00_start_here.ipynb"]
    sys.stdout.flush()
    os.execv(sys.executable, command)  # noqa: S606 -- JupyterLab takes this process's place and its Ctrl-C


def add_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(lab)
