"""What a user reads is in plain words: each word that a native reader stumbles over is named here."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer

from idc_runner.cli.application import app

ROOT = Path(__file__).parents[2]
# The pattern of the word, and the better word.
WORDS = {
    r"\b(to mend|mend (the|what|it|a)|mended|mending)\b": "fix",
    r"\bwhoever\b": "anyone who",
    r"\b(is|was|are|been|be) told\b(?! apart)|\b(cannot be|unless) told\b(?! apart)": "reported, shown",
    r"\bstands? (here|twice|beside)\b": "appears",
    r"\b(is|are|was|were|still) at work\b": "running",
    r"\b(is|are|was|were|be) taken back\b|\btakes? ((it|the \w+|what .{1,20}) )?back\b": "undo",
    r"\b(go|goes|went) on (with|from|when|where|again)\b|\bto go on\b": "resume, continue",
    r"\b(these|it) besides\b|\bBesides,|\bbesides the\b": "also, in addition to",
    r"\bby that\b(?= *[,.;])": "as a result",
    r"\bis no (number|path|port|place|length|receipt|write|value for|user of)\b": "is not a …",
    r"\b(author|custom|organ|recogn)is(e[ds]?|ing|ations?)\b": "-ize, as AWS spells it",
    r"\bblanks\b|\b(a|the) blank\b": "space",
    r"\bis (none|no such) of\b|\bof yours\b": "your",
}
_PATTERNS = [(re.compile(pattern, re.IGNORECASE), better) for pattern, better in WORDS.items()]


def _strings_of(source: str) -> Iterator[tuple[int, str]]:
    """Yield each string of a module that is not a docstring, with its line; a formatted one with its gaps."""
    tree = ast.parse(source)
    skipped = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)
    }  # a docstring, or a string under an attribute
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) and id(node) not in skipped:
            skipped.update(id(part) for part in node.values)
            parts = (part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
            yield node.lineno, "".join(str(part) for part in parts)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield node.lineno, node.value


def _lines_of(text: str) -> Iterator[tuple[int, str]]:
    yield from enumerate(text.splitlines(), 1)


def _cells_of(notebook: str) -> Iterator[tuple[int, str]]:
    """Yield each markdown cell of a notebook, with its number in place of a line."""
    for number, cell in enumerate(json.loads(notebook)["cells"], 1):
        if cell["cell_type"] == "markdown":
            yield number, "".join(cell["source"])


_READERS = {".py": _strings_of, ".ipynb": _cells_of}


def stumbles(name: str, text: str) -> list[str]:
    """Return ``file:line: “word”; better: …`` for each word of the table in a text that a user reads."""
    found = []
    for line, read in _READERS.get(Path(name).suffix, _lines_of)(text):
        for pattern, better in _PATTERNS:
            found += [f"{name}:{line}: “{match[0]}”; better: {better}" for match in pattern.finditer(read)]
    return found


def _files() -> list[Path]:
    packages = [path for path in sorted(ROOT.glob("idc_*")) if any(path.glob("*.py"))]
    texts = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("notebooks/*.ipynb"))]
    return texts + [
        path
        for package in packages
        for path in sorted(package.rglob("*"))
        if path.suffix in {".py", ".j2", ".html", ".js", ".toml"} and "labextensions" not in path.parts
    ]


def test_what_a_user_reads_is_plain_english():
    files = _files()
    assert len(files) > 100
    found = [one for path in files for one in stumbles(str(path.relative_to(ROOT)), path.read_text("utf-8"))]
    assert not found, "\n".join(found)


def _helps(command: click.Command, name: str) -> Iterator[tuple[str, str]]:
    """Yield each command of a program with its help: docstrings, which readers of modules skip."""
    options = [getattr(option, "help", None) or "" for option in command.params]
    yield name, " ".join("\n".join([command.help or "", *options]).split())
    for below, one in getattr(command, "commands", {}).items():
        yield from _helps(one, f"{name} {below}")


def test_the_help_of_every_command_is_plain_english():
    helps = dict(_helps(typer.main.get_command(app), "idc"))
    assert {"idc run", "idc undo", "idc sandbox start"} < helps.keys()
    assert all(helps.values())
    found = [one for name, text in helps.items() for one in stumbles(name, text)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("a.py", '"""Whoever."""\nx = "ok"\ny = f"{x} is taken back"\n', 3),
        ("a.py", 'raise E("a", remedy="Mend the cause.")\n', 1),
        ("a.toml", 'allowed = "letters, digits and blanks"', 1),
        ("a.html", "<p>\nWhoever reads this</p>", 2),
        ("a.md", "one\n\njobs that were at work", 3),
        ("a.ipynb", json.dumps({"cells": [{"cell_type": "markdown", "source": ["It ", "stands here"]}]}), 1),
    ],
)
def test_a_planted_word_is_found(name, text, line):
    (found,) = stumbles(name, text)
    assert found.startswith(f"{name}:{line}: “")
    assert "; better: " in found


def test_a_name_in_code_and_a_docstring_are_not_read():
    assert stumbles("a.py", '"""Whoever."""\ntold = 1\n# whoever\n') == []
    assert stumbles("a.md", "The two are told apart by their ids.") == []
