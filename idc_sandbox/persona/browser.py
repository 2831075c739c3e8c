"""A browser without a screen: cookies, links, forms, and redirects that it follows on its own site alone."""

from __future__ import annotations

from urllib.parse import SplitResult, urljoin, urlsplit

import httpx

from idc_sandbox.persona.page import Form, Page, read_page

_TIMEOUT_S = 60.0
_NAMES = {"localhost", "127.0.0.1"}
_MOST_REDIRECTS = 8
_REDIRECTS = (301, 302, 303, 307, 308)


class PersonaError(Exception):
    """A page did not let the persona go on; the message says what the page said."""


class Browser:
    """Loads pages of one site and sends their forms; it keeps cookies, as a browser does.

    Parameters
    ----------
    site_url
        Where the pages are, such as ``"http://localhost:8723"``.
    http
        The client that sends requests; None makes one.
    """

    def __init__(self, site_url: str, http: httpx.Client | None = None) -> None:
        self.site_url = site_url.rstrip("/")
        # Proxies and netrc of the user's do not concern a site on this machine.
        self._http = http or httpx.Client(timeout=_TIMEOUT_S, follow_redirects=False, trust_env=False)

    @property
    def cookies(self) -> list[dict[str, str]]:
        """The cookies that the site has given; secrets, as they keep the person signed in."""
        jar = self._http.cookies.jar
        return [{"name": c.name, "value": c.value or "", "domain": c.domain, "path": c.path} for c in jar]

    def keep_cookies(self, cookies: list[dict[str, str]]) -> None:
        """Take over the cookies of an earlier visit."""
        for cookie in cookies:
            self._http.cookies.set(**cookie)

    def open(self, address: str) -> Page:
        """Load a page: an address below the site, or a whole one, by this machine's name or by its address.

        Raises
        ------
        PersonaError
            When the address is of another site, or nothing answers there.
        """
        base = f"{self.site_url}/"
        url = urljoin(base, address if "://" in address else address.lstrip("/"))
        return self._load("GET", self._by_name(url), None)

    def send(self, page: Page, form: Form, **typed: str) -> Page:
        """Send a form of a page with what is typed into it, and return the page that follows.

        Raises
        ------
        PersonaError
            As `open`.
        """
        url = urljoin(page.url, form.action)
        return self._load(form.method.upper(), url, {**form.fields, **typed})

    def send_for_address(self, page: Page, form: Form, **typed: str) -> str:
        """Send a form whose answer leads to a program on this machine, and return that address.

        Raises
        ------
        PersonaError
            When the answer is a page.
        """
        answer = self._request("POST", urljoin(page.url, form.action), {**form.fields, **typed})
        if answer.status_code not in _REDIRECTS:
            said = read_page(str(answer.url), answer.status_code, answer.text).said
            raise PersonaError(f"the page led nowhere; it says: {said}")
        return urljoin(str(answer.url), answer.headers["location"])

    def _load(self, method: str, url: str, fields: dict[str, str] | None) -> Page:
        for _ in range(_MOST_REDIRECTS):
            answer = self._request(method, url, fields)
            if answer.status_code not in _REDIRECTS:
                return read_page(url, answer.status_code, answer.text)
            url = urljoin(url, answer.headers["location"])
            if answer.status_code not in (307, 308):
                method, fields = "GET", None
        raise PersonaError(f"the site sends the browser in circles at {_without_query(url)!r}")

    def _request(self, method: str, url: str, fields: dict[str, str] | None) -> httpx.Response:
        self._require_own(url)
        is_query = method == "GET"
        try:
            return self._http.request(
                method, url, params=fields if is_query and fields else None, data=None if is_query else fields
            )
        except httpx.HTTPError as error:
            raise PersonaError(f"{_without_query(url)!r} does not answer: {type(error).__name__}") from error

    def _by_name(self, url: str) -> str:
        """Return the site's own address for a page that a program names by another of this machine's names.

        The AWS CLI prints ``http://127.0.0.1:PORT/…``, and the pages' cookies are those of ``localhost``.
        """
        own, wanted = urlsplit(self.site_url), urlsplit(url)
        names = {own.hostname, wanted.hostname}
        is_same_port = (own.scheme, own.port) == (wanted.scheme, _port_of(wanted))
        is_plain = "@" not in wanted.netloc
        return (
            wanted._replace(netloc=own.netloc).geturl()
            if names <= _NAMES and is_same_port and is_plain
            else url
        )

    def _require_own(self, url: str) -> None:
        own, wanted = urlsplit(self.site_url), urlsplit(url)
        if (own.scheme, own.netloc) != (wanted.scheme, wanted.netloc):
            raise PersonaError(f"{_without_query(url)!r} is not on {self.site_url!r}; nothing was sent there")


def _port_of(url: SplitResult) -> int | None:
    try:
        return url.port
    except ValueError:
        return None


def _without_query(url: str) -> str:
    return url.partition("?")[0]
