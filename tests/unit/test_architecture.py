"""Imports go one way; each outside library has one home: the house stays as drawn."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("aws", "runbook", "display", "runner")
# What a room of idc_helpers may import of the others; the words (modules at the top) are open to all.
ALLOWED = {"aws": set(), "runbook": {"aws"}, "display": {"aws", "runbook"}, "runner": {"aws", "runbook"}}
ENTRANCE = {"cli.py", "cli", "doctor.py"}


def modules(package):
    return sorted((ROOT / package).rglob("*.py"))


def imported(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
            yield str(node.module)


def room_of(path):
    parts = path.relative_to(ROOT / "idc_helpers").parts
    return parts[0] if parts[0] in ROOMS else "words"


@pytest.mark.parametrize("path", modules("idc_helpers"), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path):
    room = room_of(path)
    if room == "words" and path.relative_to(ROOT / "idc_helpers").parts[0] in ENTRANCE:
        return
    for name in imported(path):
        parts = name.split(".")
        assert parts[0] != "idc_sandbox", f"{path} imports the sandbox; start it as a process instead"
        if parts[0] == "idc_helpers" and len(parts) > 1 and parts[1] in ROOMS and parts[1] != room:
            assert parts[1] in ALLOWED.get(room, set()), f"{room} must not import {parts[1]}: {path}"


@pytest.mark.parametrize("path", modules("idc_sandbox"), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_sandbox_stands_alone(path):
    assert not [name for name in imported(path) if name.split(".")[0] == "idc_helpers"]


@pytest.mark.parametrize(
    ("library", "home"),
    [
        ("boto3", "aws/"),
        ("botocore", "aws/"),
        ("pandas", "display/frames"),
        ("ipywidgets", "display/panel"),
        ("papermill", "runner/"),
    ],
)
def test_each_library_has_one_home(library, home):
    users = [
        str(path.relative_to(ROOT / "idc_helpers"))
        for path in modules("idc_helpers")
        if any(name.split(".")[0] == library for name in imported(path))
    ]
    assert [user for user in users if not user.startswith(home)] == []


def test_the_words_are_small_to_import():
    heavy = {"boto3", "botocore", "pandas", "ipywidgets", "matplotlib", "papermill", "moto"}
    for path in modules("idc_helpers"):
        if room_of(path) == "words" and path.relative_to(ROOT / "idc_helpers").parts[0] not in ENTRANCE:
            assert not heavy & {name.split(".")[0] for name in imported(path)}, path


@pytest.mark.parametrize("path", modules("idc_helpers/display"), ids=lambda path: path.name)
def test_what_is_shown_takes_its_colours_from_the_theme_and_loads_nothing(path):
    text = path.read_text("utf-8")
    own_colours = re.sub(r"var\(--[\w-]+,\s*#[0-9a-fA-F]{3,8}\)", "", text)
    # A colour of our own is the theme's fallback, never more: dark themes would hide what is written on it.
    assert not re.search(r"[:( ]#[0-9a-fA-F]{3,8}\b", own_colours), "a colour that no theme can change"
    assert not re.search(r"<script|<link|<iframe|@import|\bsrc=", text), "a picture carries all that it needs"
