"""``idc run``, ``idc undo`` and ``idc batch``."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from idc_aws.errors import ApplyRefusedError
from idc_aws.identifiers import first_of
from idc_aws.project import project_folder, runs_folder, work_folder
from idc_runner import NEEDLESS_MODULES, kept_for_good, without_modules

if TYPE_CHECKING:
    from collections.abc import Callable

    from idc_aws.changes import Change, Plan

Parameters = Annotated[
    Path | None,
    typer.Option(
        "--parameters", "-f", metavar="FILE", help="The scenario. [default: parameters/sandbox.yaml]"
    ),
]
Only = Annotated[
    str | None,
    typer.Option("--only", metavar="05,07", help="Only these notebooks, by number or name. [default: all]"),
]
_Mode = Annotated[
    Literal["plan", "apply"] | None,
    typer.Option(
        "--mode",
        help="plan: show what would change and write nothing. apply: make it so. "
        "[default: what the scenario says, else apply in the sandbox and plan on AWS]",
    ),
]
Target = Annotated[
    Literal["sandbox", "aws"] | None,
    typer.Option("--target", help="Where to work. [default: what the scenario says, else sandbox]"),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="Where to put the run's folder. [default: runs]"),
]
_Teardown = Annotated[
    bool,
    typer.Option(
        "--teardown/--no-teardown",
        help="Whether the last notebook undoes what the run made.",
        show_default=True,
    ),
]
_Fresh = Annotated[
    bool,
    typer.Option(
        "--fresh-sandbox",
        help="Use an empty sandbox of the run's own, stopped at the end, instead of your standing one.",
    ),
]
_Organization = Annotated[
    Path | None,
    typer.Option(
        "--organization",
        metavar="FILE",
        help="With --fresh-sandbox: its units and accounts, such as recipes/organization.yaml.",
    ),
]
Mask = Annotated[
    bool,
    typer.Option(
        "--mask-personal-data",
        help="Replace people's names, e-mail addresses, phone numbers and addresses in all that is shown and "
        "written, except in receipts.jsonl and in a plan's file: undo and apply need the real ones.",
    ),
]
_Engine = Annotated[
    str | None,
    typer.Option(
        "--engine",
        metavar="NAME",
        help="fast: a preloaded process forks for each notebook. kernel: a kernel for each. "
        "[default: fast on Linux, else kernel]",
    ),
]

_Edited = Annotated[
    bool,
    typer.Option(
        "--edited-notebooks",
        help="Write to AWS even if cells of the notebooks differ from what the kit's repository holds.",
    ),
]
_MaxOutput = Annotated[
    float,
    typer.Option(
        "--max-output",
        metavar="MILLIONS",
        min=0.001,
        help="How many millions of characters to keep of what a cell prints, of each stream; the rest is "
        "cut.",
    ),
]


def run(
    *,
    parameters: Parameters = None,
    only: Only = None,
    mode: _Mode = None,
    target: Target = None,
    out: Out = None,
    teardown: _Teardown = True,
    fresh_sandbox: _Fresh = False,
    organization: _Organization = None,
    mask_personal_data: Mask = False,
    engine: _Engine = None,
    edited_notebooks: _Edited = False,
    max_output: _MaxOutput = 1,
) -> None:
    """Run the notebooks in order, headless, and write a report.

    Exit status 0 only if every check in every notebook passed. The run's folder (runs/latest) holds the
    executed notebooks, summary.json, index.html, and receipts.jsonl, from which `idc undo` undoes the run.
    It is safe to run it again: what is already as you want it stays `unchanged`.
    """
    from idc_runner.engine import TimeLimits  # noqa: PLC0415
    from idc_runner.fast.engine import open_engine  # noqa: PLC0415

    try:
        with open_engine(engine) as opened:  # first of all: it preloads while this process imports and checks
            with kept_for_good(), without_modules(*NEEDLESS_MODULES):
                from idc_runner.run import RunRequest, run_lesson  # noqa: PLC0415

            request = RunRequest(
                project=project_folder(),
                work=work_folder(),
                scenario_file=parameters,
                only=selected_words(only),
                target=target,
                mode=mode,
                runs=out,
                teardown=teardown,
                fresh_sandbox=fresh_sandbox,
                organization=organization,
                mask_personal_data=mask_personal_data,
                edited_notebooks=edited_notebooks,
                limits=TimeLimits(most_printed=int(max_output * 1_000_000)),
            )
            outcome = run_lesson(request, sys.stdout, opened)
    except KeyboardInterrupt:
        typer.echo("The run was ended before it began; nothing was changed.", err=True)
        raise typer.Exit(130) from None
    raise typer.Exit(outcome.exit_status)


def selected_words(only: str | None) -> tuple[str, ...]:
    """Return which notebooks are asked for; an empty text, as of a variable that is not set, names none."""
    if only is None:
        return ()
    return tuple(word.strip() for word in only.split(",") if word.strip()) or (only,)


UNDO_INCOMPLETE = 3
"""The exit status of an undo that did what it could, and that left something of the run."""
_MOST_LINES = 20


def undo(
    run_id: Annotated[str, typer.Argument(metavar="RUN_ID", help="The run's id, `latest`, or its folder.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    profile: Annotated[
        str | None, typer.Option("--profile", help="The AWS profile. [default: the run's own]")
    ] = None,
    target: Annotated[
        Literal["sandbox", "aws"] | None,
        typer.Option("--target", help="Only what was done there. [default: the run's own, else sandbox]"),
    ] = None,
    account: Annotated[
        str | None, typer.Option("--account", metavar="ID", help="Only what was done in this account.")
    ] = None,
    region: Annotated[str | None, typer.Option("--region", help="Only what was done in this Region.")] = None,
    include_used: Annotated[
        bool,
        typer.Option(
            "--include-used",
            help="Also delete what others use or have changed of what the run created. The plan shows what "
            "goes with it. An instance that holds what others made stays.",
        ),
    ] = False,
    out: Out = None,
) -> None:
    """Undo what a run did, newest first. Only what its receipts name is undone.

    What the run made is deleted by AWS's id, and what it changed gets its old values. What others made, use
    or changed since is left alone and reported. Doing it again is safe. Exit status: 0 when nothing of the
    run is left; 3 when something is left alone, cannot be read or was done in another place; 1 when the undo
    failed.
    """
    from idc_runner.notebooks import find_run_folder  # noqa: PLC0415
    from idc_runner.undo import open_undo  # noqa: PLC0415

    folder = find_run_folder(run_id, out or runs_folder())
    with open_undo(
        folder, target=target, account_id=account, region=region, profile=profile, include_used=include_used
    ) as opened:
        plan, unreadable, elsewhere = opened.planned.plan, opened.planned.unreadable, opened.planned.elsewhere
        if not plan.changes and not unreadable and not elsewhere:
            typer.echo(f"Nothing is left to undo of run {folder.name}.")
            return
        if plan.changes:
            typer.echo(f"{opened.where}\n\n{_plan_table(plan, opened.name_accounts)}\n")
        if unreadable:
            receipts = folder / "receipts.jsonl"
            lines = "; ".join(first_of(unreadable, _MOST_LINES))
            typer.echo(f"Cannot be read in {receipts}, so what it names is not undone: {lines}\n")
        if plan.writes and not yes:
            _require_yes(f"Undo {len(plan.writes)} of these?")
        opened.apply(partial(_tell, opened.name_accounts))
        results = opened.check()
        verdict = opened.verdict()
    for check in results:
        typer.echo(f"{'✔ passed' if check.passed else '✘ failed'}: {check.name}: {check.detail}")
        if not check.passed and check.remedy:
            typer.echo(f"  {check.remedy}")
    typer.echo(f"Verdict: {verdict}.")
    is_all = verdict.is_complete and (bool(target or account or region) or not elsewhere)
    raise typer.Exit(1 if verdict.to_undo else 0 if is_all else UNDO_INCOMPLETE)


def _require_yes(question: str) -> None:
    try:
        is_wanted = typer.confirm(question)
    except typer.Abort:  # also where nobody can answer
        typer.echo()
        is_wanted = False
    if not is_wanted:
        raise ApplyRefusedError(
            "nothing was undone: nobody said yes", remedy="Answer y, or add --yes where nobody is asked."
        )


def _plan_table(plan: Plan, name_accounts: Callable[[str], str]) -> str:
    from idc_helpers.runbook.words import format_key  # noqa: PLC0415
    from idc_runner.summary import text_table  # noqa: PLC0415

    rows = [
        [
            each.action.value,
            each.kind.replace("_", " "),
            format_key(each.kind, each.key),
            each.reason,
        ]
        for each in plan.changes
    ]
    return text_table([["action", "what", "name", "why"], *([*map(name_accounts, row)] for row in rows)])


def _tell(name_accounts: Callable[[str], str], event: str, change: Change, made: int, total: int) -> None:
    from idc_helpers.notebook.tables import format_change  # noqa: PLC0415

    if event == "done":
        typer.echo(f"{made} of {total}: {name_accounts(format_change(change))}")


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
    max_output: _MaxOutput = 1,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Also run those jobs again that failed before.")
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
    edited_notebooks: _Edited = False,
) -> None:
    """Run a table of jobs side by side, and write a report.

    A job is one notebook or the lesson, for one of many accounts, tenants or learners.

    Exit status 0 only if every job passed. Run the same command again to resume: jobs that are done with
    the same inputs are not run again. The batch's folder holds batch.json, index.html, and a run folder
    for each job.
    """
    from idc_runner.engine import TimeLimits  # noqa: PLC0415
    from idc_runner.fast.engine import open_engine  # noqa: PLC0415

    in_s3 = out is not None and out.casefold().startswith("s3:")
    try:
        # First of all: it preloads while the table is read and checked.
        with nullcontext() if scheduler else open_engine(engine) as opened:
            from idc_runner.batch.batch import BatchRequest, run_batch  # noqa: PLC0415

            request = BatchRequest(
                project=project_folder(),
                work=work_folder(),
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
