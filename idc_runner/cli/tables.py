"""``idc table …``: people, groups, memberships and account assignments as CSV, to a scenario and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from idc_aws.files import require_free, write_explained

app = typer.Typer(
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


@app.command()
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


@app.command()
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
    from idc_aws.errors import InvalidValueError  # noqa: PLC0415
    from idc_aws.identifiers import counted  # noqa: PLC0415
    from idc_aws.scenario.saving import dumped  # noqa: PLC0415
    from idc_aws.scenario.sheets import parse_mapping  # noqa: PLC0415
    from idc_aws.scenario.table_reading import read_tables  # noqa: PLC0415

    named = dict(zip(KINDS, (users, groups, memberships, assignments), strict=True))
    files = {kind: path for kind in KINDS if (path := named[kind] or _found(folder, kind)) is not None}
    if not files:
        where = f"{str(folder)!r} holds none of {', '.join(f'{kind}.csv' for kind in KINDS)}"
        raise InvalidValueError(
            where if folder else "no table is named",
            remedy="Name them: --users people.csv. `idc table template FOLDER` writes empty ones.",
        )
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
    typer.echo(f"{out}: {', '.join(counts)}. See what it would change: idc plan -f {out}")


@app.command()
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
    from idc_aws.scenario.reading import load_scenario  # noqa: PLC0415
    from idc_aws.scenario.tables import tables_of, write_tables  # noqa: PLC0415

    tables = {kind: rows for kind, rows in tables_of(load_scenario(scenario)).items() if len(rows) > 1}
    if not force:
        require_free((folder / f"{kind}.csv" for kind in tables), _FORCE)
    for path, rows in zip(write_tables(tables, folder, _SEPARATORS[separator]), tables.values(), strict=True):
        typer.echo(f"{path}: {len(rows) - 1} rows")
    if not tables:
        typer.echo(f"{scenario} has no users, groups or account assignments.")


def _found(folder: Path | None, kind: str) -> Path | None:
    path = folder / f"{kind}.csv" if folder else None
    return path if path and path.exists() else None
