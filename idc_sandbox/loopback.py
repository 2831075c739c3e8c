"""Finding and asking a sandbox on this machine's loopback. Little of the standard library: it is quick."""

from __future__ import annotations

import errno
import hashlib
import hmac
import json
import re
import secrets
import socket
from typing import Any, NamedTuple
from urllib.parse import urlencode

from idc_sandbox.errors import SandboxStartError
from idc_sandbox.state_folder import StateFolder

HOST = "127.0.0.1"
DEFAULT_PORT = 8723


class RunningSandbox(NamedTuple):
    """A sandbox that answers, and what is needed to use it.

    Attributes
    ----------
    started
        When, ISO 8601 in UTC.
    access_key_id, secret_access_key
        The administrator's key in the management account `account_id`.
    control_secret
        For the header ``x-sandbox-secret`` of the endpoints under ``/_sandbox/``.
    state_id
        Which state it serves; empty for a server of an older version.
    """

    endpoint_url: str
    port: int
    pid: int
    state_folder: str
    region: str
    account_id: str
    access_key_id: str
    secret_access_key: str
    control_secret: str
    started: str
    state_id: str = ""

    def __repr__(self) -> str:
        return f"RunningSandbox({self.endpoint_url!r}, pid={self.pid}, state_folder={self.state_folder!r})"


def is_challenge(text: str) -> bool:
    """Tell whether a text is a challenge: 32 lowercase hex digits, and nothing else gets an answer."""
    return re.fullmatch("[0-9a-f]{32}", text) is not None


def prove(health_key: str, port: int, challenge: str) -> str:
    """Return the answer that only a sandbox that knows the key, on this port, can give to a challenge.

    The key has no other use: who asks is a stranger, and gets a signature of what they choose. The port is
    part of it, so that nobody else can pass the question on to the sandbox and the answer back.
    """
    return hmac.new(health_key.encode(), f"{port} {challenge}".encode(), hashlib.sha256).hexdigest()


def find_sandbox(folder: StateFolder) -> RunningSandbox | None:
    """Return the sandbox that serves a folder, or None.

    A stale ``server.json`` is recognised: whatever listens on its port must prove that it knows the folder's
    secret before anything of value is sent to it. Reads only.
    """
    server = folder.read_server() or {}
    if not {"port", "pid", "region", "account_id", "started"} <= set(server):
        return None
    secret_values = folder.read_secrets()
    if not _is_sandbox_of(server["port"], secret_values.get("health_key", "")):
        return None
    return RunningSandbox(
        endpoint_url=f"http://{HOST}:{server['port']}",
        port=server["port"],
        pid=server["pid"],
        state_folder=str(folder.path),
        region=server["region"],
        account_id=server["account_id"],
        access_key_id=secret_values["access_key_id"],
        secret_access_key=secret_values["secret_access_key"],
        control_secret=secret_values["control_secret"],
        started=server["started"],
        state_id=server.get("state_id", ""),
    )


def _is_sandbox_of(port: int, health_key: str) -> bool:
    if not health_key:  # an older kit made the folder, and no sandbox has been started there since
        return False
    challenge = secrets.token_hex(16)
    answer = ask(port, "GET", f"/_sandbox/health?challenge={challenge}")
    proof = answer.get("proof") if answer else None
    return isinstance(proof, str) and hmac.compare_digest(
        proof.encode(), prove(health_key, port, challenge).encode()
    )


def ask(
    port: int,
    method: str,
    path: str,
    *,
    control_secret: str = "",
    body: Any = None,
    timeout_s: float = 5.0,
) -> dict[str, Any] | None:
    """Send one request to a port on loopback and return the JSON object of its answer.

    None stands for everything else: nothing listens, no answer in time, no JSON.
    """
    data = b"" if body is None else json.dumps(body).encode()
    secret_line = f"x-sandbox-secret: {control_secret}\r\n" if control_secret else ""
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: close\r\n{secret_line}"
        f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    try:
        with socket.create_connection((HOST, port), timeout=timeout_s) as connection:
            connection.sendall(head.encode() + data)
            with connection.makefile("rb") as answer:
                value = json.loads(answer.read().partition(b"\r\n\r\n")[2])
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def page_links(sandbox: RunningSandbox, *, address: str | None = None) -> dict[str, str] | None:
    """Return where a sandbox's web pages are, with links that open mailbox and settings once.

    Parameters
    ----------
    address
        Whose mailbox the link opens; None opens all of them.

    Returns
    -------
    dict or None
        ``site_url``, ``portal_url``, ``mailbox_url`` and ``settings_url``, the last two being secrets until
        used; None when nothing answers.
    """
    query = "" if address is None else f"?{urlencode({'address': address})}"
    path = f"/_sandbox/pages{query}"
    return ask(sandbox.port, "GET", path, control_secret=sandbox.control_secret)


def listen(port: int) -> socket.socket:
    """Return a socket that listens on a port of loopback; 0 takes any free one.

    Raises
    ------
    SandboxStartError
        When the port is in use or forbidden; the message says by what, as far as can be seen, and what to do.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        listener.close()
        raise SandboxStartError(_why_not(port, error)) from error
    return listener


def _why_not(port: int, error: Exception) -> str:
    remedy = "Choose another port with --port N, or any free one with --port 0."
    if getattr(error, "errno", None) != errno.EADDRINUSE:
        return f"port {port} of {HOST} cannot be used: {error}. {remedy}"
    answer = ask(port, "GET", "/_sandbox/health", timeout_s=1.0)
    if answer and answer.get("service") == "idc-sandbox":
        return (
            f"port {port} of {HOST} is in use by a sandbox with another state folder "
            f"(process {answer.get('pid')}). Stop that one with `stop --state ITS_FOLDER`. {remedy}"
        )
    return f"port {port} of {HOST} is in use by another program. {remedy}"
