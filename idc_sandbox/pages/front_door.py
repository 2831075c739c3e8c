"""The door to the pages: known hosts, sealed cookies, one-time links, and the owner's socket."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import secrets
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, quote

from idc_sandbox.errors import Response, SandboxStartError
from idc_sandbox.loopback import Site, Sites, parse_public_url
from idc_sandbox.wire.connections import send_answer
from idc_sandbox.wire.protocols import json_bytes

if TYPE_CHECKING:  # the pages bring them, and no start waits for that
    from itsdangerous import URLSafeTimedSerializer
    from starlette.types import ASGIApp, Receive, Scope, Send

# Who connects to the owner's socket can read the folder, and so holds its secrets anyway. A Jupyter Server
# connects there for a person who is signed in at it, and passes on what their browser says: the host that
# they see is believed, and mailbox and practice console are open. Only pages are behind this door.
FILE_NAME = "pages.sock"
PROXY_NAME = "identity-center-sandbox"
_LONGEST_PATH = 103  # the shortest limit of a system is 104, with a byte at the end


def open_owners_door(folder: Path) -> socket.socket | None:
    """Return a socket that listens in a state folder; None when the folder's path is too long for one."""
    path = folder / FILE_NAME
    if len(str(path).encode()) > _LONGEST_PATH:
        return None
    # The caller holds the folder's server lock: a socket file that is there is of a server that is gone.
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
    """Return where the person sees the pages, as browser and proxy say; None when they do not say it."""
    before, found, _ = scope["path"].partition(f"/{PROXY_NAME}")
    host = _only_value(scope, "host")
    if not found or not host:
        return None
    try:
        return parse_public_url(f"{_scheme(scope, host)}://{host}{quote(before, safe='/%~@+')}/{PROXY_NAME}")
    except SandboxStartError:
        return None


def _scheme(scope: Scope, host: str) -> str:
    """Return what the browser says with a form, else what the first proxy says, else plain http."""
    for scheme in ("https", "http"):
        if _only_value(scope, "origin") == f"{scheme}://{host}":
            return scheme
    first = _only_value(scope, "x-forwarded-proto").partition(",")[0].strip()
    return "https" if first == "https" else "http"


def _only_value(scope: Scope, name: str) -> str:
    """Return what a header says, in lower case; empty when it is not there once."""
    values = _values(scope, name)
    return values[0].lower() if len(values) == 1 else ""


def _values(scope: Scope, name: str) -> list[str]:
    wanted = name.encode("latin-1")
    return [value.decode("latin-1") for found, value in scope["headers"] if found == wanted]


COOKIE_LIFETIME_S = 12 * 3600


class Seals:
    """Makes and checks values that only this sandbox can have made: CSRF tokens, owners' cookies."""

    def __init__(self, form_key: str, cookie_key: str) -> None:
        self._form_key, self._cookie_key = form_key.encode(), cookie_key.encode()

    def csrf_token(self, door: str, browser: str, session: str) -> str:
        """Return the token for forms shown at a door to a browser, and to who is signed in there."""
        return hmac.new(
            self._form_key, f"csrf {door} {browser} {session}".encode(), hashlib.sha256
        ).hexdigest()

    def is_csrf_token(self, given: str, door: str, browser: str, session: str) -> bool:
        """Tell whether a form's token is this browser's; a browser without cookie has none."""
        expected = self.csrf_token(door, browser, session)
        return bool(browser) and hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())

    def seal(self, purpose: str, value: Any) -> str:
        """Return a value for a cookie that can be read and not altered."""
        return self._serializer(purpose).dumps(value)

    def unseal(self, purpose: str, sealed: str, *, max_age_s: int) -> Any | None:
        """Return the value that was sealed for this purpose; None when it was not, or too long ago."""
        from itsdangerous import BadData  # noqa: PLC0415

        try:
            return self._serializer(purpose).loads(sealed, max_age=max_age_s)
        except (BadData, UnicodeError):
            return None

    def _serializer(self, purpose: str) -> URLSafeTimedSerializer:
        from itsdangerous import URLSafeTimedSerializer  # noqa: PLC0415

        return URLSafeTimedSerializer(
            self._cookie_key,
            salt=f"idc_sandbox.pages {purpose}",
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )


LIFETIME_S = 10 * 60
MOST_LINKS = 1000
EVERY_ADDRESS = "*"
EVERY_PHONE = "*"
ADMINISTRATOR = "administrator"


class _Promise(NamedTuple):
    purpose: str
    value: str
    ends_at: float


class OneTimeLinks:
    """Makes keys for links and redeems each once: what a notebook keeps of one is worth nothing."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._promises: dict[str, _Promise] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"OneTimeLinks({len(self._promises)} open)"

    def promise(self, purpose: str, value: str) -> str:
        """Return a new key that opens something once, within 10 minutes; the oldest of too many ends."""
        key = secrets.token_urlsafe(32)
        with self._lock:
            now = self._clock()
            self._promises = {name: one for name, one in self._promises.items() if one.ends_at > now}
            while len(self._promises) >= MOST_LINKS:
                del self._promises[next(iter(self._promises))]
            self._promises[_name(key)] = _Promise(purpose, value, now + LIFETIME_S)
        return key

    def redeem(self, purpose: str, key: str) -> str | None:
        """Return what a key opens, and forget it; None for one that is unknown, late or another's."""
        with self._lock:
            found = self._promises.get(_name(key))
            if found is None or found.purpose != purpose:
                return None
            del self._promises[_name(key)]
        return found.value if found.ends_at > self._clock() else None


def _name(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def owner_links(links: OneTimeLinks, site_url: str, address: str | None = None) -> dict[str, str]:
    """Return the addresses of the pages, with links that open mailbox, phone and console once."""
    mailbox = links.promise("mailbox", EVERY_ADDRESS if address is None else address)
    console = links.promise("practice-console", ADMINISTRATOR)
    phone = links.promise("phone", EVERY_PHONE)
    return {
        "site_url": site_url,
        "portal_url": f"{site_url}/start",
        "mailbox_url": f"{site_url}/start/mailbox?key={mailbox}",
        "phone_url": f"{site_url}/start/phone?key={phone}",
        "console_url": f"{site_url}/start/practice-console?key={console}",
    }


# Which requests are a browser's: those go to the pages, all others to AWS's services on the same port.

_ROOTS = ("/start", "/authorize", "/v1/authorize")
_METHODS = ("GET", "HEAD", "POST")
_SIGNED_HEADERS = {"authorization", "x-amz-target", "x-amz-date", "x-amz-content-sha256"}
_SIGNED_PARAMETERS = {"x-amz-signature", "x-amz-credential", "awsaccesskeyid", "signature"}
_NO_PROXY = (
    "{} was not reached: nothing leaves this machine with the sandbox's environment. For other hosts use a "
    "terminal without it, or unset HTTP_PROXY, HTTPS_PROXY and ALL_PROXY, in lower case too.\n"
)
logger = logging.getLogger(__name__)


class FrontDoor:
    """Sends each request where it belongs, and refuses requests that were made for another host."""

    # A web page elsewhere cannot reach the sandbox by rebinding its own name, because the browser still says
    # that name. Through the public site only the pages are reached: AWS clients and the control endpoint stay
    # on this machine.

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
        host = _only_value(scope, "host")
        site = self._sites.find(host)
        if site is not None and site is self._sites.public:
            scope = without_prefix(scope, site)
            if not is_for_pages(scope):
                return await _say(404, f"The pages are at {site.url}/start.", scope, send)
        elif site is None and host != self._sites.address_host:
            return await self._refuse_host(scope, send)
        scope = in_origin_form(scope)
        if not is_for_pages(scope):
            return await self._services(scope, receive, send)
        if site is None:
            return await self._send_to_name(scope, send)
        scope["idc_site"] = site
        return await (await self._load_pages())(scope, receive, send)

    async def _answer_owner(self, scope: Scope, receive: Receive, send: Send) -> None:
        site = read_site(scope)
        if site is None:
            return await _say(404, "The pages are not here.", scope, send)
        self._sites.hear(site)
        self._when_heard()
        # The proxy may send credentials of its own along: nothing but pages is here, so they say nothing.
        scope = {**without_prefix(scope, site), "idc_site": site, "idc_is_owners": True}
        return await (await self._load_pages())(scope, receive, send)

    async def _load_pages(self) -> ASGIApp:
        if self._pages is None:
            self._pages = await asyncio.to_thread(self._make_pages)
        return self._pages

    async def _refuse_host(self, scope: Scope, send: Send) -> None:
        if is_for_a_proxy(scope):
            wanted = scope["raw_path"].decode("latin-1")[:200]
            logger.warning("a client with the sandbox's environment asked for %r", wanted)
            return await _say(403, _NO_PROXY.format(wanted), scope, send)
        sites = [self._sites.local, *filter(None, [self._sites.public])]
        hosts = [self._sites.address_host, *(site.host for site in sites)]
        message = f"The Host header must be {' or '.join(hosts)}."
        refusal = json_bytes({"code": "AccessDeniedException", "message": message})
        answer = Response(403, {"Content-Type": "application/json"}, refusal)
        return await send_answer(answer, scope["method"], send)

    async def _send_to_name(self, scope: Scope, send: Send) -> None:
        """Send a browser from the address to the name: security keys do not work on an IP address."""
        if scope["method"] == "POST":
            url = f"{self._sites.preferred.url}/start"
            return await _say(421, f"Open {url} instead.", scope, send)
        path = quote(scope["path"], safe="/%~@+")
        query = quote(scope["query_string"], safe="%/:?@!$&'()*+,;=[]~")
        url = f"{self._sites.preferred.url}{path}{'?' if query else ''}{query}"
        return await send_answer(Response(307, {"Location": url}, b""), scope["method"], send)


async def _say(status: int, text: str, scope: Scope, send: Send) -> None:
    answer = Response(status, {"Content-Type": "text/plain; charset=utf-8"}, text.encode())
    await send_answer(answer, scope["method"], send)


def in_origin_form(scope: Scope) -> Scope:
    """Return a request that names this very server, as a client does to its proxy, as one that does not."""
    if scope["raw_path"].startswith(b"/"):
        return scope
    start = f"http://{_values(scope, 'host')[0]}"
    if not scope["raw_path"].startswith(f"{start}/".encode("latin-1")):
        return scope
    raw_path = scope["raw_path"].removeprefix(start.encode("latin-1"))
    return {**scope, "path": scope["path"].removeprefix(start), "raw_path": raw_path}


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
    parameters = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    return any(name.decode("latin-1") in _SIGNED_HEADERS for name, _ in scope["headers"]) or any(
        name.lower() in _SIGNED_PARAMETERS for name, _ in parameters
    )


def _is_browser_at_the_door(scope: Scope) -> bool:
    """Tell whether a person typed the bare address; an S3 client that lists buckets asks for no HTML."""
    if scope["method"] != "GET" or scope["query_string"]:  # spares an AWS client's calls the look
        return False
    accepts = "".join(_values(scope, "accept"))
    return "text/html" in accepts and not _is_signed(scope)
