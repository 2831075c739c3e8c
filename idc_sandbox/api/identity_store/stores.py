"""DescribeIdentityStore, ListIdentityStores and UpdateIdentityStore.

Source: https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_UpdateIdentityStore.html
and its neighbours.
"""

from __future__ import annotations

import ipaddress
import json
import sqlite3
from typing import Any

from idc_sandbox.api.identity_store.references import require_store, store_arn
from idc_sandbox.api.instance_rules import is_administrator
from idc_sandbox.api.pagination import paginate
from idc_sandbox.api.registry import operation
from idc_sandbox.context import Context
from idc_sandbox.errors import validation_error

_LISTS = ("ApiRestrictSourceVpcs", "ApiAllowSourceIps", "ScimAllowSourceIps")
_SETTING = "$.identity_store_network"

# Where every caller of the sandbox is: it listens on loopback only, and no VPC endpoint leads there.
_CALLER = ipaddress.ip_address("127.0.0.1")


@operation("identitystore", "DescribeIdentityStore")
def describe_identity_store(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Answer an identity store's ARN and network configuration."""
    instance = _instance_of(context, require_store(context, request))
    (written,) = context.connection.execute(
        "SELECT json_extract(settings_json, ?) FROM instance WHERE instance_arn = ?",
        (_SETTING, instance["instance_arn"]),
    ).fetchone()
    return {**_key(instance), "NetworkConfiguration": json.loads(written or '{"VpceAccessRequired": false}')}


@operation("identitystore", "ListIdentityStores")
def list_identity_stores(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Answer the stores that the caller administers in this Region; not the organization's to a member."""
    rows = context.connection.execute("SELECT * FROM instance WHERE region = ?", (context.region,)).fetchall()
    page, token = paginate(
        [row for row in rows if is_administrator(context, row)],
        operation_name="ListIdentityStores",
        key=lambda row: row["identity_store_id"],
        request=request,
    )
    return {"IdentityStores": [_key(row) for row in page], "NextToken": token}


@operation("identitystore", "UpdateIdentityStore")
def update_identity_store(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Replace the whole network configuration of an identity store; what is not given is cleared.

    AWS refuses a change that would lock out its caller, and so does this: the sandbox's callers are on
    loopback.
    """
    instance = _instance_of(context, require_store(context, request, write=True))
    given = request.get("NetworkConfiguration")
    if given is not None:
        configuration = {name: value for name, value in given.items() if value is not None}
        _check_network(configuration)
        context.connection.execute(
            "UPDATE instance SET settings_json = json_set(settings_json, ?, json(?)) WHERE instance_arn = ?",
            (_SETTING, json.dumps(configuration), instance["instance_arn"]),
        )
    return _key(instance)


def _check_network(configuration: dict[str, Any]) -> None:
    given = [name for name in _LISTS if configuration.get(name)]
    if not configuration["VpceAccessRequired"]:
        if given:
            raise validation_error(
                f"{', '.join(given)} must be empty when VpceAccessRequired is false: they narrow access "
                "through an endpoint."
            )
        return
    allowed = [
        ipaddress.ip_network(text, strict=False) for text in configuration.get("ApiAllowSourceIps", ())
    ]
    if not any(_CALLER in network for network in allowed):
        raise validation_error(
            f"This configuration would lock you out: you call from {str(_CALLER)!r}, through no VPC "
            f"endpoint, and ApiAllowSourceIps is {configuration.get('ApiAllowSourceIps', [])!r}. Add your "
            "address to it."
        )


def _instance_of(context: Context, store_id: str) -> sqlite3.Row:
    row: sqlite3.Row = context.connection.execute(
        "SELECT * FROM instance WHERE identity_store_id = ?", (store_id,)
    ).fetchone()
    return row


def _key(instance: sqlite3.Row) -> dict[str, Any]:
    return {"IdentityStoreId": instance["identity_store_id"], "IdentityStoreArn": store_arn(instance)}
