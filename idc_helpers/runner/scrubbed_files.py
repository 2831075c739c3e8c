"""Where papermill saves an executed notebook: scrubbed every time, and whole at any moment.

papermill saves once before any engine's code runs and again after each cell. Secrets are taken out here, the
one door that all saves pass. A save replaces the file in one step: a killed run leaves the last whole one.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from idc_helpers.scrubbing import scrub_values

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

    def write(self, text: str, path: str) -> None:
        """Write a notebook scrubbed, all of it or nothing."""
        document = scrubbed_notebook(json.loads(text.replace(SCHEME, "")))
        write_whole(_local(path), json.dumps(document, indent=1, ensure_ascii=False) + "\n")

    def pretty_path(self, path: str) -> str:
        """Return the path as a person knows it."""
        return str(_local(path))


def scrubbed_notebook(document: dict[str, Any]) -> dict[str, Any]:
    """Return a notebook without secrets; its prose stays as it is: it came from the repository."""
    cells = [cell if cell["cell_type"] == "markdown" else scrub_values(cell) for cell in document["cells"]]
    return {**scrub_values({**document, "cells": []}), "cells": cells}


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
    temporary.write_text(text, "utf-8")
    temporary.replace(path)


def _local(path: str) -> Path:
    return Path(path.removeprefix(SCHEME))
