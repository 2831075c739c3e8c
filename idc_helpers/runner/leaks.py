"""The last look at what a run wrote: what still looks like a key is told by its place, not by its value.

What the runner itself writes is scrubbed on the way. A notebook may write files of its own, and programs that
it starts may write into the logs: those are looked at here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from idc_helpers.cleaning import clean
from idc_helpers.runner.engines import NotebookFailure
from idc_helpers.runner.scrubbed_files import write_whole
from idc_helpers.scrubbing import find_secrets, scrub, secret_lines

KERNEL_LOG = "kernels.log"
_NOT_LOOKED_AT = ("sandbox",)  # the state of a sandbox of the run's own: it must hold its keys
_MOST_TOLD = 10


@dataclass(frozen=True)
class Leak:
    """Something that looks like a secret.

    Attributes
    ----------
    file
        Relative to the run's folder.
    place
        Such as ``"cell 4, outputs"`` or ``"line 12"``.
    kind
        Such as ``"a private key"``.
    """

    file: str
    place: str
    kind: str

    def __str__(self) -> str:
        return f"{self.file}, {self.place}: {self.kind}"


def clean_log(path: Path) -> None:
    """Take secrets, and personal data where asked for, out of a log that programs wrote, if it is there."""
    if path.exists():
        text = path.read_text("utf-8", errors="replace")
        cleaned = clean(text)
        if cleaned != text:
            write_whole(path, cleaned)


class LeakSearch:
    """Looks through the files of a run's folder: those that are new or changed since the last look.

    Parameters
    ----------
    folder
        The run's. What is there already is not looked at: another run has.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen = dict(self._versions())

    def find(self) -> list[Leak]:
        """Return what looks like a secret; reads only."""
        found: list[Leak] = []
        for path, version in self._versions():
            if self._seen.get(path) == version:
                continue
            self._seen[path] = version
            name = str(path.relative_to(self._folder))
            found += [Leak(scrub(name), "its name", kind) for kind in find_secrets(name)]
            with suppress(FileNotFoundError):
                found += _leaks_of(path, scrub(name))
        return found

    def _versions(self) -> Iterator[tuple[Path, tuple[int, int, int]]]:
        """Yield the files to look at, with what changes when they do."""
        for path in sorted(self._folder.rglob("*")):
            relative = path.relative_to(self._folder)
            if relative.parts[0] in _NOT_LOOKED_AT or path.is_symlink() or _is_page(path, self._folder):
                continue
            with suppress(FileNotFoundError):  # whoever wrote it has taken it away again
                if path.is_file():
                    status = path.stat()
                    yield path, (status.st_ino, status.st_mtime_ns, status.st_size)


def _is_page(path: Path, folder: Path) -> bool:
    """Tell whether the runner makes a file anew, as a picture of what is looked at or was scrubbed itself."""
    if path.parent == folder:
        return path.name == "index.html"
    return path.suffix == ".html" and path.with_suffix(".ipynb").exists()


def leak_failure(leaks: list[Leak]) -> NotebookFailure:
    """Return the failure of a notebook that left secrets behind."""
    told = "\n".join(f"- {leak}" for leak in leaks[:_MOST_TOLD])
    more = f"\n- and {len(leaks) - _MOST_TOLD} more" if len(leaks) > _MOST_TOLD else ""
    return NotebookFailure(
        "SecretInOutputError",
        f"the run wrote what looks like a secret:\n{told}{more}\n"
        "Delete it there, make the key or password invalid where it was issued, and have the notebook write "
        "it nowhere.",
    )


def _leaks_of(path: Path, name: str) -> Iterator[Leak]:
    data = path.read_bytes()
    if b"\0" in data[:8192]:
        return  # no text
    text = data.decode("utf-8", errors="replace")
    parts = _notebook_parts(text) if path.suffix == ".ipynb" else None
    if parts is None:
        for line, kind in secret_lines(text):
            yield Leak(name, f"line {line}", kind)
    elif find_secrets(
        "\n".join(part for _, part in parts)
    ):  # one look at the whole takes a hundredth of one at each
        for place, part in parts:
            for kind in find_secrets(part):
                yield Leak(name, place, kind)


def _notebook_parts(text: str) -> list[tuple[str, str]] | None:
    """Return the texts of a notebook with their places, or None when it is none."""
    try:
        document: dict[str, Any] = json.loads(text)
        cells = document["cells"]
    except (ValueError, KeyError, TypeError):
        return None
    parts = [("metadata", _texts({**document, "cells": []}))]
    for number, cell in enumerate(cells, start=1):
        parts += [(f"cell {number}, {part}", _texts(value)) for part, value in cell.items()]
    return parts


def _texts(value: Any) -> str:
    """Return all texts in JSON-like data, a line each; those of a list of lines as one."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return "\n".join(_texts(part) for item in value.items() for part in item)
    if isinstance(value, list):
        joiner = "" if all(isinstance(part, str) for part in value) else "\n"
        return joiner.join(_texts(part) for part in value)
    return ""
