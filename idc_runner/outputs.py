"""What a run leaves behind: written whole, scrubbed, marked when unfinished, and searched for secrets."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from idc_aws.files import write_whole
from idc_aws.identifiers import first_of
from idc_aws.scrubbing import (
    announced,
    clean,
    clean_values,
    current_masker,
    find_secrets,
    is_picture,
    known_values,
    scrub,
    scrub_together,
    scrub_values,
    secret_lines,
)
from idc_runner.engine import NotebookFailure

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
        """Write a notebook scrubbed, all of it or nothing; papermill saves the finished one twice."""
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
    """Return a notebook, its texts whole, without secrets, and without personal data when a run masks it."""
    # A value that one output announces is taken out of all.
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
    rest = {**whole, "cells": []}
    about = ("rest", known, current_masker())
    return {**_once(rest, about, lambda: clean_values(rest)), "cells": [_masked(cell) for cell in cells]}


def _scrubbed(cell: dict[str, Any], learnt: frozenset[str], known: frozenset[str]) -> dict[str, Any]:
    if cell["cell_type"] == "markdown":
        return cell  # its prose came from the repository
    return _once(cell, (learnt, known), lambda: _scrubbed_cell(cell, learnt))


def _masked(cell: dict[str, Any]) -> dict[str, Any]:
    masker = current_masker()
    return cell if masker is None else _once(cell, (masker,), lambda: masker.mask_values(cell))


# A notebook is saved after each cell, all of it: only what is new is looked at. What a look left as it was is
# remembered by its digest, and only what it changed by its text.
_looked_at: dict[tuple[Any, ...], str | None] = {}
_MOST_REMEMBERED = 2048


def _once(cell: dict[str, Any], about: tuple[Any, ...], look: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    key = (hashlib.sha256(json.dumps(cell).encode()).digest(), *about)
    text = _looked_at.get(key, "")
    if text == "":
        found = look()
        text = None if found == cell else json.dumps(found)
        while len(_looked_at) >= _MOST_REMEMBERED:
            _looked_at.pop(next(iter(_looked_at)), None)
        _looked_at[key] = text
    return cell if text is None else json.loads(text)


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


def _local(path: str) -> Path:
    return Path(path.removeprefix(SCHEME))


KERNEL_LOG = "kernels.log"
_NOT_LOOKED_AT = ("sandbox",)  # the state of a sandbox of the run's own: it must hold its keys
_MOST_TOLD = 10


@dataclass(frozen=True)
class Leak:
    """Something that looks like a secret."""

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
    """Looks through the files of a run's folder: those that are new or changed since the last look."""

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
        for path in sorted(self._files()):
            if path.is_symlink() or _is_page(path, self._folder):
                continue
            with suppress(FileNotFoundError):  # the one who wrote it has taken it away again
                if path.is_file():
                    status = path.stat()
                    yield path, (status.st_ino, status.st_mtime_ns, status.st_size)

    def _files(self) -> Iterator[Path]:
        for folder, folders, names in os.walk(self._folder):
            if Path(folder) == self._folder:
                folders[:] = [name for name in folders if name not in _NOT_LOOKED_AT]
            yield from (Path(folder, name) for name in names)


def _is_page(path: Path, folder: Path) -> bool:
    """Tell whether the runner makes a file anew, as a picture of what is looked at or was scrubbed itself."""
    if path.parent == folder:
        return path.name == "index.html"
    return path.suffix == ".html" and path.with_suffix(".ipynb").exists()


def leak_failure(leaks: list[Leak]) -> NotebookFailure:
    """Return the failure of a notebook that left secrets behind."""
    told = "\n".join(first_of([f"- {leak}" for leak in leaks], _MOST_TOLD))
    return NotebookFailure(
        "SecretInOutputError",
        f"the run wrote what looks like a secret:\n{told}\n"
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


@dataclass(frozen=True)
class KeptOutput:
    """What outlived the process."""

    stdout: str = ""
    stderr: str = ""
    journal: str = ""


def mark_unfinished(
    output: Path, failure: NotebookFailure, index: int | None, kept: KeptOutput | None = None
) -> None:
    """Write into a saved notebook what was kept of it, and at which cell it ended and why."""
    with suppress(OSError):  # what cannot be written is told by the one who called, as the failure
        document = json.loads(output.read_text("utf-8"))
        kept = kept or KeptOutput()
        for line in kept.journal.splitlines(keepends=True):
            if line.endswith("\n"):  # the last one may be half of it
                entry = json.loads(line)
                document["cells"][entry["index"]] = entry["cell"]
        if (cell := _cell(document["cells"], index)) is not None:
            _mark_cell(cell, failure, kept)
        document["metadata"].setdefault("papermill", {})["exception"] = True
        write_whole(output, notebook_text(document))


def _mark_cell(cell: dict[str, Any], failure: NotebookFailure, kept: KeptOutput) -> None:
    outputs = cell.setdefault("outputs", [])
    if not outputs:
        texts = (("stdout", kept.stdout), ("stderr", kept.stderr))
        outputs += [{"output_type": "stream", "name": name, "text": text} for name, text in texts if text]
    cell["metadata"].setdefault("papermill", {}).update({"exception": True, "status": "failed"})
    words = f"{failure.error_name}: {failure.message}"
    outputs.append(
        {
            "output_type": "error",
            "ename": failure.error_name,
            "evalue": failure.message,
            "traceback": words.splitlines(),
        }
    )


def _cell(cells: list[dict[str, Any]], index: int | None) -> dict[str, Any] | None:
    if index is not None:
        return cells[index]
    started = [
        cell
        for cell in cells
        if cell["cell_type"] == "code" and cell["metadata"].get("papermill", {}).get("start_time")
    ]
    return started[-1] if started else None
