"""The pages of the sign-in, the invitation, the device code and the mailbox."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import segno
from starlette.responses import Response

from idc_sandbox.context import Context
from idc_sandbox.pages.front_door import COOKIE_LIFETIME_S, EVERY_ADDRESS
from idc_sandbox.pages.visits import (
    LONGEST_COOKIE_S,
    MAILBOX_COOKIE,
    SESSION_COOKIE,
    SIGN_IN_COOKIE,
    TRUSTED_COOKIE,
    Visit,
    closed,
    next_path,
    problem,
    redirect,
    render,
    set_cookie,
    with_next,
)
from idc_sandbox.sign_in import flow, passwords, people
from idc_sandbox.sign_in.flow import Next, SignIn
from idc_sandbox.sign_in.people import Message, Refusal

# The practice users' mail, for who holds a link from the sandbox's owner; others on the machine do not.

_MAILBOX_PATH = "/start/mailbox"
_MOST_MAILBOXES = 20


def show_mailbox(visit: Visit) -> Response:
    """Show the messages that this browser may read, newest first; ``key`` opens a mailbox."""
    if "key" in visit.query:
        return _open_mailbox(visit)
    if not visit.mailboxes:
        return _closed(visit)
    wanted = visit.query.get("address")
    with visit.open() as context:
        addresses = [one for one in people.list_addresses(context) if visit.may_read_mail_of(one)]
        messages = [
            message
            for message in people.list_messages(context, wanted)
            if visit.may_read_mail_of(message.to_address)
        ]
    own = [one for one in visit.mailboxes if one != EVERY_ADDRESS]
    return render(
        visit, "mailbox.html", messages=messages, addresses=addresses or own, wanted=wanted or "", own=own
    )


def show_message(visit: Visit) -> Response:
    """Show one message."""
    if not visit.mailboxes:
        return _closed(visit)
    with visit.open() as context:
        message: Message | None = people.find_message(context, visit.parameters["message_id"])
    if message is None or not visit.may_read_mail_of(message.to_address):
        return problem(
            visit,
            "No such message",
            "There is no such message in a mailbox that this browser may read.",
            status=404,
            next_path=_MAILBOX_PATH,
            next_label="Go to the mailbox",
        )
    return render(visit, "message.html", message=message)


def _open_mailbox(visit: Visit) -> Response:
    address = visit.redeem("mailbox")
    if address is None:
        # Who opened it with this link before, and follows it again, is not sent away.
        return redirect(visit, _MAILBOX_PATH) if visit.mailboxes else _closed(visit)
    others = [one for one in visit.mailboxes if one != address]
    opened = [*others[1 - _MOST_MAILBOXES :], address]
    answer = redirect(visit, _MAILBOX_PATH)
    if not visit.is_owners:
        sealed = visit.seal("mailbox-cookie", opened)
        set_cookie(answer, visit, MAILBOX_COOKIE, sealed, max_age_s=COOKIE_LIFETIME_S)
    return answer


def _closed(visit: Visit) -> Response:
    return closed(visit, "This mailbox is closed", "Mailboxes open")


# What the forms for registering an MFA device show.


def qr_picture(uri: str) -> str:
    """Return the QR code of an authenticator app's key as an SVG in a ``data:`` address."""
    # Dark on light whatever the page's colours are: cameras want it so.
    return segno.make(uri, error="m").svg_data_uri(scale=5, border=4, dark="#000", light="#fff")


Step = Callable[[Context, str, Visit], Next]

TEMPLATES: dict[str, str] = {
    "user-name": "sign_in_user_name.html",
    "password": "sign_in_password.html",
    "first-one-time-password": "sign_in_code.html",
    "new-password": "sign_in_new_password.html",
    "mfa": "sign_in_mfa.html",
    "register-device": "sign_in_register_device.html",
    "email-otp": "sign_in_code.html",
    "blocked": "sign_in_blocked.html",
}


def _user_name(context: Context, sign_in_id: str, visit: Visit) -> Next:
    return flow.submit_user_name(context, sign_in_id, visit.form.get("user_name", ""))


def _password(context: Context, sign_in_id: str, visit: Visit) -> Next:
    return flow.submit_password(context, sign_in_id, visit.form.get("password", ""))


def _one_time_password(context: Context, sign_in_id: str, visit: Visit) -> Next:
    return flow.submit_one_time_password(context, sign_in_id, visit.form.get("code", ""))


def _resend_one_time_password(context: Context, sign_in_id: str, _visit: Visit) -> Next:
    return flow.resend_one_time_password(context, sign_in_id)


def _new_password(context: Context, sign_in_id: str, visit: Visit) -> Next:
    new, again = visit.form.get("new_password", ""), visit.form.get("confirm_password", "")
    if new != again:
        return Next("new-password", passwords_differ(), is_error=True)
    return flow.submit_new_password(context, sign_in_id, new)


def _totp(context: Context, sign_in_id: str, visit: Visit) -> Next:
    code = visit.form.get("code", "")
    return flow.submit_totp(context, sign_in_id, code, trust_browser=_trusts(visit))


def _webauthn(context: Context, sign_in_id: str, visit: Visit) -> Next:
    return flow.submit_webauthn(
        context,
        sign_in_id,
        visit.form.get("credential", ""),
        relying_party_id=visit.site.relying_party_id,
        origin=visit.site.origin,
        trust_browser=_trusts(visit),
    )


def _email_code(context: Context, sign_in_id: str, visit: Visit) -> Next:
    code = visit.form.get("code", "")
    return flow.submit_email_code(context, sign_in_id, code, trust_browser=_trusts(visit))


def _resend_email_code(context: Context, sign_in_id: str, _visit: Visit) -> Next:
    return flow.resend_email_code(context, sign_in_id)


def _register_totp(context: Context, sign_in_id: str, visit: Visit) -> Next:
    return flow.submit_totp_registration(
        context,
        sign_in_id,
        visit.form.get("code", ""),
        name=visit.form.get("name") or None,
        trust_browser=_trusts(visit),
    )


def _register_webauthn(context: Context, sign_in_id: str, visit: Visit) -> Next:
    return flow.submit_webauthn_registration(
        context,
        sign_in_id,
        visit.form.get("credential", ""),
        relying_party_id=visit.site.relying_party_id,
        origin=visit.site.origin,
        name=visit.form.get("name") or None,
        trust_browser=_trusts(visit),
    )


STEPS: dict[str, Step] = {
    "user-name": _user_name,
    "password": _password,
    "one-time-password": _one_time_password,
    "resend-one-time-password": _resend_one_time_password,
    "new-password": _new_password,
    "totp": _totp,
    "webauthn": _webauthn,
    "email-code": _email_code,
    "resend-email-code": _resend_email_code,
    "register-totp": _register_totp,
    "register-webauthn": _register_webauthn,
}


def passwords_differ() -> str:
    """Return what is said when a new password was typed in two ways."""
    return "The two passwords differ. Type the same new password into both fields."


def step_values(context: Context, visit: Visit, sign_in_id: str, seen: SignIn) -> dict[str, Any]:
    """Return what the template of the current step needs besides the sign-in itself. Writes challenges."""
    host = visit.site.relying_party_id
    if seen.page == "mfa" and "webauthn" in seen.device_kinds:
        return _security_key_values(context, sign_in_id, host)
    if seen.page == "register-device":
        return _registration_values(context, sign_in_id, seen, host)
    return _VALUES.get(seen.page, {})


_VALUES: dict[str, dict[str, Any]] = {
    "new-password": {"shortest": passwords.SHORTEST, "longest": passwords.LONGEST},
    "first-one-time-password": {"step": "one-time-password", "resend_step": "resend-one-time-password"},
    "email-otp": {"step": "email-code", "resend_step": "resend-email-code"},
}


def _security_key_values(context: Context, sign_in_id: str, host: str) -> dict[str, Any]:
    try:
        options = flow.webauthn_options(context, sign_in_id, relying_party_id=host)
    except Refusal as refusal:
        return {"options": None, "why_not": refusal.message}
    return {"options": options, "why_not": ""}


def _registration_values(context: Context, sign_in_id: str, seen: SignIn, host: str) -> dict[str, Any]:
    registration, options = None, None
    if "totp" in seen.device_kinds:
        registration = flow.begin_totp_registration(context, sign_in_id)
    if "webauthn" in seen.device_kinds:
        options = flow.webauthn_registration_options(context, sign_in_id, relying_party_id=host)
    picture = qr_picture(registration.uri) if registration else ""
    return {"registration": registration, "picture": picture, "options": options}


def _trusts(visit: Visit) -> bool:
    return visit.form.get("trust_browser") == "yes"


# The sign-in: one address, which shows whatever step is next; each step's form has an address below it.

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


# The page behind the link of an invitation or of a password reset: choose a password, once.


def show_invitation(visit: Visit) -> Response:
    """Show whom the link is for, and the form; to load it uses nothing up."""
    return _show(visit, "")


def accept_invitation(visit: Visit) -> Response:
    """Set the password and lead to the sign-in; a password that is no good leaves the link usable."""
    new = visit.form.get("new_password", "")
    if new != visit.form.get("confirm_password", ""):
        return _show(visit, passwords_differ())
    try:
        with visit.open() as context:
            flow.accept(context, visit.parameters["token"], new)
    except Refusal as refusal:
        return _show(visit, refusal.message)
    return redirect(visit, "/start/sign-in?notice=password-set")


def _show(visit: Visit, message: str) -> Response:
    try:
        with visit.open() as context:
            invitation = flow.look_at_invitation(context, visit.parameters["token"])
    except Refusal as refusal:
        return problem(
            visit,
            "This link opens nothing",
            refusal.message,
            status=410 if refusal.code in ("invitation-used", "invitation-expired") else 404,
            next_path="/start",
            next_label="Go to the access portal",
        )
    return render(
        visit,
        "invitation.html",
        invitation=invitation,
        message=message,
        is_error=bool(message),
        shortest=passwords.SHORTEST,
        longest=passwords.LONGEST,
    )
