"""The device page: a program in a terminal waits, and its person compares the code, then allows or denies.

Source: RFC 8628, section 3.3; section 5.4 says why the code is to be compared.
"""

from __future__ import annotations

from starlette.responses import Response

from idc_sandbox.api.oidc.device_authorizations import approve_device, deny_device, find_device_request
from idc_sandbox.pages.answers import redirect, render
from idc_sandbox.pages.visits import Visit
from idc_sandbox.pages.ways import to_sign_in
from idc_sandbox.sign_in.refusals import Refusal

_DEVICE_LOGIN_PATH = "/start/device"
_LONGEST_CODE = 64


def show_device(visit: Visit) -> Response:
    """Ask for the code, or, when the link brought it along, whether the terminal shows the same."""
    code = visit.query.get("user_code", "")[:_LONGEST_CODE]
    if not code:
        return _ask_code(visit, "")
    try:
        with visit.open() as context:
            if (who := visit.find_person(context)) is None:
                return to_sign_in(visit)
            waiting = find_device_request(context, code)
    except Refusal as refusal:
        return _ask_code(visit, refusal.message, code)
    return render(visit, "device_confirm.html", person=who[1], session=who[0], waiting=waiting)


def return_to_device(visit: Visit) -> Response:
    """Answer who loads the address of a form."""
    return redirect(visit, _DEVICE_LOGIN_PATH)


def confirm_code(visit: Visit) -> Response:
    """Go on to the consent when the person says that the codes are the same; deny when not."""
    code = visit.form.get("user_code", "")
    if visit.form.get("same") != "yes":
        return _finish(visit, code, is_allowed=False)
    try:
        with visit.open() as context:
            if (who := visit.find_person(context)) is None:
                return to_sign_in(visit)
            waiting = find_device_request(context, code)
    except Refusal as refusal:
        return _ask_code(visit, refusal.message)
    return render(
        visit,
        "consent.html",
        person=who[1],
        session=who[0],
        client_name=waiting.client_name,
        scopes=waiting.scopes,
        action=visit.link("/start/device/answer"),
        user_code=waiting.user_code,
        leads_to="",
    )


def take_device_answer(visit: Visit) -> Response:
    """Allow or deny what the program asked for."""
    return _finish(visit, visit.form.get("user_code", ""), is_allowed=visit.form.get("answer") == "allow")


def _finish(visit: Visit, code: str, *, is_allowed: bool) -> Response:
    try:
        with visit.open() as context:
            if (who := visit.find_person(context)) is None:
                return to_sign_in(visit)
            if is_allowed:
                approve_device(context, code, who[0].session_id)
            else:
                deny_device(context, code)
    except Refusal as refusal:
        return _ask_code(visit, refusal.message)
    return render(visit, "device_done.html", person=who[1], session=who[0], is_allowed=is_allowed)


def _ask_code(visit: Visit, message: str, code: str = "") -> Response:
    with visit.open() as context:
        if (who := visit.find_person(context)) is None:
            return to_sign_in(visit)
    return render(visit, "device_code.html", person=who[1], session=who[0], code=code, message=message)
