"""The pages of the sign-in, invitation, device code, ``aws login``, mailbox and practice phone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from starlette.responses import RedirectResponse, Response

from idc_sandbox.api.portal import list_portal_accounts, list_portal_roles
from idc_sandbox.api.signin.logins import (
    LoginPrincipal,
    LoginRequest,
    approve_login,
    check_login,
    code_to_carry,
    role_of_person,
    sign_in_user,
    where_login_leads,
)
from idc_sandbox.context import Context
from idc_sandbox.errors import ServiceError
from idc_sandbox.loopback import HOST
from idc_sandbox.pages.front_door import COOKIE_LIFETIME_S, EVERY_ADDRESS, EVERY_PHONE
from idc_sandbox.pages.visits import (
    LONGEST_COOKIE_S,
    MAILBOX,
    MOST_OPENED,
    PHONE,
    SESSION_COOKIE,
    SIGN_IN_COOKIE,
    TRUSTED_COOKIE,
    SignInNeededError,
    Visit,
    answer_at_door,
    next_path,
    notice_of,
    problem,
    qr_code,
    redirect,
    render,
    set_cookie,
    with_next,
)
from idc_sandbox.sign_in import devices, flow, invitations, passwords, people
from idc_sandbox.sign_in.flow import Next, SignIn
from idc_sandbox.sign_in.people import Message, Refusal, new_token

# The practice users' mail, for who holds a link from the sandbox's owner; others on the machine do not.


def show_mailbox(visit: Visit) -> Response:
    """Show the messages that this browser may read, newest first; ``key`` opens a mailbox."""
    if (answer := answer_at_door(visit, MAILBOX)) is not None:
        return answer
    wanted = visit.request.query_params.get("address")
    with visit.open() as context:
        addresses = [one for one in people.list_addresses(context) if visit.may_read_mail_of(one)]
        messages = [
            message
            for message in people.list_messages(context, wanted)
            if visit.may_read_mail_of(message.to_address)
        ]
    own = [one for one in visit.opened(MAILBOX) if one != EVERY_ADDRESS]
    return render(
        visit, "mailbox.html", messages=messages, addresses=addresses or own, wanted=wanted or "", own=own
    )


def show_message(visit: Visit) -> Response:
    """Show one message."""
    if (answer := answer_at_door(visit, MAILBOX)) is not None:
        return answer
    with visit.open() as context:
        message: Message | None = people.find_message(context, visit.request.path_params["message_id"])
    if message is None or not visit.may_read_mail_of(message.to_address):
        return problem(visit, "no-message")
    return render(visit, "message.html", message=message)


def registration_forms(context: Context, user_id: str) -> dict[str, Any]:
    """Return what each form needs; a kind that cannot be registered has its reason instead. Writes."""
    registration, no_app = _or_reason(devices.pending_registration, context, user_id)
    options, no_key = _or_reason(devices.registration_options, context, user_id)
    picture = qr_code(registration.uri) if registration else ""
    reasons = [reason for reason in (no_app, no_key) if reason]
    return {"registration": registration, "picture": picture, "options": options, "reasons": reasons}


def _or_reason(make: Callable[[Context, str], Any], context: Context, user_id: str) -> tuple[Any, str]:
    """Return what a user's device needs, or why it cannot be used."""
    try:
        return make(context, user_id), ""
    except Refusal as refusal:
        return None, refusal.message


def _step_values(context: Context, sign_in_id: str, seen: SignIn) -> dict[str, Any]:
    """Return what the template of the current step needs beside the sign-in itself. Writes challenges."""
    if seen.page == "register-device":
        return registration_forms(context, flow.person_at(context, sign_in_id, seen.page).user_id)
    if seen.page != "mfa" or "webauthn" not in seen.device_kinds:
        return {}
    user_id = flow.person_at(context, sign_in_id, seen.page).user_id
    options, why_not = _or_reason(devices.authentication_options, context, user_id)
    return {"options": options, "why_not": why_not}


# The sign-in: one address, which shows whatever step is next; each step's form has an address below it.

_SIGN_IN_PATH = "/start/sign-in"
_MOST_TRUSTED = 5
# The pages that ask for a mailed code, and the step that takes it.
_CODE_STEPS = {"first-one-time-password": "one-time-password", "email-otp": "email-code"}


def show_sign_in(visit: Visit) -> Response:
    """Show the step that is next; begin a sign-in where none goes on."""
    with visit.open() as context:
        if visit.find_person(context) is not None:
            return redirect(visit, next_path(visit))
    if visit.doubtful_cookies:
        doubt = people.texts()["doubtful-cookies"]
        return _show_step(visit, Next("user-name", doubt, is_error=True))
    return _show_step(visit, Next("user-name", notice_of(visit, "sign-in")))


def return_to_sign_in(visit: Visit) -> Response:
    """Answer who loads the address of a form."""
    return redirect(visit, with_next(_SIGN_IN_PATH, next_path(visit)))


def take_step(visit: Visit) -> Response:
    """Take the answer to a step, and lead to the next one."""
    step = visit.request.path_params["step"]
    if step == "start-again":
        answer = return_to_sign_in(visit)
        set_cookie(answer, visit, SIGN_IN_COOKIE, "")
        return answer
    if step not in flow.STEPS:
        return problem(visit, "no-step")
    with visit.open() as context:
        after = flow.take(context, visit.cookies.get(SIGN_IN_COOKIE, ""), step, visit.form)
    if after.page == "signed-in":
        return _welcome(visit, after)
    if after.sign_in_id:
        visit = replace(visit, cookies={**visit.cookies, SIGN_IN_COOKIE: after.sign_in_id})
    answer = return_to_sign_in(visit) if not after.message else _show_step(visit, after)
    if after.sign_in_id:
        set_cookie(answer, visit, SIGN_IN_COOKIE, after.sign_in_id)
    return answer


def refuse_step(visit: Visit, refusal: Refusal | ServiceError) -> Response:
    """Show the step that is next, and why the answer was not taken."""
    if refusal.code == "wrong-page":
        return return_to_sign_in(visit)  # a form of an earlier step, sent again: show where they are
    if refusal.code == "sign-in-expired":
        return redirect(visit, with_next(_SIGN_IN_PATH, next_path(visit), refusal.code))
    return _show_step(visit, Next("user-name", refusal.message, is_error=True))


def _show_step(visit: Visit, after: Next) -> Response:
    """Show the step whose turn it is, with the message of what was done before."""
    try:
        with visit.open() as context:
            sign_in_id, seen = _current(context, visit)
            values = _step_values(context, sign_in_id, seen)
    except Refusal as refusal:
        if refusal.code != "external-identity-source":
            raise
        return problem(visit, "sign-in-elsewhere", message=refusal.message)
    step = _CODE_STEPS.get(seen.page)
    answer = render(
        visit,
        "sign_in_code.html" if step else f"sign_in_{seen.page.replace('-', '_')}.html",
        status=429 if after.retry_after_s else 200,
        message=after.message,
        is_error=after.is_error,
        sign_in=seen,
        step=step,
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
    client = visit.request.client.host if visit.request.client else ""
    sign_in_id = flow.begin(context, client=client, browser_tokens=_trusted(visit))
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


def show_invitation(visit: Visit, message: str = "") -> Response:
    """Show whom the link is for, and the form; to load it uses nothing up."""
    with visit.open() as context:
        invitation = invitations.look_at_invitation(context, visit.request.path_params["token"])
    return render(visit, "invitation.html", invitation=invitation, message=message, is_error=bool(message))


def accept_invitation(visit: Visit) -> Response:
    """Set the password and lead to the sign-in; a password that is no good leaves the link usable."""
    token = visit.request.path_params["token"]
    with visit.open() as context:
        invitations.look_at_invitation(context, token)  # that it opens nothing is said before what was typed
        invitations.accept(context, token, passwords.chosen_password(visit.form))
    return redirect(visit, "/start/sign-in?notice=password-set")


def refuse_invitation(visit: Visit, refusal: Refusal | ServiceError) -> Response:
    """Show the form again, or that the link opens nothing."""
    if refusal.code.startswith("password"):
        return show_invitation(visit, refusal.message)
    status = 410 if refusal.code in ("invitation-used", "invitation-expired") else 404
    return problem(visit, "link-opens-nothing", message=refusal.message, status=status)


def show_verification(visit: Visit) -> Response:
    """Show whose address is to be verified; to load it uses nothing up."""
    with visit.open() as context:
        person = invitations.person_of_link(context, visit.request.path_params["token"])
    return render(visit, "verify_email.html", verified=person)


def verify_email(visit: Visit) -> Response:
    """Keep that the address is the person's."""
    with visit.open() as context:
        invitations.verify(context, visit.request.path_params["token"])
    return redirect(visit, "/start/sign-in?notice=email-verified")


_LONGEST_FIELD = 256


def show_login(visit: Visit, message: str = "", status: int = 200) -> Response:
    """Ask who the AWS CLI may work as; a request that is not safe is shown, never followed."""
    with visit.open() as context:
        request = check_login(visit.request.query_params)
        who = visit.find_person(context)
        user_id = "" if who is None else who.person.user_id
        roles = [
            (account, role)
            for account in (list_portal_accounts(context, user_id) if who else [])
            for role in list_portal_roles(context, user_id, account.account_id)
        ]
        management_account_id = context.double.management_account_id
    here = f"/v1/authorize?{visit.request.url.query}"
    return render(
        visit,
        "aws_login.html",
        who,
        status=status,
        asked=request,
        roles=roles,
        action=visit.link(here),
        portal_path=visit.link(with_next("/start/sign-in", here)),
        account_id=visit.form.get("account_id", "") or management_account_id,
        user_name=visit.form.get("user_name", ""),
        message=message,
    )


def take_login(visit: Visit) -> Response:
    """Send the browser back to the program with a code, or show the code that the person carries there."""
    message = ""
    with visit.open() as context:
        request = check_login(visit.request.query_params)
        if visit.form.get("answer") == "deny":
            return _deny(visit, request)
        principal = _principal(visit, context)
        if isinstance(principal, LoginPrincipal):
            code = approve_login(context, request, principal)
        else:
            message = principal
    if message:
        return show_login(visit, message, status=400)
    if request.is_remote:
        return render(visit, "aws_login_code.html", code=code_to_carry(request, code))
    return RedirectResponse(where_login_leads(request, code=code), status_code=303)


def refuse_login(visit: Visit, refusal: Refusal | ServiceError) -> Response:
    """Show what is wrong with a program's request, or what the person is not allowed to do."""
    if refusal.code == "AccessDeniedException":
        return show_login(visit, refusal.message, status=403)
    return problem(visit, "authorize-refused", message=refusal.message)


def login_targets(_visit: Visit) -> str:
    """Return where the answer may be sent to: a program on this machine."""
    return f"http://{HOST}:*"


def _principal(visit: Visit, context: Context) -> LoginPrincipal | str:
    """Return who the form says that somebody is, or what is wrong with it."""
    if chosen := visit.form.get("role", ""):
        if (who := visit.find_person(context)) is None:
            raise SignInNeededError
        account_id, _, name = chosen.partition("/")
        return role_of_person(context, who.person, account_id, name)
    fields = (visit.form.get(name, "")[:_LONGEST_FIELD] for name in ("account_id", "user_name", "password"))
    client = visit.request.client.host if visit.request.client else ""
    account_id, user_name, password = fields
    return sign_in_user(context, account_id.strip(), user_name.strip(), password, client=client)


def _deny(visit: Visit, request: LoginRequest) -> Response:
    if request.is_remote:
        return problem(visit, "login-denied")
    return RedirectResponse(where_login_leads(request, error="access_denied"), status_code=303)


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
        if devices.holds_key(context, opened, secret):
            return answer
        devices.add_key(context, name, secret)
    if not is_owners:
        cookie = visit.cookie_for(PHONE, [*opened[1 - MOST_OPENED :], name])
        set_cookie(answer, visit, PHONE.cookie, cookie, max_age_s=COOKIE_LIFETIME_S)
    return answer


def forget_key(visit: Visit) -> Response:
    """Take a key off the phone."""
    if (answer := answer_at_door(visit, PHONE)) is not None:
        return answer
    with visit.open() as context:
        devices.remove_key(context, _phones(visit), visit.request.path_params["key_id"])
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
        keys = [(key, *devices.code_now(key.secret)) for key in devices.list_keys(context, _phones(visit))]
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
