"""The sign-in, step by step: its state, the second factor, invitations, and codes by e-mail.

Sources: https://docs.aws.amazon.com/singlesignon/latest/userguide/mfa-getting-started.html,
https://docs.aws.amazon.com/singlesignon/latest/userguide/how-to-configure-mfa-device-enforcement.html
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from idc_sandbox.context import Context
from idc_sandbox.sign_in import devices, passwords
from idc_sandbox.sign_in.devices import TotpRegistration, allowed_kinds, list_devices
from idc_sandbox.sign_in.people import (
    Message,
    MessageKind,
    Person,
    Refusal,
    clean_text,
    create_session,
    digest,
    find_person,
    make_room,
    matches,
    new_code,
    new_token,
    person_of,
    portal_instance,
    require_own_directory,
    send,
    setting,
    waiting_time,
)

# One sign-in on its way through the pages, as it is kept between two of them.

PageName = Literal[
    "user-name",
    "password",
    "first-one-time-password",
    "new-password",
    "mfa",
    "register-device",
    "email-otp",
    "blocked",
    "signed-in",
]
SIGN_IN_LIFETIME_S = 15 * 60.0
TRUSTED_BROWSER_LIFETIME_S = 90 * 86_400.0  # UNCONFIRMED at AWS


@dataclass(frozen=True)
class Next:
    """What the person sees next."""

    page: PageName
    message: str = ""
    is_error: bool = False
    sign_in_id: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    trusted_browser_token: str | None = field(default=None, repr=False)
    retry_after_s: float = 0.0


@dataclass(frozen=True)
class SignIn:
    """What a page may show of a sign-in."""

    page: PageName
    user_name: str
    device_kinds: tuple[str, ...] = ()
    device_names: tuple[str, ...] = ()
    may_trust_browser: bool = False


def load(context: Context, sign_in_id: str, *pages: PageName) -> sqlite3.Row:
    """Return a sign-in that goes on; with `pages`, only when one of them is its turn."""
    row: sqlite3.Row | None = context.connection.execute(
        "SELECT * FROM sign_in WHERE sign_in_hash = ? AND browser_hash = ? AND expires_at > ?",
        (digest(sign_in_id), digest(context.browser), context.now),
    ).fetchone()
    if row is None:
        raise Refusal("sign-in-expired", "This sign-in is over, or took too long. Start again.")
    if pages and row["page"] not in pages:
        raise Refusal(
            "wrong-page", "This answers a different step from the one that you are at. Continue from there."
        )
    return row


def insert(
    context: Context, sign_in_id: str, instance_arn: str, client: str, browser_tokens: Sequence[str]
) -> None:
    """Keep a new sign-in, and drop those that are over. Writes."""
    context.connection.execute("DELETE FROM sign_in WHERE expires_at <= ?", (context.now,))
    context.connection.execute(
        "INSERT INTO sign_in (sign_in_hash, instance_arn, page, client, browser_hash, browser_hashes_json,"
        " expires_at) VALUES (?, ?, 'user-name', ?, ?, ?, ?)",
        (
            digest(sign_in_id),
            instance_arn,
            client[:256],
            digest(context.browser),
            json.dumps([_trust_hash(context, token) for token in browser_tokens[:10]]),
            context.now + SIGN_IN_LIFETIME_S,
        ),
    )
    make_room(context, "sign_in")


def change(context: Context, row: sqlite3.Row, **columns: Any) -> sqlite3.Row:
    """Write columns of a sign-in, and return it as it is then. Writes."""
    assignments = ", ".join(f"{name} = :{name}" for name in columns)
    context.connection.execute(
        f"UPDATE sign_in SET {assignments} WHERE sign_in_hash = :hash",  # noqa: S608
        {**columns, "hash": row["sign_in_hash"]},
    )
    changed: sqlite3.Row = context.connection.execute(
        "SELECT * FROM sign_in WHERE sign_in_hash = ?", (row["sign_in_hash"],)
    ).fetchone()
    return changed


def turn_to(
    context: Context, row: sqlite3.Row, page: PageName, message: str = "", *, is_error: bool = False
) -> Next:
    """Make another page the sign-in's turn. Writes."""
    change(context, row, page=page)
    return Next(page, message, is_error)


def renew(context: Context, after: Next, sign_in_id: str) -> Next:
    """Give a sign-in in which something was proved a new id; the one from before opens nothing. Writes."""
    if after.page == "signed-in":
        return after
    new_id = new_token()
    context.connection.execute(
        "UPDATE sign_in SET sign_in_hash = ? WHERE sign_in_hash = ?", (digest(new_id), digest(sign_in_id))
    )
    return replace(after, sign_in_id=new_id)


def wait_of(context: Context, row: sqlite3.Row) -> Next | None:
    """Return the same page with a request to wait, when failures ask for that; nothing is looked at."""
    seconds = passwords.waiting_s(context, row["user_name"], row["client"])
    if seconds <= 0:
        return None
    message = f"There were too many failed attempts. Wait {waiting_time(seconds)}, then try again."
    return Next(row["page"], message, is_error=True, retry_after_s=seconds)


def fail(context: Context, row: sqlite3.Row, message: str) -> Next:
    """Count a failure and show the same page again. Writes."""
    passwords.note_failure(context, row["user_name"], row["client"])
    return Next(row["page"], message, is_error=True)


def finish(context: Context, row: sqlite3.Row, *, trust_browser: bool = False) -> Next:
    """End a sign-in with a portal session. Writes."""
    person = require_person(context, row)
    passwords.forget_failures(context, row["user_name"])
    context.connection.execute("DELETE FROM sign_in WHERE sign_in_hash = ?", (row["sign_in_hash"],))
    browser_token = None
    if trust_browser and prompts_by_context(context, person):
        browser_token = new_token()
        context.connection.execute(
            "INSERT INTO trusted_browser VALUES (?, ?, ?)",
            (_trust_hash(context, browser_token), person.user_id, context.now + TRUSTED_BROWSER_LIFETIME_S),
        )
    return Next(
        "signed-in", session_token=create_session(context, person), trusted_browser_token=browser_token
    )


def require_person(context: Context, row: sqlite3.Row) -> Person:
    """Return the user of a sign-in that is past the first proof."""
    person = person_of(context, row["user_id"] or "")
    if not person.is_enabled:
        raise Refusal("sign-in-expired", "This sign-in is over. Start again.")
    return person


def prompts_by_context(context: Context, person: Person) -> bool:
    """Tell whether a browser that is known need not prove a second time."""
    return bool(
        setting(context, person.instance_arn, "multi_factor_authentication")["prompt"] == "context-aware"
    )


def _trust_hash(context: Context, token: str) -> str:
    """Return what is kept of a trusted browser's token: it is worth nothing in another browser."""
    return digest(f"{token} {context.browser}")


def view(context: Context, row: sqlite3.Row) -> SignIn:
    """Return what a page may show."""
    if row["page"] not in ("mfa", "register-device", "email-otp"):
        return SignIn(row["page"], row["user_name"])
    person = require_person(context, row)
    kinds, names = tuple(allowed_kinds(context, person.instance_arn)), ()
    may_trust = prompts_by_context(context, person)
    if row["page"] == "email-otp":
        return SignIn(row["page"], row["user_name"], may_trust_browser=may_trust)
    if row["page"] == "mfa":
        devices = [device for device in list_devices(context, person.user_id) if device.kind in kinds]
        kinds = tuple(kind for kind in kinds if any(device.kind == kind for device in devices))
        return SignIn(
            row["page"], row["user_name"], kinds, tuple(device.name for device in devices), may_trust
        )
    return SignIn(row["page"], row["user_name"], kinds, names, may_trust)


# How people get their first password, or a new one: by a link, or from their administrator.

INVITATION_LIFETIME_S = 7 * 86_400.0
RESET_LIFETIME_S = 86_400.0  # UNCONFIRMED at AWS
LINK_PATH = "/start/invitation/"


@dataclass(frozen=True)
class Invitation:
    """A link that lets a user choose a password, once."""

    user_id: str
    user_name: str
    display_name: str
    kind: str
    expires_at: float


def invite(context: Context, user_id: str) -> Message:
    """Mail a user the link to choose the first password, and return the message. Writes.

    An earlier link of the user's no longer opens anything.
    """
    person = _require_reachable(person_of(context, user_id))
    if passwords.has_password(context, user_id):
        raise Refusal(
            "has-password",
            f"{person.user_name!r} has a password already; reset it if it is lost.",
        )
    text = (
        f"Hello {person.display_name},\n\nyour administrator has invited you to the access portal. "
        f"Accept the invitation within 7 days and choose a password. Your user name is {person.user_name}."
    )
    link = _make_link(context, person, "invitation", INVITATION_LIFETIME_S)
    return send(
        context, str(person.email), "invitation", "Invitation to join the practice portal", text, link=link
    )


def look_at_invitation(context: Context, token: str) -> Invitation:
    """Return what a link is for. Reads only: to load a page again uses nothing up."""
    row = context.connection.execute(
        "SELECT * FROM invitation WHERE token_hash = ?", (digest(token),)
    ).fetchone()
    _require_usable(context, row)
    person = person_of(context, row["user_id"])
    if not person.is_enabled:
        raise _disabled(person)
    return Invitation(
        person.user_id, person.user_name, person.display_name, row["kind"], float(row["expires_at"])
    )


def accept(context: Context, token: str, new_password: str) -> str:
    """Set the password that a user chose, use the link up, and return the user's id. Writes."""
    invitation = look_at_invitation(context, token)
    passwords.set_password(context, invitation.user_id, new_password)
    context.connection.execute(
        "UPDATE invitation SET used_at = ? WHERE token_hash = ?", (context.now, digest(token))
    )
    return invitation.user_id


def one_time_password(context: Context, user_id: str) -> str:
    """Return a password that the administrator sees once and passes on; the user must replace it. Writes."""
    person = person_of(context, user_id)
    if not person.is_enabled:
        raise _disabled(person)
    _drop_links(context, user_id)
    return passwords.make_one_time_password(context, user_id)


def reset_password(
    context: Context, user_id: str, delivery: Literal["email", "one-time-password"] = "email"
) -> str | None:
    """Make a user's password invalid, and return the one-time password that replaces it. Writes.

    With ``"email"`` a link is mailed instead, and None is returned. Sessions go on (UNCONFIRMED at AWS).
    """
    if delivery == "one-time-password":
        return one_time_password(context, user_id)
    if delivery != "email":
        raise Refusal(
            "unknown-delivery",
            f"The delivery {delivery!r} is not one; choose 'email' or 'one-time-password'.",
        )
    person = _require_reachable(person_of(context, user_id))
    passwords.forget_password(context, user_id)
    text = (
        f"Hello {person.display_name},\n\nyour administrator has reset your password. Choose a new one "
        f"within 24 hours. Your user name is {person.user_name}."
    )
    link = _make_link(context, person, "password-reset", RESET_LIFETIME_S)
    send(
        context,
        str(person.email),
        "password-reset",
        "Reset your password of the practice portal",
        text,
        link=link,
    )
    return None


def _make_link(context: Context, person: Person, kind: str, lifetime_s: float) -> str:
    _drop_links(context, person.user_id)
    token, now = new_token(), context.now
    context.connection.execute(
        "INSERT INTO invitation VALUES (?, ?, ?, ?, ?, NULL)",
        (digest(token), person.user_id, kind, now, now + lifetime_s),
    )
    return f"{LINK_PATH}{token}"


def _drop_links(context: Context, user_id: str) -> None:
    """Make the links of before useless; used ones stay, so that a second click reads "used"."""
    context.connection.execute("DELETE FROM invitation WHERE user_id = ? AND used_at IS NULL", (user_id,))


def _require_usable(context: Context, row: sqlite3.Row | None) -> None:
    if row is None:
        raise Refusal(
            "invitation-unknown",
            "This link opens nothing: it is incomplete, or a newer one has replaced it. "
            "Open the newest message in your mailbox, or ask your administrator for a new one.",
        )
    if row["used_at"] is not None:
        raise Refusal(
            "invitation-used",
            "This link has been used already. Sign in with the password that you chose then.",
        )
    if row["expires_at"] <= context.now:
        raise Refusal(
            "invitation-expired", "This link has expired. Ask your administrator to send a new one."
        )


def _require_reachable(person: Person) -> Person:
    if not person.is_enabled:
        raise _disabled(person)
    if person.email is None:
        raise Refusal(
            "no-email",
            f"{person.user_name!r} has no e-mail address. Add one, or give the user a one-time password.",
        )
    return person


def _disabled(person: Person) -> Refusal:
    return Refusal("user-disabled", f"The access of {person.user_name!r} is disabled; enable the user first.")


# Six digits by e-mail: for the first sign-in of a user without a password, and as a second proof.

EMAIL_CODE_LIFETIME_S = 10 * 60.0  # UNCONFIRMED at AWS
RESEND_AFTER_S = 30.0
SENT = "If the user name is right, a code is on its way to that user's mailbox. It is good for 10 minutes."
WRONG_CODE = "That code is wrong, used or expired. Check the newest message, or have another one sent."


def send_code(
    context: Context,
    row: sqlite3.Row,
    person: Person | None,
    *,
    kind: MessageKind,
    subject: str,
    purpose: str,
) -> str:
    """Mail a new code for a sign-in, and return what the page says; the earlier code is void. Writes.

    Nothing is mailed to nobody (`person` None, or without address), nor twice within 30 seconds; the page
    says the same for a name that nobody has.
    """
    sent_at = row["code_sent_at"]
    if sent_at is not None and 0 <= context.now - sent_at < RESEND_AFTER_S:
        wait = waiting_time(RESEND_AFTER_S - (context.now - sent_at))
        return f"A code was sent a moment ago. Wait {wait} before you ask for another one."
    code = new_code()
    is_known = person is not None and person.email is not None
    change(
        context,
        row,
        code_hash=digest(code) if is_known else None,
        code_expires_at=context.now + EMAIL_CODE_LIFETIME_S,
        code_sent_at=context.now,
    )
    if person is not None and person.email is not None:
        text = (
            f"Hello {person.display_name},\n\nuse this code within 10 minutes to {purpose}: {code}\n\n"
            "If this was not you, tell your administrator."
        )
        send(context, person.email, kind, subject, text)
    return SENT


def use_code(context: Context, row: sqlite3.Row, code: str) -> bool:
    """Tell whether a code is the one that was mailed last, and use it up. Writes."""
    is_fresh = row["code_expires_at"] is not None and row["code_expires_at"] > context.now
    fits = matches("".join(code.split()), row["code_hash"]) and is_fresh
    if fits:
        # The next code of this sign-in is another one, and need not wait.
        change(context, row, code_hash=None, code_sent_at=None)
    return fits


_WRONG_TOTP = "That code is wrong or was used already. Wait until your app shows the next one, and enter it."
_WRONG_DEVICE = "Your device could not be verified. Try again, or use another device."
_BLOCKED = "You need an MFA device to sign in, and have none. Ask your administrator to register one for you."
_NO_ADDRESS = "A code by e-mail is needed to sign in, and you have no e-mail address. Ask your administrator."


def ask_second_factor(context: Context, row: sqlite3.Row) -> Next:
    """Go on after the first proof, as the instance's settings say. Writes.

    A browser that is trusted passes with context-aware prompts, also where sign-in without a device is to be
    blocked: AWS documents that.
    """
    person = require_person(context, row)
    settings = setting(context, person.instance_arn, "multi_factor_authentication")
    is_known = settings["prompt"] == "context-aware" and _is_trusted(context, row, person)
    if settings["prompt"] == "never" or is_known:
        return finish(context, row)
    kinds = allowed_kinds(context, person.instance_arn)
    if any(device.kind in kinds for device in list_devices(context, person.user_id)):
        return turn_to(context, row, "mfa")
    match settings["user_without_device"]:
        case "require-registration":
            return turn_to(context, row, "register-device")
        case "require-email-otp":
            return _mail_code(context, row, person)
        case "block":
            return turn_to(context, row, "blocked", _BLOCKED, is_error=True)
        case _:
            return finish(context, row)


def submit_totp(context: Context, sign_in_id: str, code: str, *, trust_browser: bool = False) -> Next:
    """Check an app's code; each is good once. Writes."""
    row = load(context, sign_in_id, "mfa")
    if wait := wait_of(context, row):
        return wait
    person = _require_allowed(context, row, "totp")
    if not devices.verify_code(context, person.user_id, code):
        return fail(context, row, _WRONG_TOTP)
    return finish(context, row, trust_browser=trust_browser)


def webauthn_options(context: Context, sign_in_id: str, *, relying_party_id: str) -> str:
    """Return what ``navigator.credentials.get`` needs, JSON. Writes."""
    row = load(context, sign_in_id, "mfa")
    person = _require_allowed(context, row, "webauthn")
    return devices.authentication_options(context, person.user_id, relying_party_id=relying_party_id)


def submit_webauthn(
    context: Context,
    sign_in_id: str,
    credential_json: str,
    *,
    relying_party_id: str,
    origin: str,
    trust_browser: bool = False,
) -> Next:
    """Check what a device signed. Writes."""
    row = load(context, sign_in_id, "mfa")
    if wait := wait_of(context, row):
        return wait
    person = _require_allowed(context, row, "webauthn")
    if not devices.verify_answer(
        context, person.user_id, credential_json, relying_party_id=relying_party_id, origin=origin
    ):
        return fail(context, row, _WRONG_DEVICE)
    return finish(context, row, trust_browser=trust_browser)


def resend_email_code(context: Context, sign_in_id: str) -> Next:
    """Mail another code of the second proof. Writes."""
    row = load(context, sign_in_id, "email-otp")
    return _mail_code(context, row, require_person(context, row))


def submit_email_code(context: Context, sign_in_id: str, code: str, *, trust_browser: bool = False) -> Next:
    """Check the e-mailed code of the second proof. Writes."""
    row = load(context, sign_in_id, "email-otp")
    if wait := wait_of(context, row):
        return wait
    if not use_code(context, row, code):
        return fail(context, row, WRONG_CODE)
    return finish(context, row, trust_browser=trust_browser)


def begin_totp_registration(context: Context, sign_in_id: str) -> TotpRegistration:
    """Return the secret for an app; the same one until it is registered or ten minutes are over. Writes."""
    row = load(context, sign_in_id, "register-device")
    return devices.pending_registration(context, require_person(context, row).user_id)


def submit_totp_registration(
    context: Context, sign_in_id: str, code: str, *, name: str | None = None, trust_browser: bool = False
) -> Next:
    """Register an app during the sign-in, which ends with that. Writes."""
    row = load(context, sign_in_id, "register-device")
    person = require_person(context, row)
    try:
        devices.finish_app_registration(context, person.user_id, code, name)
    except Refusal as refusal:
        return Next("register-device", refusal.message, is_error=True)
    return finish(context, row, trust_browser=trust_browser)


def webauthn_registration_options(context: Context, sign_in_id: str, *, relying_party_id: str) -> str:
    """Return what ``navigator.credentials.create`` needs, JSON. Writes."""
    row = load(context, sign_in_id, "register-device")
    person = require_person(context, row)
    return devices.registration_options(context, person.user_id, relying_party_id=relying_party_id)


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
    """Register a security key or passkey during the sign-in, which ends with that. Writes."""
    row = load(context, sign_in_id, "register-device")
    user_id = require_person(context, row).user_id
    place = {"relying_party_id": relying_party_id, "origin": origin}
    try:
        devices.finish_registration(context, user_id, credential_json, name=name, **place)
    except Refusal as refusal:
        return Next("register-device", refusal.message, is_error=True)
    return finish(context, row, trust_browser=trust_browser)


def _mail_code(context: Context, row: sqlite3.Row, person: Person) -> Next:
    if person.email is None:
        return turn_to(context, row, "blocked", _NO_ADDRESS, is_error=True)
    message = send_code(
        context,
        row,
        person,
        kind="email-otp",
        subject="Your code for the practice portal",
        purpose="finish signing in",
    )
    return turn_to(context, row, "email-otp", message)


def _require_allowed(context: Context, row: sqlite3.Row, kind: str) -> Person:
    person = require_person(context, row)
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


# The sign-in: user name, password (or a mailed code the first time), new password, then the second proof.

WRONG_PASSWORD = "That user name and password do not go together. Check both, and try again."  # noqa: S105
_DISABLED = "Your access is disabled. Ask your administrator to enable it."
LONGEST_USER_NAME = 128


def begin(context: Context, *, client: str, browser_tokens: Sequence[str] = ()) -> str:
    """Start a sign-in at the page ``"user-name"``, and return its id, a secret for a cookie. Writes."""
    instance = portal_instance(context)
    require_own_directory(context, instance)
    sign_in_id = new_token()
    insert(context, sign_in_id, instance["instance_arn"], client, browser_tokens)
    return sign_in_id


def look(context: Context, sign_in_id: str) -> SignIn:
    """Return whose turn it is, and what that page may show. Reads only."""
    return view(context, load(context, sign_in_id))


def submit_user_name(context: Context, sign_in_id: str, user_name: str) -> Next:
    """Take the user name, and go on to ``"password"`` or ``"first-one-time-password"``. Writes.

    The latter is for a user without a password, with an address, when *Send email OTP* is on: the code is
    mailed now. The name may be given again on those pages.
    """
    row = load(context, sign_in_id, "user-name", "password", "first-one-time-password")
    typed = clean_text(user_name, LONGEST_USER_NAME + 1)
    if not typed:
        return turn_to(context, row, "user-name", "Enter your user name.", is_error=True)
    person = find_person(context, typed)
    row = change(
        context,
        row,
        user_name=typed[:LONGEST_USER_NAME],
        user_id=person.user_id if person else None,
        code_hash=None,
        code_sent_at=None,
    )
    if not _starts_with_mailed_code(context, row, person):
        return turn_to(context, row, "password")
    return _mail_first_code(context, row, person)


def submit_password(context: Context, sign_in_id: str, password: str) -> Next:
    """Check the password; the right one leads on, a one-time password to ``"new-password"``. Writes."""
    row = load(context, sign_in_id, "password")
    if wait := wait_of(context, row):
        return wait
    if not passwords.verify_password(context, row["user_id"], password):
        return fail(context, row, WRONG_PASSWORD)
    person = person_of(context, row["user_id"])
    if not person.is_enabled:
        after = turn_to(context, row, "blocked", _DISABLED, is_error=True)
    elif passwords.must_change(context, person.user_id):
        after = turn_to(context, row, "new-password")
    else:
        after = ask_second_factor(context, row)
    return renew(context, after, sign_in_id)


def submit_one_time_password(context: Context, sign_in_id: str, code: str) -> Next:
    """Check the code that was mailed at a first sign-in; it leads to ``"new-password"``. Writes."""
    row = load(context, sign_in_id, "first-one-time-password")
    if wait := wait_of(context, row):
        return wait
    if not use_code(context, row, code) or row["user_id"] is None:
        return fail(context, row, WRONG_CODE)
    return renew(context, turn_to(context, row, "new-password"), sign_in_id)


def resend_one_time_password(context: Context, sign_in_id: str) -> Next:
    """Mail another code of a first sign-in; the earlier one is void. Writes."""
    row = load(context, sign_in_id, "first-one-time-password")
    return _mail_first_code(context, row, find_person(context, row["user_name"]))


def submit_new_password(context: Context, sign_in_id: str, new_password: str) -> Next:
    """Set the password that the user chose, and go on to the second proof. Writes."""
    row = load(context, sign_in_id, "new-password")
    person = require_person(context, row)
    try:
        passwords.set_password(context, person.user_id, new_password)
    except Refusal as refusal:
        return Next("new-password", refusal.message, is_error=True)
    return renew(context, ask_second_factor(context, row), sign_in_id)


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
    message = send_code(
        context,
        row,
        person,
        kind="one-time-password",
        subject="Your one-time password for the practice portal",
        purpose="sign in for the first time and choose a password",
    )
    return turn_to(context, row, "first-one-time-password", message)
