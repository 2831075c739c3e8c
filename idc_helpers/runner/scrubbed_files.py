"""Where papermill saves an executed notebook: scrubbed every time, and whole at any moment.

papermill saves once before any engine's code runs and again after each cell. Secrets are taken out here, the
one door that all saves pass. A save replaces the file in one step: a killed run leaves the last whole one.
"""

from __future__ import annotations

import copy
import functools
import hashlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from idc_helpers.cleaning import clean_values, masked_values
from idc_helpers.scrubbing import announced, is_picture, known_values, scrub_together, scrub_values

SCHEME = "idc-scrubbed://"
_LONGEST_KEPT = 20_000
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

    Texts that its file keeps line by line are whole, and what a cell printed is looked at as a reader sees
    it: joined over flushes and outputs. A value that one output announces is taken out of all. Its prose
    keeps what looks like a secret: it came from the repository.
    """
    whole = _with_texts(document, _joined)
    known = known_values()
    cells = [_scrubbed(cell, frozenset(), known) for cell in whole["cells"]]
    changed = [before for before, after in zip(whole["cells"], cells, strict=True) if before != after]
    learnt = frozenset[str]().union(*(announced(_read_text(cell)) for cell in changed))
    if learnt:
        pattern = re.compile("|".join(map(re.escape, learnt)))
        cells = [
            _scrubbed(cell, learnt, known) if pattern.search(_read_text(cell)) else cell for cell in cells
        ]
    return {**clean_values({**whole, "cells": []}), "cells": masked_values(cells)}


def _scrubbed(cell: dict[str, Any], learnt: frozenset[str], known: frozenset[str]) -> dict[str, Any]:
    if cell["cell_type"] == "markdown":
        return cell
    text = json.dumps(cell)
    # A notebook is saved after each cell, all of it: cells of before are looked at once.
    if len(text) <= _LONGEST_KEPT:
        return json.loads(_scrubbed_text(text, learnt, known))
    return _scrubbed_cell(cell, learnt)


@functools.lru_cache(maxsize=1024)
def _scrubbed_text(cell: str, learnt: frozenset[str], _known: frozenset[str]) -> str:
    return json.dumps(_scrubbed_cell(json.loads(cell), learnt))


def _scrubbed_cell(cell: dict[str, Any], learnt: frozenset[str]) -> dict[str, Any]:
    """Return a cell of code without secrets, also without those that run on from one output into the next."""
    outputs = copy.deepcopy(cell.get("outputs") or [])
    places = _places(outputs)
    texts = [holder[key] for holder, key in places]
    for order in _orders(places):
        # Each has its own end of a line, unless it is a stream that goes on.
        ends = ["" if _is_stream(places[number][0]) else "\n" for number in order]
        pieces = [piece for number, end in zip(order, ends, strict=True) for piece in (texts[number], end)]
        for number, text in zip(order, scrub_together(pieces, learnt)[::2], strict=True):
            texts[number] = text
    for holder, key in places:
        holder[key] = ""
    scrubbed = scrub_values({**cell, **({"outputs": outputs} if "outputs" in cell else {})}, learnt)
    for (holder, key), text in zip(_places(scrubbed.get("outputs") or []), texts, strict=True):
        holder[key] = text
    return scrubbed


def _read_text(cell: dict[str, Any]) -> str:
    """Return the code of a cell and what it printed, as one text."""
    places = _places(cell.get("outputs") or [])
    printed = (places[number] for number in _orders(places)[0])
    return "\n".join([cell["source"], *(holder[key] for holder, key in printed)])


def _places(outputs: list[dict[str, Any]]) -> list[tuple[Any, Any]]:
    """Return where outputs hold the texts that a person reads: streams, texts by media type, tracebacks."""
    found: list[tuple[Any, Any]] = []
    for output in outputs:
        if output["output_type"] == "stream":
            found.append((output, "text"))
        data = output.get("data") or {}
        found += [(data, key) for key, text in data.items() if isinstance(text, str) and not is_picture(key)]
        if output["output_type"] == "error":
            found.append((output, "evalue"))
            found += [(output["traceback"], number) for number in range(len(output["traceback"]))]
    return found


def _is_stream(holder: Any) -> bool:
    return isinstance(holder, dict) and holder.get("output_type") == "stream"


def _orders(places: list[tuple[Any, Any]]) -> list[list[int]]:
    """Return in which orders texts are read: each stream as one and then the rest, and as they came."""
    streams = ("stdout", "stderr")
    as_they_came = list(range(len(places)))

    def rank(number: int) -> int:
        holder = places[number][0]
        return streams.index(holder["name"]) if _is_stream(holder) else len(streams)

    by_stream = sorted(as_they_came, key=rank)
    return [by_stream] if by_stream == as_they_came else [by_stream, as_they_came]


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
