"""The side bar's questions over HTTP: the lesson with how far each step is, and one notebook afresh."""

from __future__ import annotations

import asyncio
import json
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from jupyter_server.base.handlers import APIHandler
from tornado import web

from idc_aws.errors import KitError
from idc_aws.project import RUN_FOLDER_VARIABLE, project_folder
from idc_helpers.runbook.lesson import LessonStep, steps_of_notebook
from idc_helpers.runbook.progress import StepState, is_to_do, remembered_steps
from idc_runner.working_copy import start_notebook_afresh


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


class LessonHandler(APIHandler):
    """Says where the person is in the lesson."""

    def initialize(self, folder: str) -> None:
        """Take the folder that JupyterLab shows."""
        self._folder = Path(folder)

    @web.authenticated
    async def get(self) -> None:
        """Answer with the lesson's notebooks and steps."""
        # In a thread: the first time it imports what the lesson is made of.
        self.finish(await asyncio.to_thread(_outline, self._folder))


class AfreshHandler(APIHandler):
    """Lays one notebook out again."""

    def initialize(self, folder: str) -> None:
        """Take the folder that JupyterLab shows."""
        self._folder = Path(folder)

    @web.authenticated
    async def post(self) -> None:
        """Put a notebook as no one has run it in the place of the person's, which is kept."""
        body = self.get_json_body()
        name = str(body.get("notebook", "")) if isinstance(body, dict) else ""
        try:
            aside = await asyncio.to_thread(start_notebook_afresh, self._folder, project_folder(), name)
        except KitError as error:
            self.set_status(400)
            self.finish({"message": str(error)})
            return
        self.finish({"kept": aside.relative_to(self._folder).as_posix()})


def _outline(folder: Path) -> dict[str, Any]:
    from idc_runner.jupyterlab.handlers import outline  # noqa: PLC0415 - JupyterLab starts without it

    return outline(folder)


HANDLERS = (
    ("identity-center-lesson/outline", LessonHandler),
    ("identity-center-lesson/afresh", AfreshHandler),
)
