"""Where papermill saves an executed notebook: scrubbed every time, and whole at any moment.

papermill saves once before any engine's code runs and again after each cell. Secrets are taken out here, the
one door that all saves pass. A save replaces the file in one step: a killed run leaves the last whole one.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from idc_helpers.cleaning import clean_values, masked_values

SCHEME = "idc-scrubbed://"
_registered = False


class ScrubbedFiles:
    """papermill's handler of output paths that start with `SCHEME`."""

    def read(self, path: str) -> str:
        """Return a file's text."""
        return _local(path).read_text("utf-8")

    def listdir(self, path: str) -> list[str]:
        """Return the files of a folder."""
        return [str(entry) for entry in _local(path).iterdir()]

    def __init__(self) -> None:
        self._written: dict[str, tuple[bytes, tuple[int, int]]] = {}

    def write(self, text: str, path: str) -> None:
        """Write a notebook scrubbed, all of it or nothing.

        papermill saves the finished notebook twice: what stands in the file already is not written again.
        """
        local, digest = _local(path), hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        if path in self._written and self._written[path] == (digest, _identity(local)):
            return
        write_whole(local, notebook_text(json.loads(text.replace(SCHEME, ""))))
        self._written[path] = (digest, _identity(local))

    def pretty_path(self, path: str) -> str:
        """Return the path as a person knows it."""
        return str(_local(path))


def _identity(path: Path) -> tuple[int, int]:
    """Return what changes when somebody else writes a file; zeros when there is none."""
    try:
        status = path.stat()
    except OSError:
        return (0, 0)
    return (status.st_ino, status.st_mtime_ns)


def scrubbed_notebook(document: dict[str, Any]) -> dict[str, Any]:
    """Return a notebook without secrets, and without personal data when the run masks it.

    Texts that its file keeps line by line are whole. Its prose keeps what looks like a secret: it came from
    the repository.
    """
    whole = _with_texts(document, _joined)
    cells = [
        masked_values(cell) if cell["cell_type"] == "markdown" else clean_values(cell)
        for cell in whole["cells"]
    ]
    return {**clean_values({**whole, "cells": []}), "cells": cells}


def notebook_text(document: dict[str, Any]) -> str:
    """Return what a notebook's file holds, its texts line by line as in every notebook's file; scrubbed."""
    lines = _with_texts(scrubbed_notebook(document), _split)
    return json.dumps(lines, indent=1, ensure_ascii=False) + "\n"


def _with_texts(value: Any, change: Callable[[str, Any], Any]) -> Any:
    """Return a notebook's data in which the texts that it keeps line by line are changed."""
    if isinstance(value, list):
        return [_with_texts(part, change) for part in value]
    if not isinstance(value, dict):
        return value
    return {
        name: change(name, part) if _is_text(name, part) else _with_texts(part, change)
        for name, part in value.items()
    }


def _is_text(name: str, part: Any) -> bool:
    # Cells' code and prose, what they print, the data of outputs by media type, and tracebacks.
    is_kept_by_line = name in ("source", "text", "traceback") or "/" in name
    lines = part if isinstance(part, list) else [part]
    return is_kept_by_line and all(isinstance(line, str) for line in lines)


def _joined(name: str, part: Any) -> Any:
    """Return a text as one: a private key is one over many lines."""
    if name == "traceback":
        return ["\n".join(part)] if isinstance(part, list) else [part]
    return "".join(part) if isinstance(part, list) else part


def _split(name: str, part: Any) -> list[str]:
    if name == "traceback":
        return "\n".join(part).split("\n")
    if isinstance(part, list):
        return part
    return [line for line in re.split(r"(?<=\n)", part) if line]


def scrubbed_path(path: Path) -> str:
    """Return what to give papermill as the output path, so that what it saves is scrubbed."""
    global _registered  # noqa: PLW0603 -- papermill keeps one list of handlers in the process
    if not _registered:
        from papermill.iorw import papermill_io  # noqa: PLC0415 -- who only writes files need not wait for it

        papermill_io.register(SCHEME, ScrubbedFiles())
        _registered = True
    return f"{SCHEME}{path.absolute()}"


def write_whole(path: Path, text: str) -> None:
    """Write a text file, replacing the one before in one step."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, "utf-8")
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)  # half a file helps nobody, least of all on a full disk
        raise


def _local(path: str) -> Path:
    return Path(path.removeprefix(SCHEME))
