"""A scripted person: password in mind, authenticator app at hand, and no way in but the pages."""

from __future__ import annotations

import secrets
import string
import time
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pyotp

from idc_sandbox.persona.browser import Browser, Page, PersonaError

__all__ = ["Persona", "PersonaError", "make_password"]

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
    """One person at the sandbox's pages, over HTTP; nothing is bypassed."""

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
            is_message = address.rpartition("/mailbox/")[2].isalnum() or "/mailbox/" in address
            if is_message and subject.casefold() in words.casefold():
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
        """Do an action by its name; see `ACTIONS`."""
        if action not in ACTIONS:
            raise PersonaError(f"a persona cannot {action!r}; it can: {', '.join(ACTIONS)}")
        try:
            return getattr(self, action)(**options)
        except TypeError as error:
            raise PersonaError(f"{action}: {error}") from error


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


def _require_no_error(page: Page) -> None:
    problems = [text for text in page.messages if text.startswith("Problem:")]
    if problems or page.status >= 400:
        raise PersonaError(f"the page {page.heading!r} says: {(problems or [page.said])[0]}")


def _plain(code: str) -> str:
    return code.replace("-", "").strip().upper()
