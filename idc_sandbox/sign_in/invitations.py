"""How people get their first password, or a new one: by a link, or from their administrator.

Sources: https://docs.aws.amazon.com/singlesignon/latest/userguide/addusers.html,
https://docs.aws.amazon.com/singlesignon/latest/userguide/reset-password-for-user.html
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Literal

from idc_sandbox.context import Context
from idc_sandbox.sign_in import passwords
from idc_sandbox.sign_in.mailbox import Message, send
from idc_sandbox.sign_in.people import Person, person_of
from idc_sandbox.sign_in.refusals import Refusal
from idc_sandbox.sign_in.tokens import digest, new_token

INVITATION_LIFETIME_S = 7 * 86_400.0
RESET_LIFETIME_S = 86_400.0  # UNCONFIRMED at AWS
LINK_PATH = "/start/invitation/"


@dataclass(frozen=True)
class Invitation:
    """A link that lets a user choose a password, once.

    Attributes
    ----------
    kind
        ``"invitation"`` or ``"password-reset"``.
    expires_at
        Epoch seconds of the sandbox's clock.
    """

    user_id: str
    user_name: str
    display_name: str
    kind: str
    expires_at: float


def invite(context: Context, user_id: str) -> Message:
    """Mail a user the link to choose the first password, and return the message. Writes.

    An earlier link of the user's no longer opens anything.

    Raises
    ------
    Refusal
        ``unknown-user``, ``user-disabled``, ``no-email``, and ``has-password`` for a user who has one.
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
    """Return what a link is for. Reads only: to load a page again uses nothing up.

    Raises
    ------
    Refusal
        ``invitation-unknown``, ``invitation-used``, ``invitation-expired``, ``user-disabled``.
    """
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
    """Set the password that a user chose, use the link up, and return the user's id. Writes.

    Raises
    ------
    Refusal
        As `look_at_invitation` and `passwords.set_password`; the link stays usable when the password is no
        good.
    """
    invitation = look_at_invitation(context, token)
    passwords.set_password(context, invitation.user_id, new_password)
    context.connection.execute(
        "UPDATE invitation SET used_at = ? WHERE token_hash = ?", (context.now, digest(token))
    )
    return invitation.user_id


def one_time_password(context: Context, user_id: str) -> str:
    """Return a password that the administrator sees once and passes on; the user must replace it. Writes.

    Raises
    ------
    Refusal
        ``unknown-user``, ``user-disabled``.
    """
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

    Raises
    ------
    Refusal
        ``unknown-user``, ``user-disabled``, ``no-email``, and ``unknown-delivery``.
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
