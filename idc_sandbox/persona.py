"""A scripted person at the sandbox's pages, over HTTP, with password and authenticator app."""

from __future__ import annotations

import argparse
import json
import secrets
import ssl
import string
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote, urlencode, urljoin, urlsplit

import httpx
import pyotp

from idc_sandbox.state_folder import read_object, write_private

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


def _read(answer: httpx.Response) -> Page:
    """Return what a page's HTML shows."""
    reader = _Reader(Page(str(answer.url), answer.status_code))
    reader.feed(answer.text)
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


_TIMEOUT_S = 60.0
_NAMES = {"localhost", "127.0.0.1"}
_MOST_REDIRECTS = 8


class PersonaError(Exception):
    """A page did not let the persona go on; the message says what the page said."""


class Browser:
    """Loads pages of one site, keeps cookies, sends forms, and follows redirects within the site alone."""

    def __init__(self, site_url: str, http: httpx.Client | None = None) -> None:
        self.site_url = site_url.rstrip("/")
        # Proxies and netrc of the user's do not concern a site on this machine. Reading the certificates that
        # only https needs takes longer than a page.
        self._http = http or httpx.Client(
            timeout=_TIMEOUT_S,
            trust_env=False,
            verify=self.site_url.startswith("https:") or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        )
        self._http.max_redirects = _MOST_REDIRECTS
        self._http.event_hooks = {"request": [self._require_own]}

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
        return _read(self._request("GET", self._by_name(url), None))

    def send(self, page: Page, form: Form, **typed: str) -> Page:
        """Send a form of a page with what is typed into it, and return the page that follows."""
        url = urljoin(page.url, form.action)
        return _read(self._request(form.method.upper(), url, {**form.fields, **typed}))

    def send_for_address(self, page: Page, form: Form, **typed: str) -> str:
        """Send a form whose answer leads to a program on this machine, and return that address."""
        url, fields = urljoin(page.url, form.action), {**form.fields, **typed}
        answer = self._request("POST", url, fields, follow=False)
        if not answer.has_redirect_location:
            raise PersonaError(f"the page led nowhere; it says: {_read(answer).said}")
        return urljoin(str(answer.url), answer.headers["location"])

    def _request(
        self, method: str, url: str, fields: dict[str, str] | None, *, follow: bool = True
    ) -> httpx.Response:
        is_query = method == "GET"
        params, data = (fields or None, None) if is_query else (None, fields)
        try:
            return self._http.request(method, url, params=params, data=data, follow_redirects=follow)
        except httpx.InvalidURL as error:
            raise self._elsewhere(url) from error
        except httpx.TooManyRedirects as error:
            where = _without_query(str(error.request.url))
            raise PersonaError(f"the site sends the browser in circles at {where!r}") from error
        except httpx.HTTPError as error:
            raise PersonaError(f"{_without_query(url)!r} does not answer: {type(error).__name__}") from error

    def _by_name(self, url: str) -> str:
        """Return the site's own address for a page that is named by another of this machine's names."""
        # The AWS CLI prints ``http://127.0.0.1:PORT/…``, and the pages' cookies are those of ``localhost``.
        own, wanted = urlsplit(self.site_url), urlsplit(url)
        (own_name, _, own_port), (name, _, port) = own.netloc.partition(":"), wanted.netloc.partition(":")
        is_same_port = (own.scheme, own_port) == (wanted.scheme, port)
        is_this_site = {own_name, name} <= _NAMES and is_same_port
        return wanted._replace(netloc=own.netloc).geturl() if is_this_site else url

    def _require_own(self, request: httpx.Request) -> None:
        """Refuse to go elsewhere, whether the site sends the browser there or a program does."""
        own, wanted = httpx.URL(self.site_url), request.url
        if (own.scheme, own.host, own.port) != (wanted.scheme, wanted.host, wanted.port):
            raise self._elsewhere(str(request.url))

    def _elsewhere(self, url: str) -> PersonaError:
        return PersonaError(f"{_without_query(url)!r} is not on {self.site_url!r}; nothing was sent there")


def _without_query(url: str) -> str:
    return url.partition("?")[0]


_STEP_S = 30
_MOST_PAGES = 12
_KEYS = {
    "access_key_id": "aws_access_key_id",
    "secret_access_key": "aws_secret_access_key",
    "session_token": "aws_session_token",
    "expires_at": "expires_at",
    "start_url": "sso_start_url",
    "region": "sso_region",
}


def make_password() -> str:
    """Return a new password that keeps the rules: all four classes, 24 characters."""
    classes = (string.ascii_lowercase, string.ascii_uppercase, string.digits, "!#%+-_=")
    letters = [secrets.choice(letters) for letters in classes]
    letters += [secrets.choice("".join(classes)) for _ in range(20)]
    secrets.SystemRandom().shuffle(letters)
    return "".join(letters)


class Persona:
    """One person at the sandbox's pages; `ACTIONS` are what `call` does by name."""

    ACTIONS = (
        "read_mail",
        "accept_mail",
        "accept_invitation",
        "sign_in",
        "portal",
        "access_keys",
        "open_console",
        "approve_device",
        "approve_authorize",
        "sign_out",
    )

    def __init__(self, base_url: str, user_name: str, *, http: httpx.Client | None = None) -> None:
        self.user_name = user_name
        self.browser = Browser(base_url, http)
        self.totp_secret: str | None = None
        self._password = ""
        self._last_step = 0

    def __repr__(self) -> str:
        return f"Persona({self.browser.site_url!r}, {self.user_name!r})"

    def read_mail(self, mailbox_url: str, *, subject: str = "") -> dict[str, str]:
        """Return a mailbox's newest message: ``subject``, ``to_address``, ``text`` and maybe ``link``."""
        page = self.browser.open(mailbox_url)
        for address, words in page.links:
            if "/mailbox/" in address and subject.casefold() in words.casefold():
                message = self.browser.open(address)
                return {"subject": message.heading, **message.values}
        raise PersonaError(f"there is no message about {subject!r} in the mailbox; it says: {page.said}")

    def accept_mail(self, mailbox_url: str) -> str:
        """Accept a mailbox's newest invitation or password reset; return what the next page says. Writes."""
        message = self.read_mail(mailbox_url)
        if "link" not in message:
            raise PersonaError(f"the newest message, {message['subject']!r}, holds no link to accept")
        return self.accept_invitation(message["link"])

    def accept_invitation(self, link: str, password: str | None = None) -> str:
        """Choose a password behind an invitation's link; return what the next page says. Writes."""
        password = password or make_password()
        page = self.browser.open(link)
        form = page.find_form("new_password", "confirm_password")
        if form is None:
            raise PersonaError(f"the invitation shows no form; it says: {page.said}")
        after = self.browser.send(page, form, new_password=password, confirm_password=password)
        if after.find_form("new_password") is not None or after.status >= 400:
            raise PersonaError(f"the password was not taken: {after.said}")
        self._password = password
        return after.said

    def sign_in(
        self,
        password: str | None = None,
        totp_secret: str | None = None,
        *,
        mailbox_url: str = "",
        trust_browser: bool = False,
    ) -> list[str]:
        """Sign in, page by page, and return the pages' headings in order. Writes."""
        self._password = password or self._password
        self.totp_secret = totp_secret or self.totp_secret
        page, seen = self.browser.open("/start/sign-in"), []
        for _ in range(_MOST_PAGES):
            seen.append(page.heading)
            if page.find_form(ending="/sign-out") is not None:
                return seen
            page = self._take_step(page, mailbox_url, {"trust_browser": "yes"} if trust_browser else {})
        raise PersonaError(f"the sign-in of {self.user_name!r} came to no end; it says: {page.said}")

    def _take_step(self, page: Page, mailbox_url: str, trust: dict[str, str]) -> Page:
        _require_no_error(page)
        if form := page.find_form("user_name", ending="/user-name"):
            return self.browser.send(page, form, user_name=self.user_name)
        if form := page.find_form("password", ending="/password"):
            return self.browser.send(page, form, password=self._password)
        if form := page.find_form("new_password", ending="/new-password"):
            self._password = make_password()
            typed = {"new_password": self._password, "confirm_password": self._password}
            return self.browser.send(page, form, **typed)
        if form := page.find_form("code", ending="/register-totp"):
            self.totp_secret = page.values["totp_secret"]
            self._last_step = 0
            return self.browser.send(page, form, code=self._next_code(), name="Persona's app", **trust)
        if form := page.find_form("code", ending="/totp"):
            return self.browser.send(page, form, code=self._next_code(), **trust)
        for ending in ("/one-time-password", "/email-code"):
            if form := page.find_form("code", ending=ending):
                return self.browser.send(page, form, code=self._code_by_mail(mailbox_url), **trust)
        raise PersonaError(f"the page {page.heading!r} cannot be gone through by a persona: {page.said}")

    def _next_code(self) -> str:
        """Return a code that was not used yet: the pages take one that is a step early, and none twice."""
        if not self.totp_secret:
            raise PersonaError(
                f"{self.user_name!r} is asked for a code and has no authenticator app; give totp_secret"
            )
        now = int(time.time()) // _STEP_S
        step = max(now, self._last_step + 1)
        if step > now + 1:  # two codes within this half minute: the next one is too early to be taken
            time.sleep((step - 1) * _STEP_S - time.time() + 0.1)
        self._last_step = step
        return pyotp.TOTP(self.totp_secret).at(step * _STEP_S)

    def _code_by_mail(self, mailbox_url: str) -> str:
        if not mailbox_url:
            raise PersonaError("a code came by e-mail; give mailbox_url, the link that opens the mailbox")
        text = self.read_mail(mailbox_url)["text"]
        for word in text.replace(".", " ").split():
            if word.isdecimal() and len(word) == 6:
                return word
        raise PersonaError("the newest message holds no code of six digits")

    def portal(self) -> list[dict[str, str]]:
        """Return what the access portal shows: rows with ``account_id`` and ``role_name``; reads only."""
        page = self._open_signed_in("/start")
        return [{"account_id": account_id, "role_name": role} for account_id, role in page.roles]

    def access_keys(self, account_id: str, role_name: str) -> dict[str, str]:
        """Return a role's temporary credentials from the page *Access keys*, with start URL and Region."""
        path = f"/start/accounts/{quote(account_id, safe='')}/roles/{quote(role_name, safe='')}/access-keys"
        page = self._open_signed_in(path)
        _require_no_error(page)
        return {name: page.values[shown] for name, shown in _KEYS.items()}

    def open_console(self, account_id: str, role_name: str) -> dict[str, str]:
        """Return what the console's landing page says: account, role, principal, end, landing; reads only."""
        query = urlencode({"account_id": account_id, "role_name": role_name})
        page = self._open_signed_in(f"/start/console?{query}")
        _require_no_error(page)
        return dict(page.values)

    def approve_device(self, user_code: str, *, shown_code: str | None = None, allow: bool = True) -> str:
        """Compare the code, allow (or deny) what the program asks for; return what the page says. Writes."""
        is_link = "://" in user_code
        page = self._open_signed_in(
            user_code if is_link else f"/start/device?{urlencode({'user_code': user_code})}"
        )
        form = page.find_form("user_code", "csrf_token", ending="/confirm")
        if form is None:
            raise PersonaError(f"the code was not taken: {page.said}")
        expected = shown_code or (page.values["user_code"] if is_link else user_code)
        if _plain(page.values["user_code"]) != _plain(expected):
            self.browser.send(page, form, same="no")
            raise PersonaError("the page shows another code than the terminal; the persona said no")
        page = self.browser.send(page, form, same="yes")
        form = page.find_form("user_code", ending="/answer")
        if form is None:
            raise PersonaError(f"there is no consent to give: {page.said}")
        page = self.browser.send(page, form, answer="allow" if allow else "deny")
        _require_no_error(page)
        return page.heading

    def approve_authorize(self, url: str, *, allow: bool = True) -> str:
        """Give (or deny) consent at an authorize address; return the program's address. Writes."""
        page = self._open_signed_in(url)
        form = page.find_form("csrf_token", ending="/authorize")
        if form is None:
            raise PersonaError(f"there is no consent to give: {page.said}")
        return self.browser.send_for_address(page, form, answer="allow" if allow else "deny")

    def sign_out(self) -> str:
        """End the session by the page's button; return what the page says. Writes."""
        page = self._open_signed_in("/start")
        form = page.find_form(ending="/sign-out")
        assert form is not None
        return self.browser.send(page, form).said

    def _open_signed_in(self, address: str) -> Page:
        page = self.browser.open(address)
        if page.find_form("user_name", ending="/user-name") is not None:
            raise PersonaError(f"{self.user_name!r} is not signed in; the page says: {page.said}")
        return page

    @property
    def memory(self) -> dict[str, Any]:
        """What the person has in mind and in the browser; secrets."""
        return {
            "password": self._password,
            "totp_secret": self.totp_secret,
            "step": self._last_step,
            "cookies": self.browser.cookies,
        }

    def recall(self, memory: dict[str, Any]) -> None:
        """Take over what a person of an earlier process had."""
        self._password = str(memory.get("password") or "")
        self.totp_secret = memory.get("totp_secret") or None
        self._last_step = int(memory.get("step") or 0)
        self.browser.keep_cookies(memory.get("cookies") or [])

    def call(self, action: str, **options: Any) -> Any:
        """Do an action by its name."""
        if action not in self.ACTIONS:
            raise PersonaError(f"a persona cannot {action!r}; it can: {', '.join(self.ACTIONS)}")
        try:
            return getattr(self, action)(**options)
        except TypeError as error:
            raise PersonaError(f"{action}: {error}") from error


def _require_no_error(page: Page) -> None:
    problems = [text for text in page.messages if text.startswith("Problem:")]
    if problems or page.status >= 400:
        raise PersonaError(f"the page {page.heading!r} says: {(problems or [page.said])[0]}")


def _plain(code: str) -> str:
    return code.replace("-", "").strip().upper()


# The person as a process of its own.

_ABOUT = """A line of standard input is one JSON object, ``{"do": "sign_in", "with": {…}}``; a line of
standard output answers it, ``{"result": …}`` or ``{"error": "…"}``. It ends with its input. Password and
authenticator app stay in the process, and in the memory file, which only its owner can read."""


def main(arguments: list[str] | None = None) -> int:
    """Answer requests until the input ends; return 0."""
    parser = argparse.ArgumentParser(prog="python -m idc_sandbox.persona", description=_ABOUT)
    parser.add_argument("base_url", help="where the pages are, such as http://localhost:8723")
    parser.add_argument("user_name", help="who it is")
    parser.add_argument("--memory", type=Path, metavar="FILE", help="where it keeps what it has in mind")
    options = parser.parse_args(arguments)
    answer_requests(Persona(options.base_url, options.user_name), sys.stdin, sys.stdout, options.memory)
    return 0


def answer_requests(
    persona: Persona, requests: Iterable[str], answers: TextIO, memory: Path | None = None
) -> None:
    """Answer each line of requests with a line; what the persona has in mind is kept before each answer."""
    if memory is not None:
        memory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        persona.recall(read_object(memory) or {})
    for line in requests:
        if line.strip():
            answer = _answer(persona, line)
            if memory is not None:
                write_private(memory, persona.memory)
            print(json.dumps(answer), file=answers, flush=True)


def _answer(persona: Persona, line: str) -> dict[str, Any]:
    try:
        request = json.loads(line)
        return {"result": persona.call(str(request["do"]), **request.get("with", {}))}
    except PersonaError as error:
        return {"error": str(error)}
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        return {"error": f"this is not a request: {type(error).__name__}; send {{'do': …, 'with': {{…}}}}"}


if __name__ == "__main__":
    sys.exit(main())
