"""The sign-in: user name, password (or a mailed code the first time), new password, then the second proof.

A wrong answer is no exception: it returns the same page with a message, so that the failure is counted. What
raises `Refusal` changes nothing. A user name that nobody has walks the same pages, and fails in the same
words after the same time.
Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/howtosignin.html
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence

from idc_sandbox.context import Context
from idc_sandbox.sign_in import email_codes, flow_state, passwords, second_factor
from idc_sandbox.sign_in.flow_state import Next, SignIn
from idc_sandbox.sign_in.people import (
    Person,
    find_person,
    person_of,
    portal_instance,
    require_own_directory,
    setting,
)
from idc_sandbox.sign_in.refusals import Refusal
from idc_sandbox.sign_in.tokens import clean_text, new_token

__all__ = [
    "Next",
    "SignIn",
    "begin",
    "look",
    "resend_one_time_password",
    "submit_new_password",
    "submit_one_time_password",
    "submit_password",
    "submit_user_name",
]

WRONG_PASSWORD = "That user name and password do not go together. Check both, and try again."  # noqa: S105
_DISABLED = "Your access is disabled. Ask your administrator to enable it."
LONGEST_USER_NAME = 128


def begin(context: Context, *, client: str, browser_tokens: Sequence[str] = ()) -> str:
    """Start a sign-in at the page ``"user-name"``, and return its id, a secret for a cookie. Writes.

    Parameters
    ----------
    client
        Where the person comes from, such as an IP address: failures slow it down.
    browser_tokens
        What the browser's cookie holds of earlier ``trusted_browser_token``.

    Raises
    ------
    Refusal
        ``no-instance``, ``external-identity-source``.
    """
    instance = portal_instance(context)
    require_own_directory(context, instance)
    sign_in_id = new_token()
    flow_state.insert(context, sign_in_id, instance["instance_arn"], client, browser_tokens)
    return sign_in_id


def look(context: Context, sign_in_id: str) -> SignIn:
    """Return whose turn it is, and what that page may show. Reads only.

    Raises
    ------
    Refusal
        ``sign-in-expired``.
    """
    return flow_state.view(context, flow_state.load(context, sign_in_id))


def submit_user_name(context: Context, sign_in_id: str, user_name: str) -> Next:
    """Take the user name, and go on to ``"password"`` or ``"first-one-time-password"``. Writes.

    The latter is for a user without a password, with an address, when *Send email OTP* is on: the code is
    mailed now. The name may be given again on those pages.

    Raises
    ------
    Refusal
        As `flow_state.load`.
    """
    row = flow_state.load(context, sign_in_id, "user-name", "password", "first-one-time-password")
    typed = clean_text(user_name, LONGEST_USER_NAME + 1)
    if not typed:
        return flow_state.turn_to(context, row, "user-name", "Enter your user name.", is_error=True)
    person = find_person(context, typed)
    row = flow_state.change(
        context,
        row,
        user_name=typed[:LONGEST_USER_NAME],
        user_id=person.user_id if person else None,
        code_hash=None,
        code_sent_at=None,
    )
    if not _starts_with_mailed_code(context, row, person):
        return flow_state.turn_to(context, row, "password")
    return _mail_first_code(context, row, person)


def submit_password(context: Context, sign_in_id: str, password: str) -> Next:
    """Check the password; the right one leads on, a one-time password to ``"new-password"``. Writes.

    Raises
    ------
    Refusal
        As `flow_state.load`.
    """
    row = flow_state.load(context, sign_in_id, "password")
    if wait := flow_state.wait_of(context, row):
        return wait
    if not passwords.verify_password(context, row["user_id"], password):
        return flow_state.fail(context, row, WRONG_PASSWORD)
    person = person_of(context, row["user_id"])
    if not person.is_enabled:
        after = flow_state.turn_to(context, row, "blocked", _DISABLED, is_error=True)
    elif passwords.must_change(context, person.user_id):
        after = flow_state.turn_to(context, row, "new-password")
    else:
        after = second_factor.ask_second_factor(context, row)
    return flow_state.renew(context, after, sign_in_id)


def submit_one_time_password(context: Context, sign_in_id: str, code: str) -> Next:
    """Check the code that was mailed at a first sign-in; it leads to ``"new-password"``. Writes.

    Raises
    ------
    Refusal
        As `flow_state.load`.
    """
    row = flow_state.load(context, sign_in_id, "first-one-time-password")
    if wait := flow_state.wait_of(context, row):
        return wait
    if not email_codes.use_code(context, row, code) or row["user_id"] is None:
        return flow_state.fail(context, row, email_codes.WRONG_CODE)
    return flow_state.renew(context, flow_state.turn_to(context, row, "new-password"), sign_in_id)


def resend_one_time_password(context: Context, sign_in_id: str) -> Next:
    """Mail another code of a first sign-in; the earlier one is void. Writes.

    Raises
    ------
    Refusal
        As `flow_state.load`.
    """
    row = flow_state.load(context, sign_in_id, "first-one-time-password")
    return _mail_first_code(context, row, find_person(context, row["user_name"]))


def submit_new_password(context: Context, sign_in_id: str, new_password: str) -> Next:
    """Set the password that the user chose, and go on to the second proof. Writes.

    Raises
    ------
    Refusal
        As `flow_state.load`.
    """
    row = flow_state.load(context, sign_in_id, "new-password")
    person = flow_state.require_person(context, row)
    try:
        passwords.set_password(context, person.user_id, new_password)
    except Refusal as refusal:
        return Next("new-password", refusal.message, is_error=True)
    return flow_state.renew(context, second_factor.ask_second_factor(context, row), sign_in_id)


def _starts_with_mailed_code(context: Context, row: sqlite3.Row, person: Person | None) -> bool:
    if not setting(context, row["instance_arn"], "standard_authentication")["send_email_otp"]:
        return False
    if person is None:
        # Names that nobody has fall on both pages, always the same for a name: the page tells nothing.
        name = f"{row['instance_arn']} {row['user_name'].casefold()}"
        return hashlib.sha256(name.encode()).digest()[0] % 2 == 0
    return (
        person.is_enabled and person.email is not None and not passwords.has_password(context, person.user_id)
    )


def _mail_first_code(context: Context, row: sqlite3.Row, person: Person | None) -> Next:
    message = email_codes.send_code(
        context,
        row,
        person,
        kind="one-time-password",
        subject="Your one-time password for the practice portal",
        purpose="sign in for the first time and choose a password",
    )
    return flow_state.turn_to(context, row, "first-one-time-password", message)
