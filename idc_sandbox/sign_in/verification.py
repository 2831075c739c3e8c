"""Whether a user's e-mail address is theirs: a mailed link proves it."""

# Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/users.html

from __future__ import annotations

from idc_sandbox.api.identity_store.profiles import folded
from idc_sandbox.context import Context
from idc_sandbox.sign_in.people import (
    Message,
    Person,
    digest,
    new_token,
    person_of,
    refuse,
    require_reachable,
    send,
)

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
