"""The sandbox as a process: one port on loopback, AWS's services on it, and the control endpoint."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import hmac
import importlib
import logging
import os
import signal
import socket
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from urllib.parse import unquote

import uvicorn

from idc_sandbox import __version__, store
from idc_sandbox.aws_double.lazy_moto import LazyMoto
from idc_sandbox.context import AwsServices
from idc_sandbox.environment import tls_context
from idc_sandbox.errors import (
    DISK_FULL,
    Request,
    Response,
    SandboxStartError,
    ServiceError,
    is_disk_full,
    json_object,
    validation_error,
)
from idc_sandbox.gateway import HOME_REGION, Gateway
from idc_sandbox.loopback import Sites, is_challenge, prove
from idc_sandbox.organization import Organization, organization_text
from idc_sandbox.pages.front_door import FrontDoor, OneTimeLinks, Seals, open_owners_door, owner_links
from idc_sandbox.state_folder import StateFolder
from idc_sandbox.store import Store, keep_organization
from idc_sandbox.wire import registry
from idc_sandbox.wire.connections import (
    LARGEST_UNSIGNED_BODY,
    ClientGoneError,
    PatientProtocol,
    TooLargeBodyError,
    read_head,
    read_request,
    send_answer,
    speaking_both,
)
from idc_sandbox.wire.protocols import json_bytes, new_uuid, query_parameters, service_error_response

if TYPE_CHECKING:  # the pages bring Starlette, and no start waits for it
    from starlette.types import ASGIApp, Receive, Scope, Send

logger = logging.getLogger(__name__)


class Ask(NamedTuple):
    """What somebody asks of the sandbox's own endpoint."""

    method: str
    rest: str  # of the path, behind the place, such as a checkpoint's name
    query: dict[str, str]
    body: dict[str, Any]
    request_id: str  # of its answer, and of the event that it leaves


Answer = Callable[[Ask], dict[str, Any]]


def control_answers(
    gateway: Gateway, sites: Sites, links: OneTimeLinks, stop: Callable[[], None]
) -> dict[str, dict[str, Answer]]:
    """Return what answers each method of each place below ``/_sandbox/``; more follows one with a slash."""

    def stop_soon(_ask: Ask) -> dict[str, Any]:
        stop()
        return {"status": "stopping"}

    def read_pages(ask: Ask) -> dict[str, Any]:
        # A program on this machine goes by this machine's address, wherever people are sent.
        site = sites.local if ask.query.get("site") == "local" else sites.preferred
        return owner_links(links, site.url, ask.query.get("address"))

    def write_pages(ask: Ask) -> dict[str, Any]:
        _set_public(sites, ask.body)
        gateway.site_url = sites.preferred.url
        return owner_links(links, sites.preferred.url)

    def read_clock(_ask: Ask) -> dict[str, Any]:
        with gateway.store.transaction() as connection:
            return {"now": store.now(connection), "offset_s": store.clock_offset_s(connection)}

    def move_clock(ask: Ask) -> dict[str, Any]:
        with gateway.store.transaction() as connection:
            _move_clock(connection, ask.body)
        return read_clock(ask)

    def console(ask: Ask) -> dict[str, Any]:
        values = {**ask.query, **ask.body}
        return gateway.console(ask.method, ask.rest, values, request_id=ask.request_id)

    return {
        "switches": {
            "GET": lambda _ask: gateway.read_switches(),
            "PUT": lambda ask: gateway.write_switches(ask.body),
        },
        "clock": {"GET": read_clock, "POST": move_clock},
        "checkpoints/": {
            "PUT": lambda ask: gateway.keep_checkpoint(ask.rest),
            "POST": lambda ask: gateway.go_back(ask.rest),
        },
        "console/": dict.fromkeys(("GET", "PUT", "POST"), console),
        "pages": {"GET": read_pages, "PUT": write_pages},
        "stop": {"POST": stop_soon},
    }


class ControlEndpoint:
    """The sandbox's own endpoint: who knows the secret asks it; only its health is told to all."""

    def __init__(
        self, answers: Mapping[str, Mapping[str, Answer]], keys: Mapping[str, str], port: int
    ) -> None:
        self._answers = answers
        self._keys = keys
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; a client that has gone gets none."""
        head, request_id = read_head(scope), new_uuid()
        try:
            answer = await self._answer(scope, receive, head, request_id)
        except ClientGoneError:
            return
        except ServiceError as error:
            answer = _refuse(error)
            if isinstance(error, TooLargeBodyError):
                answer.headers["Connection"] = "close"  # the rest of the body is not read
        except Exception as error:
            logger.exception("defect while answering %s %s", head.method, head.path)
            message = DISK_FULL if is_disk_full(error) else "See server.log."
            answer = _refuse(ServiceError("InternalServerException", message))
        await send_answer(answer, head.method, send)

    async def _answer(self, scope: Scope, receive: Receive, head: Request, request_id: str) -> Response:
        path = unquote(head.path.removeprefix("/_sandbox/"))
        place, slash, rest = path.partition("/")
        answers = self._answers.get(f"{place}{slash}", {})
        methods = ("GET", "HEAD") if path == "health" else tuple(answers)
        if head.method not in methods:
            return _no_such_place(head, methods, self._answers)
        if path == "health":
            return _json_answer(200, self._health(query_parameters(head)), {})
        _require_secret(head, self._keys["control_secret"])
        request = await read_request(scope, receive, lambda _head: False, largest=LARGEST_UNSIGNED_BODY)
        body = json_object(request.body, "ValidationException")
        ask = Ask(head.method, rest, query_parameters(head), body, request_id)
        answered = await asyncio.to_thread(answers[head.method], ask)
        return _json_answer(200, answered, {"x-amzn-RequestId": request_id})

    def _health(self, query: Mapping[str, str]) -> dict[str, Any]:
        about = {"status": "ok", "service": "idc-sandbox", "version": __version__, "pid": os.getpid()}
        challenge = query.get("challenge")
        if challenge is None:
            return about
        if not is_challenge(challenge):
            raise validation_error("The challenge must be 32 hex digits in lower case.")
        return {**about, "proof": prove(self._keys["health_key"], self._port, challenge)}


def _require_secret(head: Request, control_secret: str) -> None:
    given = head.headers.get("x-sandbox-secret", "")
    if not hmac.compare_digest(given.encode(), control_secret.encode()):
        raise ServiceError(
            "AccessDeniedException",
            "The header x-sandbox-secret is missing or wrong; secrets.json in the state folder holds it.",
            status=403,
        )


def _no_such_place(head: Request, methods: Sequence[str], places: Iterable[str]) -> Response:
    if methods:
        message = f"{head.path} takes no {head.method}. It takes {' and '.join(methods)}."
        refusal = _refuse(ServiceError("UnknownOperationException", message, status=405))
        return replace(refusal, headers={**refusal.headers, "Allow": ", ".join(methods)})
    known = ", ".join(sorted({"health", *places}))
    message = f"There is no {head.path}. Below /_sandbox/ are {known}; see docs/sandbox.md."
    return _refuse(ServiceError("UnknownOperationException", message, status=404))


def _json_answer(status: int, body: dict[str, Any], headers: Mapping[str, str]) -> Response:
    return Response(status, {"Content-Type": "application/json", **headers}, json_bytes(body))


def _refuse(error: ServiceError) -> Response:
    return _json_answer(error.status, {"code": error.code, "message": error.message, **error.members}, {})


def _set_public(sites: Sites, body: dict[str, Any]) -> None:
    """Say where a proxy shows the pages, and who may frame them; what is not named stays as it is."""
    public_url = body.get("public_url", sites.public.url if sites.public else None)
    ancestors = body.get("frame_ancestors", list(sites.frame_ancestors))
    are_texts = isinstance(ancestors, list) and all(isinstance(one, str) for one in ancestors)
    is_known = not set(body) - {"public_url", "frame_ancestors"} and isinstance(public_url, str | None)
    if not (is_known and are_texts):
        raise validation_error(
            'Send {"public_url": URL or null, "frame_ancestors": [ORIGIN, …]}, or one of the two; '
            f"found {body!r}."
        )
    try:
        sites.set_public(public_url, ancestors)
    except SandboxStartError as error:
        raise validation_error(f"{error}") from error


def _move_clock(connection: sqlite3.Connection, body: dict[str, Any]) -> None:
    if body != {"reset": True} and set(body) not in ({"advance_s"}, {"offset_s"}):
        raise validation_error(
            f'Send {{"advance_s": SECONDS}}, {{"reset": true}} or {{"offset_s": SECONDS}}, found {body!r}.'
        )
    if "advance_s" in body:
        store.advance_clock(connection, body["advance_s"])
    else:
        store.reset_clock(connection, body.get("offset_s", 0))


LARGEST_BODY = 256 * 1024 * 1024
GRACE_S = 3
_PAUSE_S = 0.1  # time for the first answers before moto is loaded beside them


class AwsEndpoint:
    """Hands whole requests to the gateway; what may take long, in a worker thread: moto and SQLite block."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; a client that has gone gets none."""
        try:
            request = await read_request(scope, receive, self._gateway.is_ours, largest=LARGEST_BODY)
        except ClientGoneError:
            return None
        except TooLargeBodyError as error:
            answer = service_error_response(error, error.head)
            answer.headers["Connection"] = "close"  # the rest of the body is not read
            return await send_answer(answer, error.head.method, send)
        if self._gateway.latency_s:
            await asyncio.sleep(self._gateway.latency_s)
        if (at_once := self._gateway.handle_at_once(request)) is not None:
            return await send_answer(at_once, request.method, send)
        answer = await asyncio.to_thread(self._gateway.handle, request)
        return await send_answer(answer, request.method, send)


_TICK_S = 0.1  # ten are a second for uvicorn
_LOOK_EVERY_S = 0.005


class _Server(uvicorn.Server):
    """uvicorn that says when it listens, and that ends as soon as it may: it would pause twice."""

    def __init__(self, config: uvicorn.Config, when_listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._when_listening = when_listening
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self._when_listening()

    def stop(self) -> None:
        """End, from any thread; what has begun is answered first."""
        self.should_exit = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stopped.set)

    async def main_loop(self) -> None:
        ticks = 0
        while not await self.on_tick(ticks):
            ticks += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), _TICK_S)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for each in (*self.servers, *(sockets or ())):
            each.close()
        state = self.server_state
        for connection in list(state.connections):
            connection.shutdown()
        deadline = time.monotonic() + GRACE_S
        while (state.connections or state.tasks) and not self.force_exit and time.monotonic() < deadline:
            await asyncio.sleep(_LOOK_EVERY_S)
        for task in state.tasks:
            task.cancel()


def make_application(
    gateway: Gateway,
    *,
    sites: Sites,
    keys: Mapping[str, str],
    stop: Callable[[], None],
    links: OneTimeLinks | None = None,
) -> ASGIApp:
    """Return the ASGI application of a gateway: AWS's services, our own endpoint, and the pages."""
    seals, links = Seals(keys["form_key"], keys["cookie_key"]), links or OneTimeLinks()

    def say_where() -> None:
        gateway.site_url = sites.preferred.url

    say_where()

    def make_pages() -> ASGIApp:
        # Templates, WebAuthn and password hashing: only a sandbox that somebody visits waits for them.
        from idc_sandbox.pages.application import make_pages_application  # noqa: PLC0415
        from idc_sandbox.pages.visits import House  # noqa: PLC0415

        return make_pages_application(House(gateway, seals, links, sites))

    control = ControlEndpoint(control_answers(gateway, sites, links, stop), keys, sites.port)
    services = AwsEndpoint(gateway)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        # All of AWS's requests are for one endpoint: none waits for a router and its middleware.
        await (control if scope["path"].startswith("/_sandbox/") else services)(scope, receive, send)

    return FrontDoor(sites, make_pages, answer, say_where)


def _import_the_rest() -> None:
    """Import what the first request of a service, act of the console, or page would wait for."""
    registry.handlers()
    for name in ("idc_sandbox.api.console", "idc_sandbox.pages.application"):
        importlib.import_module(name)


def serve(
    folder: StateFolder,
    listener: socket.socket,
    *,
    seed: int | None,
    public_url: str | None = None,
    frame_ancestors: Sequence[str] = (),
    organization: Organization | None = None,
    say: Callable[[str], None] | None = None,
    start_lock: int | None = None,
) -> None:
    """Serve a folder's sandbox on a listening socket until it is told to stop."""
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
            if organization is not None:
                with store.transaction() as connection:
                    keep_organization(connection, organization_text(organization))
            _run(folder, listener, LazyMoto(store), sites, say)
        finally:
            folder.remove_server()
            store.close()


def _run(
    folder: StateFolder,
    listener: socket.socket,
    double: LazyMoto,
    sites: Sites,
    say: Callable[[str], None] | None,
) -> None:
    gateway = Gateway(double.store, cast("AwsServices", double))
    key, secret = double.administrator_credentials()
    secret_values = {**folder.read_secrets(), "access_key_id": key, "secret_access_key": secret}
    folder.write_secrets(secret_values)
    about = {"port": sites.port, "pid": os.getpid(), "version": __version__, "region": HOME_REGION}
    started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    about |= {"account_id": double.management_account_id, "started": started}
    about["state_id"] = gateway.store.state_id

    def stop() -> None:
        server.stop()

    def give_up(reason: str) -> None:
        logger.error("the sandbox ends: %s", reason)
        stop()

    def tell() -> None:
        folder.write_server(about)
        double.load_in_background(after_s=_PAUSE_S, when_impossible=give_up, then=_import_the_rest)
        if say is not None:
            say(f"Serving on http://{sites.address_host}; Ctrl-C ends it.")

    application = make_application(gateway, sites=sites, keys=secret_values, stop=stop)
    server = _make_server(application, tell, speaking_both(partial(tls_context, folder.path)))
    door = open_owners_door(folder.path)
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn raises the signal again once it has ended: it is to find us tidying up, not to kill us.
        signal.signal(number, signal.SIG_IGN)
    server.run(sockets=[listener] if door is None else [listener, door])


def _make_server(
    application: ASGIApp,
    when_listening: Callable[[], None],
    protocol: type[PatientProtocol] = PatientProtocol,
) -> _Server:
    config = uvicorn.Config(
        application,
        http=protocol,
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        # Every client is on this machine, so uvicorn would believe each one's X-Forwarded-For: failed
        # sign-ins are counted by address, and the trail tells it.
        proxy_headers=False,
    )
    return _Server(config, when_listening)
