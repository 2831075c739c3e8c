"""What pages give back: a rendered template, or the way to another page; always with the safe headers."""

from __future__ import annotations

import datetime
import functools
from typing import Any

import jinja2
from starlette.responses import HTMLResponse, RedirectResponse, Response

from idc_sandbox import __version__
from idc_sandbox.pages.visits import BROWSER_COOKIE, Visit

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


def render(visit: Visit, template: str, *, status: int = 200, **values: Any) -> Response:
    """Return a page.

    Parameters
    ----------
    template
        File name in ``templates/``.
    values
        For the template, besides ``visit``, ``link``, ``static``, ``csrf_token`` and ``site``.
    """
    common = {
        "visit": visit,
        "site": visit.site,
        "link": visit.link,
        "static": lambda name: visit.link(f"/start/static/{name}?v={__version__}"),
        "csrf_token": visit.csrf_token,
    }
    return HTMLResponse(_environment().get_template(template).render(common | values), status_code=status)


def problem(visit: Visit, title: str, message: str, *, status: int, **values: Any) -> Response:
    """Return a page that says what went wrong and what to do.

    Parameters
    ----------
    values
        ``next_path`` and ``next_label`` for a link that leads on.
    """
    return render(visit, "problem.html", status=status, title=title, message=message, **values)


def closed(visit: Visit, title: str, beginning: str) -> Response:
    """Return the page for who asks for a page of the owner's without a link that opens it.

    Parameters
    ----------
    beginning
        What opens, such as ``"Mailboxes open"``.
    """
    used = "This link was used already, or is older than 10 minutes. " if "key" in visit.query else ""
    message = (
        f"{used}{beginning} with a link that works once, within 10 minutes: run the notebook's cell again, "
        "or ask `idc sandbox pages` for a new one."
    )
    return problem(visit, title, message, status=403)


def redirect(visit: Visit, path: str) -> Response:
    """Return the way to another page of this site, to be asked for with GET.

    Behind a proxy's path it is a whole address: some proxies put their path before one without a host.
    """
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
    """Give the browser a cookie that scripts cannot read; an empty value takes it away.

    Parameters
    ----------
    path
        Below the site's prefix; other than ``"/"`` only for one that somebody else set.
    """
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
    """Add the headers that keep a page from being framed, sniffed, kept or led astray.

    Parameters
    ----------
    form_targets
        Further origins that a form's answer may lead to, such as ``http://127.0.0.1:*``.
    """
    ancestors = " ".join(("'self'", *visit.frame_ancestors))
    targets = f"'self' {form_targets}".strip()
    policy = _POLICY | {"form-action": targets, "frame-ancestors": ancestors}
    answer.headers["Content-Security-Policy"] = "; ".join(f"{name} {value}" for name, value in policy.items())
    for name, value in _HEADERS.items():
        answer.headers.setdefault(name, value)
    for name in visit.doubtful_cookies:
        for path in _paths_above(visit.path):
            set_cookie(answer, visit, name, "", path=path)
    if visit.cookies.get(BROWSER_COOKIE) != visit.browser:
        set_cookie(answer, visit, BROWSER_COOKIE, visit.browser, max_age_s=LONGEST_COOKIE_S)
    return answer


def _paths_above(path: str) -> list[str]:
    """Return the paths for which a cookie that came with a request may have been set."""
    steps = path.split("/")[1:9]
    paths = ["/".join(["", *steps[:count]]) for count in range(1, len(steps) + 1)]
    return sorted({"/", *paths, *(f"{one}/" for one in paths)})


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("idc_sandbox.pages"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["moment"] = _moment
    environment.filters["machine_moment"] = _machine_moment
    environment.filters["duration"] = duration_words
    return environment


def _moment(epoch_s: float) -> str:
    return datetime.datetime.fromtimestamp(epoch_s, datetime.UTC).strftime("%d %b %Y, %H:%M UTC")


def _machine_moment(epoch_s: float) -> str:
    return datetime.datetime.fromtimestamp(epoch_s, datetime.UTC).isoformat(timespec="seconds")


def duration_words(seconds: float) -> str:
    """Return a duration as people say it: ``"1 hour"``, ``"1 hour 30 minutes"``, ``"7 days"``."""
    minutes = round(seconds / 60)
    parts = ((minutes // 1440, "day"), (minutes % 1440 // 60, "hour"), (minutes % 60, "minute"))
    words = [f"{count} {unit}{'' if count == 1 else 's'}" for count, unit in parts if count]
    return " ".join(words) or "0 minutes"
