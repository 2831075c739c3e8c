"""What `idc lab` adds to JupyterLab: a server extension that answers the lesson's side bar."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado import web

from idc_aws.errors import KitError
from idc_aws.project import project_folder
from idc_runner.working_copy import start_notebook_afresh


class _Handler(APIHandler):
    def initialize(self, folder: str) -> None:
        """Take the folder that JupyterLab shows."""
        self._folder = Path(folder)


class LessonHandler(_Handler):
    """Says where the person is in the lesson."""

    @web.authenticated
    async def get(self) -> None:
        """Answer with the lesson's notebooks and steps."""
        # In a thread: the first time it imports what the lesson is made of.
        self.finish(await asyncio.to_thread(_outline, self._folder))


class AfreshHandler(_Handler):
    """Lays one notebook out again."""

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


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "idc_runner.jupyterlab"}]


def _load_jupyter_server_extension(server: Any) -> None:
    """Answer the side bar below the server's address."""
    handlers = {"outline": LessonHandler, "afresh": AfreshHandler}
    routes = [
        (url_path_join(server.base_url, "identity-center-lesson", name), handler, {"folder": server.root_dir})
        for name, handler in handlers.items()
    ]
    server.web_app.add_handlers(".*$", routes)
