"""Changing an instance: its name, and one of encryption, permission sets and network at a time."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from idc_sandbox.api.instance_rules import require_instance
from idc_sandbox.api.registry import operation
from idc_sandbox.context import Context
from idc_sandbox.errors import validation_error

ONE_AT_A_TIME = ("EncryptionConfiguration", "PermissionSetsEnabled", "NetworkConfiguration")
NETWORK_LISTS = ("RestrictSourceVpcs", "AllowSourceIps", "ExcludeApplicationArns")


@operation("sso-admin", "UpdateInstance")
def update_instance(context: Context, request: dict[str, Any]) -> None:
    """Change the name and at most one of encryption, permission sets and network.

    Source: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_UpdateInstance.html
    """
    row = require_instance(context, request["InstanceArn"])
    given = [name for name in ONE_AT_A_TIME if request.get(name) is not None]
    if len(given) > 1:
        raise validation_error(
            f"A request may set one of {', '.join(ONE_AT_A_TIME)}; found {', '.join(given)}. Call "
            "once for each."
        )
    if request.get("Name") is not None:
        _set(context, row, "name", request["Name"])
    if given == ["PermissionSetsEnabled"]:
        _enable_permission_sets(context, row, request["PermissionSetsEnabled"])
    elif given == ["EncryptionConfiguration"]:
        _put_setting(context, row, "encryption", _encryption(row, request["EncryptionConfiguration"]))
    elif given == ["NetworkConfiguration"]:
        _put_setting(context, row, "network", _network(request["NetworkConfiguration"]))


def _enable_permission_sets(context: Context, row: sqlite3.Row, enabled: bool) -> None:
    if row["kind"] == "ACCOUNT":
        raise validation_error("This operation is not supported for account instances")
    if not enabled:
        raise validation_error(
            "PermissionSetsEnabled accepts only true, found False: permission sets cannot be turned "
            "off again."
        )
    _set(context, row, "permission_sets_enabled", 1)


def _encryption(row: sqlite3.Row, configuration: dict[str, Any]) -> dict[str, Any]:
    customer_managed = configuration["KeyType"] == "CUSTOMER_MANAGED_KEY"
    if row["kind"] == "ACCOUNT" and customer_managed:
        raise validation_error("Customer managed keys are not supported for account instances.")
    if customer_managed != (configuration.get("KmsKeyArn") is not None):
        raise validation_error(
            f"KmsKeyArn must be given with KeyType CUSTOMER_MANAGED_KEY and only then; found KeyType "
            f"{configuration['KeyType']!r} and KmsKeyArn {configuration.get('KmsKeyArn')!r}."
        )
    return {name: configuration[name] for name in ("KeyType", "KmsKeyArn") if configuration.get(name)}


def _network(configuration: dict[str, Any]) -> dict[str, Any]:
    required = configuration["VpceAccessRequired"]
    # A network configuration replaces the stored one whole, and without the requirement the lists mean
    # nothing.
    lists = {name: configuration.get(name) or [] if required else [] for name in NETWORK_LISTS}
    return {"VpceAccessRequired": required, **lists}


def _put_setting(context: Context, row: sqlite3.Row, name: str, value: dict[str, Any]) -> None:
    _set(context, row, "settings_json", json.dumps(json.loads(row["settings_json"]) | {name: value}))


def _set(context: Context, row: sqlite3.Row, column: str, value: Any) -> None:
    context.connection.execute(
        f"UPDATE instance SET {column} = ? WHERE instance_arn = ?",  # noqa: S608  the column's name is ours
        (value, row["instance_arn"]),
    )
