"""The practice users' mail: nothing leaves the sandbox."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from typing import Literal

from idc_sandbox.api.identity_store.profiles import folded
from idc_sandbox.context import Context
from idc_sandbox.sign_in.room import make_room

MessageKind = Literal["invitation", "password-reset", "one-time-password", "email-otp"]


@dataclass(frozen=True)
class Message:
    """One message.

    Attributes
    ----------
    kind
        ``"invitation"`` and ``"password-reset"`` have a link; ``"one-time-password"`` (the first sign-in of a
        user without a password) and ``"email-otp"`` (the second proof) have six digits in the text.
    link
        A path of the pages, such as ``"/start/invitation/TOKEN"``, or None.
    sent_at
        Epoch seconds of the sandbox's clock.
    """

    message_id: str
    to_address: str
    kind: str
    subject: str
    text: str = field(repr=False)
    link: str | None = field(repr=False)
    sent_at: float


def send(
    context: Context, to_address: str, kind: MessageKind, subject: str, text: str, *, link: str | None = None
) -> Message:
    """Put a message into a mailbox, and return it. Writes."""
    message = Message(context.ids.uuid("message"), to_address, kind, subject, text, link, context.now)
    context.connection.execute(
        "INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (message.message_id, to_address, folded(to_address), kind, subject, text, link, message.sent_at),
    )
    make_room(context, "message")
    return message


def list_messages(context: Context, address: str | None = None) -> list[Message]:
    """Return the messages to an address, or all of them, newest first."""
    rows = context.connection.execute(
        "SELECT * FROM message WHERE ?1 IS NULL OR to_address_folded = ?1 ORDER BY rowid DESC",
        (None if address is None else folded(address),),
    ).fetchall()
    return [_message(row) for row in rows]


def find_message(context: Context, message_id: str) -> Message | None:
    """Return a message by id, or None."""
    row = context.connection.execute("SELECT * FROM message WHERE message_id = ?", (message_id,)).fetchone()
    return None if row is None else _message(row)


def list_addresses(context: Context) -> list[str]:
    """Return the addresses that have got mail, sorted."""
    rows = context.connection.execute(
        "SELECT min(to_address) FROM message GROUP BY to_address_folded ORDER BY to_address_folded"
    )
    return [str(row[0]) for row in rows.fetchall()]


def _message(row: sqlite3.Row) -> Message:
    return Message(
        message_id=row["message_id"],
        to_address=row["to_address"],
        kind=row["kind"],
        subject=row["subject"],
        text=row["text"],
        link=row["link"],
        sent_at=row["sent_at"],
    )
