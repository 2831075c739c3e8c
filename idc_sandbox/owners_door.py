"""A second way to the pages, for the owner alone: a socket file in the state folder.

Whoever connects there can read the folder, and so holds its secrets anyway. A Jupyter Server connects there
for a person who is signed in at it, and passes on what their browser says: the host that they see is
believed, and mailbox and settings are open. Only pages are behind this door.
"""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.parse import quote

from starlette.types import Scope

from idc_sandbox.errors import SandboxStartError
from idc_sandbox.sites import Site, parse_public_url

FILE_NAME = "pages.sock"
PROXY_NAME = "identity-center-sandbox"
_LONGEST_PATH = 103  # the shortest limit of a system is 104, with a byte at the end


def open_owners_door(folder: Path) -> socket.socket | None:
    """Return a socket that listens in a state folder; None when the folder's path is too long for one.

    The caller holds the folder's server lock: a socket file that is there is of a server that is gone.
    """
    path = folder / FILE_NAME
    if len(str(path).encode()) > _LONGEST_PATH:
        return None
    path.unlink(missing_ok=True)
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    door.bind(str(path))
    path.chmod(0o600)
    door.listen(128)
    return door


def is_at_owners_door(scope: Scope) -> bool:
    """Tell whether a request came through the socket file: only such a server has a path and no port."""
    server = scope.get("server")
    return server is not None and server[1] is None and Path(server[0]).name == FILE_NAME


def read_site(scope: Scope) -> Site | None:
    """Return where the person sees the pages, as browser and proxy say; None when they do not say it.

    The path holds the proxy's beginning, which ends with `PROXY_NAME`.
    """
    before, found, _ = scope["path"].partition(f"/{PROXY_NAME}")
    host = _header(scope, b"host")
    if not found or not host:
        return None
    try:
        return parse_public_url(f"{_scheme(scope, host)}://{host}{quote(before, safe='/%~@+')}/{PROXY_NAME}")
    except SandboxStartError:
        return None


def _scheme(scope: Scope, host: str) -> str:
    """Return what the browser says with a form, else what the first proxy says, else plain http."""
    for scheme in ("https", "http"):
        if _header(scope, b"origin") == f"{scheme}://{host}":
            return scheme
    first = _header(scope, b"x-forwarded-proto").partition(",")[0].strip()
    return first if first in ("https", "http") else "http"


def _header(scope: Scope, wanted: bytes) -> str:
    values = [value.decode("latin-1").lower() for name, value in scope["headers"] if name == wanted]
    return values[0] if len(values) == 1 else ""
