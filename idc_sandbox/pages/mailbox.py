"""The practice users' mail, for who holds a link from the sandbox's owner; others on the machine do not."""

from __future__ import annotations

from starlette.responses import Response

from idc_sandbox.pages.answers import closed, problem, redirect, render, set_cookie
from idc_sandbox.pages.one_time_links import EVERY_ADDRESS
from idc_sandbox.pages.seals import COOKIE_LIFETIME_S
from idc_sandbox.pages.visits import MAILBOX_COOKIE, Visit
from idc_sandbox.sign_in import mailbox
from idc_sandbox.sign_in.mailbox import Message

_MAILBOX_PATH = "/start/mailbox"
_MOST_MAILBOXES = 20


def show_mailbox(visit: Visit) -> Response:
    """Show the messages that this browser may read, newest first; ``key`` opens a mailbox."""
    if "key" in visit.query:
        return _open_mailbox(visit)
    if not visit.mailboxes:
        return _closed(visit)
    wanted = visit.query.get("address")
    with visit.open() as context:
        addresses = [one for one in mailbox.list_addresses(context) if visit.may_read_mail_of(one)]
        messages = [
            message
            for message in mailbox.list_messages(context, wanted)
            if visit.may_read_mail_of(message.to_address)
        ]
    own = [one for one in visit.mailboxes if one != EVERY_ADDRESS]
    return render(
        visit, "mailbox.html", messages=messages, addresses=addresses or own, wanted=wanted or "", own=own
    )


def show_message(visit: Visit) -> Response:
    """Show one message."""
    if not visit.mailboxes:
        return _closed(visit)
    with visit.open() as context:
        message: Message | None = mailbox.find_message(context, visit.parameters["message_id"])
    if message is None or not visit.may_read_mail_of(message.to_address):
        return problem(
            visit,
            "No such message",
            "There is no such message in a mailbox that this browser may read.",
            status=404,
            next_path=_MAILBOX_PATH,
            next_label="Go to the mailbox",
        )
    return render(visit, "message.html", message=message)


def _open_mailbox(visit: Visit) -> Response:
    address = visit.redeem("mailbox")
    if address is None:
        # Who opened it with this link before, and follows it again, is not sent away.
        return redirect(visit, _MAILBOX_PATH) if visit.mailboxes else _closed(visit)
    others = [one for one in visit.mailboxes if one != address]
    opened = [*others[1 - _MOST_MAILBOXES :], address]
    answer = redirect(visit, _MAILBOX_PATH)
    if not visit.is_owners:
        sealed = visit.seal("mailbox-cookie", opened)
        set_cookie(answer, visit, MAILBOX_COOKIE, sealed, max_age_s=COOKIE_LIFETIME_S)
    return answer


def _closed(visit: Visit) -> Response:
    return closed(visit, "This mailbox is closed", "Mailboxes open")
