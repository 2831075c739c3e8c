"""Which function does which thing of the console, and for which instance."""

from __future__ import annotations

import dataclasses
import re
import sqlite3
from typing import Any
from urllib.parse import parse_qsl

from idc_sandbox.api.console.identity_source import change_identity_source
from idc_sandbox.api.console.people import set_user_status
from idc_sandbox.api.console.settings import read_settings, write_setting
from idc_sandbox.api.console.user_access import USER_ROUTES, list_mail
from idc_sandbox.api.instance_rules import require_instance
from idc_sandbox.context import Context
from idc_sandbox.errors import ServiceError, validation_error

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
