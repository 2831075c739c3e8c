"""A notebook whose process ended in the middle: what is known of it is put into its file."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from idc_helpers.runner.engines import NotebookFailure
from idc_helpers.runner.scrubbed_files import notebook_text, write_whole


@dataclass(frozen=True)
class KeptOutput:
    """What outlived the process.

    Attributes
    ----------
    stdout, stderr
        What its last cell printed.
    journal
        Cells that ended and are not in the file, a JSON object with ``index`` and ``cell`` a line.
    """

    stdout: str = ""
    stderr: str = ""
    journal: str = ""


def mark_unfinished(
    output: Path, failure: NotebookFailure, index: int | None, kept: KeptOutput | None = None
) -> None:
    """Write into a saved notebook what was kept of it, and at which cell it ended and why.

    Parameters
    ----------
    output
        The file; one that was never saved stays away.
    failure
        Why it ended.
    index
        The cell's, among all cells; None: the last one that started, if any did.
    """
    with suppress(OSError):  # what cannot be written is told by whoever called, as the failure
        document = json.loads(output.read_text("utf-8"))
        kept = kept or KeptOutput()
        _apply_journal(document, kept.journal)
        _mark_cell(document, failure, index, kept)
        document["metadata"].setdefault("papermill", {})["exception"] = True
        write_whole(output, notebook_text(document))


def _apply_journal(document: dict[str, Any], journal: str) -> None:
    for line in journal.splitlines(keepends=True):
        if line.endswith("\n"):  # the last one may be half of it
            entry = json.loads(line)
            document["cells"][entry["index"]] = entry["cell"]


def _mark_cell(
    document: dict[str, Any], failure: NotebookFailure, index: int | None, kept: KeptOutput
) -> None:
    cell = _cell(document["cells"], index)
    if cell is None:
        return
    record = cell["metadata"].setdefault("papermill", {})
    outputs = cell.setdefault("outputs", [])
    if not outputs:
        texts = (("stdout", kept.stdout), ("stderr", kept.stderr))
        outputs += [{"output_type": "stream", "name": name, "text": text} for name, text in texts if text]
    record.update({"exception": True, "status": "failed"})
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
