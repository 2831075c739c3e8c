"""What a request names: a store, a user, a group, a membership; what must occur once; and the stores."""

from __future__ import annotations

import ipaddress
import json
import sqlite3
from typing import Any

from idc_sandbox.api.identity_store.profiles import folded, primary_email
from idc_sandbox.api.instance_rules import is_administrator, require_identity_store
from idc_sandbox.context import Context
from idc_sandbox.errors import (
    ServiceError,
    access_denied,
    conflict,
    not_found,
    quota_exceeded,
    validation_error,
)
from idc_sandbox.wire.registry import operation, paginate

# kind -> (ResourceType of ResourceNotFoundException, table, column of the id)
_RESOURCE_OF_KIND = {
    "user": ("USER", "identity_user", "user_id"),
    "group": ("GROUP", "identity_group", "group_id"),
    "membership": ("GROUP_MEMBERSHIP", "group_membership", "membership_id"),
}


def require_store(context: Context, request: dict[str, Any], *, write: bool = False) -> str:
    """Return the id of the identity store that a request names in ``IdentityStoreId``."""
    reference = request["IdentityStoreId"]
    instance = require_identity_store(context, reference, write=write)
    if reference.startswith("arn:") and reference != store_arn(instance):
        raise access_denied(
            f"The identity store {instance['identity_store_id']!r} is not one of the account in "
            f"{reference!r}; its ARN is {store_arn(instance)!r}."
        )
    return str(instance["identity_store_id"])


def store_arn(instance: sqlite3.Row) -> str:
    """Return the ARN of an instance's identity store."""
    return (
        f"arn:aws:identitystore::{instance['owner_account_id']}:identitystore/{instance['identity_store_id']}"
    )


def resource_arn(kind: str, resource_id: str) -> str:
    """Return the ARN of a ``"user"``, ``"group"`` or ``"membership"``; no Region, no account."""
    return f"arn:aws:identitystore:::{kind}/{resource_id}"


def resource_id_of(reference: str, kind: str) -> str:
    """Return the id in an id or ARN."""
    prefix, _, resource_id = reference.rpartition("/")
    if prefix and not prefix.endswith(f":{kind}"):
        raise validation_error(
            f"The value {reference!r} names a {prefix.rpartition(':')[2]}; a {kind} is needed here."
        )
    return resource_id.lower()


def find_row(context: Context, identity_store_id: str, reference: str, kind: str) -> sqlite3.Row:
    """Return the row of a user, group or membership of a store."""
    resource_id = resource_id_of(reference, kind)
    _, table, column = _RESOURCE_OF_KIND[kind]
    row: sqlite3.Row | None = context.connection.execute(
        f"SELECT * FROM {table} WHERE {column} = ? AND identity_store_id = ?",  # noqa: S608
        (resource_id, identity_store_id),
    ).fetchone()
    if row is None:
        raise missing(kind, resource_id, identity_store_id)
    return row


def missing(kind: str, resource_id: str, identity_store_id: str) -> ServiceError:
    """Return the error for a user, group or membership that is not in the store."""
    resource_type = _RESOURCE_OF_KIND[kind][0]
    return not_found(
        f"{resource_type} not found. {resource_id!r} is not in the identity store {identity_store_id!r}.",
        ResourceType=resource_type,
        ResourceId=resource_id,
    )


def require_revision(row: sqlite3.Row, request: dict[str, Any]) -> None:
    """Refuse a write whose ``Revision`` is not the resource's; without one, any revision will do."""
    expected = request.get("Revision")
    if expected is not None and expected != str(row["revision"]):
        raise conflict(
            f"The revision {expected!r} is not the current one, {str(row['revision'])!r}: somebody changed "
            "it since. Read it again and decide anew.",
            Reason="CONCURRENT_MODIFICATION",
        )


def stamps(row: sqlite3.Row) -> dict[str, Any]:
    """Return when and by whom a row was made and last changed; a membership never changes."""
    changed = row if "updated_at" in row.keys() else None  # noqa: SIM118  a Row iterates over values
    return {
        "CreatedAt": row["created_at"],
        "CreatedBy": row["created_by"],
        "UpdatedAt": changed["updated_at"] if changed else row["created_at"],
        "UpdatedBy": changed["updated_by"] if changed else row["created_by"],
    }


def creation_order(row: sqlite3.Row) -> str:
    """Return the key by which lists are ordered: oldest first, as a person made them."""
    return f"{row['created_at']:020.6f}/{row[0]}"


def filter_value(request: dict[str, Any], attribute_path: str) -> str | None:
    """Return the value of the one filter that a list takes, or None without a filter."""
    for one in request.get("Filters") or ():
        if one["AttributePath"].casefold() != attribute_path.casefold():
            raise validation_error(
                f"The filter on {one['AttributePath']!r} is not supported; the only one is "
                f"{attribute_path!r}."
            )
        return str(one["AttributeValue"])
    return None


def require_room(context: Context, identity_store_id: str, kind: str, quota: int) -> None:
    """Require that a store may have one more user or group."""
    _, table, _ = _RESOURCE_OF_KIND[kind]
    (number,) = context.connection.execute(
        f"SELECT count(*) FROM {table} WHERE identity_store_id = ?",  # noqa: S608
        (identity_store_id,),
    ).fetchone()
    if number >= quota:
        raise quota_exceeded(
            f"The identity store {identity_store_id!r} has {number} {kind}s and may have {quota}; AWS raises "
            "this on request."
        )


# What occurs once in an identity store, and who holds it: user names, e-mail addresses, group names, ids.

# kind -> (table, column of the id)
_TABLE_OF_KIND = {"user": ("identity_user", "user_id"), "group": ("identity_group", "group_id")}

# kind -> attribute path -> column that holds the value, folded
COLUMN_OF_UNIQUE_PATH = {
    "user": {"userName": "user_name_folded", "emails.value": "email_folded"},
    "group": {"displayName": "display_name_folded"},
}


def find_by_attribute(context: Context, store_id: str, kind: str, path: str, value: str) -> str | None:
    """Return the id of the user or group that holds a unique value, without regard to case, or None."""
    column = COLUMN_OF_UNIQUE_PATH[kind][path]
    return _find(context, store_id, kind, f"{column} = ?", (folded(value),))


def find_by_external_id(
    context: Context, store_id: str, kind: str, external_id: dict[str, str]
) -> str | None:
    """Return the id of the user or group to which an identity provider gave an id, or None."""
    condition = (
        "EXISTS (SELECT 1 FROM json_each(profile_json, '$.ExternalIds') AS given WHERE "
        "json_extract(given.value, '$.Issuer') = ? AND json_extract(given.value, '$.Id') = ?)"
    )
    return _find(context, store_id, kind, condition, (external_id["Issuer"], external_id["Id"]))


def require_unique_user(
    context: Context, store_id: str, profile: dict[str, Any], user_id: str | None = None
) -> None:
    """Refuse a profile whose user name, e-mail address or external id another user of the store holds."""
    holder = find_by_attribute(context, store_id, "user", "userName", profile["UserName"])
    if holder not in (None, user_id):
        raise _taken("UserName", profile["UserName"])
    address = primary_email(profile)
    if address is not None:
        holder = find_by_attribute(context, store_id, "user", "emails.value", address)
        if holder not in (None, user_id):
            raise _taken("Email", address)
    _require_unique_external_ids(context, store_id, "user", profile, user_id)


def require_unique_group(
    context: Context, store_id: str, profile: dict[str, Any], group_id: str | None = None
) -> None:
    """Refuse a profile whose display name or external id another group of the store holds."""
    holder = find_by_attribute(context, store_id, "group", "displayName", profile["DisplayName"])
    if holder not in (None, group_id):
        raise _taken("GroupDisplayName", profile["DisplayName"])
    _require_unique_external_ids(context, store_id, "group", profile, group_id)


def _require_unique_external_ids(
    context: Context, store_id: str, kind: str, profile: dict[str, Any], own_id: str | None
) -> None:
    for external_id in profile.get("ExternalIds", ()):
        if find_by_external_id(context, store_id, kind, external_id) not in (None, own_id):
            raise _taken("ExternalId", f"{external_id['Issuer']}/{external_id['Id']}")


def _find(context: Context, store_id: str, kind: str, condition: str, values: tuple[str, ...]) -> str | None:
    table, column = _TABLE_OF_KIND[kind]
    row: sqlite3.Row | None = context.connection.execute(
        f"SELECT {column} FROM {table} WHERE identity_store_id = ? AND {condition}",  # noqa: S608
        (store_id, *values),
    ).fetchone()
    return None if row is None else str(row[0])


def _taken(attribute: str, value: str) -> ServiceError:
    # AWS's words ("Duplicate UserName"), then the value.
    return conflict(
        f"Duplicate {attribute}: {value!r} is in use in this identity store (capitals make no difference to "
        "names).",
        Reason="UNIQUENESS_CONSTRAINT_VIOLATION",
    )


# DescribeIdentityStore, ListIdentityStores and UpdateIdentityStore.

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
