"""One request of a person's browser: where from, who, with which form."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.requests import Request

from idc_sandbox.context import Context
from idc_sandbox.gateway import Gateway
from idc_sandbox.pages.one_time_links import ADMINISTRATOR, EVERY_ADDRESS, OneTimeLinks
from idc_sandbox.pages.seals import COOKIE_LIFETIME_S, Seals
from idc_sandbox.sign_in.people import Person, person_of
from idc_sandbox.sign_in.portal_sessions import PortalSession, find_session
from idc_sandbox.sites import Site

SESSION_COOKIE = "idc_session"
SIGN_IN_COOKIE = "idc_sign_in"
TRUSTED_COOKIE = "idc_trusted"
BROWSER_COOKIE = "idc_browser"
SETTINGS_COOKIE = "idc_settings"
MAILBOX_COOKIE = "idc_mailbox"
COOKIES = (SESSION_COOKIE, SIGN_IN_COOKIE, TRUSTED_COOKIE, BROWSER_COOKIE, SETTINGS_COOKIE, MAILBOX_COOKIE)
LARGEST_FORM = 128 * 1024
_MOST_FIELDS = 60


@dataclass(frozen=True)
class Visit:
    """What a page is given.

    Attributes
    ----------
    endpoint_url
        Where AWS clients on this machine reach the sandbox.
    frame_ancestors
        Origins that may show the page in a frame.
    path
        Below the site's prefix, such as ``"/start/devices"``.
    form
        The fields of a POST; of a repeated field the last value.
    form_lists
        The same with all values of each field.
    client
        The address that the request came from.
    browser
        A random name of the browser, from its cookie or new; all that the other cookies say is bound to it.
    doubtful_cookies
        Names under which the browser sent two values: none of them is in `cookies`.
    is_from_elsewhere
        Whether the browser says that a page of another origin made the request; another port is another one.
    is_owners
        Whether it came through the owner's door: mailbox and settings are open to it.
    """

    gateway: Gateway
    seals: Seals = field(repr=False)
    links: OneTimeLinks = field(repr=False)
    site: Site
    endpoint_url: str
    frame_ancestors: tuple[str, ...]
    method: str
    path: str
    query_string: str
    parameters: dict[str, str]
    query: dict[str, str] = field(repr=False)
    form: dict[str, str] = field(repr=False)
    form_lists: dict[str, list[str]] = field(repr=False)
    cookies: dict[str, str] = field(repr=False)
    client: str
    browser: str = field(repr=False)
    doubtful_cookies: frozenset[str] = frozenset()
    is_from_elsewhere: bool = False
    is_owners: bool = False

    @contextmanager
    def open(self) -> Iterator[Context]:
        """Yield a context in a transaction, as the person who visits."""
        with self.gateway.visit(self.site.url, self.browser) as context:
            yield context

    def link(self, path: str) -> str:
        """Return a path as the browser must ask for it, behind the site's prefix."""
        return f"{self.site.prefix}{path}"

    @property
    def csrf_token(self) -> str:
        """The token that every form of this visit carries."""
        return self.seals.csrf_token(self._door, self.browser, self.cookies.get(SESSION_COOKIE, ""))

    def has_csrf_token(self) -> bool:
        """Tell whether the form that was sent is one of this browser's."""
        browser = self.cookies.get(BROWSER_COOKIE, "")
        session = self.cookies.get(SESSION_COOKIE, "")
        return self.seals.is_csrf_token(self.form.get("csrf_token", ""), self._door, browser, session)

    @property
    def _door(self) -> str:
        # The owner's door asks for no cookie, so a token that anybody gets elsewhere must be none there.
        return "owner" if self.is_owners else "port"

    def seal(self, purpose: str, value: Any) -> str:
        """Return a value for a cookie of this browser; it says nothing in another one."""
        return self.seals.seal(f"{purpose} {self.browser}", value)

    def _unseal(self, purpose: str, name: str) -> Any:
        sealed = self.cookies.get(name, "")
        return self.seals.unseal(f"{purpose} {self.browser}", sealed, max_age_s=COOKIE_LIFETIME_S)

    def find_person(self, context: Context) -> tuple[PortalSession, Person] | None:
        """Return who is signed in, with the session, or None."""
        token = self.cookies.get(SESSION_COOKIE, "")
        session = find_session(context, token) if token else None
        return None if session is None else (session, person_of(context, session.user_id))

    @property
    def is_administrator(self) -> bool:
        """Whether it is the owner's, or has opened an administrator's link within the last 12 hours."""
        if self.is_owners:
            return True
        return bool(self._unseal("settings-cookie", SETTINGS_COOKIE) == ADMINISTRATOR)

    @property
    def mailboxes(self) -> list[str]:
        """The addresses whose mailbox this browser may read; ``"*"`` is all of them."""
        if self.is_owners:
            return [EVERY_ADDRESS]
        opened = self._unseal("mailbox-cookie", MAILBOX_COOKIE)
        return list(opened) if isinstance(opened, list) else []

    def redeem(self, purpose: str) -> str | None:
        """Return what the key in the address opens, once; None when it opens nothing (any more).

        Only a GET uses it up: programs that look at a link first ask with HEAD.
        """
        return self.links.redeem(purpose, self.query.get("key", "")) if self.method == "GET" else None

    def may_read_mail_of(self, address: str) -> bool:
        """Tell whether this browser may read the mail to an address."""
        return bool({EVERY_ADDRESS, address.casefold()} & {one.casefold() for one in self.mailboxes})


class TooLargeFormError(Exception):
    """More than a form of these pages can hold."""


async def read_form(request: Request) -> dict[str, list[str]]:
    """Return the fields of a form; what is no form has none.

    Raises
    ------
    TooLargeFormError
        For more than 128 KiB or 60 fields.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST_FORM:
            raise TooLargeFormError
    if kind != "application/x-www-form-urlencoded":
        return {}
    try:
        pairs = parse_qsl(
            body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        raise TooLargeFormError from None
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return fields


def read_query(query_string: str) -> dict[str, str]:
    """Return the parameters of a query; too many are none."""
    try:
        return dict(parse_qsl(query_string, keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:
        return {}


def read_cookies(headers: list[str]) -> tuple[dict[str, str], frozenset[str]]:
    """Return the cookies of a request, and the names of those that were sent with two values.

    Cookies know no ports: any program on this machine can plant some in the person's browser, for a longer
    path so that they come first. Which of two is ours cannot be told, so neither is believed.
    """
    values: dict[str, set[str]] = {}
    for name, value in (pair for header in headers for pair in _cookie_pairs(header)):
        values.setdefault(name, set()).add(value)
    doubtful = frozenset(name for name, found in values.items() if len(found) > 1 and name in COOKIES)
    return {name: found.pop() for name, found in values.items() if name not in doubtful}, doubtful


def _cookie_pairs(header: str) -> Iterator[tuple[str, str]]:
    for part in header.split(";"):
        name, is_pair, value = part.partition("=")
        if is_pair:
            yield name.strip(), value.strip().strip('"')


def is_from_elsewhere(headers: Headers, site: Site) -> bool:
    """Tell whether a browser says that another origin's page made a request; old ones say it by Origin alone.

    Pages here are sent without a referrer, and then a form of their own has the origin ``null``.
    """
    said = headers.get("sec-fetch-site")
    if said is not None:
        return said not in ("same-origin", "none")
    return headers.get("origin", "null") not in ("null", site.origin)


def browser_of(cookies: dict[str, str]) -> str:
    """Return the browser's random name, or a new one."""
    name = cookies.get(BROWSER_COOKIE, "")
    return name if re.fullmatch("[A-Za-z0-9_-]{20,64}", name) else secrets.token_urlsafe(24)


def last_values(fields: dict[str, list[str]]) -> dict[str, Any]:
    """Return the last value of each field."""
    return {name: values[-1] for name, values in fields.items()}
