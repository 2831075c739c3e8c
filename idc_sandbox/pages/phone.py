"""The practice phone: the codes of an authenticator app, for those without a phone at hand."""

from __future__ import annotations

from starlette.responses import Response

from idc_sandbox.errors import ServiceError
from idc_sandbox.pages.front_door import COOKIE_LIFETIME_S, EVERY_PHONE
from idc_sandbox.pages.visits import (
    MOST_OPENED,
    PHONE,
    Visit,
    answer_at_door,
    notice_of,
    problem,
    redirect,
    render,
    set_cookie,
)
from idc_sandbox.sign_in import devices, phone
from idc_sandbox.sign_in.people import Refusal, new_token


def show_phone(visit: Visit) -> Response:
    """Show the codes of the keys that this browser may see; ``key`` opens the owner's phone, with all."""
    if (answer := answer_at_door(visit, PHONE)) is not None:
        return answer
    return _show(visit, notice_of(visit, "phone"), is_error=False)


def keep_key(visit: Visit) -> Response:
    """Put the key of a registration on the owner's phone, or on a new one of this browser's."""
    # Who knows a key that waits could as well scan it with a real phone; it opens no other key. Each key
    # has a phone of its own: cookies can be planted, and a phone that somebody else can read must not get
    # to hold what is added from now on.
    opened = visit.opened(PHONE)
    is_owners = EVERY_PHONE in opened
    name, secret = EVERY_PHONE if is_owners else new_token(), visit.form.get("secret", "")
    answer = redirect(visit, f"{PHONE.path}?notice=added")
    with visit.open() as context:
        if phone.holds_key(context, opened, secret):
            return answer
        phone.add_key(context, name, secret)
    if not is_owners:
        cookie = visit.cookie_for(PHONE, [*opened[1 - MOST_OPENED :], name])
        set_cookie(answer, visit, PHONE.cookie, cookie, max_age_s=COOKIE_LIFETIME_S)
    return answer


def forget_key(visit: Visit) -> Response:
    """Take a key off the phone."""
    if (answer := answer_at_door(visit, PHONE)) is not None:
        return answer
    with visit.open() as context:
        phone.remove_key(context, _phones(visit), visit.request.path_params["key_id"])
    return redirect(visit, f"{PHONE.path}?notice=removed")


def refuse_key(visit: Visit, refusal: Refusal | ServiceError) -> Response:
    """Show why a key was not taken: on the phone where it is open, else on a page of its own."""
    if not visit.opened(PHONE):
        return problem(visit, "refused", message=refusal.message)
    return _show(visit, refusal.message, is_error=True)


def _phones(visit: Visit) -> list[str] | None:
    opened = visit.opened(PHONE)
    return None if EVERY_PHONE in opened else opened


def _show(visit: Visit, message: str, *, is_error: bool) -> Response:
    with visit.open() as context:
        keys = [(key, *devices.code_now(key.secret)) for key in phone.list_keys(context, _phones(visit))]
    stands_still = visit.request.query_params.get("refresh") == "off"
    answer = render(
        visit,
        "phone.html",
        keys=keys,
        message=message,
        is_error=is_error,
        stands_still=stands_still,
        status=400 if is_error else 200,
    )
    if keys and not stands_still and not is_error:
        # The header and not an element: who reads slowly turns it off by a link, and it stays off.
        answer.headers["Refresh"] = f"{keys[0][2] + 1}; url={visit.link(PHONE.path)}"
    return answer
