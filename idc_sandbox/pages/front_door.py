"""Which requests are a browser's: those go to the pages, all others to AWS's services on the same port.

An S3 bucket may be named ``start``: whatever is signed, by header or in the query, is an AWS client's.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from urllib.parse import parse_qsl, quote

from anyio import to_thread
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from idc_sandbox.owners_door import is_at_owners_door, read_site
from idc_sandbox.sites import Site, Sites

_ROOTS = ("/start", "/authorize")
_METHODS = ("GET", "HEAD", "POST")
_SIGNED_HEADERS = (b"authorization", b"x-amz-target", b"x-amz-date", b"x-amz-content-sha256")
_SIGNED_PARAMETERS = {"x-amz-signature", "x-amz-credential", "awsaccesskeyid", "signature"}
_CONTROL = "/_sandbox/"
_NO_PROXY = (
    "{} was not reached: nothing leaves this machine with the sandbox's environment. For other hosts use a "
    "terminal without it, or unset HTTP_PROXY, HTTPS_PROXY and ALL_PROXY, in lower case too.\n"
)
logger = logging.getLogger(__name__)


class FrontDoor:
    """Sends each request where it belongs, and refuses requests that were made for another host.

    A web page elsewhere cannot reach the sandbox by rebinding its own name, because the browser still says
    that name. Through the public site only the pages are reached: AWS clients and the control endpoint stay
    on this machine.

    Parameters
    ----------
    make_pages
        Makes the pages' application; called at their first request, because most sandboxes never show one.
    services
        Everything else on the port.
    when_heard
        Called when an owner's visit may have said where people see the pages.
    """

    def __init__(
        self,
        sites: Sites,
        make_pages: Callable[[], ASGIApp],
        services: ASGIApp,
        when_heard: Callable[[], None] = lambda: None,
    ) -> None:
        self._sites = sites
        self._make_pages = make_pages
        self._pages: ASGIApp | None = None
        self._services = services
        self._when_heard = when_heard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer that it came to the wrong place."""
        if is_at_owners_door(scope):
            return await self._answer_owner(scope, receive, send)
        hosts = [value.decode("latin-1").lower() for name, value in scope["headers"] if name == b"host"]
        host = hosts[0] if len(hosts) == 1 else ""
        site = self._sites.find(host)
        if site is not None and site is self._sites.public:
            scope = without_prefix(scope, site)
            if not is_for_pages(scope):
                answer = PlainTextResponse(f"The pages are at {site.url}/start.", 404)
                return await answer(scope, receive, send)
        elif site is None and host != self._sites.address_host:
            return await self._refuse_host(scope, receive, send)
        scope = in_origin_form(scope)
        if not is_for_pages(scope):
            return await self._services(scope, receive, send)
        if site is None:
            return await self._send_to_name(scope, receive, send)
        scope["idc_site"] = site
        return await (await self._load_pages())(scope, receive, send)

    async def _answer_owner(self, scope: Scope, receive: Receive, send: Send) -> None:
        site = read_site(scope)
        if site is None:
            return await PlainTextResponse("The pages are not here.", 404)(scope, receive, send)
        self._sites.hear(site)
        self._when_heard()
        # The proxy may send credentials of its own along: nothing but pages is here, so they say nothing.
        scope = {**without_prefix(scope, site), "idc_site": site, "idc_is_owners": True}
        return await (await self._load_pages())(scope, receive, send)

    async def _load_pages(self) -> ASGIApp:
        if self._pages is None:
            self._pages = await to_thread.run_sync(self._make_pages)
        return self._pages

    async def _refuse_host(self, scope: Scope, receive: Receive, send: Send) -> None:
        if is_for_a_proxy(scope):
            wanted = scope["raw_path"].decode("latin-1")[:200]
            logger.warning("a client with the sandbox's environment asked for %r", wanted)
            return await PlainTextResponse(_NO_PROXY.format(wanted), 403)(scope, receive, send)
        hosts = [self._sites.address_host, self._sites.local.host]
        if self._sites.public is not None:
            hosts.append(self._sites.public.host)
        refusal = {
            "code": "AccessDeniedException",
            "message": f"The Host header must be {' or '.join(hosts)}.",
        }
        return await JSONResponse(refusal, status_code=403)(scope, receive, send)

    async def _send_to_name(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send a browser from the address to the name: security keys do not work on an IP address."""
        if scope["method"] == "POST":
            url = f"{self._sites.preferred.url}/start"
            return await PlainTextResponse(f"Open {url} instead.", 421)(scope, receive, send)
        path = quote(scope["path"], safe="/%~@+")
        query = scope["query_string"].decode("latin-1")
        url = f"{self._sites.preferred.url}{path}{'?' if query else ''}{query}"
        return await RedirectResponse(url, status_code=307)(scope, receive, send)


def in_origin_form(scope: Scope) -> Scope:
    """Return a request that names this very server, as a client does to its proxy, as one that does not."""
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    start = b"http://" + (hosts[0] if hosts else b"")
    if not hosts or not scope["raw_path"].startswith(start + b"/"):
        return scope
    path = scope["path"].removeprefix(start.decode("latin-1"))
    return {**scope, "path": path, "raw_path": scope["raw_path"].removeprefix(start)}


def is_for_a_proxy(scope: Scope) -> bool:
    """Tell whether a client takes the sandbox for a proxy, as its environment says, and asks for a host."""
    return scope["method"] == "CONNECT" or not scope["raw_path"].startswith((b"/", b"*"))


def is_for_pages(scope: Scope) -> bool:
    """Tell whether a browser asks for a page, rather than an AWS client for something of that name."""
    path: str = scope["path"]
    if path == "/":
        return _is_browser_at_the_door(scope)
    if not any(path == root or path.startswith(f"{root}/") for root in _ROOTS):
        return False
    return scope["method"] in _METHODS and not _is_signed(scope)


def without_prefix(scope: Scope, site: Site) -> Scope:
    """Return the request as it reads below the site's prefix, whether the proxy left the prefix on or not."""
    prefix, path = site.prefix, scope["path"]
    if not prefix or not (path == prefix or path.startswith(f"{prefix}/")):
        return scope
    short = path[len(prefix) :] or "/"
    return {**scope, "path": short, "raw_path": quote(short).encode("ascii")}


def _is_signed(scope: Scope) -> bool:
    if any(name in _SIGNED_HEADERS for name, _ in scope["headers"]):
        return True
    query = scope["query_string"].decode("latin-1")
    return any(name.lower() in _SIGNED_PARAMETERS for name, _ in parse_qsl(query, keep_blank_values=True))


def _is_browser_at_the_door(scope: Scope) -> bool:
    """Tell whether a person typed the bare address; an S3 client that lists buckets asks for no HTML."""
    accepts = b"".join(value for name, value in scope["headers"] if name == b"accept")
    is_plain = scope["method"] == "GET" and not scope["query_string"]
    return is_plain and b"text/html" in accepts and not _is_signed(scope)
