"""Where people reach the pages: on this machine by name, and through a proxy at its public URL."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from idc_sandbox.errors import SandboxStartError
from idc_sandbox.loopback import HOST

_OWN_HOSTS = ("localhost", HOST)
_DEFAULT_PORT = {"http": 80, "https": 443}
_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?")
_PREFIX = re.compile(r"(/[A-Za-z0-9._~%@+-]+)*")


@dataclass(frozen=True)
class Site:
    """One address of the pages.

    Attributes
    ----------
    scheme
        ``"http"`` or ``"https"``.
    host
        As the browser sends it in ``Host``: lower case, with the port unless it is the scheme's own.
    prefix
        The path under which a proxy shows the sandbox, ``""`` or ``"/user/ana/proxy/8723"``.
    """

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
    """The addresses under which one sandbox answers.

    Parameters
    ----------
    port
        The port on loopback.
    public_url
        Where a proxy shows the pages, or None.
    frame_ancestors
        Origins, such as ``"http://localhost:8888"``, whose pages may show these in a frame; a page's own
        origin always may.

    Raises
    ------
    SandboxStartError
        For a public URL or an origin that is none.
    """

    def __init__(self, port: int, public_url: str | None = None, frame_ancestors: Sequence[str] = ()) -> None:
        self.port = port
        self.local = Site("http", f"localhost:{port}")
        self.address_host = f"{HOST}:{port}"
        self.heard: Site | None = None
        self.set_public(public_url, frame_ancestors)

    def set_public(self, public_url: str | None, frame_ancestors: Sequence[str] = ()) -> None:
        """Say anew where a proxy shows the pages, and who may frame them; until the sandbox stops.

        Raises
        ------
        SandboxStartError
            For a public URL or an origin that is none.
        """
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
        host = host.lower()
        if host == self.local.host:
            return self.local
        if self.public is not None and host == self.public.host:
            return self.public
        return None


def parse_public_url(text: str) -> Site:
    """Return the site that a URL names.

    Raises
    ------
    SandboxStartError
        When it is no http or https URL of a host and a path.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise _no_url(text) from None
    prefix = parts.path.rstrip("/")
    is_plain = not (parts.query or parts.fragment or parts.username or parts.password)
    if not (parts.scheme in _DEFAULT_PORT and _HOST.fullmatch(parts.netloc) and is_plain):
        raise _no_url(text)
    if not _PREFIX.fullmatch(prefix) or ".." in prefix:
        raise _no_url(text)
    name = (parts.hostname or "").lower()
    host = name if port in (None, _DEFAULT_PORT[parts.scheme]) else f"{name}:{port}"
    return Site(parts.scheme, host, prefix)


def _no_url(text: str) -> SandboxStartError:
    return SandboxStartError(
        f"{text!r} is not an address of pages; write it like https://hub.example.org/user/ana/proxy/8723 "
        "or http://localhost:8888/proxy/8723, without a query."
    )
