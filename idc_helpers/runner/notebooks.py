"""Which notebooks there are, which of them a run executes, and which parameters each one knows."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from idc_helpers.errors import InvalidValueError, RunFailedError
from idc_helpers.suggestions import did_you_mean

TEARDOWN_NUMBER = "99"
_NUMBERED = re.compile(r"(\d{2})_\w+", re.ASCII)


@dataclass(frozen=True)
class LessonNotebook:
    """One notebook of the lesson.

    Attributes
    ----------
    name
        File name without its ending, such as ``"05_permission_sets"``.
    path
        The file.
    """

    name: str
    path: Path

    @property
    def number(self) -> str:
        """The two digits that the name starts with."""
        return self.name[:2]

    @property
    def is_teardown(self) -> bool:
        """Whether it takes back what the others made."""
        return self.number == TEARDOWN_NUMBER


def find_notebooks(folder: Path) -> list[LessonNotebook]:
    """Return the numbered notebooks of a folder in the lesson's order; reads names only.

    Raises
    ------
    RunFailedError
        When there is none.
    """
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
    """Return what a run executes, in the lesson's order.

    Parameters
    ----------
    notebooks
        What there is.
    only
        Numbers (``"05"``, ``"5"``) or names; empty: all.
    teardown
        Whether the notebook that takes everything back is one of "all".

    Raises
    ------
    InvalidValueError
        When a number or name is of no notebook.
    """
    if not only:
        return [notebook for notebook in notebooks if teardown or not notebook.is_teardown]
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
    """Return the names that the notebook's parameters cell assigns; reads only.

    Raises
    ------
    RunFailedError
        When the notebook cannot be read, or has no cell tagged ``parameters``: its defaults would win.
    """
    try:
        status = notebook.path.stat()
        return _known_parameters(notebook, status.st_mtime_ns, status.st_size)
    except _UNREADABLE as error:
        raise RunFailedError(
            f"the notebook {str(notebook.path)!r} cannot be read: {type(error).__name__}: {error}",
            remedy="Restore the file from the repository.",
        ) from error


@lru_cache(maxsize=64)
def _known_parameters(notebook: LessonNotebook, _changed_ns: int, _size: int) -> frozenset[str]:
    # A thousand jobs of one notebook read it once; one that was edited meanwhile is read again.
    # As JSON: nbformat takes longer to import than all of this.
    document: dict[str, Any] = json.loads(notebook.path.read_text("utf-8"))
    for cell in document["cells"]:
        if cell["cell_type"] == "code" and "parameters" in cell["metadata"].get("tags", []):
            return frozenset(_assigned_names("".join(cell["source"])))
    raise RunFailedError(
        f"the notebook {notebook.name!r} has no cell with the tag 'parameters'",
        remedy="Give its first code cell, with the defaults, the tag `parameters`.",
    )


def _assigned_names(source: str) -> set[str]:
    names: set[str] = set()
    for node in ast.parse(source).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        names.update(target.id for target in targets if isinstance(target, ast.Name))
    return names
