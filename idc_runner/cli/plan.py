"""``idc plan``, ``idc apply`` and ``idc drift``."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from idc_aws.files import require_apart, write_explained
from idc_aws.project import project_folder, work_folder
from idc_runner.cli.run import Mask, Only, Out, Parameters, Target, selected_words

if TYPE_CHECKING:
    from idc_runner.run import RunRequest

CHANGES = 2
"""The exit status of a plan with something to do, and of a drift that was found."""

_Page = Annotated[
    Path | None, typer.Option("--page", metavar="FILE.html", help="Also write it as a page, complete.")
]


def plan(
    *,
    parameters: Parameters = None,
    only: Only = None,
    target: Target = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE.json", help="Write the plan, for `idc apply`. It holds people."),
    ] = None,
    page: _Page = None,
    markdown: Annotated[
        Path | None,
        typer.Option("--markdown", metavar="FILE.md", help="Also write it as a pull request's comment."),
    ] = None,
    rules: Annotated[
        Path | None,
        typer.Option(
            "--rules",
            metavar="FILE.toml",
            help="Which kinds of wider access have to be accepted, where it is not as the kit has it.",
        ),
    ] = None,
    mask_personal_data: Mask = False,
) -> None:
    """Show what the scenario would change, in one plan. Writes nothing to the target.

    Exit status: 0 when there is nothing to do, 2 when there is (for the kit or by hand), 1 when it cannot be
    planned.
    """
    from idc_aws.calls import one_look  # noqa: PLC0415
    from idc_aws.scenario.reading import scenario_warnings  # noqa: PLC0415
    from idc_aws.scrubbing import clean, masking  # noqa: PLC0415
    from idc_runner.plans.making import plan_of, read_lesson  # noqa: PLC0415
    from idc_runner.plans.widening import read_rules  # noqa: PLC0415
    from idc_runner.plans.words import plan_markdown, plan_page, terminal_lines  # noqa: PLC0415
    from idc_runner.run import people_of_run  # noqa: PLC0415

    request = _request(parameters, only, target)
    require_apart([out, page, markdown], [*_scenario_files(request), rules])
    chosen = read_rules(rules)
    with one_look():
        lesson = read_lesson(request)
        made = plan_of(lesson, chosen)
    if out is not None:
        made.write(out)
    with masking(people_of_run(lesson.scenario, lesson.connection)) if mask_personal_data else nullcontext():
        if page is not None:
            write_explained(page, plan_page(made))
        if markdown is not None:
            write_explained(markdown, plan_markdown(made))
        for warning in scenario_warnings(lesson.scenario, lesson.scenario_file):
            typer.echo(clean(f"warning: {warning}"), err=True)
        typer.echo(clean("\n".join(terminal_lines(made))))
    if out is not None and made.plan.writes:
        accepted = "".join(f" --accept {rule}" for rule in made.to_accept())
        typer.echo(f"To carry it out: idc apply {out}{accepted}")
    raise typer.Exit(0 if made.is_empty else CHANGES)


def apply(
    file: Annotated[Path, typer.Argument(metavar="PLAN.json", help="What `idc plan --out` wrote.")],
    *,
    accept: Annotated[
        list[str] | None,
        typer.Option(
            "--accept", metavar="RULE", help="Accept what the plan names under this rule. Repeat it."
        ),
    ] = None,
    profile: Annotated[
        str | None, typer.Option("--profile", help="The AWS profile. [default: the scenario's]")
    ] = None,
    out: Out = None,
    mask_personal_data: Mask = False,
) -> None:
    """Carry out exactly what a plan's file says. Every write has a receipt; `idc undo` undoes it.

    Nothing is written when the file was changed, when this is another account, Region, instance, sandbox or
    version of the kit, or when something that the plan changes is no longer as the plan shows it. What is
    done already is not done again. Exit status: 0 when all that it says is there, else 1.
    """
    from idc_aws.project import runs_folder  # noqa: PLC0415
    from idc_aws.scrubbing import clean  # noqa: PLC0415
    from idc_runner.plans.carrying import carry_out_plan  # noqa: PLC0415
    from idc_runner.plans.document import read_plan  # noqa: PLC0415

    def say(text: str) -> None:
        typer.echo(clean(text))

    made = read_plan(file)
    carried = carry_out_plan(
        made,
        out.absolute() if out else runs_folder(),
        say,
        accepted=tuple(accept or ()),
        profile=profile,
        mask_personal_data=mask_personal_data,
    )
    folder = carried.folder
    say(f"{'Applied' if carried.passed else 'Failed'}: {carried.sentence} Page: {folder / 'index.html'}")
    if (folder / "receipts.jsonl").exists():
        say(f"To undo it: idc undo {folder if out else folder.name}")
    if not carried.passed:
        say("What is done is kept. Make a new plan to continue: idc plan --out FILE")
    raise typer.Exit(carried.exit_status)


def drift(
    *,
    parameters: Parameters = None,
    only: Only = None,
    target: Target = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON, for programs.")] = False,
    page: _Page = None,
    runs: Annotated[
        Path | None,
        typer.Option(
            "--runs", metavar="DIR", help="Where the receipts are, in runs' folders. [default: runs]"
        ),
    ] = None,
    complete: Annotated[
        bool,
        typer.Option(
            "--complete", help="The scenario names everything: what exists and is not in it is drift too."
        ),
    ] = False,
    mask_personal_data: Mask = False,
) -> None:
    """Show what is no longer as the scenario says, and since when. Writes nothing.

    What exists beside the scenario is shown too.


    Exit status: 0 when there is no drift, 2 when there is, 1 when something could not be looked at.
    """
    from idc_aws.calls import one_look  # noqa: PLC0415
    from idc_aws.scrubbing import clean, masking  # noqa: PLC0415
    from idc_runner.plans.drift import drift_lines, drift_page, find_drift  # noqa: PLC0415
    from idc_runner.plans.making import read_lesson  # noqa: PLC0415
    from idc_runner.run import people_of_run  # noqa: PLC0415

    request = _request(parameters, only, target, runs)
    require_apart([page], _scenario_files(request))
    if runs is not None and not runs.is_dir():
        typer.echo(f"warning: there is no folder {str(runs)!r}, so no receipts are read", err=True)
    with one_look(is_whole=True):
        lesson = read_lesson(request)
        found = find_drift(lesson, request.runs_folder, is_complete=complete)
    with masking(people_of_run(lesson.scenario, lesson.connection)) if mask_personal_data else nullcontext():
        if page is not None:
            write_explained(page, drift_page(found))
        if as_json:
            typer.echo(json.dumps(found.as_json(), indent=1, ensure_ascii=False))
        else:
            typer.echo(clean("\n".join(drift_lines(found))))
    raise typer.Exit(CHANGES if found.is_drift else 1 if found.unreadable else 0)


def _request(
    parameters: Path | None,
    only: str | None,
    target: Literal["sandbox", "aws"] | None,
    runs: Path | None = None,
) -> RunRequest:
    from idc_runner.run import RunRequest  # noqa: PLC0415

    return RunRequest(
        project=project_folder(),
        work=work_folder(),
        scenario_file=parameters,
        only=selected_words(only),
        target=target,
        runs=runs,
    )


def _scenario_files(request: RunRequest) -> list[Path]:
    from idc_aws.scenario.reading import scenario_files  # noqa: PLC0415
    from idc_runner.run import named_scenario  # noqa: PLC0415

    return scenario_files(named_scenario(request))
