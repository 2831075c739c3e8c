"""One sign-in on its way through the pages, as it is kept between two of them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from idc_sandbox.context import Context
from idc_sandbox.sign_in import throttling
from idc_sandbox.sign_in.devices import allowed_kinds, list_devices
from idc_sandbox.sign_in.people import Person, person_of, setting
from idc_sandbox.sign_in.portal_sessions import create_session
from idc_sandbox.sign_in.refusals import Refusal, waiting_time
from idc_sandbox.sign_in.room import make_room
from idc_sandbox.sign_in.tokens import digest, new_token

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
    """What the person sees next.

    Attributes
    ----------
    page
        The page to show: the same one again after a mistake.
    message
        For the person; empty when there is nothing to say. It never tells whether a user exists.
    is_error
        Whether the message says that something went wrong.
    sign_in_id
        After a proof was given: the id under which the sign-in goes on. The one from before may be known to
        somebody who planted it in the person's browser; it has no part in what was proved.
    session_token
        With ``"signed-in"``: for the portal's cookie.
    trusted_browser_token
        With ``"signed-in"``, when the browser is to be trusted: one more for that cookie.
    retry_after_s
        Seconds until another try is looked at; 0 when there is no wait.
    """

    page: PageName
    message: str = ""
    is_error: bool = False
    sign_in_id: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    trusted_browser_token: str | None = field(default=None, repr=False)
    retry_after_s: float = 0.0


@dataclass(frozen=True)
class SignIn:
    """What a page may show of a sign-in.

    Attributes
    ----------
    user_name
        As it was typed.
    device_kinds
        On ``"mfa"`` the kinds of device that the user can choose among, on ``"register-device"`` those that
        may be registered: of ``"totp"`` and ``"webauthn"``. Empty on other pages.
    device_names
        On ``"mfa"``: the names of these devices.
    may_trust_browser
        Whether "This is a trusted device" is worth asking: with context-aware prompts.
    """

    page: PageName
    user_name: str
    device_kinds: tuple[str, ...] = ()
    device_names: tuple[str, ...] = ()
    may_trust_browser: bool = False


def load(context: Context, sign_in_id: str, *pages: PageName) -> sqlite3.Row:
    """Return a sign-in that goes on; with `pages`, only when one of them is its turn.

    Raises
    ------
    Refusal
        ``sign-in-expired`` for one that is unknown, another browser's, over or older than 15 minutes,
        ``wrong-page`` for an answer to another page than the one whose turn it is.
    """
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
    seconds = throttling.waiting_s(context, row["user_name"], row["client"])
    if seconds <= 0:
        return None
    message = f"There were too many failed attempts. Wait {waiting_time(seconds)}, then try again."
    return Next(row["page"], message, is_error=True, retry_after_s=seconds)


def fail(context: Context, row: sqlite3.Row, message: str) -> Next:
    """Count a failure and show the same page again. Writes."""
    throttling.note_failure(context, row["user_name"], row["client"])
    return Next(row["page"], message, is_error=True)


def finish(context: Context, row: sqlite3.Row, *, trust_browser: bool = False) -> Next:
    """End a sign-in with a portal session. Writes."""
    person = require_person(context, row)
    throttling.forget_failures(context, row["user_name"])
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
    """Return the user of a sign-in that is past the first proof.

    Raises
    ------
    Refusal
        ``sign-in-expired`` when the user was disabled meanwhile.
    """
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
