"""Mailed links: they prove an e-mail address, or lead to a password; or an administrator resets it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from idc_sandbox.api.identity_store.profiles import folded
from idc_sandbox.context import Context
from idc_sandbox.sign_in import passwords
from idc_sandbox.sign_in.people import (
    Message,
    MessageKind,
    Person,
    digest,
    new_token,
    person_of,
    refuse,
    require_enabled,
    require_own_passwords,
    require_reachable,
    send,
)

# Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/users.html


LINK_LIFETIME_S = 7 * 86_400.0
_LINK_PATH = "/start/verify-email/"


def is_verified(context: Context, user_id: str) -> bool:
    """Tell whether the address that a user has now was verified."""
    email = person_of(context, user_id).email
    row = context.find("email_verification", user_id=user_id)
    return row is not None and row["verified_at"] is not None and row["email_folded"] == folded(email or "")


def send_link(context: Context, user_id: str) -> Message:
    """Mail a user the link that verifies the address; an earlier one opens nothing any more. Writes."""
    person = require_reachable(person_of(context, user_id))
    if is_verified(context, user_id):
        raise refuse("email-verified", user_name=person.user_name)
    token = new_token()
    _keep(context, person, token_hash=digest(token), expires_at=context.now + LINK_LIFETIME_S)
    return send(context, person, "email-verification", link=f"{_LINK_PATH}{token}")


def person_of_link(context: Context, token: str) -> Person:
    """Return whose address a link verifies. Reads only."""
    row = context.find("email_verification", token_hash=digest(token))
    person = None if row is None else person_of(context, row["user_id"])
    if row is None or person is None or row["email_folded"] != folded(person.email or ""):
        raise refuse("verification-unknown")
    if row["expires_at"] <= context.now:
        raise refuse("verification-expired")
    return person


def verify(context: Context, token: str) -> None:
    """Keep that a link was followed, and use it up. Writes."""
    person = person_of_link(context, token)
    mark_verified(context, person, folded(person.email or ""))


def mark_verified(context: Context, person: Person, mailed_to: str | None) -> None:
    """Keep that a user's address is theirs, if it is still the one to which a link was mailed. Writes."""
    if person.email is not None and folded(person.email) == mailed_to:
        _keep(context, person, token_hash=None, expires_at=context.now, verified_at=context.now)


def _keep(
    context: Context,
    person: Person,
    *,
    token_hash: str | None,
    expires_at: float,
    verified_at: float | None = None,
) -> None:
    context.replace(
        "email_verification",
        user_id=person.user_id,
        email_folded=folded(person.email or ""),
        token_hash=token_hash,
        created_at=context.now,
        expires_at=expires_at,
        verified_at=verified_at,
    )


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
    mailed_to: str | None


def invite(context: Context, user_id: str) -> Message:
    """Mail a user the link to choose the first password, and return the message. Writes."""
    person = require_reachable(person_of(context, user_id))
    require_own_passwords(context, person.instance_arn)
    if passwords.has_password(context, user_id):
        raise refuse("has-password", user_name=person.user_name)
    return _mail_link(context, person, "invitation", INVITATION_LIFETIME_S)


def look_at_invitation(context: Context, token: str) -> Invitation:
    """Return what a link is for. Reads only: to load a page again uses nothing up."""
    row = context.find("invitation", token_hash=digest(token))
    if row is None:
        raise refuse("invitation-unknown")
    if row["used_at"] is not None:
        raise refuse("invitation-used")
    if row["expires_at"] <= context.now:
        raise refuse("invitation-expired")
    person = require_enabled(person_of(context, row["user_id"]))
    require_own_passwords(context, person.instance_arn)
    return Invitation(
        person.user_id,
        person.user_name,
        person.display_name,
        row["kind"],
        float(row["expires_at"]),
        row["email_folded"],
    )


def accept(context: Context, token: str, new_password: str) -> str:
    """Set the password that a user chose, use the link up, and return the user's id. Writes."""
    invitation = look_at_invitation(context, token)
    passwords.set_password(context, invitation.user_id, new_password)
    mark_verified(context, person_of(context, invitation.user_id), invitation.mailed_to)
    context.execute("UPDATE invitation SET used_at = ? WHERE token_hash = ?", context.now, digest(token))
    return invitation.user_id


def reset_password(
    context: Context, user_id: str, delivery: Literal["email", "one-time-password"] = "email"
) -> str | None:
    """Make a password invalid, and return the one-time password, or None and mail a link. Writes."""
    person = person_of(context, user_id)
    require_own_passwords(context, person.instance_arn)
    if delivery == "one-time-password":  # the administrator sees it once and passes it on
        require_enabled(person)
        drop_links(context, user_id)
        return passwords.make_one_time_password(context, user_id)
    if delivery != "email":
        raise refuse("unknown-delivery", delivery=delivery)
    require_reachable(person)
    passwords.forget_password(context, user_id)
    _mail_link(context, person, "password-reset", RESET_LIFETIME_S)
    return None


def _mail_link(context: Context, person: Person, kind: MessageKind, lifetime_s: float) -> Message:
    """Mail a link to choose a password; the user's earlier links open nothing any more. Writes."""
    drop_links(context, person.user_id)
    token, now = new_token(), context.now
    context.insert(
        "invitation",
        token_hash=digest(token),
        user_id=person.user_id,
        kind=kind,
        created_at=now,
        expires_at=now + lifetime_s,
        email_folded=folded(person.email or ""),
    )
    return send(context, person, kind, link=f"{LINK_PATH}{token}")


def drop_links(context: Context, user_id: str) -> None:
    """Make the links of before useless; used ones stay, so that a second click reads "used"."""
    context.execute("DELETE FROM invitation WHERE user_id = ? AND used_at IS NULL", user_id)
