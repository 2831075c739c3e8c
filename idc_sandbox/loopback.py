"""Finding and asking a sandbox on this machine's loopback, and the hosts that it answers to."""

from __future__ import annotations

import errno
import hashlib
import hmac
import json
import re
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from idc_sandbox.errors import SandboxStartError, ServiceError
from idc_sandbox.state_folder import StateFolder

HOST = "127.0.0.1"
DEFAULT_PORT = 8723


class RunningSandbox(NamedTuple):
    """A sandbox that answers, and what is needed to use it."""

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
    """Return the answer that only a sandbox that knows the key, on this port, can give to a challenge."""
    # The key has no other use: who asks is a stranger, and gets a signature of what they choose. The port is
    # part of it, so that nobody else can pass the question on to the sandbox and the answer back.
    return hmac.new(health_key.encode(), f"{port} {challenge}".encode(), hashlib.sha256).hexdigest()


def find_sandbox(folder: StateFolder) -> RunningSandbox | None:
    """Return the sandbox that serves a folder, or None; reads only.

    A stale ``server.json`` is recognized: whatever listens on its port must prove that it knows the folder's
    secret before anything of value is sent to it.

    Parameters
    ----------
    folder
        Where it keeps its state.
    """
    server = folder.read_server() or {}
    if not {"port", "pid", "region", "account_id", "started"} <= set(server):
        return None
    secret_values = folder.read_secrets()
    if not _is_sandbox_of(server["port"], secret_values.get("health_key", "")):
        return None
    known = {**server, **secret_values, "state_folder": str(folder.path)}
    known["endpoint_url"] = f"http://{HOST}:{server['port']}"
    return RunningSandbox(**{name: known[name] for name in RunningSandbox._fields if name in known})


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
    """Send one request to a port on loopback, and return the JSON object of its answer, or None."""
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


def control(
    sandbox: RunningSandbox, method: str, path: str, body: Any = None, *, timeout_s: float = 5.0
) -> dict[str, Any]:
    """Send a sandbox's owner's request (``/_sandbox/…``), and return its answer; raise what it refuses."""
    answer = ask(
        sandbox.port,
        method,
        f"/_sandbox/{path}",
        control_secret=sandbox.control_secret,
        body=body,
        timeout_s=timeout_s,
    )
    if answer is None:
        log = Path(sandbox.state_folder) / "server.log"
        raise SandboxStartError(f"the sandbox at {sandbox.endpoint_url} does not answer. See {str(log)!r}.")
    if {"code", "message"} <= set(answer):
        raise ServiceError(answer.pop("code"), answer.pop("message"), **answer)
    return answer


def page_links(sandbox: RunningSandbox, *, address: str | None = None) -> dict[str, str] | None:
    """Return where a sandbox's web pages are, with links that open mailbox and practice console once."""
    query = "" if address is None else f"?{urlencode({'address': address})}"
    return ask(sandbox.port, "GET", f"/_sandbox/pages{query}", control_secret=sandbox.control_secret)


def listen(port: int) -> socket.socket:
    """Return a socket that listens on a port of loopback; 0 takes any free one."""
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


# Where people reach the pages: on this machine by name, and through a proxy at its public URL.

_OWN_HOSTS = ("localhost", HOST)
_DEFAULT_PORT = {"http": 80, "https": 443}
_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?")
_PREFIX = re.compile(r"(/[A-Za-z0-9._~%@+-]+)*")


@dataclass(frozen=True)
class Site:
    """One address of the pages."""

    scheme: str
    host: str
    prefix: str = ""

    @property
    def origin(self) -> str:
        """``scheme://host``, as browsers say where a page comes from."""
        return f"{self.scheme}://{self.host}"

    @property
    def url(self) -> str:
        """The site's address, without a slash at the end."""
        return f"{self.origin}{self.prefix}"

    @property
    def relying_party_id(self) -> str:
        """The host name that the person sees, to which security keys are bound."""
        return self.host.partition(":")[0]


class Sites:
    """The addresses under which one sandbox answers."""

    def __init__(self, port: int, public_url: str | None = None, frame_ancestors: Sequence[str] = ()) -> None:
        self.port = port
        self.local = Site("http", f"localhost:{port}")
        self.address_host = f"{HOST}:{port}"
        self.heard: Site | None = None
        self.set_public(public_url, frame_ancestors)

    def set_public(self, public_url: str | None, frame_ancestors: Sequence[str] = ()) -> None:
        """Say anew where a proxy shows the pages, and who may frame them; until the sandbox stops."""
        public = None if public_url is None else parse_public_url(public_url)
        self.frame_ancestors = tuple(parse_public_url(origin).origin for origin in frame_ancestors)
        self.public = public

    @property
    def preferred(self) -> Site:
        """Where people are sent: where the owner said, else where they came from far away, else here."""
        return self.public or self.heard or self.local

    def hear(self, site: Site) -> None:
        """Learn from a visit of the owner's where people see the pages, unless they are at this machine."""
        if site.relying_party_id not in _OWN_HOSTS:
            self.heard = site

    def find(self, host: str) -> Site | None:
        """Return the site that a ``Host`` header names, or None: browsers under other names are refused."""
        sites = [self.local, *filter(None, [self.public])]
        return next((site for site in sites if site.host == host.lower()), None)


def parse_public_url(text: str) -> Site:
    """Return the site that a URL names."""
    refusal = SandboxStartError(
        f"{text!r} is not an address of pages; write it like https://hub.example.org/user/ana/proxy/8723 "
        "or http://localhost:8888/proxy/8723, without a query."
    )
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise refusal from None
    prefix = parts.path.rstrip("/")
    is_plain = not (parts.query or parts.fragment or parts.username or parts.password)
    is_site = parts.scheme in _DEFAULT_PORT and _HOST.fullmatch(parts.netloc) and is_plain
    if not is_site or not _PREFIX.fullmatch(prefix) or ".." in prefix:
        raise refusal
    name = (parts.hostname or "").lower()
    host = name if port in (None, _DEFAULT_PORT[parts.scheme]) else f"{name}:{port}"
    return Site(parts.scheme, host, prefix)
