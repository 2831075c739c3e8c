"""Which notebooks there are, which a run executes, and the run's folder."""

from __future__ import annotations

import ast
import datetime
import json
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any

from idc_aws.errors import InvalidValueError, RunFailedError
from idc_aws.files import explained, read_once, write_whole
from idc_aws.identifiers import did_you_mean, no_such

TEARDOWN_NUMBER = "99"
_NUMBERED = re.compile(r"(\d{2})_\w+", re.ASCII)


@dataclass(frozen=True)
class LessonNotebook:
    """One notebook of the lesson."""

    name: str
    path: Path

    @property
    def number(self) -> str:
        """The two digits that the name starts with."""
        return self.name[:2]


def find_notebooks(folder: Path) -> list[LessonNotebook]:
    """Return the numbered notebooks of a folder in the lesson's order; reads names only."""
    found = [
        LessonNotebook(path.stem, path.absolute())
        for path in sorted(folder.glob("*.ipynb"))
        if _NUMBERED.fullmatch(path.stem)
    ]
    if not found:
        raise RunFailedError(
            f"no numbered notebook such as 05_permission_sets.ipynb was found in {str(folder)!r}",
            remedy="Run from inside the kit's folder, or clone it again.",
        )
    return found


def select_notebooks(
    notebooks: Sequence[LessonNotebook], *, only: Sequence[str] = (), teardown: bool = True
) -> list[LessonNotebook]:
    """Return what a run executes, in the lesson's order."""
    if not only:
        return [notebook for notebook in notebooks if teardown or notebook.number != TEARDOWN_NUMBER]
    wanted = {_find(word, notebooks).name for word in only}
    return [notebook for notebook in notebooks if notebook.name in wanted]


def _find(word: str, notebooks: Sequence[LessonNotebook]) -> LessonNotebook:
    number = word.zfill(2) if word.isdecimal() else ""
    for notebook in notebooks:
        if notebook.number == number or notebook.name == word.removesuffix(".ipynb"):
            return notebook
    names = [notebook.name for notebook in notebooks]
    raise InvalidValueError(
        f"no notebook is called {word!r}. {did_you_mean(word, names)}".rstrip(),
        remedy=f"One of: {', '.join(names)}; its number is enough.",
    )


_UNREADABLE = (OSError, ValueError, LookupError, TypeError, AttributeError, SyntaxError, RecursionError)


def known_parameters(notebook: LessonNotebook) -> frozenset[str]:
    """Return the names that the notebook's parameters cell assigns; reads only."""
    try:
        return _known_parameters(notebook.path)
    except _UNREADABLE as error:
        raise RunFailedError(
            f"the notebook {str(notebook.path)!r} cannot be read: {type(error).__name__}: {error}",
            remedy="Restore the file from the repository.",
        ) from error


@read_once
def _known_parameters(path: Path) -> frozenset[str]:
    # As JSON: nbformat takes longer to import than all of this.
    document: dict[str, Any] = json.loads(path.read_text("utf-8"))
    for cell in document["cells"]:
        if cell["cell_type"] == "code" and "parameters" in cell["metadata"].get("tags", []):
            return frozenset(_assigned_names("".join(cell["source"])))
    raise RunFailedError(
        f"the notebook {path.stem!r} has no cell with the tag 'parameters'",
        remedy="Give its first code cell, with the defaults, the tag `parameters`.",
    )


def _assigned_names(source: str) -> set[str]:
    names: set[str] = set()
    for node in ast.parse(source).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        names.update(target.id for target in targets if isinstance(target, ast.Name))
    return names


LATEST = "latest"


@dataclass(frozen=True)
class RunRecord:
    """Where a run went, kept as ``run.json`` so that undo goes to the same place."""

    target: str
    mode: str
    region: str
    profile: str | None
    scenario_file: str
    sandbox_state: str = ""
    sandbox_state_id: str = ""


def create_run_folder(runs: Path, *, now: datetime.datetime | None = None) -> Path:
    """Create and return a new run's folder, readable by its owner only, and point ``latest`` at it."""
    now = now or datetime.datetime.now(datetime.UTC)
    with explained(
        f"the run's folder cannot be made in {str(runs)!r}",
        remedy="Choose a folder that you may write with --out DIR, or make room.",
    ):
        runs.mkdir(parents=True, exist_ok=True)
        folder = create_unique_folder(runs.absolute(), now.strftime("%Y%m%d-%H%M%S"), 0o700)
        (folder / "notebooks").mkdir()
    _link_latest(runs.absolute(), folder.name)
    return folder


def create_unique_folder(parent: Path, name: str, mode: int = 0o777) -> Path:
    """Create and return a folder of that name, or with a number behind it where there is one already."""
    for attempt in range(1, 1000):
        folder = parent / (name if attempt == 1 else f"{name}-{attempt}")
        with suppress(FileExistsError):
            folder.mkdir(mode, parents=True)
            return folder
    raise FileExistsError(f"a thousand folders are called {name}")


def _link_latest(runs: Path, name: str) -> None:
    temporary = runs / f".{LATEST}-{os.getpid()}"
    # A file system without links (or a folder called "latest") costs the convenience, not the run.
    with suppress(OSError):
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(name)
        temporary.replace(runs / LATEST)
    with suppress(OSError):
        temporary.unlink(missing_ok=True)


def find_run_folder(run_id: str, runs: Path) -> Path:
    """Return the folder of a run."""
    for folder in (runs / run_id, Path(run_id)):
        if (
            run_id
            and folder.is_dir()
            and ((folder / "receipts.jsonl").exists() or (folder / "run.json").exists())
        ):
            return folder.resolve()
    names = sorted((path.name for path in runs.glob("*") if path.is_dir()), reverse=True)
    known = f"Newest runs: {', '.join(names[:5])}." if names else f"There is no run in {str(runs)!r} yet."
    raise no_such("no run is called", run_id, names, f"{known} A run in another folder is named by its path.")


def write_record(folder: Path, record: RunRecord) -> None:
    """Write ``run.json``."""
    text = json.dumps(asdict(record), indent=2, ensure_ascii=False) + "\n"
    write_whole(folder / "run.json", text)


def read_record(folder: Path) -> RunRecord | None:
    """Return what ``run.json`` says, or None where there is none: a person ran a notebook in JupyterLab."""
    path = folder / "run.json"
    if not path.exists():
        return None
    try:
        return _record(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, RecursionError) as error:
        raise RunFailedError(
            f"{str(path)!r} cannot be understood: {error}",
            remedy="Delete the file: undo then goes by the receipts alone.",
        ) from error


def _record(values: Any) -> RunRecord:
    """Return the record; what a newer version of the kit has added is passed over."""
    if not isinstance(values, dict):
        raise ValueError("it is not a JSON object")
    known = {field.name: values[field.name] for field in fields(RunRecord) if field.name in values}
    missing = [
        field.name for field in fields(RunRecord) if field.default is MISSING and field.name not in known
    ]
    if missing:
        raise ValueError(f"it lacks {', '.join(missing)}")
    for name, value in known.items():
        if not isinstance(value, str) and not (name == "profile" and value is None):
            raise ValueError(f"{name} is {value!r:.60}, not a text")
    return RunRecord(**known)
