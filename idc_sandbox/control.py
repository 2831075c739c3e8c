"""The sandbox's own endpoint, under ``/_sandbox/``: health, switches, clock, console, pages and stop.

No AWS path leads here: an S3 bucket's name cannot start with an underscore. Everything but health needs the
secret from the state folder in the header ``x-sandbox-secret``.
"""

from __future__ import annotations

import hmac
import logging
import os
from collections.abc import Callable, Mapping
from typing import Any

from anyio import to_thread
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.routing import Route

from idc_sandbox import __version__, clock
from idc_sandbox.errors import DISK_FULL, SandboxStartError, ServiceError, is_disk_full, validation_error
from idc_sandbox.gateway import Gateway
from idc_sandbox.json_documents import parse_json
from idc_sandbox.loopback import is_challenge, prove
from idc_sandbox.pages.one_time_links import OneTimeLinks, owner_links
from idc_sandbox.request_bodies import LARGEST_UNSIGNED_BODY
from idc_sandbox.sites import Sites

Answer = Callable[[Gateway, HttpRequest, dict[str, Any]], dict[str, Any]]
logger = logging.getLogger(__name__)


def control_routes(
    gateway: Gateway,
    sites: Sites,
    links: OneTimeLinks,
    keys: Mapping[str, str],
    stop: Callable[[], None],
) -> list[Route]:
    """Return the routes, relative to ``/_sandbox``.

    Parameters
    ----------
    keys
        The state folder's: ``control_secret`` opens everything here, ``health_key`` proves who answers.
    stop
        Called for ``POST stop``; the answer is sent before the server ends.
    """

    def guarded(answer: Answer) -> Callable[[HttpRequest], Any]:
        async def endpoint(request: HttpRequest) -> JSONResponse:
            try:
                _require_secret(request, keys["control_secret"])
                body = await _json_object(request)
                return JSONResponse(await to_thread.run_sync(answer, gateway, request, body))
            except ServiceError as error:
                return JSONResponse(_refusal(error), status_code=error.status)
            except Exception as error:
                logger.exception("defect while answering %s %s", request.method, request.url.path)
                message = DISK_FULL if is_disk_full(error) else "See server.log."
                return JSONResponse(_refusal(ServiceError("InternalServerException", message)), 500)

        return endpoint

    async def health(request: HttpRequest) -> JSONResponse:
        about = {"status": "ok", "service": "idc-sandbox", "version": __version__, "pid": os.getpid()}
        challenge = request.query_params.get("challenge")
        if challenge is None:
            return JSONResponse(about)
        if not is_challenge(challenge):
            refusal = validation_error("The challenge must be 32 hex digits in lower case.")
            return JSONResponse(_refusal(refusal), refusal.status)
        return JSONResponse({**about, "proof": prove(keys["health_key"], sites.port, challenge)})

    def stop_soon(_gateway: Gateway, _request: HttpRequest, _body: dict[str, Any]) -> dict[str, Any]:
        stop()
        return {"status": "stopping"}

    def read_pages(_gateway: Gateway, request: HttpRequest, _body: dict[str, Any]) -> dict[str, Any]:
        # A program on this machine goes by this machine's address, wherever people are sent.
        is_local = request.query_params.get("site") == "local"
        site = sites.local if is_local else sites.preferred
        return owner_links(links, site.url, request.query_params.get("address"))

    def write_pages(_gateway: Gateway, _request: HttpRequest, body: dict[str, Any]) -> dict[str, Any]:
        _set_public(sites, body)
        gateway.site_url = sites.preferred.url
        return owner_links(links, sites.preferred.url)

    return [
        Route("/health", health, methods=["GET"]),
        Route("/switches", guarded(_read_switches), methods=["GET"]),
        Route("/switches", guarded(_write_switches), methods=["PUT"]),
        Route("/clock", guarded(_read_clock), methods=["GET"]),
        Route("/clock", guarded(_move_clock), methods=["POST"]),
        Route("/console/{path:path}", guarded(_console), methods=["GET", "PUT", "POST"]),
        Route("/pages", guarded(read_pages), methods=["GET"]),
        Route("/pages", guarded(write_pages), methods=["PUT"]),
        Route("/stop", guarded(stop_soon), methods=["POST"]),
    ]


def _require_secret(request: HttpRequest, control_secret: str) -> None:
    given = request.headers.get("x-sandbox-secret", "")
    if not hmac.compare_digest(given.encode(), control_secret.encode()):
        raise ServiceError(
            "AccessDeniedException",
            "The header x-sandbox-secret is missing or wrong; secrets.json in the state folder holds it.",
            status=403,
        )


async def _json_object(request: HttpRequest) -> dict[str, Any]:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST_UNSIGNED_BODY:
            raise ServiceError(
                "ValidationException", f"The body has more than {LARGEST_UNSIGNED_BODY} bytes.", status=413
            )
    try:
        value = parse_json(bytes(body) or b"{}")
    except ValueError as error:
        raise validation_error(f"The body is not JSON: {error}.") from None
    if not isinstance(value, dict):
        raise validation_error(f"The body must be a JSON object, found {type(value).__name__}.")
    return value


def _refusal(error: ServiceError) -> dict[str, Any]:
    return {"code": error.code, "message": error.message, **error.members}


def _set_public(sites: Sites, body: dict[str, Any]) -> None:
    """Say where a proxy shows the pages (``public_url`` or null), who may frame them (``frame_ancestors``).

    What is not named stays as it is.
    """
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


def _read_switches(gateway: Gateway, _request: HttpRequest, _body: dict[str, Any]) -> dict[str, Any]:
    return gateway.read_switches()


def _write_switches(gateway: Gateway, _request: HttpRequest, body: dict[str, Any]) -> dict[str, Any]:
    return gateway.write_switches(body)


def _read_clock(gateway: Gateway, _request: HttpRequest, _body: dict[str, Any]) -> dict[str, Any]:
    with gateway.store.transaction() as connection:
        return {"now": clock.now(connection), "offset_s": clock.clock_offset_s(connection)}


def _move_clock(gateway: Gateway, request: HttpRequest, body: dict[str, Any]) -> dict[str, Any]:
    if body != {"reset": True} and set(body) not in ({"advance_s"}, {"offset_s"}):
        raise validation_error(
            f'Send {{"advance_s": SECONDS}}, {{"reset": true}} or {{"offset_s": SECONDS}}, found {body!r}.'
        )
    with gateway.store.transaction() as connection:
        if "advance_s" not in body:
            clock.reset_clock(connection, body.get("offset_s", 0))
        else:
            clock.advance_clock(connection, body["advance_s"])
    return _read_clock(gateway, request, {})


def _console(gateway: Gateway, request: HttpRequest, body: dict[str, Any]) -> dict[str, Any]:
    return gateway.console(request.method, request.path_params["path"], {**request.query_params, **body})
