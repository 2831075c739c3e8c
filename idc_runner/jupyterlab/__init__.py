"""What `idc lab` adds to JupyterLab: a server extension that answers the lesson's side bar."""

from __future__ import annotations

from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "idc_runner.jupyterlab"}]


def _load_jupyter_server_extension(server: Any) -> None:
    """Answer the side bar below the server's address."""
    from jupyter_server.utils import url_path_join  # noqa: PLC0415 - there where Jupyter is

    from idc_runner.jupyterlab.handlers import HANDLERS  # noqa: PLC0415 - there where Jupyter is

    routes = [
        (url_path_join(server.base_url, path), handler, {"folder": server.root_dir})
        for path, handler in HANDLERS
    ]
    server.web_app.add_handlers(".*$", routes)
