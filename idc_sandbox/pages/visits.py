"""One request of a person's browser, the ways that it may go, and its answer."""

from __future__ import annotations

import datetime
import functools
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlencode

import jinja2
from starlette.datastructures import Headers, ImmutableMultiDict
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from idc_sandbox import __version__
from idc_sandbox.api.sso_admin.permission_sets import policy_name
from idc_sandbox.context import Context, Origin
from idc_sandbox.gateway import NOWHERE, Gateway
from idc_sandbox.loopback import Site, Sites
from idc_sandbox.pages.front_door import (
    ADMINISTRATOR,
    COOKIE_LIFETIME_S,
    EVERY_ADDRESS,
    EVERY_PHONE,
    OneTimeLinks,
    Seals,
)
from idc_sandbox.sign_in import passwords
from idc_sandbox.sign_in.people import Person, PortalSession, counted, find_session, person_of, texts

SESSION_COOKIE = "idc_session"
SIGN_IN_COOKIE = "idc_sign_in"
TRUSTED_COOKIE = "idc_trusted"
BROWSER_COOKIE = "idc_browser"
LARGEST_FORM = 128 * 1024
_MOST_FIELDS, _MOST_FIELDS_AT_CONSOLE = 60, 1000  # several hundred users are ticked together
MOST_OPENED = 20


class OwnersPage(NamedTuple):
    """A page of the sandbox owner's, which a link opens once, and a cookie from then on."""

    name: str
    everything: str  # what the owner may see there

    @property
    def path(self) -> str:
        """Where it is."""
        return f"/start/{self.name}"

    @property
    def cookie(self) -> str:
        """The name of its cookie."""
        return f"idc_{self.name}"


CONSOLE, MAILBOX = OwnersPage("practice-console", ADMINISTRATOR), OwnersPage("mailbox", EVERY_ADDRESS)
PHONE = OwnersPage("phone", EVERY_PHONE)
ROLE_COOKIE = "idc_console_role"
COOKIES = (
    SESSION_COOKIE,
    SIGN_IN_COOKIE,
    TRUSTED_COOKIE,
    BROWSER_COOKIE,
    CONSOLE.cookie,
    MAILBOX.cookie,
    PHONE.cookie,
    ROLE_COOKIE,
)


class House(NamedTuple):
    """What all pages share."""

    gateway: Gateway
    seals: Seals
    links: OneTimeLinks
    sites: Sites


class Who(NamedTuple):
    """Somebody who is signed in."""

    session: PortalSession
    person: Person


class SignInNeededError(Exception):
    """The page is for people who are signed in, and the visitor is not."""


@dataclass(frozen=True)
class Visit:
    """What a page is given."""

    house: House = field(repr=False)
    site: Site
    request: Request = field(repr=False)
    form: ImmutableMultiDict[str, str] = field(repr=False)
    cookies: dict[str, str] = field(repr=False)
    browser: str = field(repr=False)
    doubtful_cookies: frozenset[str] = frozenset()
    is_from_elsewhere: bool = False
    is_owners: bool = False

    @contextmanager
    def open(self) -> Iterator[Context]:
        """Yield a context in a transaction, as the person who visits."""
        client = self.request.client  # none at the owner's door
        address = client.host if client else NOWHERE.address
        origin = Origin(address, self.request.headers.get("user-agent", ""))
        with self.house.gateway.visit(self.site.url, self.browser, origin=origin) as context:
            yield context

    @contextmanager
    def open_signed_in(self) -> Iterator[tuple[Context, Who]]:
        """Yield a context, and who is signed in; anybody else is sent to the sign-in."""
        with self.open() as context:
            who = self.find_person(context)
            if who is None:
                raise SignInNeededError
            yield context, who

    @property
    def endpoint_url(self) -> str:
        """Where AWS clients reach the sandbox."""
        return f"http://{self.house.sites.address_host}"

    def link(self, path: str) -> str:
        """Return a path as the browser must ask for it, behind the site's prefix."""
        return f"{self.site.prefix}{path}"

    @property
    def csrf_token(self) -> str:
        """The token that every form of this visit carries."""
        session = self.cookies.get(SESSION_COOKIE, "")
        return self.house.seals.csrf_token(self._door(), self.browser, session)

    def has_csrf_token(self) -> bool:
        """Tell whether the form that was sent is one of this browser's."""
        browser = self.cookies.get(BROWSER_COOKIE, "")
        session = self.cookies.get(SESSION_COOKIE, "")
        given, path = self.form.get("csrf_token", ""), self.request.url.path
        doors = {self._door(), self._console_door()}  # a page of the console leads to the practice phone too
        if path == f"{CONSOLE.path}/leave":  # also from a page that nobody is at
            doors.add(self.without_role()._console_door())
        return any(self.house.seals.is_csrf_token(given, door, browser, session) for door in doors)

    def _door(self) -> str:
        """Return where a form is made: at which door, and at the console also by whom."""
        # The portal makes the form that enters. All others at the console are carried out as who made them:
        # what a role was refused, or had not yet sent, is nothing that the administrator has asked for.
        path = self.request.url.path
        is_at_console = path.startswith(CONSOLE.path) and path != f"{CONSOLE.path}/enter"
        return self._console_door() if is_at_console else self._outer_door

    @property
    def _outer_door(self) -> str:
        # The owner's door asks for no cookie, so a token that anybody gets elsewhere must be none there.
        return "owner" if self.is_owners else "port"

    def _console_door(self) -> str:
        who = quote(self.cookies.get(ROLE_COOKIE, ""), safe="")
        return f"{self._outer_door}-console-{who}"

    def without_role(self) -> Visit:
        """Return the visit of somebody who came to the console with no role."""
        cookies = {name: value for name, value in self.cookies.items() if name != ROLE_COOKIE}
        return replace(self, cookies=cookies)

    def find_person(self, context: Context) -> Who | None:
        """Return who is signed in, or None."""
        token = self.cookies.get(SESSION_COOKIE, "")
        session = find_session(context, token) if token else None
        return None if session is None else Who(session, person_of(context, session.user_id))

    def opened(self, page: OwnersPage) -> list[str]:
        """Return what links have opened here within 12 hours: addresses of mailboxes, or the settings."""
        if self.is_owners:
            return [page.everything]
        sealed = self.cookies.get(page.cookie, "")
        found = self.house.seals.unseal(self._seal_of(page), sealed, max_age_s=COOKIE_LIFETIME_S)
        return list(found) if isinstance(found, list) else []

    def cookie_for(self, page: OwnersPage, values: list[str]) -> str:
        """Return what the cookie of a page says in this browser; it says nothing in another one."""
        return self.house.seals.seal(self._seal_of(page), values)

    def _seal_of(self, page: OwnersPage) -> str:
        return f"{page.name}-cookie {self.browser}"

    def may_read_mail_of(self, address: str) -> bool:
        """Tell whether this browser may read the mail to an address."""
        return bool({EVERY_ADDRESS, address.casefold()} & {one.casefold() for one in self.opened(MAILBOX)})


class TooLargeFormError(Exception):
    """More than a form of these pages can hold."""


async def read_form(request: Request) -> ImmutableMultiDict[str, str]:
    """Return the fields of a form; what is no form has none."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST_FORM:
            raise TooLargeFormError
    if kind != "application/x-www-form-urlencoded":
        return ImmutableMultiDict()
    text = body.decode("utf-8", "replace")
    most = _MOST_FIELDS_AT_CONSOLE if request.url.path.startswith(CONSOLE.path) else _MOST_FIELDS
    try:
        return ImmutableMultiDict(parse_qsl(text, keep_blank_values=True, max_num_fields=most))
    except ValueError:
        raise TooLargeFormError from None


def read_cookies(headers: list[str]) -> tuple[dict[str, str], frozenset[str]]:
    """Return the cookies of a request, and the names of those that were sent with two values."""
    # Cookies know no ports: any program on this machine can plant some in the person's browser, for a longer
    # path so that they come first. Which of two is ours cannot be told, so neither is believed.
    values: dict[str, set[str]] = {}
    for part in (part for header in headers for part in header.split(";")):
        name, is_pair, value = part.partition("=")
        if is_pair:
            values.setdefault(name.strip(), set()).add(value.strip().strip('"'))
    doubtful = frozenset(name for name, found in values.items() if len(found) > 1 and name in COOKIES)
    return {name: found.pop() for name, found in values.items() if name not in doubtful}, doubtful


def is_from_elsewhere(headers: Headers, site: Site) -> bool:
    """Tell whether a browser says that a request was made by a page of another origin."""
    # Old ones say it by Origin alone; a form of these pages, which are sent without a referrer, by ``null``.
    said = headers.get("sec-fetch-site")
    if said is not None:
        return said not in ("same-origin", "none")
    return headers.get("origin", "null") not in ("null", site.origin)


def browser_of(cookies: dict[str, str]) -> str:
    """Return the browser's random name, or a new one."""
    name = cookies.get(BROWSER_COOKIE, "")
    return name if re.fullmatch("[A-Za-z0-9_-]{20,64}", name) else secrets.token_urlsafe(24)


# What pages give back: a rendered template, or the way to another page; always with the safe headers.

LONGEST_COOKIE_S = 90 * 86_400
_POLICY = {
    "default-src": "'self'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'none'",
    "object-src": "'none'",
    "base-uri": "'none'",
}
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def render(
    visit: Visit, template: str, who: Who | None = None, *, status: int = 200, **values: Any
) -> Response:
    """Return a page; `who` is signed in."""
    common = {} if who is None else who._asdict()
    common |= {
        "visit": visit,
        "site": visit.site,
        "link": visit.link,
        "static": lambda name: visit.link(f"/start/static/{name}?v={__version__}"),
        "csrf_token": visit.csrf_token,
    }
    return HTMLResponse(_environment().get_template(template).render(common | values), status_code=status)


def problem(visit: Visit, name: str, **values: Any) -> Response:
    """Return a page that says what went wrong and what to do: a text, with `values` in its place."""
    return render(visit, "problem.html", **texts()["problems"][name] | values)


def notice_of(visit: Visit, page: str) -> str:
    """Return what a page says first, as its address asks; empty when it asks for nothing that it has."""
    notice: str = texts()["notices"][page].get(visit.request.query_params.get("notice"), "")
    return notice


def answer_at_door(visit: Visit, page: OwnersPage, *, ends: str = "") -> Response | None:
    """Return what a visitor gets for a ``key``, or where no link has opened the page; else None.

    A link that is used up takes the cookie away that it `ends`.
    """
    opened, key = visit.opened(page), visit.request.query_params.get("key")
    # Only a GET uses a key up: programs that look at a link first ask with HEAD.
    can_open = key is not None and visit.request.method == "GET"
    new = visit.house.links.redeem(page.name, key or "") if can_open else None
    if new is None and not opened:
        name = f"{page.name}-closed"
        used = "" if key is None else "This link was used already, or is older than 10 minutes. "
        return problem(visit, name, message=used + texts()["problems"][name]["message"])
    if key is None:
        return None
    # Who opened it with this link before, and follows it again, is not sent away.
    answer = redirect(visit, visit.request.url.path)
    if new is not None and ends:
        forget_cookie(answer, visit, ends)
    if new is not None and not visit.is_owners:
        others = [one for one in opened if one != new]
        cookie = visit.cookie_for(page, [*others[1 - MOST_OPENED :], new])
        set_cookie(answer, visit, page.cookie, cookie, max_age_s=COOKIE_LIFETIME_S)
    return answer


def redirect(visit: Visit, path: str) -> Response:
    """Return the way to another page of this site, to be asked for with GET."""
    # Behind a proxy's path it is a whole address: some proxies put their path before one without a host.
    is_behind_path = bool(visit.site.prefix) and not visit.is_owners
    where = f"{visit.site.url}{path}" if is_behind_path else visit.link(path)
    return RedirectResponse(where, status_code=303)


def set_cookie(
    answer: Response,
    visit: Visit,
    name: str,
    value: str,
    *,
    max_age_s: int | None = None,
    path: str = "/",
) -> None:
    """Give the browser a cookie that scripts cannot read; an empty value takes it away."""
    answer.set_cookie(
        name,
        value,
        max_age=max_age_s if value else 0,
        path=f"{visit.site.prefix}{path}",
        httponly=True,
        samesite="lax",
        secure=visit.site.scheme == "https",
    )


def protect(answer: Response, visit: Visit, *, form_targets: str = "") -> Response:
    """Add the headers that keep a page from being framed, sniffed, kept or led astray."""
    ancestors = " ".join(("'self'", *visit.house.sites.frame_ancestors))
    targets = f"'self' {form_targets}".strip()
    policy = _POLICY | {"form-action": targets, "frame-ancestors": ancestors}
    answer.headers["Content-Security-Policy"] = "; ".join(f"{name} {value}" for name, value in policy.items())
    for name, value in _HEADERS.items():
        answer.headers.setdefault(name, value)
    for name in visit.doubtful_cookies:
        # A role stays at the console until the person leaves, so that nobody goes on as somebody else.
        forget_cookie(answer, visit, name, but="/" if name == ROLE_COOKIE else "")
    if visit.cookies.get(BROWSER_COOKIE) != visit.browser:
        set_cookie(answer, visit, BROWSER_COOKIE, visit.browser, max_age_s=LONGEST_COOKIE_S)
    return answer


def forget_cookie(answer: Response, visit: Visit, name: str, *, but: str = "") -> None:
    """Take a cookie away, for whichever path it was set but one."""
    for path in _paths_above(visit.request.url.path):
        if path != but:
            set_cookie(answer, visit, name, "", path=path)
    # Cookies know no ports: the same pages without a prefix set theirs for all paths.
    if visit.site.prefix and but != "/":
        answer.delete_cookie(name, path="/", httponly=True, samesite="lax")


def _paths_above(path: str) -> list[str]:
    """Return the paths for which a cookie that came with a request may have been set."""
    steps = path.split("/")[1:9]
    paths = ["/".join(["", *steps[:count]]) for count in range(1, len(steps) + 1)]
    return sorted({"/", *paths, *(f"{one}/" for one in paths)})


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("idc_sandbox", "pages/templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["moment"] = lambda epoch_s: _utc(epoch_s).strftime("%d %b %Y, %H:%M UTC")
    environment.filters["machine_moment"] = lambda epoch_s: _utc(epoch_s).isoformat(timespec="seconds")
    environment.filters["duration"] = duration_words
    environment.filters["policy_name"] = policy_name
    environment.globals |= {"shortest": passwords.SHORTEST, "longest": passwords.LONGEST}
    return environment


def _utc(epoch_s: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(epoch_s, datetime.UTC)


def duration_words(seconds: float) -> str:
    """Return a duration as people say it: ``"1 hour"``, ``"1 hour 30 minutes"``, ``"7 days"``."""
    minutes = round(seconds / 60)
    parts = ((minutes // 1440, "day"), (minutes % 1440 // 60, "hour"), (minutes % 60, "minute"))
    return " ".join(counted(count, unit) for count, unit in parts if count) or "0 minutes"


def qr_code(text: str) -> str:
    """Return the address of a picture that holds a text: dark on light, whatever the page's colours are."""
    import segno  # noqa: PLC0415  few pages show one

    picture = segno.make(text, error="m")
    return str(picture.svg_data_uri(scale=5, border=4, dark="#000", light="#fff"))


PORTAL = "/start"
_LONGEST = 6000
# A path of the pages: it begins with one slash, so that no browser reads a host into it.
_OWN = re.compile(r"/(start|authorize|v1/authorize)(/[A-Za-z0-9._~%+=,@/-]*)?(\?[^\s\\#]*)?", re.ASCII)


def next_path(visit: Visit) -> str:
    """Return the page that the query names as ``next``; the portal when it names none, or another site."""
    wanted = visit.request.query_params.get("next", "")
    path = wanted.partition("?")[0]
    # Browsers read `%2e%2e` as two dots, and would leave the path under which a proxy shows the pages.
    leads_back = path.startswith("/start/sign-in") or ".." in unquote(path)
    is_own = len(wanted) <= _LONGEST and _OWN.fullmatch(wanted) is not None
    return wanted if is_own and not leads_back else PORTAL


def with_next(path: str, wanted: str, notice: str = "") -> str:
    """Return a path of the sign-in that leads on to `wanted`, and says a notice."""
    query = {} if wanted == PORTAL else {"next": wanted}
    query |= {"notice": notice} if notice else {}
    return f"{path}?{urlencode(query, quote_via=quote, safe='')}" if query else path


def to_sign_in(visit: Visit) -> Response:
    """Send a person who is not signed in to the sign-in, and from there back to this page."""
    query = visit.request.url.query
    here = f"{visit.request.url.path}?{query}" if query else visit.request.url.path
    notice = "session-over" if visit.cookies.get(SESSION_COOKIE) else ""
    return redirect(visit, with_next("/start/sign-in", here, notice))
