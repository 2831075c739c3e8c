"""Six digits by e-mail: for the first sign-in of a user without a password, and as a second proof.

Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/userswithoutpwd.html
"""

from __future__ import annotations

import sqlite3

from idc_sandbox.context import Context
from idc_sandbox.sign_in import flow_state
from idc_sandbox.sign_in.mailbox import MessageKind, send
from idc_sandbox.sign_in.people import Person
from idc_sandbox.sign_in.refusals import waiting_time
from idc_sandbox.sign_in.tokens import digest, matches, new_code

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
    flow_state.change(
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
        flow_state.change(context, row, code_hash=None, code_sent_at=None)
    return fits
