"""A browser without a screen: pages read as a person reads them, forms filled, links followed."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import SplitResult, urljoin, urlsplit

import httpx

_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


@dataclass
class Form:
    """One form of a page."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)


@dataclass
class Page:
    """What a page shows."""

    url: str
    status: int = 200
    heading: str = ""
    messages: list[str] = field(default_factory=list)
    forms: list[Form] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    roles: list[tuple[str, str]] = field(default_factory=list)

    def find_form(self, *names: str, ending: str = "") -> Form | None:
        """Return the first form with all these fields whose address ends so, or None."""
        for form in self.forms:
            path = form.action.partition("?")[0]
            if all(name in form.fields for name in names) and path.endswith(ending):
                return form
        return None

    @property
    def said(self) -> str:
        """The messages in one line, or the heading when there is none."""
        return " ".join(self.messages) or self.heading


def read_page(url: str, status: int, text: str) -> Page:
    """Return what a page's HTML shows."""
    reader = _Reader(Page(url, status))
    reader.feed(text)
    reader.close()
    return reader.page


@dataclass
class _Open:
    """An element that is not closed yet, and the text inside it."""

    tag: str
    attributes: dict[str, str]
    words: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


class _Reader(HTMLParser):
    def __init__(self, page: Page) -> None:
        super().__init__(convert_charrefs=True)
        self.page = page
        self._open: list[_Open] = []
        self._account_id = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            method = attributes.get("method", "get").lower()
            self.page.forms.append(Form(attributes.get("action", ""), method))
        elif tag == "input" and self._is_open("form") and _is_sent(attributes):
            self.page.forms[-1].fields[attributes["name"]] = attributes.get("value", "")
        self._account_id = attributes.get("data-account-id", self._account_id)
        if "data-role-name" in attributes:
            self.page.roles.append((self._account_id, attributes["data-role-name"]))
        if tag not in _VOID:
            self._open.append(_Open(tag, attributes))

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.words.append(data)

    def handle_endtag(self, tag: str) -> None:
        if not self._is_open(tag):
            return
        while self._open:
            element = self._open.pop()
            self._note(element)
            if element.tag == tag:
                return

    def _is_open(self, tag: str) -> bool:
        return any(element.tag == tag for element in self._open)

    def _note(self, element: _Open) -> None:
        attributes = element.attributes
        if element.tag == "h1" and not self.page.heading:
            self.page.heading = element.text
        if element.tag == "a" and "href" in attributes:
            self.page.links.append((attributes["href"], element.text))
        if attributes.get("role") in ("alert", "status") and "hidden" not in attributes and element.text:
            self.page.messages.append(element.text)
        if "data-value" in attributes:
            machine_readable = attributes.get("datetime") or attributes.get("href")
            self.page.values[attributes["data-value"]] = machine_readable or "".join(element.words).strip()


def _is_sent(attributes: dict[str, str]) -> bool:
    is_choice = attributes.get("type") in ("checkbox", "radio")
    return bool(attributes.get("name")) and (not is_choice or "checked" in attributes)


# A browser without a screen: cookies, links, forms, and redirects that it follows on its own site alone.

_TIMEOUT_S = 60.0
_NAMES = {"localhost", "127.0.0.1"}
_MOST_REDIRECTS = 8
_REDIRECTS = (301, 302, 303, 307, 308)


class PersonaError(Exception):
    """A page did not let the persona go on; the message says what the page said."""


class Browser:
    """Loads pages of one site and sends their forms; it keeps cookies, as a browser does."""

    def __init__(self, site_url: str, http: httpx.Client | None = None) -> None:
        self.site_url = site_url.rstrip("/")
        # Proxies and netrc of the user's do not concern a site on this machine. Reading the certificates that
        # only https needs takes longer than a page.
        self._http = http or httpx.Client(
            timeout=_TIMEOUT_S,
            follow_redirects=False,
            trust_env=False,
            verify=self.site_url.startswith("https:") or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        )

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
        """Load a page: an address below the site, or a whole one."""
        base = f"{self.site_url}/"
        url = urljoin(base, address if "://" in address else address.lstrip("/"))
        return self._load("GET", self._by_name(url), None)

    def send(self, page: Page, form: Form, **typed: str) -> Page:
        """Send a form of a page with what is typed into it, and return the page that follows."""
        url = urljoin(page.url, form.action)
        return self._load(form.method.upper(), url, {**form.fields, **typed})

    def send_for_address(self, page: Page, form: Form, **typed: str) -> str:
        """Send a form whose answer leads to a program on this machine, and return that address."""
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
