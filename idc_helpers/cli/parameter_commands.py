"""``idc parameters …``: scenarios, checked before anything is called."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Scenarios: what the notebooks should make true, in a YAML file.", no_args_is_help=True
)


@app.command()
def check(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A scenario, such as parameters/sandbox.yaml.")
    ],
) -> None:
    """Check a scenario; names everything that is wrong, with its line and what to do."""
    from idc_helpers.parameters import load_scenario, scenario_warnings  # noqa: PLC0415
    from idc_helpers.runner.tables import counted  # noqa: PLC0415

    scenario = load_scenario(file)
    for warning in scenario_warnings(scenario, file):
        typer.echo(f"warning: {warning}", err=True)
    parts = (
        counted(len(scenario.permission_sets), "permission set"),
        counted(len(scenario.groups), "group"),
        counted(len(scenario.account_assignments), "account assignment"),
        counted(len(scenario.users), "user"),
    )
    typer.echo(f"{file}: fine. Target {scenario.target}, Region {scenario.region}: {', '.join(parts)}.")


@app.command()
def schema(
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write it there instead of printing it.")
    ] = None,
) -> None:
    """Print the JSON Schema of scenarios, with which editors complete and check them."""
    from idc_helpers.parameters import scenario_json_schema, write_schema  # noqa: PLC0415

    if out is not None:
        write_schema(out)
    else:
        typer.echo(json.dumps(scenario_json_schema(), indent=2, ensure_ascii=False))
