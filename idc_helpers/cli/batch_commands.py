"""``idc batch``."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Literal

import typer


def batch(
    table: Annotated[Path, typer.Argument(metavar="FILE", help="The table of jobs, YAML or CSV.")],
    *,
    workers: Annotated[
        int | None, typer.Option("--workers", "-w", min=1, help="Jobs side by side. [default: the cores]")
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="The batch's folder, or s3://bucket/prefix. [default: runs/batch-<FILE>]",
        ),
    ] = None,
    mode: Annotated[
        Literal["plan", "apply"] | None,
        typer.Option("--mode", help="For all jobs, whatever table and scenarios say."),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option("--engine", help="What executes the notebooks. [default: the fastest one here]"),
    ] = None,
    cell_timeout: Annotated[
        float | None, typer.Option("--cell-timeout", metavar="SECONDS", help="For each cell.")
    ] = None,
    notebook_timeout: Annotated[
        float | None, typer.Option("--notebook-timeout", metavar="SECONDS", help="For each notebook.")
    ] = None,
    max_output: Annotated[
        float,
        typer.Option(
            "--max-output",
            metavar="MILLIONS",
            min=0.001,
            help="Millions of characters that are kept of what a cell prints, of each stream.",
        ),
    ] = 1,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Run the jobs again that failed before.")
    ] = False,
    scheduler: Annotated[
        str,
        typer.Option(
            "--scheduler",
            metavar="ADDRESS",
            help="Run on the workers of this dask scheduler, such as tcp://host:8786 or tls://host:8786.",
        ),
    ] = "",
    mask_personal_data: Annotated[
        bool,
        typer.Option(
            "--mask-personal-data",
            help="Replace people's names, e-mail addresses, phone numbers and addresses in what jobs write.",
        ),
    ] = False,
    edited_notebooks: Annotated[
        bool,
        typer.Option(
            "--edited-notebooks",
            help="Write to AWS although cells of the notebooks differ from what the kit's repository holds.",
        ),
    ] = False,
) -> None:
    """Run a table of jobs side by side: one notebook or the lesson for many accounts, tenants or learners.

    Exit status 0 only if every job passed. The same command again goes on where it ended: jobs that are done
    with the same inputs are not run again. The batch's folder holds batch.json, index.html, and a run folder
    for each job.
    """
    from idc_helpers.project import project_folder, work_folder  # noqa: PLC0415
    from idc_helpers.runner.engine_choice import open_engine  # noqa: PLC0415
    from idc_helpers.runner.engines import TimeLimits  # noqa: PLC0415

    kit, work = project_folder(), work_folder()
    in_s3 = out is not None and out.casefold().startswith("s3:")
    try:
        with ExitStack() as stack:
            # First of all: it preloads while the table is read and checked.
            opened = None if scheduler else stack.enter_context(open_engine(engine))
            from idc_helpers.runner.batch.batch import BatchRequest, run_batch  # noqa: PLC0415

            request = BatchRequest(
                project=kit,
                work=work,
                table=table,
                out=Path(out) if out and not in_s3 else None,
                workers=workers,
                mode=mode,
                engine=engine,
                limits=TimeLimits(cell_timeout, notebook_timeout, int(max_output * 1_000_000)),
                retry_failed=retry_failed,
                scheduler=scheduler,
                bucket=out if out and in_s3 else "",
                mask_personal_data=mask_personal_data,
                edited_notebooks=edited_notebooks,
            )
            outcome = run_batch(request, sys.stdout, opened)
    except KeyboardInterrupt:
        typer.echo("The batch was ended before it began; nothing was changed.", err=True)
        raise typer.Exit(130) from None
    raise typer.Exit(outcome.exit_status)


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(batch)
