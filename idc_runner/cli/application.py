"""The commands together, ``idc doctor``, and how errors reach a person: in words, without a traceback."""

from __future__ import annotations

import gc
import io
import sys
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import typer
import typer.core

import idc_helpers
from idc_aws.errors import KitError
from idc_runner.cli import lab, plan, run, sandbox, scenarios


class _Commands(typer.core.TyperGroup):
    """The commands, with what is wrong of a value in words: Typer hands on how pydantic names its kind."""

    def invoke(self, ctx: Any) -> Any:  # Typer's context, of a class that it keeps to itself
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = error.message.removeprefix("Value error, ")
            raise


app = typer.Typer(
    name="idc",
    cls=_Commands,
    help="Learn, run and repeat the set-up of AWS IAM Identity Center.\n\n"
    "Everything happens in a local sandbox unless a scenario says `target: aws`, and there nothing is "
    "written unless you say `--mode apply`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"idc {idc_helpers.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the kit's version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    pass


def doctor(
    parameters: Annotated[
        Path | None,
        typer.Option(
            "--parameters", "-f", metavar="FILE", help="Look with this scenario's profile and Region."
        ),
    ] = None,
    profile: Annotated[str | None, typer.Option("--profile", help="The AWS profile to look with.")] = None,
    region: Annotated[str | None, typer.Option("--region", help="The Region of Identity Center.")] = None,
) -> None:
    """Say what this machine or your account lacks, and what to do. Changes nothing.

    Without AWS credentials everything about the sandbox is still looked at: it needs none. Exit status 1 when
    something must be fixed before anything works.
    """
    from idc_aws.scenario.reading import load_scenario  # noqa: PLC0415
    from idc_runner.checkup import account_findings, machine_findings  # noqa: PLC0415

    scenario = load_scenario(parameters) if parameters is not None else None
    account = account_findings(
        profile=profile or (scenario.profile if scenario else None),
        region=region or (scenario.region if scenario else None),
        expected_account=scenario.expected_account if scenario else None,
    )
    failed = False
    for finding in chain(machine_findings(), account):
        typer.echo(finding)
        failed = failed or finding.status == "fail"
    raise typer.Exit(1 if failed else 0)


for command in (run.run, plan.plan, plan.apply, plan.drift, run.undo, run.batch, lab.lab, lab.init, doctor):
    app.command()(command)
app.command("import")(scenarios.import_existing)
app.add_typer(sandbox.app, name="sandbox")
app.add_typer(scenarios.parameters, name="parameters")
app.add_typer(scenarios.table, name="table")


def main() -> None:
    """Run the command line and exit: 0 done, 1 refused or failed, 2 misused, 130 after Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a log that knows no "✔" must not end a run
    _require_utf8(sys.argv[1:])
    try:
        app()
    except KitError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)
    except OSError as error:
        typer.echo(f"error: {_of_the_system(error)}", err=True)
        sys.exit(1)
    finally:
        gc.freeze()  # or Python would look through all that was imported, a quarter of a second for a run


def _require_utf8(words: list[str]) -> None:
    # Runs keep the paths that they were given in files of UTF-8, which have no place for other bytes.
    for word in words:
        if any("\ud800" <= character <= "\udfff" for character in word):
            remedy = "Rename the file or folder, or use a locale with UTF-8 (LC_ALL=C.UTF-8)."
            typer.echo(f"error: {word!r} is not text in UTF-8.\n{remedy}", err=True)
            sys.exit(1)


def _of_the_system(error: OSError) -> str:
    """Return what the system refused in words: a path that no command has explained itself."""
    try:
        Path.cwd()
    except OSError:
        return "the folder that you are in was deleted.\nGo to one that exists (cd), and run again."
    name = f"{error.filename!r}: " if error.filename else ""
    return f"{name}{error.strerror or error}.\nCheck the path, its permissions, and the room on the disk."
