"""The side bar's questions over HTTP: the lesson as it is now, and one notebook afresh."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from jupyter_server.base.handlers import APIHandler
from tornado import web

from idc_aws.errors import KitError
from idc_aws.project import project_folder
from idc_runner.working_copy import start_notebook_afresh


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
    from idc_runner.jupyterlab.outline import outline  # noqa: PLC0415 - JupyterLab starts without it

    return outline(folder)


HANDLERS = (
    ("identity-center-lesson/outline", LessonHandler),
    ("identity-center-lesson/afresh", AfreshHandler),
)
