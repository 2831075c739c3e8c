"""One request of a person's browser: where from, who, with which form."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

from idc_sandbox.context import Context
from idc_sandbox.gateway import Gateway
from idc_sandbox.pages.one_time_links import EVERY_ADDRESS, OneTimeLinks
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
        A random name of the browser, from its cookie or new; CSRF tokens are bound to it.
    is_cross_site
        Whether the browser says that a page of another site made the request.
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
    is_cross_site: bool = False
    is_owners: bool = False

    @contextmanager
    def open(self) -> Iterator[Context]:
        """Yield a context in a transaction, as the person who visits."""
        with self.gateway.visit(self.site.url) as context:
            yield context

    def link(self, path: str) -> str:
        """Return a path as the browser must ask for it, behind the site's prefix."""
        return f"{self.site.prefix}{path}"

    @property
    def csrf_token(self) -> str:
        """The token that every form of this visit carries."""
        return self.seals.csrf_token(self.browser, self.cookies.get(SESSION_COOKIE, ""))

    def has_csrf_token(self) -> bool:
        """Tell whether the form that was sent is one of this browser's."""
        browser, session = self.cookies.get(BROWSER_COOKIE, ""), self.cookies.get(SESSION_COOKIE, "")
        return self.seals.is_csrf_token(self.form.get("csrf_token", ""), browser, session)

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
        sealed = self.cookies.get(SETTINGS_COOKIE, "")
        opened = self.seals.unseal("settings-cookie", sealed, max_age_s=COOKIE_LIFETIME_S)
        return bool(opened == "administrator")

    @property
    def mailboxes(self) -> list[str]:
        """The addresses whose mailbox this browser may read; ``"*"`` is all of them."""
        if self.is_owners:
            return [EVERY_ADDRESS]
        sealed = self.cookies.get(MAILBOX_COOKIE, "")
        opened = self.seals.unseal("mailbox-cookie", sealed, max_age_s=COOKIE_LIFETIME_S)
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


def browser_of(cookies: dict[str, str]) -> str:
    """Return the browser's random name, or a new one."""
    name = cookies.get(BROWSER_COOKIE, "")
    return name if 20 <= len(name) <= 64 else secrets.token_urlsafe(24)


def last_values(fields: dict[str, list[str]]) -> dict[str, Any]:
    """Return the last value of each field."""
    return {name: values[-1] for name, values in fields.items()}
