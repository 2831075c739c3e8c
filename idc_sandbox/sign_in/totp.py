"""Authenticator apps: RFC 6238 codes of six digits, each good once.

Codes are held against the machine's time, not the sandbox's clock: a lesson may move the latter by hours, and
the app on a person's phone does not follow.
"""

from __future__ import annotations

import hmac
import time
from dataclasses import dataclass, field

import pyotp

from idc_sandbox.context import Context
from idc_sandbox.sign_in.devices import (
    MfaDevice,
    add_device,
    drop_challenge,
    find_challenge,
    keep_challenge,
    require_device_room,
)
from idc_sandbox.sign_in.people import person_of
from idc_sandbox.sign_in.refusals import Refusal

ISSUER = "Practice sandbox"
_KIND = "totp-registration"
_STEP_S = 30
# One step early or late: clocks differ, and typing takes time.
_STEPS_OF_GRACE = 1


@dataclass(frozen=True)
class TotpRegistration:
    """What an app needs to know.

    Attributes
    ----------
    secret
        Base32, for typing.
    uri
        ``otpauth://…``, for the QR code.
    """

    secret: str = field(repr=False)
    uri: str = field(repr=False)


def begin_registration(context: Context, user_id: str) -> TotpRegistration:
    """Return a new secret for an app, kept until the app has shown a code of it. Writes.

    Raises
    ------
    Refusal
        As `devices.require_device_room`.
    """
    require_device_room(context, user_id, "totp")
    secret = pyotp.random_base32()
    keep_challenge(context, user_id, _KIND, secret)
    return _registration(context, user_id, secret)


def pending_registration(context: Context, user_id: str) -> TotpRegistration:
    """Return the secret that waits for its first code, so that a page can be shown again, or a new one.

    Raises
    ------
    Refusal
        As `devices.require_device_room`.
    """
    secret = find_challenge(context, user_id, _KIND)
    return _registration(context, user_id, secret) if secret else begin_registration(context, user_id)


def finish_app_registration(context: Context, user_id: str, code: str, name: str | None = None) -> MfaDevice:
    """Register the app when its code is right, and return the device. Writes.

    Raises
    ------
    Refusal
        ``registration-expired``, ``wrong-code`` (the secret stays), and as `devices.add_device`.
    """
    secret = find_challenge(context, user_id, _KIND)
    if secret is None:
        raise Refusal(
            "registration-expired", "This took too long. Start again, and add the new key to your app."
        )
    step = _step_of(secret, code, after=None)
    if step is None:
        raise Refusal(
            "wrong-code",
            "That is not the code that your app shows now. Check that the app's key is the one on this page "
            "and that the phone's time is right, wait for the next code, and enter it.",
        )
    device = add_device(context, user_id, "totp", name, totp_secret=secret, totp_last_step=step)
    drop_challenge(context, user_id, _KIND)
    return device


def verify_code(context: Context, user_id: str, code: str) -> bool:
    """Tell whether one of the user's apps shows this code, and use the code up. Writes."""
    rows = context.connection.execute(
        "SELECT * FROM mfa_device WHERE user_id = ? AND kind = 'totp'", (user_id,)
    ).fetchall()
    for row in rows:
        step = _step_of(row["totp_secret"], code, after=row["totp_last_step"])
        if step is not None:
            context.connection.execute(
                "UPDATE mfa_device SET totp_last_step = ?, last_used_at = ? WHERE device_id = ?",
                (step, context.now, row["device_id"]),
            )
            return True
    return False


def _step_of(secret: str, code: str, *, after: int | None) -> int | None:
    """Return the time step to which a code belongs, later than `after`, or None."""
    digits = "".join(code.split())
    if len(digits) != 6 or not digits.isascii() or not digits.isdecimal():
        return None
    now = int(time.time()) // _STEP_S
    generator = pyotp.TOTP(secret)
    for step in range(now - _STEPS_OF_GRACE, now + _STEPS_OF_GRACE + 1):
        fits = hmac.compare_digest(generator.at(step * _STEP_S), digits)
        if fits and (after is None or step > after):
            return step
    return None


def _registration(context: Context, user_id: str, secret: str) -> TotpRegistration:
    name = person_of(context, user_id).user_name
    return TotpRegistration(secret, pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=ISSUER))
