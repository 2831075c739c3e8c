"""Imports in a text, such as a script in a string or a command in a document, name what there is."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
IMPORT = re.compile(r"from (idc_\w+(?:\.\w+)*) import (\w+(?: as \w+)?(?:, \w+(?: as \w+)?)*)")
PATH = re.compile(
    r"\bidc_(?:aws|helpers|runner|sandbox)/[\w/]+(?:\.(?:py|md|txt|toml|yaml|sql|css|j2|html))?(?![\w*{<])"
)


FOLDERS = ("idc_*", "tests", "benchmarks", "tools", "notebooks", "docs", "recipes")
ENDINGS = {".py", ".md", ".sh", ".ipynb", ".toml"}


def texts():
    inside = (path for folder in FOLDERS for top in ROOT.glob(folder) for path in top.rglob("*"))
    for path in sorted({*inside, *ROOT.glob("*.md"), *ROOT.glob("*.toml")}):
        if path.suffix in ENDINGS and ".ipynb_checkpoints" not in path.parts:
            yield path.relative_to(ROOT).as_posix(), path.read_text("utf-8")


def module(name):
    path = ROOT / Path(*name.split("."))
    return next((one for one in (path.with_suffix(".py"), path / "__init__.py") if one.is_file()), None)


def absent(text):
    """Yield the imports of a text that name nothing."""
    for found in IMPORT.finditer(text):
        package, names = found.groups()
        path = module(package)
        for name in (one.split(" as ")[0] for one in names.split(", ")):
            is_there = path and re.search(rf"\b{name}\b", path.read_text("utf-8"))
            if not is_there and module(f"{package}.{name}") is None:
                yield f"from {package} import {name}"


def test_every_import_that_is_written_names_what_there_is():
    found = [f"{name}: {one}" for name, text in texts() for one in absent(text)]
    assert found == []


def test_an_import_of_nothing_is_found():
    written = "from idc_" + "sandbox import launcher, no_such_thing as other"
    assert list(absent(written)) == ["from idc_" + "sandbox import no_such_thing"]


def test_documents_name_files_that_are_there():
    found = [
        f"{name}: {path}"
        for name, text in texts()
        if name.endswith(".md")
        for path in PATH.findall(text)
        if not (ROOT / path).exists() and not (ROOT / f"{path}.py").exists()
    ]
    assert found == []


# `Name` in `file.py`, with further names before it; and `file.py` (`Name`).
NAMES_IN = re.compile(
    r"((?:`\w+`(?:, | and | or | or, for both, )?)+)(?: of `\w+`)? (?:in|of) `([\w/]+\.py)`"
)
NAME_BEHIND = re.compile(r"`([\w/]+\.py)` \(`(\w+)`\)")


def names_and_files(text):
    """Yield each name of a text with the file that the text says it is in."""
    for names, path in NAMES_IN.findall(text):
        yield from ((name, path) for name in re.findall(r"`(\w+)`", names))
    yield from ((name, path) for path, name in NAME_BEHIND.findall(text))


def has_it(name, path):
    """Return whether a module of this path defines the name."""
    homes = [
        home for home in ROOT.glob(f"idc_*/**/{Path(path).name}") if home.as_posix().endswith(f"/{path}")
    ]
    given = re.compile(rf"^\s*(?:(?:def|class) {name}\b|{name}\b[^=\n]*=|{name}: )", re.MULTILINE)
    return any(given.search(home.read_text("utf-8")) for home in homes)


def test_the_architecture_names_things_where_they_are():
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    found = list(names_and_files(page))
    assert len(found) > 12
    assert [one for one in found if not has_it(*one)] == []


def test_a_name_in_another_file_is_found():
    written = "and `RunRequest`, `BatchRequest` or, for both, `Request` in `idc_runner/run.py`"
    named = list(names_and_files(written))
    assert named == [(name, "idc_runner/run.py") for name in ("RunRequest", "BatchRequest", "Request")]
    assert [name for name, path in named if not has_it(name, path)] == ["BatchRequest"]
