"""The steps of the sign-in: which function takes each form, and what each page shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from idc_sandbox.context import Context
from idc_sandbox.pages.device_forms import qr_picture
from idc_sandbox.pages.visits import Visit
from idc_sandbox.sign_in import flow, passwords, second_factor
from idc_sandbox.sign_in.flow import Next, SignIn
from idc_sandbox.sign_in.refusals import Refusal

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
    return second_factor.submit_totp(context, sign_in_id, code, trust_browser=_trusts(visit))


def _webauthn(context: Context, sign_in_id: str, visit: Visit) -> Next:
    return second_factor.submit_webauthn(
        context,
        sign_in_id,
        visit.form.get("credential", ""),
        relying_party_id=visit.site.relying_party_id,
        origin=visit.site.origin,
        trust_browser=_trusts(visit),
    )


def _email_code(context: Context, sign_in_id: str, visit: Visit) -> Next:
    code = visit.form.get("code", "")
    return second_factor.submit_email_code(context, sign_in_id, code, trust_browser=_trusts(visit))


def _resend_email_code(context: Context, sign_in_id: str, _visit: Visit) -> Next:
    return second_factor.resend_email_code(context, sign_in_id)


def _register_totp(context: Context, sign_in_id: str, visit: Visit) -> Next:
    return second_factor.submit_totp_registration(
        context,
        sign_in_id,
        visit.form.get("code", ""),
        name=visit.form.get("name") or None,
        trust_browser=_trusts(visit),
    )


def _register_webauthn(context: Context, sign_in_id: str, visit: Visit) -> Next:
    return second_factor.submit_webauthn_registration(
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
        options = second_factor.webauthn_options(context, sign_in_id, relying_party_id=host)
    except Refusal as refusal:
        return {"options": None, "why_not": refusal.message}
    return {"options": options, "why_not": ""}


def _registration_values(context: Context, sign_in_id: str, seen: SignIn, host: str) -> dict[str, Any]:
    registration, options = None, None
    if "totp" in seen.device_kinds:
        registration = second_factor.begin_totp_registration(context, sign_in_id)
    if "webauthn" in seen.device_kinds:
        options = second_factor.webauthn_registration_options(context, sign_in_id, relying_party_id=host)
    picture = qr_picture(registration.uri) if registration else ""
    return {"registration": registration, "picture": picture, "options": options}


def _trusts(visit: Visit) -> bool:
    return visit.form.get("trust_browser") == "yes"
