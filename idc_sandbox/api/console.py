"""What at AWS only the console can do: no public operation does it, so it has an endpoint of its own."""

from __future__ import annotations

import dataclasses
import re
import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from idc_sandbox.api.identity_store.operations import write_identity
from idc_sandbox.api.identity_store.references import USER
from idc_sandbox.api.instance_rules import require_instance
from idc_sandbox.api.settings import (
    ACTIVE_DIRECTORY,
    EXTERNAL,
    SOURCE_LABELS,
    identity_provider,
    read_identity_source,
    read_settings,
    write_setting,
    write_stored,
)
from idc_sandbox.api.sso_admin.instances import enable_organization_instance
from idc_sandbox.api.sso_admin.provisioning import delete_roles_of_instance
from idc_sandbox.context import Context
from idc_sandbox.errors import ServiceError, conflict, not_found, validation_error
from idc_sandbox.sign_in import devices, invitations, passwords, people
from idc_sandbox.sign_in.people import Refusal

Result = TypeVar("Result")
Values = dict[str, Any]

_CONFLICTS = ("has-password", "user-disabled", "no-email", "email-verified", "external-identity-source")
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]{1,10}){1,3}-[0-9]{1,2}")
_LONGEST_NAME = 255


def handle(context: Context, method: str, path: str, body: Values) -> Values:
    """Do one thing of the console and answer what it would show; writes unless the method is GET."""
    route, _, query = path.partition("?")
    values = dict(parse_qsl(query)) | body
    match method, route.strip("/").split("/"):
        case "POST", ["instance"]:
            return _enable_instance(context, values)
        case "GET", ["settings"]:
            return _settings(context, values)
        case "PUT", ["settings", name]:
            context, instance = _console_of(context, values)
            values.pop("instance_arn")
            return write_setting(context, instance, name, values)
        case "POST", ["identity-source"]:
            return _change_identity_source(*_console_of(context, values), values)
        case "GET", ["mailbox"]:
            return _list_mail(context, values.get("address"))
        case _, ["users", user_id, *rest]:
            at_console = partial(_console_of_user, context, user_id)  # a wrong route is refused before a user
            answer = _do_for_user(at_console, user_id, (method, *rest), values)
            if answer is not None:
                return answer
    raise ServiceError(
        "UnknownOperationException",
        f"The console of the sandbox has no {method} {route!r}; see docs/sandbox.md for what it has.",
        status=404,
    )


def _do_for_user(  # noqa: PLR0911, PLR0912  one a route
    at_console: Callable[[], Context], user_id: str, route: tuple[str, ...], values: Values
) -> Values | None:
    """Do what a route below a user says; None when there is none."""
    match route:
        case "POST", "disable":
            return _set_user_status(at_console(), user_id, "DISABLED")
        case "POST", "enable":
            return _set_user_status(at_console(), user_id, "ENABLED")
        case "POST", "invite":
            return {"message": dataclasses.asdict(_allowed(invitations.invite, at_console(), user_id))}
        case "POST", "reset-password":
            delivery = values.get("delivery", "email")
            return {
                "one_time_password": _allowed(invitations.reset_password, at_console(), user_id, delivery)
            }
        case "GET", "password":
            return {"has_password": passwords.has_password(at_console(), user_id)}
        case "POST", "verify-email":
            return {"message": dataclasses.asdict(_allowed(invitations.send_link, at_console(), user_id))}
        case "GET", "email":
            return {"is_verified": invitations.is_verified(at_console(), user_id)}
        case "GET", "mfa-devices":
            found = devices.list_devices(at_console(), user_id)
            return {"mfa_devices": [dataclasses.asdict(one) for one in found]}
        case "POST", "mfa-devices", "start":
            known = str(values.get("secret", ""))
            started = _allowed(devices.start_at_console, at_console(), user_id, known)
            return {"secret": started.secret, "uri": started.uri}
        case "POST", "mfa-devices", "start-key":
            options = _allowed(devices.registration_options, at_console(), user_id, devices.KEY_AT_CONSOLE)
            return {"options": options}
        case "POST", "mfa-devices", "register":
            proof = [str(values.get(key, "")) for key in ("code", "name")] + [devices.APP_AT_CONSOLE]
            added = _allowed(devices.finish_app_registration, at_console(), user_id, *proof)
            return {"registered": dataclasses.asdict(added)}
        case "POST", "mfa-devices", "register-key":
            proof = [str(values.get(key, "")) for key in ("credential", "name")] + [devices.KEY_AT_CONSOLE]
            added = _allowed(devices.finish_registration, at_console(), user_id, *proof)
            return {"registered": dataclasses.asdict(added)}
        case "POST", "mfa-devices", device_id, "delete":
            deleted = _allowed(devices.delete_device, at_console(), user_id, device_id)
            return {"deleted": dataclasses.asdict(deleted)}
        case "POST", "mfa-devices", device_id, "rename":
            name = str(values.get("name", ""))
            renamed = _allowed(devices.rename_device, at_console(), user_id, device_id, name)
            return {"renamed": dataclasses.asdict(renamed)}
        case "GET", "sessions":
            active = people.list_sessions(at_console(), user_id)
            return {"sessions": [dataclasses.asdict(one) for one in active]}
        case "POST", "sessions", "delete":
            return {"ended": people.end_all_sessions(at_console(), user_id)}
        case "POST", "sessions", session_id, "delete":
            return _end_session(at_console(), user_id, session_id)
    return None


def _allowed(action: Callable[..., Result], *arguments: Any) -> Result:
    """Do an action of the front door, whose refusals are the console's errors here."""
    try:
        return action(*arguments)
    except Refusal as refusal:
        if refusal.code in _CONFLICTS:
            raise conflict(refusal.message) from refusal
        if refusal.code.startswith("unknown-") and refusal.code != "unknown-delivery":
            raise not_found(refusal.message) from refusal
        raise validation_error(refusal.message) from refusal


def _enable_instance(context: Context, values: Values) -> Values:
    region, name = values.get("region") or context.region, values.get("name")
    if not isinstance(region, str) or not _REGION.fullmatch(region):
        raise validation_error(f"The Region {region!r} is not one; write it like 'us-east-1'.")
    if name is not None and not (isinstance(name, str) and 0 < len(name) <= _LONGEST_NAME):
        raise validation_error(f"The name {name!r} must be a text of 1 to {_LONGEST_NAME} characters.")
    has_permission_sets = values.get("permission_sets_enabled", True)
    if not isinstance(has_permission_sets, bool):
        raise validation_error(
            f"permission_sets_enabled must be true or false, found {has_permission_sets!r}."
        )
    instance_arn = enable_organization_instance(
        context, region=region, name=name, has_permission_sets=has_permission_sets
    )
    return _settings(context, {"instance_arn": instance_arn})


def _settings(context: Context, values: Values) -> Values:
    """Return the settings of an instance; its portal with every address that leads there."""
    settings = read_settings(*_console_of(context, values))
    if settings["access_portal"] is not None:
        settings["access_portal"] |= {"start_urls": people.start_urls(context)}
    return settings


def _change_identity_source(context: Context, instance: sqlite3.Row, values: Values) -> Values:
    """Change where an instance's users come from; to or from Active Directory, all of them are deleted."""
    new_type, provider = values.get("type"), values.get("identity_provider")
    if new_type not in SOURCE_LABELS:
        raise validation_error(
            f"The identity source {new_type!r} does not exist; there are {', '.join(SOURCE_LABELS)}."
        )
    old_type = read_identity_source(context, instance)["type"]
    if new_type == old_type:
        raise conflict(f"The identity source is {old_type!r} already.")
    kept: Values = {"type": new_type}
    if new_type == EXTERNAL and provider is not None:
        if not isinstance(provider, dict):
            raise validation_error(f"identity_provider must be an object, found {provider!r}.")
        kept["identity_provider"] = identity_provider(provider)
    deleted = {"users": 0, "groups": 0, "account_assignments": 0}
    if ACTIVE_DIRECTORY in (old_type, new_type):
        deleted = _delete_identities(context, instance)
    write_stored(context, instance, "identity_source", kept)
    return {"identity_source": read_identity_source(context, instance), "deleted": deleted}


def _delete_identities(context: Context, instance: sqlite3.Row) -> dict[str, int]:
    instance_arn, store_id = instance["instance_arn"], instance["identity_store_id"]
    context.execute(
        "UPDATE asynchronous_request SET status = 'FAILED', failure_reason = 'The identity source was "
        "changed.' WHERE instance_arn = ? AND status = 'IN_PROGRESS' AND kind != 'PROVISION'",
        instance_arn,
    )
    delete_roles_of_instance(context, instance_arn)
    return {
        "users": context.delete("identity_user", identity_store_id=store_id),
        "groups": context.delete("identity_group", identity_store_id=store_id),
        "account_assignments": context.delete("account_assignment", instance_arn=instance_arn),
    }


def _list_mail(context: Context, address: Any) -> Values:
    """Return ``messages``, newest first, of one address or of all."""
    if address is not None and not isinstance(address, str):
        raise validation_error(f"The address must be a text, found {address!r}.")
    return {"messages": [dataclasses.asdict(one) for one in people.list_messages(context, address)]}


def _set_user_status(context: Context, user_id: str, user_status: str) -> Values:
    """Set a user's status, which the API only shows; writes unless it is so already."""
    (row,) = context.find_all("identity_user", user_id=user_id)
    if row["user_status"] != user_status:
        write_identity(context, USER, row, user_status=user_status)
        (row,) = context.find_all("identity_user", user_id=user_id)
    return {"user_id": user_id, "user_status": user_status, "revision": str(row["revision"])}


def _end_session(context: Context, user_id: str, session_id: str) -> Values:
    own = [one.session_id for one in people.list_sessions(context, user_id)]
    if session_id not in own:
        raise not_found(f"No session {session_id!r} of this user is active; the active ones are {own!r}.")
    people.end_session(context, session_id)
    return {"ended": 1}


def _console_of(context: Context, values: Values) -> tuple[Context, sqlite3.Row]:
    """Return the context of a person at an instance's own console, in its Region, and the instance."""
    instance_arn = values.get("instance_arn")
    if not isinstance(instance_arn, str):
        raise validation_error(
            f"instance_arn must be the ARN of an instance, not {instance_arn!r}; ListInstances has it."
        )
    row = context.find("instance", instance_arn=instance_arn)
    if row is not None:
        caller = context.caller
        # Who administers the management account gets into any member account by Organizations' role there;
        # a permission set's role in the management account is itself, and nowhere else.
        is_role = ":assumed-role/" in caller.principal_arn
        if caller.account_id == context.double.management_account_id and not is_role:
            caller = dataclasses.replace(caller, account_id=row["owner_account_id"])
        context = dataclasses.replace(context, region=row["region"], caller=caller)
    return context, require_instance(context, instance_arn)


def _console_of_user(context: Context, user_id: str) -> Context:
    instance_arn = context.value(
        "SELECT instance_arn FROM instance JOIN identity_user USING (identity_store_id) WHERE user_id = ?",
        user_id,
    )
    if instance_arn is None:
        raise unknown_user(user_id)
    return _console_of(context, {"instance_arn": instance_arn})[0]


def unknown_user(user_id: str) -> ServiceError:
    """Return the refusal of a user who is not there, or not for this console."""
    return not_found(
        f"USER not found: {user_id!r} is in no identity store here; ListUsers has the ids.",
        ResourceType="USER",
        ResourceId=user_id,
    )
