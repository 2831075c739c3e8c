"""The sign-in, step by step: its state, the second factor, codes by e-mail, and its events in the trail."""

# Sources: https://docs.aws.amazon.com/singlesignon/latest/userguide/mfa-getting-started.html,
# https://docs.aws.amazon.com/singlesignon/latest/userguide/how-to-configure-mfa-device-enforcement.html

from __future__ import annotations

import hashlib
import json
import sqlite3
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from idc_sandbox.context import Context
from idc_sandbox.sign_in import devices, invitations, passwords
from idc_sandbox.sign_in.people import (
    FormFields,
    MessageKind,
    Person,
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
    refuse,
    require_own_directory,
    send,
    setting,
    start_urls,
    waiting_time,
)
from idc_sandbox.trail.people import record_authentication, record_challenge, record_verification

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
LONGEST_USER_NAME = 128


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


def begin(context: Context, *, client: str, browser_tokens: Sequence[str] = ()) -> str:
    """Start a sign-in at the page ``"user-name"``, and return its id, a secret for a cookie. Writes."""
    instance = portal_instance(context)
    require_own_directory(context, instance["instance_arn"])
    sign_in_id = new_token()
    context.execute("DELETE FROM sign_in WHERE expires_at <= ?", context.now)
    context.insert(
        "sign_in",
        sign_in_hash=digest(sign_in_id),
        instance_arn=instance["instance_arn"],
        page="user-name",
        client=client[:256],
        browser_hash=digest(context.browser),
        browser_hashes_json=json.dumps([_trust_hash(context, token) for token in browser_tokens[:10]]),
        expires_at=context.now + SIGN_IN_LIFETIME_S,
        workflow_json=json.dumps({"id": str(uuid.uuid4()), "proved": []}),
    )
    make_room(context, "sign_in")
    return sign_in_id


def load(context: Context, sign_in_id: str, *pages: PageName) -> sqlite3.Row:
    """Return a sign-in that goes on; with `pages`, only when one of them is its turn."""
    key = {"sign_in_hash": digest(sign_in_id), "browser_hash": digest(context.browser)}
    row = context.find_live("sign_in", **key)
    if row is None:
        raise refuse("sign-in-expired")
    require_own_directory(context, row["instance_arn"])  # it may have changed since the sign-in began
    if pages and row["page"] not in pages:
        raise refuse("wrong-page")
    return row


def person_at(context: Context, sign_in_id: str, page: PageName) -> Person:
    """Return who is at a page behind the first proof."""
    return _require_person(context, load(context, sign_in_id, page))


def look(context: Context, sign_in_id: str) -> SignIn:
    """Return whose turn it is, and what that page may show. Reads only."""
    row = load(context, sign_in_id)
    seen = SignIn(row["page"], row["user_name"])
    if seen.page not in ("mfa", "register-device", "email-otp"):
        return seen
    person = _require_person(context, row)
    seen = replace(seen, may_trust_browser=_prompts_by_context(context, person))
    kinds = devices.allowed_kinds(context, person.instance_arn)
    if seen.page == "register-device":
        return replace(seen, device_kinds=tuple(kinds))
    if seen.page == "mfa":
        usable = [one for one in devices.list_devices(context, person.user_id) if one.kind in kinds]
        kinds = [kind for kind in kinds if any(one.kind == kind for one in usable)]
        names = tuple(one.name for one in usable)
        return replace(seen, device_kinds=tuple(kinds), device_names=names)
    return seen


def take(context: Context, sign_in_id: str, step: str, form: FormFields) -> Next:
    """Take what a person typed into the form of a step, and return what they see next. Writes."""
    wanted = STEPS[step]
    row = load(context, sign_in_id, *wanted.pages)
    if wanted.is_right is not None:
        if (seconds := passwords.waiting_s(context, row["user_name"], row["client"])) > 0:
            message = f"There were too many failed attempts. Wait {waiting_time(seconds)}, then try again."
            return Next(row["page"], message, is_error=True, retry_after_s=seconds)
        is_right = wanted.is_right(context, row, form)
        row = note_proof(context, row, step, is_right=is_right)
        if not is_right:
            passwords.note_failure(context, row["user_name"], row["client"])
            return Next(row["page"], wanted.wrong, is_error=True)
    after = wanted.then(context, row, form)
    note_page(context, row, step, after.page)
    return _renew(context, row, after) if wanted.renews else after


def _renew(context: Context, row: sqlite3.Row, after: Next) -> Next:
    """Give a sign-in in which something was proved a new id; the one from before opens nothing. Writes."""
    if after.page == "signed-in":
        return after
    new_id = new_token()
    context.update("sign_in", row, sign_in_hash=digest(new_id))
    return replace(after, sign_in_id=new_id)


def _turn_to(
    context: Context, row: sqlite3.Row, page: PageName, message: str = "", *, is_error: bool = False
) -> Next:
    """Make another page the sign-in's turn. Writes."""
    context.update("sign_in", row, page=page)
    return Next(page, message, is_error)


def _finish(context: Context, row: sqlite3.Row, form: FormFields) -> Next:
    """End a sign-in with a portal session. Writes."""
    person = _require_person(context, row)
    passwords.forget_failures(context, row["user_name"])
    context.delete("sign_in", sign_in_hash=row["sign_in_hash"])
    browser_token = None
    if form.get("trust_browser") == "yes" and _prompts_by_context(context, person):
        browser_token = new_token()
        context.insert(
            "trusted_browser",
            token_hash=_trust_hash(context, browser_token),
            user_id=person.user_id,
            expires_at=context.now + TRUSTED_BROWSER_LIFETIME_S,
        )
    return Next(
        "signed-in", session_token=create_session(context, person), trusted_browser_token=browser_token
    )


def _require_person(context: Context, row: sqlite3.Row) -> Person:
    """Return the user of a sign-in that is past the first proof."""
    person = person_of(context, row["user_id"] or "")
    if not person.is_enabled:
        raise refuse("sign-in-expired/disabled")
    return person


def _prompts_by_context(context: Context, person: Person) -> bool:
    """Tell whether a browser that is known need not prove a second time."""
    return bool(
        setting(context, person.instance_arn, "multi_factor_authentication")["prompt"] == "context-aware"
    )


def _trust_hash(context: Context, token: str) -> str:
    """Return what is kept of a trusted browser's token: it is worth nothing in another browser."""
    return digest(f"{token} {context.browser}")


# Six digits by e-mail: for the first sign-in of a user without a password, and as a second proof.

EMAIL_CODE_LIFETIME_S = 10 * 60.0  # UNCONFIRMED at AWS
RESEND_AFTER_S = 30.0
SENT = "If the user name is right, a code is on its way to that user's mailbox. It is good for 10 minutes."
WRONG_CODE = "That code is wrong, used or expired. Check the newest message, or have another one sent."
_KIND_OF_PAGE: dict[PageName, MessageKind] = {
    "first-one-time-password": "one-time-password",
    "email-otp": "email-otp",
}


def _send_code(context: Context, row: sqlite3.Row, page: PageName, person: Person | None) -> Next:
    """Turn to a page and mail its code; the page says the same where there is nobody to mail to. Writes."""
    sent_at = row["code_sent_at"]
    if sent_at is not None and 0 <= context.now - sent_at < RESEND_AFTER_S:
        wait = waiting_time(RESEND_AFTER_S - (context.now - sent_at))
        message = f"A code was sent a moment ago. Wait {wait} before you ask for another one."
        return _turn_to(context, row, page, message)
    code, code_hash, now = new_code(), None, context.now
    if person is not None and person.email is not None:
        send(context, person, _KIND_OF_PAGE[page], code=code)
        code_hash = digest(code)
    context.update(
        "sign_in",
        row,
        code_hash=code_hash,
        code_expires_at=now + EMAIL_CODE_LIFETIME_S,
        code_sent_at=now,
    )
    return _turn_to(context, row, page, SENT)


def _send_another_code(context: Context, row: sqlite3.Row, _form: FormFields) -> Next:
    if row["page"] == "email-otp":
        return _mail_second_proof(context, row, _require_person(context, row))
    # The name may be another user's by now: what is mailed to them must not open this one's sign-in.
    person = find_person(context, row["user_name"])
    is_theirs = person is not None and person.user_id == row["user_id"]
    is_theirs = is_theirs and _starts_with_mailed_code(context, row, person)
    return _send_code(context, row, row["page"], person if is_theirs else None)


def _is_mailed_code(context: Context, row: sqlite3.Row, form: FormFields) -> bool:
    """Tell whether a code is the one that was mailed last, and use it up. Writes."""
    is_fresh = row["code_expires_at"] is not None and row["code_expires_at"] > context.now
    fits = matches("".join(form.get("code", "").split()), row["code_hash"]) and is_fresh
    if fits:
        # The next code of this sign-in is another one, and need not wait.
        context.update("sign_in", row, code_hash=None, code_sent_at=None)
    return fits and row["user_id"] is not None


# The second proof: what the instance's settings ask for after the first.

_WRONG_TOTP = "That code is wrong or was used already. Wait until your app shows the next one, and enter it."
_WRONG_DEVICE = "Your device could not be verified. Try again, or use another device."
_BLOCKED = "You need an MFA device to sign in, and have none. Ask your administrator to register one for you."
_NO_ADDRESS = "A code by e-mail is needed to sign in, and you have no e-mail address. Ask your administrator."


def _ask_second_factor(context: Context, row: sqlite3.Row) -> Next:
    """Go on after the first proof, as the instance's settings say. Writes."""
    person = _require_person(context, row)
    settings = setting(context, person.instance_arn, "multi_factor_authentication")
    # AWS documents that a trusted browser passes where sign-in without a device is to be blocked, too.
    is_known = settings["prompt"] == "context-aware" and _is_trusted(context, row, person)
    if settings["prompt"] == "never" or is_known:
        return _finish(context, row, {})  # for the first proof alone no browser becomes a trusted one
    kinds = devices.allowed_kinds(context, person.instance_arn)
    if any(device.kind in kinds for device in devices.list_devices(context, person.user_id)):
        return _turn_to(context, row, "mfa")
    match settings["user_without_device"]:
        case "require-registration":
            return _turn_to(context, row, "register-device")
        case "require-email-otp":
            return _mail_second_proof(context, row, person)
        case "block":
            return _turn_to(context, row, "blocked", _BLOCKED, is_error=True)
        case _:
            return _finish(context, row, {})


def _mail_second_proof(context: Context, row: sqlite3.Row, person: Person) -> Next:
    if person.email is None:
        return _turn_to(context, row, "blocked", _NO_ADDRESS, is_error=True)
    return _send_code(context, row, "email-otp", person)


def _is_totp(context: Context, row: sqlite3.Row, form: FormFields) -> bool:
    person = _require_allowed(context, row, "totp")
    return devices.verify_code(context, person.user_id, form.get("code", ""))


def _is_devices_answer(context: Context, row: sqlite3.Row, form: FormFields) -> bool:
    person = _require_allowed(context, row, "webauthn")
    return devices.verify_answer(context, person.user_id, form.get("credential", ""))


def _register(kind: str) -> _Take:
    """Return what registers a device during the sign-in, which ends with that. Writes."""

    def register(context: Context, row: sqlite3.Row, form: FormFields) -> Next:
        devices.register_device(context, _require_person(context, row).user_id, kind, form)
        return _finish(context, row, form)

    return register


def _require_allowed(context: Context, row: sqlite3.Row, kind: str) -> Person:
    person = _require_person(context, row)
    if kind not in devices.allowed_kinds(context, person.instance_arn):
        raise refuse("device-type-not-allowed")
    return person


def _is_trusted(context: Context, row: sqlite3.Row, person: Person) -> bool:
    known = context.rows(
        "SELECT token_hash FROM trusted_browser WHERE user_id = ? AND expires_at > ?",
        person.user_id,
        context.now,
    )
    return bool({token_hash for (token_hash,) in known} & set(json.loads(row["browser_hashes_json"])))


# The first proof: user name, password (or a mailed code the first time), new password.

WRONG_PASSWORD = "That user name and password do not go together. Check both, and try again."  # noqa: S105
_DISABLED = "Your access is disabled. Ask your administrator to enable it."


def _take_user_name(context: Context, row: sqlite3.Row, form: FormFields) -> Next:
    """Go on to the password, or to a code that is mailed now; the name may be given again there. Writes."""
    typed = clean_text(form.get("user_name", ""), LONGEST_USER_NAME + 1)
    if not typed:
        return _turn_to(context, row, "user-name", "Enter your user name.", is_error=True)
    person = find_person(context, typed)
    user_name, user_id = typed[:LONGEST_USER_NAME], person.user_id if person else None
    context.update("sign_in", row, user_name=user_name, user_id=user_id, code_hash=None, code_sent_at=None)
    row = context.find_all("sign_in", sign_in_hash=row["sign_in_hash"])[0]
    if not _starts_with_mailed_code(context, row, person):
        return _turn_to(context, row, "password")
    return _send_code(context, row, "first-one-time-password", person)


def _is_password(context: Context, row: sqlite3.Row, form: FormFields) -> bool:
    return passwords.verify_password(context, row["user_id"], form.get("password", ""))


def _after_password(context: Context, row: sqlite3.Row, _form: FormFields) -> Next:
    person = person_of(context, row["user_id"])
    if not person.is_enabled:
        return _turn_to(context, row, "blocked", _DISABLED, is_error=True)
    if passwords.must_change(context, person.user_id):
        return _turn_to(context, row, "new-password")
    return _ask_second_factor(context, row)


def _ask_new_password(context: Context, row: sqlite3.Row, _form: FormFields) -> Next:
    return _turn_to(context, row, "new-password")


def _take_new_password(context: Context, row: sqlite3.Row, form: FormFields) -> Next:
    person = _require_person(context, row)
    passwords.set_password(context, person.user_id, passwords.chosen_password(form))
    invitations.drop_links(context, person.user_id)  # a mail from before must not set another one
    return _ask_second_factor(context, row)


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


_Take = Callable[[Context, sqlite3.Row, FormFields], Next]


@dataclass(frozen=True)
class _Step:
    """At which pages an answer is taken, and what comes of it."""

    pages: tuple[PageName, ...]
    then: _Take
    # A guess: failures are counted, and slow the next ones down.
    is_right: Callable[[Context, sqlite3.Row, FormFields], bool] | None = None
    wrong: str = ""
    renews: bool = False


STEPS: dict[str, _Step] = {
    "user-name": _Step(("user-name", "password", "first-one-time-password"), _take_user_name),
    "password": _Step(("password",), _after_password, _is_password, WRONG_PASSWORD, renews=True),
    "one-time-password": _Step(
        ("first-one-time-password",), _ask_new_password, _is_mailed_code, WRONG_CODE, renews=True
    ),
    "resend-one-time-password": _Step(("first-one-time-password",), _send_another_code),
    "new-password": _Step(("new-password",), _take_new_password, renews=True),
    "totp": _Step(("mfa",), _finish, _is_totp, _WRONG_TOTP),
    "webauthn": _Step(("mfa",), _finish, _is_devices_answer, _WRONG_DEVICE),
    "email-code": _Step(("email-otp",), _finish, _is_mailed_code, WRONG_CODE),
    "resend-email-code": _Step(("email-otp",), _send_another_code),
    "register-totp": _Step(("register-device",), _register("totp")),
    "register-webauthn": _Step(("register-device",), _register("webauthn")),
}


# What each step proves, and what each page asks for, in the trail's words.
_PROOF_OF_STEP = {
    "password": "PASSWORD",
    "one-time-password": "EMAIL_OTP",
    "totp": "TOTP",
    "webauthn": "WEBAUTHN",
    "email-code": "EMAIL_OTP",
}
_ASKED_ON_PAGE = {"password": "PASSWORD", "first-one-time-password": "EMAIL_OTP", "email-otp": "EMAIL_OTP"}
_STEPS_THAT_REGISTER = ("register-totp", "register-webauthn")


def note_proof(context: Context, row: sqlite3.Row, step: str, *, is_right: bool) -> sqlite3.Row:
    """Add whether what somebody typed was right, and return the sign-in with what is proved. Writes."""
    workflow = _workflow(row)
    record_verification(context, workflow["id"], _PROOF_OF_STEP[step], row["user_id"], is_right=is_right)
    if is_right:
        workflow["proved"].append(_PROOF_OF_STEP[step])
        context.update("sign_in", row, workflow_json=json.dumps(workflow))
        (row,) = context.find_all("sign_in", sign_in_hash=row["sign_in_hash"])
    return row


def note_page(context: Context, row: sqlite3.Row, step: str, page: str) -> None:
    """Add what the page asks for to which a step has led, or that the person is signed in. Writes."""
    workflow = _workflow(row)
    if page == "signed-in":
        more = {"LoginTo": start_urls(context)[0]}
        if step in _STEPS_THAT_REGISTER:
            more["DeviceEnrollmentRequired"] = "true"
        record_authentication(context, workflow["id"], ",".join(workflow["proved"]), row["user_id"], more)
        return
    kinds = [_ASKED_ON_PAGE[page]] if page in _ASKED_ON_PAGE else []
    user_id = row["user_id"]
    if page == "mfa":
        usable = devices.allowed_kinds(context, person_of(context, user_id).instance_arn)
        owned = {one.kind for one in devices.list_devices(context, user_id)}
        kinds = [kind.upper() for kind in usable if kind in owned]
    is_first = not workflow["proved"]
    if is_first:  # the step has just looked whose name it is
        (row,) = context.find_all("sign_in", sign_in_hash=row["sign_in_hash"])
        user_id = row["user_id"]
    name = person_of(context, user_id).user_name if user_id else None
    for kind in kinds:
        record_challenge(context, workflow["id"], kind, user_name=name, is_first=is_first)


def _workflow(row: sqlite3.Row) -> dict[str, Any]:
    kept: dict[str, Any] = json.loads(row["workflow_json"])
    return {"id": "", "proved": [], **kept}  # of a sign-in that began before there was a trail
