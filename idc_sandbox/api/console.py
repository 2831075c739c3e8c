"""What at AWS only the console can do: no public operation does it, so it has an endpoint of its own."""

from __future__ import annotations

import dataclasses
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple, TypeVar
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
from idc_sandbox.trail.people import from_console, record_event
from idc_sandbox.trail.records import HIDDEN, Record

Result = TypeVar("Result")
Values = dict[str, Any]

_CONFLICTS = ("has-password", "user-disabled", "no-email", "email-verified", "external-identity-source")
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]{1,10}){1,3}-[0-9]{1,2}")
_LONGEST_NAME = 255


class Act(NamedTuple):
    """One thing that the console does, by method and route."""

    do: Callable[..., Values]  # gets the context, what the route names with a `*`, and the values
    action: str = ""  # IAM's; empty: nobody may at the practice console
    event: str | None = None  # source and name in the trail; None: those of the action, empty: no event
    configuration_type: str = ""  # of a setting, in its event


def handle(context: Context, method: str, path: str, body: Values) -> Values:
    """Do one thing of the console and answer what it would show; writes unless the method is GET."""
    route, named = _route(path)
    values = dict(parse_qsl(path.partition("?")[2])) | body
    act = find_act(method, path)
    if act is None:
        raise ServiceError(
            "UnknownOperationException",
            f"The console of the sandbox has no {method} {path.partition('?')[0]!r}; see docs/sandbox.md for "
            "what it has.",
            status=404,
        )
    if route.startswith("users/"):
        context = _console_of_user(context, named[0])
    return act.do(context, *named, values)


def find_act(method: str, path: str) -> Act | None:
    """Return what is done at a path, or None: with the act of the very setting, or that of all."""
    route, named = _route(path)
    setting = f"settings/{named[0]}" if route == "settings/*" else route
    return _ACTS.get(f"{method} {setting}") or _ACTS.get(f"{method} {route}")


def _route(path: str) -> tuple[str, list[str]]:
    """Return a path with a `*` in place of each name and id, and these."""
    parts = path.partition("?")[0].strip("/").split("/")
    places = {"settings": (1,), "users": (1, 3) if len(parts) == 5 else (1,)}.get(parts[0], ())
    named = [parts[place] for place in places if place < len(parts)]
    return "/".join("*" if place in places else part for place, part in enumerate(parts)), named


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


def _done(action: Callable[..., Any], *arguments: Any) -> Values:
    """Do the same, and return what came of it as an object."""
    return dataclasses.asdict(_allowed(action, *arguments))


def _all(found: Iterable[Any]) -> list[Values]:
    return [dataclasses.asdict(one) for one in found]


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


def _write_setting(context: Context, name: str, values: Values) -> Values:
    context, instance = _console_of(context, values)
    del values["instance_arn"]
    return write_setting(context, instance, name, values)


def _change_identity_source(context: Context, values: Values) -> Values:
    """Change where an instance's users come from; to or from Active Directory, all of them are deleted."""
    context, instance = _console_of(context, values)
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


def _list_mail(context: Context, values: Values) -> Values:
    """Return ``messages``, newest first, of one address or of all."""
    address = values.get("address")
    if address is not None and not isinstance(address, str):
        raise validation_error(f"The address must be a text, found {address!r}.")
    return {"messages": _all(people.list_messages(context, address))}


def _set_user_status(user_status: str, context: Context, user_id: str, _values: Values) -> Values:
    """Set a user's status, which the API only shows; writes unless it is so already."""
    (row,) = context.find_all("identity_user", user_id=user_id)
    if row["user_status"] != user_status:
        write_identity(context, USER, row, user_status=user_status)
        (row,) = context.find_all("identity_user", user_id=user_id)
    return {"user_id": user_id, "user_status": user_status, "revision": str(row["revision"])}


def _reset_password(context: Context, user_id: str, values: Values) -> Values:
    delivery = values.get("delivery", "email")
    return {"one_time_password": _allowed(invitations.reset_password, context, user_id, delivery)}


def _start_app(context: Context, user_id: str, values: Values) -> Values:
    started = _allowed(devices.start_at_console, context, user_id, str(values.get("secret", "")))
    return {"secret": started.secret, "uri": started.uri}


def _start_key(context: Context, user_id: str, _values: Values) -> Values:
    return {"options": _allowed(devices.registration_options, context, user_id, devices.KEY_AT_CONSOLE)}


def _register_app(context: Context, user_id: str, values: Values) -> Values:
    proof = [str(values.get(key, "")) for key in ("code", "name")] + [devices.APP_AT_CONSOLE]
    return {"registered": _done(devices.finish_app_registration, context, user_id, *proof)}


def _register_key(context: Context, user_id: str, values: Values) -> Values:
    proof = [str(values.get(key, "")) for key in ("credential", "name")] + [devices.KEY_AT_CONSOLE]
    return {"registered": _done(devices.finish_registration, context, user_id, *proof)}


def _delete_device(context: Context, user_id: str, device_id: str, _values: Values) -> Values:
    return {"deleted": _done(devices.delete_device, context, user_id, device_id)}


def _rename_device(context: Context, user_id: str, device_id: str, values: Values) -> Values:
    name = str(values.get("name", ""))
    return {"renamed": _done(devices.rename_device, context, user_id, device_id, name)}


def _end_session(context: Context, user_id: str, session_id: str, _values: Values) -> Values:
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


# Sources: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsiamidentitycenter.html,
# https://docs.aws.amazon.com/singlesignon/latest/userguide/sso-info-in-cloudtrail.html; what parameters
# of the events are called is UNCONFIRMED but for the setting's type.
_SETTING = (_write_setting, "sso:UpdateSSOConfiguration")
_SETTING_EVENT = "sso:UpdateSsoConfiguration"
_ACTS = {
    "POST instance": Act(_enable_instance, "sso:StartSSO"),
    "GET settings": Act(_settings, "sso:GetSharedSsoConfiguration", ""),
    "PUT settings/multi_factor_authentication": Act(_write_setting, "sso:PutMfaDeviceManagementForDirectory"),
    "PUT settings/access_portal": Act(_write_setting, "sso-directory:CreateAlias"),
    "PUT settings/sessions": Act(*_SETTING, _SETTING_EVENT, "SESSION"),
    "PUT settings/standard_authentication": Act(
        *_SETTING, _SETTING_EVENT, "APP_AUTHENTICATION_CONFIGURATION"
    ),
    "PUT settings/account_instances": Act(*_SETTING, _SETTING_EVENT, "ACCOUNT_INSTANCES"),
    "PUT settings/*": Act(*_SETTING, ""),
    "POST identity-source": Act(_change_identity_source, "sso:UpdateDirectoryAssociation"),
    "GET mailbox": Act(_list_mail, event=""),
    "POST users/*/disable": Act(partial(_set_user_status, "DISABLED"), "sso-directory:DisableUser"),
    "POST users/*/enable": Act(partial(_set_user_status, "ENABLED"), "sso-directory:EnableUser"),
    "POST users/*/invite": Act(
        lambda context, user_id, _: {"message": _done(invitations.invite, context, user_id)},
        "sso-directory:UpdatePassword",
    ),
    "POST users/*/reset-password": Act(_reset_password, "sso-directory:UpdatePassword"),
    "GET users/*/password": Act(
        lambda context, user_id, _: {"has_password": passwords.has_password(context, user_id)},
        "sso-directory:DescribeUser",
        "",
    ),
    "POST users/*/verify-email": Act(
        lambda context, user_id, _: {"message": _done(invitations.send_link, context, user_id)},
        "sso-directory:VerifyEmail",
    ),
    "GET users/*/email": Act(
        lambda context, user_id, _: {"is_verified": invitations.is_verified(context, user_id)},
        "sso-directory:DescribeUser",
        "",
    ),
    "GET users/*/mfa-devices": Act(
        lambda context, user_id, _: {"mfa_devices": _all(devices.list_devices(context, user_id))},
        "sso-directory:ListMfaDevicesForUser",
    ),
    "POST users/*/mfa-devices/start": Act(_start_app, "sso-directory:StartVirtualMfaDeviceRegistration"),
    "POST users/*/mfa-devices/register": Act(
        _register_app, "sso-directory:CompleteVirtualMfaDeviceRegistration"
    ),
    "POST users/*/mfa-devices/start-key": Act(_start_key, "sso-directory:StartWebAuthnDeviceRegistration"),
    "POST users/*/mfa-devices/register-key": Act(
        _register_key, "sso-directory:CompleteWebAuthnDeviceRegistration"
    ),
    "POST users/*/mfa-devices/*/rename": Act(_rename_device, "sso-directory:UpdateMfaDeviceForUser"),
    "POST users/*/mfa-devices/*/delete": Act(_delete_device, "sso-directory:DeleteMfaDeviceForUser"),
    "GET users/*/sessions": Act(
        lambda context, user_id, _: {"sessions": _all(people.list_sessions(context, user_id))},
        "identitystore-auth:ListSessions",
        "sso:ListSessions",
    ),
    "POST users/*/sessions/delete": Act(
        lambda context, user_id, _: {"ended": people.end_all_sessions(context, user_id)},
        "identitystore-auth:BatchDeleteSession",
        "sso:BatchDeleteSession",
    ),
    "POST users/*/sessions/*/delete": Act(
        _end_session, "identitystore-auth:BatchDeleteSession", "sso:BatchDeleteSession"
    ),
}


@contextmanager
def recorded(
    context: Context, method: str, path: str, values: Values, *, request_id: str | None = None
) -> Iterator[None]:
    """Add to the trail what somebody does at the console, by method and path, or is refused."""
    asked = dict(values)  # who carries it out takes what it needs out of them
    more: Record = {} if request_id is None else {"requestID": request_id}
    try:
        yield
    except ServiceError as refusal:
        failure = {"errorCode": refusal.code, "errorMessage": refusal.message}
        _record(context, method, path, asked, failure | more)
        raise
    _record(context, method, path, asked, more)


def _record(context: Context, method: str, path: str, values: Values, more: Record) -> None:
    act = find_act(method, path)
    if act is None or act.event == "":
        return
    source, _, name = (act.event or act.action).partition(":")
    host = "up.sso" if source == "sso-directory" else "sso"
    record_event(
        context,
        name,
        source,
        context.identity_of(context.caller),
        requestParameters=_parameters(source, act.configuration_type, values) | _named_ids(path) or None,
        readOnly=method == "GET",
        eventType="AwsApiCall",
        tlsDetails={"clientProvidedHostHeader": f"{host}.{context.region}.amazonaws.com"},
        **from_console(context),
        **more,
    )


def _named_ids(path: str) -> Record:
    """Return the ids in a path by the names that records give them."""
    route, ids = _route(path)
    other = "deviceId" if "/mfa-devices/" in route else "sessionId"
    return dict(zip(("userId", other), ids, strict=False)) if route.startswith("users/") else {}


def _parameters(source: str, configuration_type: str, values: Values) -> Record:
    """Return what is shown of what was sent: which setting and how, nothing that opens something."""
    arn = values.get("instance_arn")
    shown: Record = {"instanceArn": arn} if isinstance(arn, str) else {}
    if source == "sso-directory":
        return shown | {name: HIDDEN for name in ("secret", "code", "credential", "name") if name in values}
    said = {
        name: value for name, value in values.items() if name not in ("instance_arn", "identity_provider")
    }
    if configuration_type:
        return {**shown, "configurationType": configuration_type, "ssoConfiguration": said}
    return shown | said
