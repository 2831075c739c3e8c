"""``idc import``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from idc_aws.errors import InvalidValueError
from idc_aws.files import require_free
from idc_aws.project import work_folder
from idc_runner.cli.run import selected_words

_FORCE = "Choose another name with -o, or replace it with --force."
MOST_REMARKS = 50


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
        require_free([main_file(path)], _FORCE)  # before a thousand calls
    connection = connect(target=target, region=region, profile=profile)
    imported = import_scenario(connection, selection)
    if profile:
        imported.data["profile"] = profile
    texts = scenario_texts(imported, path)
    if not force:
        require_free(texts, _FORCE)
    write_texts(texts)
    for remark in imported.remarks[:MOST_REMARKS]:
        typer.echo(f"warning: {remark}", err=True)
    if len(imported.remarks) > MOST_REMARKS:
        typer.echo(f"warning: {len(imported.remarks) - MOST_REMARKS} more, all named in the files", err=True)
    typer.echo(f"{connection}\n{imported}")
    for each in texts:
        typer.echo(f"written: {each}")
    typer.echo(f"Next: idc plan -f {next(iter(texts))}")
    raise typer.Exit(1 if imported.unread else 0)


def _tag(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise InvalidValueError(f"{text!r} is not a tag", remedy="Write it as KEY=VALUE, such as env=prod.")
    return key, value
