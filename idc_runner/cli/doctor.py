"""``idc doctor``: what is missing on this machine or in this account, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from idc_runner.checkup import Finding


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
    """Look at this machine and at your AWS account: one line each, with what to do. Changes nothing.

    Without AWS credentials everything about the sandbox is still looked at: it needs none. Exit status 1 when
    something must be fixed before anything works.
    """
    failed = False
    for finding in _findings(parameters, profile, region):
        typer.echo(_in_words(finding))
        failed = failed or finding.status == "fail"
    raise typer.Exit(1 if failed else 0)


def _findings(parameters: Path | None, profile: str | None, region: str | None) -> Iterator[Finding]:
    from idc_aws.scenario.reading import load_scenario  # noqa: PLC0415
    from idc_runner.checkup import account_findings, machine_findings  # noqa: PLC0415

    scenario = load_scenario(parameters) if parameters is not None else None
    yield from machine_findings()
    yield from account_findings(
        profile=profile or (scenario.profile if scenario else None),
        region=region or (scenario.region if scenario else None),
        expected_account=scenario.expected_account if scenario else None,
    )


def _in_words(finding: Finding) -> str:
    from idc_runner.checkup import findings_in_words  # noqa: PLC0415

    return findings_in_words([finding])


def add_doctor_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(doctor)
