"""Each `idc …` that README, docs, notebooks and recipes show is a command, and has the options shown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from idc_aws.project import project_folder
from idc_runner.cli.application import app

KIT = project_folder()
PAGES = sorted(
    path
    for pattern in ("README.md", "docs/*.md", "notebooks/*.ipynb", "parameters/*.yaml", "recipes/**/*")
    for path in KIT.glob(pattern)
    if path.is_file()
)
# In a block `$ idc …`, in a text `idc …`, in a script a comment or the kit's own path.
SHOWN = re.compile(r"(?:^|[\s(`'\"])(?:\$ |`|\$\(|#\s*|\.venv/bin/)idc ([a-z][^`\n]*)", re.MULTILINE)
ENDS = re.compile(r"\s#|[;|)>&]|\s\d>|\s→|…|, ")


def shown_commands(path: Path) -> Iterator[str]:
    text = path.read_text("utf-8")
    if path.suffix == ".ipynb":
        text = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
    for found in SHOWN.findall(text):
        yield ENDS.split(found)[0].strip().rstrip(".:")


COMMANDS = sorted(
    {(path.relative_to(KIT).as_posix(), shown) for path in PAGES for shown in shown_commands(path)}
)


def wrong_in(shown: str) -> str:
    """Return what a command line has that the command `idc` has not; empty for a good one."""
    words = shown.translate({ord(mark): None for mark in "\"'"}).split()
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        name = words.pop(0)
        if name not in command.commands:
            return f"there is no command {name!r}"
        command = command.commands[name]
    context = command.make_context("idc", [], resilient_parsing=True)
    options = {
        text for option in command.get_params(context) for text in (*option.opts, *option.secondary_opts)
    }
    wrong = [word for word in words if re.match(r"--?[a-z]", word) and word.partition("=")[0] not in options]
    return f"there is no option {wrong[0]!r}" if wrong else ""


def test_there_are_many():
    assert len(COMMANDS) > 100
    assert len({page for page, _ in COMMANDS}) > 10


@pytest.mark.parametrize(("page", "shown"), COMMANDS)
def test_what_is_shown_is_there(page, shown):
    assert not wrong_in(shown), f"{page}: idc {shown}"


@pytest.mark.parametrize(
    ("shown", "wrong"),
    [
        ("run --no-teardown -f x.yaml", ""),
        ("runn", "no command 'runn'"),
        ("sandbox clok --advance 1h", "no command 'clok'"),
        ("sandbox clock --forward 1h", "no option '--forward'"),
    ],
)
def test_a_wrong_one_is_found(shown, wrong):
    assert wrong in wrong_in(shown)
    assert bool(wrong) == bool(wrong_in(shown))
