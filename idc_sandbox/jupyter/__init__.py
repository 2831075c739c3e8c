"""The pages inside JupyterLab: a Jupyter Server extension that has jupyter-server-proxy show them."""

# The proxy reaches them through the owner's door, at ``BASE_URL/identity-center-sandbox/``, whatever port the
# sandbox is on.
# Source: https://jupyter-server-proxy.readthedocs.io/en/latest/server-process.html

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from idc_sandbox.pages.front_door import FILE_NAME, PROXY_NAME
from idc_sandbox.state_folder import default_path

CONFIG_FOLDER = Path(__file__).parent / "config"
DATA_FOLDER = Path(__file__).parent / "data"
PAGES_VARIABLE = "IDC_SANDBOX_PAGES_PATH"
_ICONS = Path(__file__).parent / "icons"
_CATEGORY = "Identity Center sandbox"
_START_S = 60.0
_TILES = (
    (PROXY_NAME, "Access portal", "portal", "/start"),
    ("identity-center-mailbox", "Mailbox", "mailbox", "/start/mailbox"),
    ("identity-center-phone", "Practice phone", "phone", "/start/phone"),
    ("identity-center-console", "Practice console", "console", "/start/practice-console"),
)


def jupyter_environment() -> dict[str, str]:
    """Return ``JUPYTER_CONFIG_PATH`` and ``JUPYTER_PATH``: this package's folders before theirs."""
    folders = {"JUPYTER_CONFIG_PATH": CONFIG_FOLDER, "JUPYTER_PATH": DATA_FOLDER}
    return {
        name: os.pathsep.join(filter(None, [str(folder), os.environ.get(name)]))
        for name, folder in folders.items()
    }


def proxied_servers() -> dict[str, dict[str, Any]]:
    """Return what jupyter-server-proxy is to show, by name: pages, with a tile in the Launcher each."""
    return {name: _server(*about) for name, *about in _TILES}


def _server(title: str, icon: str, path: str) -> dict[str, Any]:
    tile = {
        "title": title,
        "category": _CATEGORY,
        "icon_path": str(_ICONS / f"{icon}.svg"),
        "path_info": f"{PROXY_NAME}{path}",
    }
    return {
        # Starts the sandbox, or finds it; that it ends at once is no failure to the proxy.
        "command": [sys.executable, "-m", "idc_sandbox", "start"],
        "timeout": _START_S,
        "unix_socket": str(default_path().absolute() / FILE_NAME),
        "absolute_url": True,  # the path as the browser sent it: it says where the person sees the pages
        "new_browser_tab": False,
        "launcher_entry": tile,
    }


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "idc_sandbox.jupyter"}]


def _link_jupyter_server_extension(server: Any) -> None:
    """Tell jupyter-server-proxy before it is loaded; what the configuration says of the same names stays."""
    from traitlets.config import Config, LazyConfigValue  # noqa: PLC0415 - there where Jupyter is

    given = server.config.ServerProxy.get("servers", {})
    known = given.get_value({}) if isinstance(given, LazyConfigValue) else dict(given)
    server.update_config(Config({"ServerProxy": {"servers": {**proxied_servers(), **known}}}))


def _load_jupyter_server_extension(server: Any) -> None:
    """Let kernels and terminals know where the pages are: they inherit the environment."""
    os.environ[PAGES_VARIABLE] = f"{server.base_url.rstrip('/')}/{PROXY_NAME}"
