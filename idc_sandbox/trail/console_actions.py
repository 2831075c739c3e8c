"""What at AWS only the console does, in the trail: by which events, of which source."""

# Sources: https://docs.aws.amazon.com/singlesignon/latest/userguide/sso-info-in-cloudtrail.html; what their
# parameters are called is UNCONFIRMED but for the setting's type.

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from idc_sandbox.context import Context
from idc_sandbox.errors import ServiceError
from idc_sandbox.trail.people import record_event
from idc_sandbox.trail.records import HIDDEN, Record


class ConsoleEvent(NamedTuple):
    """The event of something that the console does."""

    source: str
    name: str
    configuration_type: str = ""


_SETTING = "UpdateSsoConfiguration"
_EVENTS = {
    "POST instance": ConsoleEvent("sso", "StartSSO"),
    "PUT settings/multi_factor_authentication": ConsoleEvent("sso", "PutMfaDeviceManagementForDirectory"),
    "PUT settings/access_portal": ConsoleEvent("sso-directory", "CreateAlias"),
    "PUT settings/sessions": ConsoleEvent("sso", _SETTING, "SESSION"),
    "PUT settings/standard_authentication": ConsoleEvent("sso", _SETTING, "APP_AUTHENTICATION_CONFIGURATION"),
    "PUT settings/account_instances": ConsoleEvent("sso", _SETTING, "ACCOUNT_INSTANCES"),
    "POST identity-source": ConsoleEvent("sso", "UpdateDirectoryAssociation"),
    "POST users/disable": ConsoleEvent("sso-directory", "DisableUser"),
    "POST users/enable": ConsoleEvent("sso-directory", "EnableUser"),
    "POST users/invite": ConsoleEvent("sso-directory", "UpdatePassword"),
    "POST users/reset-password": ConsoleEvent("sso-directory", "UpdatePassword"),
    "POST users/verify-email": ConsoleEvent("sso-directory", "VerifyEmail"),
    "GET users/mfa-devices": ConsoleEvent("sso-directory", "ListMfaDevicesForUser"),
    "POST users/mfa-devices/delete": ConsoleEvent("sso-directory", "DeleteMfaDeviceForUser"),
    "POST users/mfa-devices/rename": ConsoleEvent("sso-directory", "UpdateMfaDeviceForUser"),
    "POST users/mfa-devices/start": ConsoleEvent("sso-directory", "StartVirtualMfaDeviceRegistration"),
    "POST users/mfa-devices/register": ConsoleEvent("sso-directory", "CompleteVirtualMfaDeviceRegistration"),
    "POST users/mfa-devices/start-key": ConsoleEvent("sso-directory", "StartWebAuthnDeviceRegistration"),
    "POST users/mfa-devices/register-key": ConsoleEvent(
        "sso-directory", "CompleteWebAuthnDeviceRegistration"
    ),
    "GET users/sessions": ConsoleEvent("sso", "ListSessions"),
    "POST users/sessions/delete": ConsoleEvent("sso", "BatchDeleteSession"),
}


@contextmanager
def console_action(
    context: Context, method: str, path: str, values: dict[str, Any], *, request_id: str | None = None
) -> Iterator[None]:
    """Add what somebody does at the console, by method and path of the console's service, or is refused."""
    asked = dict(values)  # who carries it out takes what it needs out of them
    named = {} if request_id is None else {"requestID": request_id}
    try:
        yield
    except ServiceError as refusal:
        _record(context, method, path, asked, refusal=refusal, more=named)
        raise
    _record(context, method, path, asked, more=named)


def _record(
    context: Context,
    method: str,
    path: str,
    values: dict[str, Any],
    *,
    refusal: ServiceError | None = None,
    more: Record,
) -> None:
    route, named = _route(path)
    event = _EVENTS.get(f"{method} {route}")
    if event is None:
        return
    failure: Record = {}
    if refusal is not None:
        failure = {"errorCode": refusal.code, "errorMessage": refusal.message}
    is_read = method == "GET"
    record_event(
        context,
        event.name,
        event.source,
        context.identity_of(context.caller),
        **failure,
        requestParameters=_parameters(event, values) | named or None,
        readOnly=is_read,
        eventType="AwsApiCall",
        tlsDetails={"clientProvidedHostHeader": f"{_host(event)}.{context.region}.amazonaws.com"},
        **from_console(context),
        **more,
    )


def from_console(context: Context) -> Record:
    """Return what the events of a person's role at the console say besides."""
    is_role = ":assumed-role/" in context.caller.principal_arn
    return {"sessionCredentialFromConsole": "true"} if is_role else {}


def _host(event: ConsoleEvent) -> str:
    return "up.sso" if event.source == "sso-directory" else "sso"


def _route(path: str) -> tuple[str, Record]:
    """Return a path without ids, and the ids by the names that records give them."""
    parts = path.partition("?")[0].strip("/").split("/")
    if parts[0] != "users" or len(parts) < 3:
        return "/".join(parts), {}
    _, user_id, noun, *rest = parts
    named: Record = {"userId": user_id}
    if len(rest) == 2:  # a device or a session, and what is done to it
        named["deviceId" if noun == "mfa-devices" else "sessionId"] = rest[0]
        rest = rest[1:]
    return "/".join(["users", noun, *rest]), named


def _parameters(event: ConsoleEvent, values: dict[str, Any]) -> Record:
    """Return what is shown of what was sent: which setting and how, nothing that opens something."""
    arn = values.get("instance_arn")
    shown: Record = {"instanceArn": arn} if isinstance(arn, str) else {}
    if event.source == "sso-directory":
        secrets = {name: HIDDEN for name in ("secret", "code", "credential", "name") if name in values}
        return shown | secrets
    said = {
        name: value for name, value in values.items() if name not in ("instance_arn", "identity_provider")
    }
    if event.configuration_type:
        return {**shown, "configurationType": event.configuration_type, "ssoConfiguration": said}
    return shown | said
