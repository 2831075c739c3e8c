"""The sign-in: one address, which shows whatever step is next; each step's form has an address below it."""

from __future__ import annotations

from dataclasses import replace

from starlette.responses import Response

from idc_sandbox.context import Context
from idc_sandbox.pages.answers import LONGEST_COOKIE_S, problem, redirect, render, set_cookie
from idc_sandbox.pages.sign_in_steps import STEPS, TEMPLATES, step_values
from idc_sandbox.pages.visits import SESSION_COOKIE, SIGN_IN_COOKIE, TRUSTED_COOKIE, Visit
from idc_sandbox.pages.ways import next_path, with_next
from idc_sandbox.sign_in import flow
from idc_sandbox.sign_in.flow import Next
from idc_sandbox.sign_in.refusals import Refusal

_SIGN_IN_PATH = "/start/sign-in"
_DOUBTFUL = (
    "Your browser sent two different cookies under one name, so another program on this machine has set one. "
    "Neither was believed, and both are deleted. Start again."
)
_MOST_TRUSTED = 5
_NOTICES = {
    "session-over": "Your session is over. Sign in again.",
    "sign-in-expired": "This sign-in is over, or took too long. Start again.",
    "password-set": "Your password is set. Sign in with it now.",
    "signed-out": "You are signed out.",
}


def show_sign_in(visit: Visit) -> Response:
    """Show the step that is next; begin a sign-in where none goes on."""
    with visit.open() as context:
        if visit.find_person(context) is not None:
            return redirect(visit, next_path(visit))
    if visit.doubtful_cookies:
        return _show_step(visit, Next("user-name", _DOUBTFUL, is_error=True))
    return _show_step(visit, Next("user-name", _NOTICES.get(visit.query.get("notice", ""), "")))


def return_to_sign_in(visit: Visit) -> Response:
    """Answer who loads the address of a form."""
    return redirect(visit, with_next(_SIGN_IN_PATH, next_path(visit)))


def take_step(visit: Visit) -> Response:
    """Take the answer to a step, and lead to the next one."""
    step = visit.parameters["step"]
    if step == "start-again":
        answer = return_to_sign_in(visit)
        set_cookie(answer, visit, SIGN_IN_COOKIE, "")
        return answer
    if step not in STEPS:
        return problem(visit, "Page not found", "The sign-in has no such step.", status=404)
    try:
        with visit.open() as context:
            after = STEPS[step](context, visit.cookies.get(SIGN_IN_COOKIE, ""), visit)
    except Refusal as refusal:
        return _after_refusal(visit, refusal)
    if after.page == "signed-in":
        return _welcome(visit, after)
    if after.sign_in_id:
        visit = replace(visit, cookies={**visit.cookies, SIGN_IN_COOKIE: after.sign_in_id})
    answer = return_to_sign_in(visit) if not after.message else _show_step(visit, after)
    if after.sign_in_id:
        set_cookie(answer, visit, SIGN_IN_COOKIE, after.sign_in_id)
    return answer


def _after_refusal(visit: Visit, refusal: Refusal) -> Response:
    if refusal.code == "wrong-page":
        return return_to_sign_in(visit)  # a form of an earlier step, sent again: show where they are
    if refusal.code == "sign-in-expired":
        path = with_next(_SIGN_IN_PATH, next_path(visit))
        return redirect(visit, f"{path}{'&' if '?' in path else '?'}notice=sign-in-expired")
    return _show_step(visit, Next("user-name", refusal.message, is_error=True))


def _show_step(visit: Visit, after: Next) -> Response:
    """Show the step whose turn it is, with the message of what was done before."""
    with visit.open() as context:
        sign_in_id, seen = _current(context, visit)
        values = step_values(context, visit, sign_in_id, seen)
    answer = render(
        visit,
        TEMPLATES[seen.page],
        status=429 if after.retry_after_s else 200,
        message=after.message,
        is_error=after.is_error,
        sign_in=seen,
        action=lambda step: visit.link(with_next(f"{_SIGN_IN_PATH}/{step}", next_path(visit))),
        **values,
    )
    if after.retry_after_s:
        answer.headers["Retry-After"] = str(int(after.retry_after_s) + 1)
    if visit.cookies.get(SIGN_IN_COOKIE) != sign_in_id:
        set_cookie(answer, visit, SIGN_IN_COOKIE, sign_in_id)
    return answer


def _current(context: Context, visit: Visit) -> tuple[str, flow.SignIn]:
    sign_in_id = visit.cookies.get(SIGN_IN_COOKIE, "")
    try:
        return sign_in_id, flow.look(context, sign_in_id)
    except Refusal as refusal:
        if refusal.code != "sign-in-expired":
            raise
    sign_in_id = flow.begin(context, client=visit.client, browser_tokens=_trusted(visit))
    return sign_in_id, flow.look(context, sign_in_id)


def _trusted(visit: Visit) -> list[str]:
    return [token for token in visit.cookies.get(TRUSTED_COOKIE, "").split(".") if token][-_MOST_TRUSTED:]


def _welcome(visit: Visit, after: Next) -> Response:
    answer = redirect(visit, next_path(visit))
    set_cookie(answer, visit, SESSION_COOKIE, after.session_token or "")
    set_cookie(answer, visit, SIGN_IN_COOKIE, "")
    if after.trusted_browser_token:
        tokens = [*_trusted(visit), after.trusted_browser_token][-_MOST_TRUSTED:]
        set_cookie(answer, visit, TRUSTED_COOKIE, ".".join(tokens), max_age_s=LONGEST_COOKIE_S)
    return answer
