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


def refused_import(room, name):
    """Return whether a module of a room must not import a name."""
    package, *inner = name.split(".")
    upward = bool(inner) and inner[0] in ROOMS and inner[0] not in {room, *ALLOWED.get(room, ())}
    return package == "idc_sandbox" or (package == "idc_helpers" and upward)


def test_imports_go_one_way():
    refused = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules("idc_helpers")
        if path.relative_to(ROOT / "idc_helpers").parts[0] not in ENTRANCE
        for name in imported(path)
        if refused_import(room_of(path), name)
    ]
    assert refused == []


def test_the_sandbox_stands_alone():
    refused = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules("idc_sandbox")
        for name in imported(path)
        if name.split(".")[0] == "idc_helpers"
    ]
    assert refused == []


def import_graph():
    """Return for each module those that it imports, late and for types only too."""
    names = {}
    for package in ("idc_helpers", "idc_sandbox"):
        for path in modules(package):
            parts = path.relative_to(ROOT).with_suffix("").parts
            names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return {
        name: {other for other in imported(path) if other in names} - {name} for name, path in names.items()
    }


def circles(graph):
    """Return the sets of modules that import each other in a circle."""
    reachable = {name: set() for name in graph}

    def walk(start):
        waiting = [start]
        while waiting:
            for other in graph[waiting.pop()] - reachable[start]:
                reachable[start].add(other)
                waiting.append(other)

    for name in graph:
        walk(name)
    found = {
        frozenset({name} | {other for other in reachable[name] if name in reachable[other]})
        for name in graph
        if name in reachable[name]
    }
    return sorted(sorted(circle) for circle in found)


def test_circles_are_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]


@pytest.mark.xfail(
    strict=True, reason="six circles are left, through late imports; the house of four rooms ends them"
)
def test_no_import_circle():
    assert circles(import_graph()) == []


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


def test_what_is_shown_takes_its_colours_from_the_theme_and_loads_nothing():
    for path in modules("idc_helpers/display"):
        text = path.read_text("utf-8")
        own_colours = re.sub(r"var\(--[\w-]+,\s*#[0-9a-fA-F]{3,8}\)", "", text)
        # A colour of our own is only the fallback of the theme: dark themes would hide what is written on it.
        assert not re.search(r"[:( ]#[0-9a-fA-F]{3,8}\b", own_colours), (
            f"{path}: a colour that no theme can change"
        )
        loads = re.search(r"<script|<link|<iframe|@import|\bsrc=", text)
        assert not loads, f"{path}: a picture carries all that it needs"
