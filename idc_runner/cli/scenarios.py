"""Scenarios checked, from what exists, from tables and back: ``idc parameters``, ``import`` and ``table``."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated, Literal

import typer

from idc_aws.errors import InvalidValueError
from idc_aws.files import require_apart, require_free, write_explained
from idc_aws.identifiers import counted
from idc_aws.project import work_folder
from idc_runner.cli.run import selected_words

parameters = typer.Typer(help="Check scenarios: YAML files that say what is wanted.", no_args_is_help=True)


@parameters.command()
def check(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A scenario, such as parameters/sandbox.yaml.")
    ],
) -> None:
    """Check a scenario: what is wrong, in which line, and what to do."""
    from idc_aws.scenario.reading import load_scenario, scenario_warnings  # noqa: PLC0415

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


@parameters.command()
def schema(
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write it there instead of printing it.")
    ] = None,
) -> None:
    """Print the JSON Schema of scenarios. With it editors complete and check them."""
    from idc_aws.scenario.reading import scenario_json_schema, write_schema  # noqa: PLC0415

    if out is not None:
        write_schema(out)
    else:
        typer.echo(json.dumps(scenario_json_schema(), indent=2, ensure_ascii=False))


MOST_REMARKS = 50
_REPLACE = "Choose another name with -o, or replace it with --force."


def import_existing(
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE or FOLDER",
            help="A file that ends in .yaml, or a folder that gets a file for each topic. "
            "[default: parameters/imported.yaml]",
        ),
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(
            "--only", metavar="groups,users", help="Only these parts: sections of a scenario. [default: all]"
        ),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(
            "--name", metavar="PATTERN", help="Only permission sets, groups and users named like 'Dev*'."
        ),
    ] = None,
    account: Annotated[
        list[str] | None,
        typer.Option(
            "--account", metavar="NAME", help="Only who reaches this account (name or id), and how."
        ),
    ] = None,
    ou: Annotated[
        list[str] | None,
        typer.Option(
            "--ou", metavar="PATH", help="As --account, for all accounts of an organizational unit."
        ),
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option("--tag", metavar="KEY=VALUE", help="As --account, for all accounts with this tag."),
    ] = None,
    without_personal_data: Annotated[
        bool,
        typer.Option(
            "--without-personal-data", help="Leave out users, memberships, and what single users may do."
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
    target: Annotated[
        Literal["sandbox", "aws"], typer.Option("--target", help="Where to read.", show_default=True)
    ] = "sandbox",
    profile: Annotated[str | None, typer.Option("--profile", help="The AWS profile.")] = None,
    region: Annotated[
        str, typer.Option("--region", help="The home Region of Identity Center.", show_default=True)
    ] = "us-east-1",
) -> None:
    """Read what exists into a scenario. Writes nothing to the target.

    A plan of that scenario is all unchanged.

    Repeat --name, --account, --ou and --tag for more. Exit status: 0; 1 when something could not be read:
    the rest is written all the same, but the file is not the whole.
    """
    from idc_aws.connection import connect  # noqa: PLC0415
    from idc_aws.imported_files import (  # noqa: PLC0415
        USUAL_FILE,
        main_file,
        scenario_texts,
        write_texts,
    )
    from idc_aws.importing import Selection, import_scenario  # noqa: PLC0415

    selection = Selection(
        only=selected_words(only),
        names=tuple(name or ()),
        accounts=tuple(account or ()),
        units=tuple(ou or ()),
        tags=dict(_tag(each) for each in tag or ()),
        personal_data=not without_personal_data,
    )
    path = out or work_folder() / USUAL_FILE
    if not force:
        require_free([main_file(path)], _REPLACE)  # before a thousand calls
    connection = connect(target=target, region=region, profile=profile)
    imported = import_scenario(connection, selection)
    if profile:
        imported.data["profile"] = profile
    texts = scenario_texts(imported, path)
    if not force:
        require_free(texts, _REPLACE)
    write_texts(texts)
    for remark in imported.remarks[:MOST_REMARKS]:
        typer.echo(f"warning: {remark}", err=True)
    if len(imported.remarks) > MOST_REMARKS:
        typer.echo(f"warning: {len(imported.remarks) - MOST_REMARKS} more, all named in the files", err=True)
    typer.echo(f"{connection}\n{imported}")
    for each in texts:
        typer.echo(f"written: {each}")
    typer.echo(f"Next: idc plan -f {shlex.quote(str(next(iter(texts))))}")
    raise typer.Exit(1 if imported.unread else 0)


def _tag(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise InvalidValueError(f"{text!r} is not a tag", remedy="Write it as KEY=VALUE, such as env=prod.")
    return key, value


table = typer.Typer(
    help="People, groups and assignments from CSV tables, and back. Nothing is called.",
    no_args_is_help=True,
)

_Force = Annotated[bool, typer.Option("--force", help="Overwrite files that are there.")]
_Separator = Annotated[
    Literal["comma", "semicolon", "tab"],
    typer.Option(
        "--separator", help="What to write between cells; Excel in much of Europe wants semicolons."
    ),
]
_FORCE = "Choose another place, or overwrite with --force."
_SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t"}
KINDS = ("users", "groups", "memberships", "assignments")


def _of_kind(kind: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(
        f"--{kind}",
        metavar="CSV",
        help=f"The table of {kind}. [default: FOLDER/{kind}.csv, where there is one]",
    )
    return option


@table.command()
def template(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to write the tables.")],
    *,
    separator: _Separator = "comma",
    force: _Force = False,
) -> None:
    """Write an empty table of each kind. Its lines explain the columns.

    Fill in those that you need; the lines that begin with # may stay.
    """
    from idc_aws.scenario.tables import templates, write_tables  # noqa: PLC0415

    if not force:
        require_free((folder / f"{kind}.csv" for kind in KINDS), _FORCE)
    for path in write_tables(templates(), folder, _SEPARATORS[separator]):
        typer.echo(path)
    typer.echo(f"Fill them in, then: idc table to-scenario {folder} --out people.yaml")


@table.command()
def to_scenario(
    folder: Annotated[
        Path | None, typer.Argument(metavar="FOLDER", help="A folder with tables of the usual names.")
    ] = None,
    *,
    users: Annotated[Path | None, _of_kind("users")] = None,
    groups: Annotated[Path | None, _of_kind("groups")] = None,
    memberships: Annotated[Path | None, _of_kind("memberships")] = None,
    assignments: Annotated[Path | None, _of_kind("assignments")] = None,
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="HEADER=FIELD",
            help='What a column holds, such as "Mail=email"; may be repeated.',
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="The scenario. [default: print it]")
    ] = None,
    force: _Force = False,
) -> None:
    """Check tables as a whole, and make a scenario of them.

    The scenario has their users, groups and account assignments.

    Columns of IAM Identity Center's forms, Entra ID, Okta and Google Workspace are known; what each column
    was taken for is said. Include the file in a scenario, or plan it as it is. Exit status 1 when something
    is wrong: everything is reported at once, with file, line and remedy, and nothing is written.
    """
    from idc_aws.scenario.saving import dumped  # noqa: PLC0415
    from idc_aws.scenario.table_reading import read_tables  # noqa: PLC0415
    from idc_aws.scenario.tables import parse_mapping  # noqa: PLC0415

    named = dict(zip(KINDS, (users, groups, memberships, assignments), strict=True))
    files = {kind: path for kind in KINDS if (path := named[kind] or _found(folder, kind)) is not None}
    if not files:
        where = f"{str(folder)!r} holds none of {', '.join(f'{kind}.csv' for kind in KINDS)}"
        raise InvalidValueError(
            where if folder else "no table is named",
            remedy="Name them: --users people.csv. `idc table template FOLDER` writes empty ones.",
        )
    require_apart([out], files.values())
    if out and not force:
        require_free([out], _FORCE)
    tables = read_tables(files, parse_mapping(mapping or []))
    for note in tables.notes:
        typer.echo(note, err=True)
    made_from = ", ".join(map(str, files.values()))
    text = f"# Made by `idc table to-scenario` from {made_from}.\n{dumped(tables.data)}"
    if out is None:
        typer.echo(text, nl=False)
        return
    write_explained(out, text)
    counts = (
        counted(len(tables.data.get(section, [])), noun)
        for section, noun in (
            ("users", "user"),
            ("groups", "group"),
            ("account_assignments", "account assignment"),
        )
    )
    typer.echo(f"{out}: {', '.join(counts)}. See what it would change: idc plan -f {shlex.quote(str(out))}")


@table.command()
def from_scenario(
    scenario: Annotated[Path, typer.Argument(metavar="SCENARIO", help="A scenario file.")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to write the tables.")],
    *,
    separator: _Separator = "comma",
    force: _Force = False,
) -> None:
    """Write what a scenario says of people as tables.

    These are its users, groups, memberships and account assignments.

    A cell that a spreadsheet would run as a formula begins with a single quote, which to-scenario removes.
    """
    from idc_aws.scenario.reading import load_scenario, scenario_files  # noqa: PLC0415
    from idc_aws.scenario.tables import tables_of, write_tables  # noqa: PLC0415

    require_apart((folder / f"{kind}.csv" for kind in KINDS), scenario_files(scenario))
    tables = {kind: rows for kind, rows in tables_of(load_scenario(scenario)).items() if len(rows) > 1}
    if not force:
        require_free((folder / f"{kind}.csv" for kind in tables), _FORCE)
    for path, rows in zip(write_tables(tables, folder, _SEPARATORS[separator]), tables.values(), strict=True):
        typer.echo(f"{path}: {counted(len(rows) - 1, 'row')}")
    if not tables:
        typer.echo(f"{scenario} has no users, groups or account assignments.")


def _found(folder: Path | None, kind: str) -> Path | None:
    path = folder / f"{kind}.csv" if folder else None
    return path if path and path.exists() else None
