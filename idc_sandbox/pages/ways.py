"""Where a person goes on after signing in: to a page of this site, never elsewhere."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from starlette.responses import Response

from idc_sandbox.pages.answers import redirect
from idc_sandbox.pages.visits import SESSION_COOKIE, Visit

PORTAL = "/start"
_LONGEST = 6000
# A path of the pages: it begins with one slash, so that no browser reads a host into it.
_OWN = re.compile(r"/(start|authorize)(/[A-Za-z0-9._~%+=,@/-]*)?(\?[^\s\\#]*)?", re.ASCII)


def next_path(visit: Visit) -> str:
    """Return the page that the query names as ``next``; the portal when it names none, or another site."""
    wanted = visit.query.get("next", "")
    path = wanted.partition("?")[0]
    # Browsers read `%2e%2e` as two dots, and would leave the path under which a proxy shows the pages.
    leads_back = path.startswith("/start/sign-in") or ".." in unquote(path)
    is_own = len(wanted) <= _LONGEST and _OWN.fullmatch(wanted) is not None
    return wanted if is_own and not leads_back else PORTAL


def with_next(path: str, wanted: str) -> str:
    """Return a path of the sign-in that leads on to `wanted`."""
    return path if wanted == PORTAL else f"{path}?next={quote(wanted, safe='')}"


def to_sign_in(visit: Visit) -> Response:
    """Send a person who is not signed in to the sign-in, and from there back to this page."""
    here = visit.path + (f"?{visit.query_string}" if visit.query_string else "")
    path = with_next("/start/sign-in", here)
    if visit.cookies.get(SESSION_COOKIE):
        path += f"{'&' if '?' in path else '?'}notice=session-over"
    return redirect(visit, path)
