"""The sandbox as a process: one port on loopback, AWS's services on it, and our own endpoint beside them."""

from __future__ import annotations

import asyncio
import datetime
import logging
import os
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import cast

import uvicorn
from anyio import to_thread
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from idc_sandbox import __version__
from idc_sandbox.aws_double.early_double import EarlyDouble
from idc_sandbox.context import AwsServices
from idc_sandbox.control import control_routes
from idc_sandbox.gateway import HOME_REGION, Gateway
from idc_sandbox.half_open import PatientProtocol
from idc_sandbox.messages import Request, Response
from idc_sandbox.owners_door import open_owners_door
from idc_sandbox.pages.front_door import FrontDoor
from idc_sandbox.pages.one_time_links import OneTimeLinks
from idc_sandbox.pages.seals import Seals
from idc_sandbox.protocols import error_response
from idc_sandbox.request_bodies import TooLargeBodyError, read_request
from idc_sandbox.sites import Sites
from idc_sandbox.state_folder import StateFolder
from idc_sandbox.store import Store

LARGEST_BODY = 256 * 1024 * 1024
GRACE_S = 3
_PAUSE_S = 0.1  # time for the first answers before moto is loaded beside them
logger = logging.getLogger(__name__)


class AwsEndpoint:
    """Hands whole requests to the gateway, in a worker thread: moto and SQLite block."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; a client that has gone gets none."""
        try:
            request = await read_request(scope, receive, self._gateway.is_ours, largest=LARGEST_BODY)
        except ClientDisconnect:
            return None
        except TooLargeBodyError as error:
            answer = error_response(error, error.head)
            answer.headers["Connection"] = "close"  # the rest of the body is not read
            return await _send_answer(answer, error.head, send)
        if self._gateway.latency_s:
            await asyncio.sleep(self._gateway.latency_s)
        answer = await to_thread.run_sync(self._gateway.handle, request)
        return await _send_answer(answer, request, send)


async def _send_answer(answer: Response, request: Request, send: Send) -> None:
    headers = [(name.lower(), value) for name, value in answer.headers.items()]
    # The answer to HEAD says how long the body would be; moto knows, and there is no body to count.
    if request.method != "HEAD":
        headers = [item for item in headers if item[0] != "content-length"]
        if answer.status not in (204, 304):
            headers.append(("content-length", str(len(answer.body))))
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
    body = b"" if request.method == "HEAD" else answer.body
    await send({"type": "http.response.body", "body": body})


class _Server(uvicorn.Server):
    """uvicorn that says when it listens."""

    def __init__(self, config: uvicorn.Config, when_listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._when_listening = when_listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._when_listening()


def make_application(
    gateway: Gateway,
    *,
    sites: Sites,
    keys: Mapping[str, str],
    stop: Callable[[], None],
    links: OneTimeLinks | None = None,
) -> ASGIApp:
    """Return the ASGI application of a gateway: AWS's services, our own endpoint, and the pages.

    Parameters
    ----------
    keys
        The state folder's, by name (`idc_sandbox.state_folder.KEY_NAMES`).
    """
    seals, links = Seals(keys["form_key"], keys["cookie_key"]), links or OneTimeLinks()

    def say_where() -> None:
        gateway.site_url = sites.preferred.url

    say_where()

    def make_pages() -> ASGIApp:
        # Templates, WebAuthn and password hashing: only a sandbox that somebody visits waits for them.
        from idc_sandbox.pages import application  # noqa: PLC0415

        return application.make_pages_application(gateway, seals, links, sites)

    routes = [
        Mount("/_sandbox", routes=control_routes(gateway, sites, links, keys, stop)),
        Mount("/", app=AwsEndpoint(gateway)),
    ]
    return FrontDoor(sites, make_pages, Starlette(routes=routes), say_where)


def serve(
    folder: StateFolder,
    listener: socket.socket,
    *,
    seed: int | None,
    public_url: str | None = None,
    frame_ancestors: Sequence[str] = (),
    say: Callable[[str], None] | None = None,
    start_lock: int | None = None,
) -> None:
    """Serve a folder's sandbox on a listening socket until it is told to stop.

    Parameters
    ----------
    public_url, frame_ancestors
        As for `idc_sandbox.sites.Sites`.
    say
        Called with a line for people once clients can come.
    start_lock
        The descriptor of a lock to hold until the folder's own one is held.

    Raises
    ------
    SandboxStartError
        When the folder is served by another process, its state cannot be used, or a URL is none.
    """
    sites = Sites(listener.getsockname()[1], public_url, frame_ancestors)
    os.umask(0o077)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]  # a profile or an endpoint of the user's must not lead moto's boto3 astray
    log_format = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=logging.WARNING, format=log_format, force=True)  # a fork has its parent's
    with folder.server_lock():
        if start_lock is not None:
            os.close(start_lock)
        store = Store(folder.database, seed=seed or 0, was_used=folder.was_used())
        try:
            _run(folder, listener, EarlyDouble(store), sites, say)
        finally:
            folder.remove_server()
            store.close()


def _run(
    folder: StateFolder,
    listener: socket.socket,
    double: EarlyDouble,
    sites: Sites,
    say: Callable[[str], None] | None,
) -> None:
    gateway = Gateway(double.store, cast("AwsServices", double))
    key, secret = double.administrator_credentials()
    secret_values = {**folder.read_secrets(), "access_key_id": key, "secret_access_key": secret}
    folder.write_secrets(secret_values)
    about = {"port": sites.port, "pid": os.getpid(), "version": __version__, "region": HOME_REGION}
    about |= {"account_id": double.management_account_id, "started": _utc_now()}
    about["state_id"] = gateway.store.state_id

    def stop() -> None:
        server.should_exit = True  # what has begun is answered first

    def give_up(reason: str) -> None:
        logger.error("the sandbox ends: %s", reason)
        stop()

    def tell() -> None:
        folder.write_server(about)
        double.load_in_background(after_s=_PAUSE_S, when_impossible=give_up)
        if say is not None:
            say(f"Serving on http://{sites.address_host}; Ctrl-C ends it.")

    application = make_application(gateway, sites=sites, keys=secret_values, stop=stop)
    server = _make_server(application, tell)
    door = open_owners_door(folder.path)
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn raises the signal again once it has ended: it is to find us tidying up, not to kill us.
        signal.signal(number, signal.SIG_IGN)
    server.run(sockets=[listener] if door is None else [listener, door])


def _make_server(application: ASGIApp, when_listening: Callable[[], None]) -> _Server:
    config = uvicorn.Config(
        application,
        http=PatientProtocol,
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    return _Server(config, when_listening)


def _utc_now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
