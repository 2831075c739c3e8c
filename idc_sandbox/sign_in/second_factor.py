"""The second proof of a sign-in: whether one is asked for, by what, and what a user without a device meets.

Sources: https://docs.aws.amazon.com/singlesignon/latest/userguide/mfa-getting-started.html,
https://docs.aws.amazon.com/singlesignon/latest/userguide/how-to-configure-mfa-device-enforcement.html
"""

from __future__ import annotations

import json
import sqlite3

from idc_sandbox.context import Context
from idc_sandbox.sign_in import email_codes, flow_state, totp, webauthn_devices
from idc_sandbox.sign_in.devices import allowed_kinds, list_devices
from idc_sandbox.sign_in.flow_state import Next
from idc_sandbox.sign_in.people import Person, setting
from idc_sandbox.sign_in.refusals import Refusal
from idc_sandbox.sign_in.totp import TotpRegistration

_WRONG_TOTP = "That code is wrong or was used already. Wait until your app shows the next one, and enter it."
_WRONG_DEVICE = "Your device could not be verified. Try again, or use another device."
_BLOCKED = "You need an MFA device to sign in, and have none. Ask your administrator to register one for you."
_NO_ADDRESS = "A code by e-mail is needed to sign in, and you have no e-mail address. Ask your administrator."


def ask_second_factor(context: Context, row: sqlite3.Row) -> Next:
    """Go on after the first proof, as the instance's settings say. Writes.

    A browser that is trusted passes with context-aware prompts, also where sign-in without a device is to be
    blocked: AWS documents that.
    """
    person = flow_state.require_person(context, row)
    settings = setting(context, person.instance_arn, "multi_factor_authentication")
    is_known = settings["prompt"] == "context-aware" and _is_trusted(context, row, person)
    if settings["prompt"] == "never" or is_known:
        return flow_state.finish(context, row)
    kinds = allowed_kinds(context, person.instance_arn)
    if any(device.kind in kinds for device in list_devices(context, person.user_id)):
        return flow_state.turn_to(context, row, "mfa")
    match settings["user_without_device"]:
        case "require-registration":
            return flow_state.turn_to(context, row, "register-device")
        case "require-email-otp":
            return _mail_code(context, row, person)
        case "block":
            return flow_state.turn_to(context, row, "blocked", _BLOCKED, is_error=True)
        case _:
            return flow_state.finish(context, row)


def submit_totp(context: Context, sign_in_id: str, code: str, *, trust_browser: bool = False) -> Next:
    """Check an app's code; each is good once. Writes.

    Raises
    ------
    Refusal
        As `flow_state.load`; ``device-type-not-allowed``.
    """
    row = flow_state.load(context, sign_in_id, "mfa")
    if wait := flow_state.wait_of(context, row):
        return wait
    person = _require_allowed(context, row, "totp")
    if not totp.verify_code(context, person.user_id, code):
        return flow_state.fail(context, row, _WRONG_TOTP)
    return flow_state.finish(context, row, trust_browser=trust_browser)


def webauthn_options(context: Context, sign_in_id: str, *, relying_party_id: str) -> str:
    """Return what ``navigator.credentials.get`` needs, JSON. Writes.

    Raises
    ------
    Refusal
        As `flow_state.load` and `webauthn_devices.authentication_options`; ``device-type-not-allowed``.
    """
    row = flow_state.load(context, sign_in_id, "mfa")
    person = _require_allowed(context, row, "webauthn")
    return webauthn_devices.authentication_options(context, person.user_id, relying_party_id=relying_party_id)


def submit_webauthn(
    context: Context,
    sign_in_id: str,
    credential_json: str,
    *,
    relying_party_id: str,
    origin: str,
    trust_browser: bool = False,
) -> Next:
    """Check what a device signed. Writes.

    Raises
    ------
    Refusal
        As `flow_state.load`; ``device-type-not-allowed``.
    """
    row = flow_state.load(context, sign_in_id, "mfa")
    if wait := flow_state.wait_of(context, row):
        return wait
    person = _require_allowed(context, row, "webauthn")
    if not webauthn_devices.verify_answer(
        context, person.user_id, credential_json, relying_party_id=relying_party_id, origin=origin
    ):
        return flow_state.fail(context, row, _WRONG_DEVICE)
    return flow_state.finish(context, row, trust_browser=trust_browser)


def resend_email_code(context: Context, sign_in_id: str) -> Next:
    """Mail another code of the second proof. Writes.

    Raises
    ------
    Refusal
        As `flow_state.load`.
    """
    row = flow_state.load(context, sign_in_id, "email-otp")
    return _mail_code(context, row, flow_state.require_person(context, row))


def submit_email_code(context: Context, sign_in_id: str, code: str, *, trust_browser: bool = False) -> Next:
    """Check the e-mailed code of the second proof. Writes.

    Raises
    ------
    Refusal
        As `flow_state.load`.
    """
    row = flow_state.load(context, sign_in_id, "email-otp")
    if wait := flow_state.wait_of(context, row):
        return wait
    if not email_codes.use_code(context, row, code):
        return flow_state.fail(context, row, email_codes.WRONG_CODE)
    return flow_state.finish(context, row, trust_browser=trust_browser)


def begin_totp_registration(context: Context, sign_in_id: str) -> TotpRegistration:
    """Return the secret for an app; the same one until it is registered or ten minutes are over. Writes.

    Raises
    ------
    Refusal
        As `flow_state.load` and `devices.require_device_room`.
    """
    row = flow_state.load(context, sign_in_id, "register-device")
    return totp.pending_registration(context, flow_state.require_person(context, row).user_id)


def submit_totp_registration(
    context: Context, sign_in_id: str, code: str, *, name: str | None = None, trust_browser: bool = False
) -> Next:
    """Register an app during the sign-in, which ends with that. Writes.

    Raises
    ------
    Refusal
        As `flow_state.load`.
    """
    row = flow_state.load(context, sign_in_id, "register-device")
    person = flow_state.require_person(context, row)
    try:
        totp.finish_app_registration(context, person.user_id, code, name)
    except Refusal as refusal:
        return Next("register-device", refusal.message, is_error=True)
    return flow_state.finish(context, row, trust_browser=trust_browser)


def webauthn_registration_options(context: Context, sign_in_id: str, *, relying_party_id: str) -> str:
    """Return what ``navigator.credentials.create`` needs, JSON. Writes.

    Raises
    ------
    Refusal
        As `flow_state.load` and `devices.require_device_room`.
    """
    row = flow_state.load(context, sign_in_id, "register-device")
    person = flow_state.require_person(context, row)
    return webauthn_devices.registration_options(context, person.user_id, relying_party_id=relying_party_id)


def submit_webauthn_registration(
    context: Context,
    sign_in_id: str,
    credential_json: str,
    *,
    relying_party_id: str,
    origin: str,
    name: str | None = None,
    trust_browser: bool = False,
) -> Next:
    """Register a security key or passkey during the sign-in, which ends with that. Writes.

    Raises
    ------
    Refusal
        As `flow_state.load`.
    """
    row = flow_state.load(context, sign_in_id, "register-device")
    user_id = flow_state.require_person(context, row).user_id
    place = {"relying_party_id": relying_party_id, "origin": origin}
    try:
        webauthn_devices.finish_registration(context, user_id, credential_json, name=name, **place)
    except Refusal as refusal:
        return Next("register-device", refusal.message, is_error=True)
    return flow_state.finish(context, row, trust_browser=trust_browser)


def _mail_code(context: Context, row: sqlite3.Row, person: Person) -> Next:
    if person.email is None:
        return flow_state.turn_to(context, row, "blocked", _NO_ADDRESS, is_error=True)
    message = email_codes.send_code(
        context,
        row,
        person,
        kind="email-otp",
        subject="Your code for the practice portal",
        purpose="finish signing in",
    )
    return flow_state.turn_to(context, row, "email-otp", message)


def _require_allowed(context: Context, row: sqlite3.Row, kind: str) -> Person:
    person = flow_state.require_person(context, row)
    if kind not in allowed_kinds(context, person.instance_arn):
        raise Refusal(
            "device-type-not-allowed",
            "Your administrator does not allow this kind of device. Use another one.",
        )
    return person


def _is_trusted(context: Context, row: sqlite3.Row, person: Person) -> bool:
    known = context.connection.execute(
        "SELECT token_hash FROM trusted_browser WHERE user_id = ? AND expires_at > ?",
        (person.user_id, context.now),
    ).fetchall()
    return bool({token_hash for (token_hash,) in known} & set(json.loads(row["browser_hashes_json"])))
