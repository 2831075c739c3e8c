"""What at AWS only the console does: enabling, inviting, resetting, the identity source, a user's access."""

from __future__ import annotations

import dataclasses
import re
import sqlite3
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from idc_sandbox.api.identity_store.references import find_row
from idc_sandbox.api.identity_store.users import user_answer, write_user
from idc_sandbox.api.instance_rules import require_instance
from idc_sandbox.api.settings import (
    IDENTITY_SOURCES,
    read_identity_source,
    read_settings,
    write_setting,
    write_stored,
)
from idc_sandbox.context import Context
from idc_sandbox.errors import ServiceError, conflict, validation_error
from idc_sandbox.sign_in import devices, flow, passwords, people
from idc_sandbox.sign_in.people import Refusal

# Changing the identity source, and what that deletes.

_ACTIVE_DIRECTORY = "active_directory"


def change_identity_source(context: Context, instance: sqlite3.Row, new_type: Any) -> dict[str, Any]:
    """Change where an instance's users come from.

    To or from Active Directory, all users, groups and account assignments are deleted, with the roles in the
    accounts; between the Identity Center directory and an external identity provider all of them stay.
    """
    if new_type not in IDENTITY_SOURCES:
        raise validation_error(
            f"The identity source {new_type!r} does not exist; there are {', '.join(IDENTITY_SOURCES)}."
        )
    old_type = read_identity_source(context, instance)["type"]
    if new_type == old_type:
        raise conflict(f"The identity source is {old_type!r} already.")
    deleted = {"users": 0, "groups": 0, "account_assignments": 0}
    if _ACTIVE_DIRECTORY in (old_type, new_type):
        deleted = _delete_identities(context, instance)
    write_stored(context, instance, "identity_source", {"type": new_type})
    return {"identity_source": read_identity_source(context, instance), "deleted": deleted}


def _delete_identities(context: Context, instance: sqlite3.Row) -> dict[str, int]:
    from idc_sandbox.api.sso_admin.provisioning import delete_roles_of_instance  # noqa: PLC0415

    instance_arn, store_id = instance["instance_arn"], instance["identity_store_id"]
    connection = context.connection
    connection.execute(
        "UPDATE asynchronous_request SET status = 'FAILED', failure_reason = 'The identity source was "
        "changed.' WHERE instance_arn = ? AND status = 'IN_PROGRESS' AND kind != 'PROVISION'",
        (instance_arn,),
    )
    delete_roles_of_instance(context, instance_arn)
    return {
        "users": connection.execute(
            "DELETE FROM identity_user WHERE identity_store_id = ?", (store_id,)
        ).rowcount,
        "groups": connection.execute(
            "DELETE FROM identity_group WHERE identity_store_id = ?", (store_id,)
        ).rowcount,
        "account_assignments": connection.execute(
            "DELETE FROM account_assignment WHERE instance_arn = ?", (instance_arn,)
        ).rowcount,
    }


# Disabling and enabling users: the API shows ``UserStatus`` and cannot set it.


def set_user_status(
    context: Context, instance: sqlite3.Row, user_id: str, user_status: str
) -> dict[str, Any]:
    """Set a user's status, as *Disable user access* does and undoes; writes unless it is so already."""
    row = find_row(context, instance["identity_store_id"], user_id, "user")
    if row["user_status"] != user_status:
        write_user(context, row, {"user_status": user_status})
        row = find_row(context, instance["identity_store_id"], user_id, "user")
    shown = user_answer(row)
    return {"user_id": shown["UserId"], "user_status": shown["UserStatus"], "revision": shown["Revision"]}


# A user's page in the console: invitation, password, MFA devices, active sessions. And everybody's mail.

Result = TypeVar("Result")
Values = dict[str, Any]
# context, user id, what follows in the path, body
UserRoute = Callable[[Context, str, list[str], Values], Values]


def list_mail(context: Context, address: Any) -> Values:
    """Return ``messages``, newest first, of one address or of all."""
    if address is not None and not isinstance(address, str):
        raise validation_error(f"The address must be a text, found {address!r}.")
    return {"messages": [dataclasses.asdict(one) for one in people.list_messages(context, address)]}


def _invite(context: Context, user_id: str, rest: list[str], _values: Values) -> Values:
    _require_end(rest)
    return {"message": dataclasses.asdict(_allowed(lambda: flow.invite(context, user_id)))}


def _reset_password(context: Context, user_id: str, rest: list[str], values: Values) -> Values:
    _require_end(rest)
    delivery = values.get("delivery", "email")
    password = _allowed(lambda: flow.reset_password(context, user_id, delivery))
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
    return {"sessions": [dataclasses.asdict(one) for one in people.list_sessions(context, user_id)]}


def _delete_sessions(context: Context, user_id: str, rest: list[str], _values: Values) -> Values:
    if rest == ["delete"]:
        return {"ended": people.end_all_sessions(context, user_id)}
    if len(rest) != 2 or rest[1] != "delete":
        raise _no_route()
    own = [one.session_id for one in people.list_sessions(context, user_id)]
    if rest[0] not in own:
        raise ServiceError(
            "ResourceNotFoundException",
            f"No session {rest[0]!r} of this user is active; the active ones are {own!r}.",
        )
    people.end_session(context, rest[0])
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


_REGION = re.compile(r"[a-z]{2,4}(-[a-z]{1,10}){1,3}-[0-9]{1,2}")
_LONGEST_NAME = 255


def dispatch(  # noqa: PLR0911  one a route
    context: Context, method: str, path: str, body: dict[str, Any]
) -> dict[str, Any]:
    """Do what a route says; see the package."""
    route, _, query = path.partition("?")
    values = dict(parse_qsl(query)) | body
    match method, route.strip("/").split("/"):
        case "POST", ["instance"]:
            return _enable_instance(context, values)
        case "GET", ["settings"]:
            return read_settings(*_console_of(context, values))
        case "PUT", ["settings", name]:
            context, instance = _console_of(context, values)
            values.pop("instance_arn")
            return write_setting(context, instance, name, values)
        case "POST", ["identity-source"]:
            return change_identity_source(*_console_of(context, values), values.get("type"))
        case "POST", ["users", user_id, "disable"]:
            return set_user_status(*_console_of_user(context, user_id), "DISABLED")
        case "POST", ["users", user_id, "enable"]:
            return set_user_status(*_console_of_user(context, user_id), "ENABLED")
        case "GET", ["mailbox"]:
            return list_mail(context, values.get("address"))
        case _, ["users", user_id, *rest] if handler := USER_ROUTES.get((method, rest[0] if rest else "")):
            user_context, _, user_id = _console_of_user(context, user_id)
            return handler(user_context, user_id, rest[1:], values)
    raise ServiceError(
        "UnknownOperationException",
        f"The console of the sandbox has no {method} {route!r}; see docs/sandbox.md for what it has.",
        status=404,
    )


def _enable_instance(context: Context, values: dict[str, Any]) -> dict[str, Any]:
    from idc_sandbox.api.sso_admin.instances import enable_organization_instance  # noqa: PLC0415

    region, name = values.get("region") or context.region, values.get("name")
    if not isinstance(region, str) or not _REGION.fullmatch(region):
        raise validation_error(f"The Region {region!r} is not one; write it like 'us-east-1'.")
    if name is not None and not (isinstance(name, str) and 0 < len(name) <= _LONGEST_NAME):
        raise validation_error(f"The name {name!r} must be a text of 1 to {_LONGEST_NAME} characters.")
    instance_arn = enable_organization_instance(context, region=region, name=name)
    return read_settings(*_console_of(context, {"instance_arn": instance_arn}))


def _console_of(context: Context, values: dict[str, Any]) -> tuple[Context, sqlite3.Row]:
    """Return the context of a person at an instance's own console, and the instance.

    The console is opened in the instance's Region; and who administers the management account gets into any
    member account by the role that Organizations leaves there.
    """
    instance_arn = values.get("instance_arn")
    if not isinstance(instance_arn, str):
        raise validation_error(
            f"instance_arn must be the ARN of an instance, not {instance_arn!r}; ListInstances has it."
        )
    row = context.connection.execute(
        "SELECT * FROM instance WHERE instance_arn = ?", (instance_arn,)
    ).fetchone()
    if row is not None:
        caller = context.caller
        if caller.account_id == context.double.management_account_id:
            caller = dataclasses.replace(caller, account_id=row["owner_account_id"])
        context = dataclasses.replace(context, region=row["region"], caller=caller)
    return context, require_instance(context, instance_arn)


def _console_of_user(context: Context, user_id: str) -> tuple[Context, sqlite3.Row, str]:
    row = context.connection.execute(
        "SELECT instance_arn FROM instance JOIN identity_user USING (identity_store_id) WHERE user_id = ?",
        (user_id,),
    ).fetchone()
    if row is None:
        raise ServiceError(
            "ResourceNotFoundException",
            f"USER not found: {user_id!r} is in no identity store; ListUsers has the ids.",
            ResourceType="USER",
            ResourceId=user_id,
        )
    return *_console_of(context, {"instance_arn": row["instance_arn"]}), user_id
