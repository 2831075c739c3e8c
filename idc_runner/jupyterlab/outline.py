"""The lesson as the side bar shows it: the notebooks in order, their steps, and how far each step is."""

from __future__ import annotations

import json
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from idc_aws.project import RUN_FOLDER_VARIABLE, project_folder
from idc_helpers.runbook.lesson import LessonStep, steps_of_notebook
from idc_helpers.runbook.progress import StepState, is_to_do, remembered_steps


def outline(folder: Path) -> dict[str, Any]:
    """Return the notebooks of a folder that are the kit's, with their steps; reads files only."""
    known = remembered_steps(_run_folder(folder))
    originals = sorted((project_folder() / "notebooks").glob("*.ipynb"))
    notebooks = [
        {
            "path": f"notebooks/{original.name}",
            "title": _title(original, original.stat().st_mtime_ns),
            "steps": [_step(step, known.get(step.name, {})) for step in steps_of_notebook(original.stem)],
        }
        for original in originals
        if (folder / "notebooks" / original.name).is_file()
    ]
    return {"folder": str(folder), "notebooks": notebooks}


def _step(step: LessonStep, known: Any) -> dict[str, Any]:
    state = StepState.__members__.get(str(known.get("state")))
    is_done = state is StepState.DONE
    return {
        "number": step.number,
        "task": step.task,
        "heading": step.link.partition("#")[2],
        "done": is_done,
        "checked": is_done and known.get("checked") is True,
        "open": is_to_do(step, state or StepState.NOT_APPLIED),
        "words": str(known.get("words", "")),
    }


def _run_folder(folder: Path) -> Path:
    """Return where the notebooks of a folder write, unless they are given another one."""
    named = os.environ.get(RUN_FOLDER_VARIABLE)
    return Path(named) if named else folder / "runs" / "notebooks"


@lru_cache(maxsize=64)
def _title(notebook: Path, _changed_at: int) -> str:
    """Return a notebook's first heading."""
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    texts = ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    lines = (line for text in texts for line in text.splitlines())
    return next((line[2:].strip() for line in lines if line.startswith("# ")), notebook.stem)
