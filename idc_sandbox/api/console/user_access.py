"""A user's page in the console: invitation, password, MFA devices, active sessions. And everybody's mail.

Sources: https://docs.aws.amazon.com/singlesignon/latest/userguide/reset-password-for-user.html,
https://docs.aws.amazon.com/singlesignon/latest/userguide/manage-user-sessions.html
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar

from idc_sandbox.context import Context
from idc_sandbox.errors import ServiceError, conflict, validation_error
from idc_sandbox.sign_in import devices, invitations, mailbox, passwords, portal_sessions
from idc_sandbox.sign_in.refusals import Refusal

Result = TypeVar("Result")
Values = dict[str, Any]
# context, user id, what follows in the path, body
UserRoute = Callable[[Context, str, list[str], Values], Values]


def list_mail(context: Context, address: Any) -> Values:
    """Return ``messages``, newest first, of one address or of all."""
    if address is not None and not isinstance(address, str):
        raise validation_error(f"The address must be a text, found {address!r}.")
    return {"messages": [dataclasses.asdict(one) for one in mailbox.list_messages(context, address)]}


def _invite(context: Context, user_id: str, rest: list[str], _values: Values) -> Values:
    _require_end(rest)
    return {"message": dataclasses.asdict(_allowed(lambda: invitations.invite(context, user_id)))}


def _reset_password(context: Context, user_id: str, rest: list[str], values: Values) -> Values:
    _require_end(rest)
    delivery = values.get("delivery", "email")
    password = _allowed(lambda: invitations.reset_password(context, user_id, delivery))
    return {"one_time_password": password}


def _has_password(context: Context, user_id: str, rest: list[str], _values: Values) -> Values:
    _require_end(rest)
    return {"has_password": passwords.has_password(context, user_id)}


def _list_devices(context: Context, user_id: str, rest: list[str], _values: Values) -> Values:
    _require_end(rest)
    return {"mfa_devices": [dataclasses.asdict(one) for one in devices.list_devices(context, user_id)]}


def _delete_device(context: Context, user_id: str, rest: list[str], _values: Values) -> Values:
    if len(rest) != 2 or rest[1] != "delete":
        raise _no_route()
    return {"deleted": dataclasses.asdict(_allowed(lambda: devices.delete_device(context, user_id, rest[0])))}


def _list_sessions(context: Context, user_id: str, rest: list[str], _values: Values) -> Values:
    _require_end(rest)
    return {"sessions": [dataclasses.asdict(one) for one in portal_sessions.list_sessions(context, user_id)]}


def _delete_sessions(context: Context, user_id: str, rest: list[str], _values: Values) -> Values:
    if rest == ["delete"]:
        return {"ended": portal_sessions.end_all_sessions(context, user_id)}
    if len(rest) != 2 or rest[1] != "delete":
        raise _no_route()
    own = [one.session_id for one in portal_sessions.list_sessions(context, user_id)]
    if rest[0] not in own:
        raise ServiceError(
            "ResourceNotFoundException",
            f"No session {rest[0]!r} of this user is active; the active ones are {own!r}.",
        )
    portal_sessions.end_session(context, rest[0])
    return {"ended": 1}


USER_ROUTES: dict[tuple[str, str], UserRoute] = {
    ("POST", "invite"): _invite,
    ("POST", "reset-password"): _reset_password,
    ("GET", "password"): _has_password,
    ("GET", "mfa-devices"): _list_devices,
    ("POST", "mfa-devices"): _delete_device,
    ("GET", "sessions"): _list_sessions,
    ("POST", "sessions"): _delete_sessions,
}

_CONFLICTS = ("has-password", "user-disabled", "no-email")


def _allowed(action: Callable[[], Result]) -> Result:
    """Do an action of the front door, whose refusals are the console's errors here."""
    try:
        return action()
    except Refusal as refusal:
        if refusal.code in _CONFLICTS:
            raise conflict(refusal.message) from refusal
        if refusal.code.startswith("unknown-") and refusal.code != "unknown-delivery":
            raise ServiceError("ResourceNotFoundException", refusal.message) from refusal
        raise validation_error(refusal.message) from refusal


def _require_end(rest: list[str]) -> None:
    if rest:
        raise _no_route()


def _no_route() -> ServiceError:
    return ServiceError(
        "UnknownOperationException",
        "The console of the sandbox has no such path below a user; see docs/sandbox.md for what it has.",
        status=404,
    )
