"""What a request names: a store, a user, a group, a membership; and what occurs once in a store."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import Any

from idc_sandbox.api.identity_store.profiles import folded, primary_email
from idc_sandbox.api.instance_rules import identity_store_arn, require_identity_store
from idc_sandbox.context import Context
from idc_sandbox.errors import ServiceError, access_denied, conflict, not_found, validation_error
from idc_sandbox.wire.registry import LongListing


@dataclass(frozen=True)
class UniqueAttribute:
    """An attribute that occurs once in a store: its path, its column, AWS's word for it, and its value."""

    path: str
    column: str
    word: str
    value_in: Callable[[dict[str, Any]], str | None]


@dataclass(frozen=True)
class Kind:
    """Users, groups or memberships: how the API and the tables name them."""

    noun: str
    table: str
    resource_type: str
    unique: tuple[UniqueAttribute, ...] = ()

    @cached_property
    def word(self) -> str:
        """The noun in messages, in ARNs and in the names of columns."""
        return self.noun.lower()


USER = Kind(
    "User",
    "identity_user",
    "USER",
    (
        UniqueAttribute("userName", "user_name_folded", "UserName", itemgetter("UserName")),
        UniqueAttribute("emails.value", "email_folded", "Email", primary_email),
    ),
)
GROUP = Kind(
    "Group",
    "identity_group",
    "GROUP",
    (UniqueAttribute("displayName", "display_name_folded", "GroupDisplayName", itemgetter("DisplayName")),),
)
MEMBERSHIP = Kind("Membership", "group_membership", "GROUP_MEMBERSHIP")


def require_store(context: Context, request: dict[str, Any], *, write: bool = False) -> str:
    """Return the id of the identity store that a request names in ``IdentityStoreId``."""
    return str(require_store_instance(context, request, write=write)["identity_store_id"])


def require_store_instance(context: Context, request: dict[str, Any], *, write: bool = False) -> sqlite3.Row:
    """Return the instance of the identity store that a request names."""
    reference = request["IdentityStoreId"]
    instance = require_identity_store(context, reference, write=write)
    if reference.startswith("arn:") and reference != identity_store_arn(instance):
        raise access_denied(
            f"The identity store {instance['identity_store_id']!r} is not one of the account in "
            f"{reference!r}; its ARN is {identity_store_arn(instance)!r}."
        )
    return instance


def find_named(context: Context, request: dict[str, Any], kind: Kind, *, write: bool = False) -> sqlite3.Row:
    """Return the row of the user, group or membership that a request names."""
    return find_row(context, require_store(context, request, write=write), request[f"{kind.noun}Id"], kind)


def find_row(context: Context, identity_store_id: str, reference: str, kind: Kind) -> sqlite3.Row:
    """Return the row of a user, group or membership of a store, named by id or ARN."""
    prefix, _, resource_id = reference.rpartition("/")
    if prefix and not prefix.endswith(f":{kind.word}"):
        raise validation_error(
            f"The value {reference!r} names a {prefix.rpartition(':')[2]}; a {kind.word} is needed here."
        )
    resource_id = resource_id.lower()
    key = {f"{kind.word}_id": resource_id, "identity_store_id": identity_store_id}
    row = context.find(kind.table, **key)
    if row is None:
        raise missing(kind, resource_id, identity_store_id)
    return row


def missing(kind: Kind, resource_id: str, identity_store_id: str) -> ServiceError:
    """Return the error for a user, group or membership that is not in the store."""
    return not_found(
        f"{kind.resource_type} not found. {resource_id!r} is not in the identity store "
        f"{identity_store_id!r}.",
        ResourceType=kind.resource_type,
        ResourceId=resource_id,
    )


def key_of(kind: Kind, identity_store_id: str, resource_id: str) -> dict[str, Any]:
    """Return what names a user, group or membership in an answer; its ARN has no Region and no account."""
    return {
        "IdentityStoreId": identity_store_id,
        f"{kind.noun}Id": resource_id,
        f"{kind.noun}Arn": f"arn:aws:identitystore:::{kind.word}/{resource_id}",
    }


def stamps(row: sqlite3.Row) -> dict[str, Any]:
    """Return when and by whom a row was made and last changed; a membership never changes."""
    made = row["created_at"], row["created_by"]
    try:
        changed = row["updated_at"], row["updated_by"]
    except IndexError:
        changed = made
    return dict(zip(_STAMPS, (*made, *changed), strict=True))


_STAMPS = ("CreatedAt", "CreatedBy", "UpdatedAt", "UpdatedBy")


def listed(
    context: Context, kind: Kind, shown: Callable[[sqlite3.Row], dict[str, Any]], **key: str
) -> LongListing:
    """List the rows that have these values, oldest first, as a person made them, read page by page."""

    def read(last_key: str | None, number: int) -> list[sqlite3.Row]:
        made, _, last_id = (last_key or "-1/").partition("/")
        try:
            created_at = float(made)
        except ValueError:
            raise validation_error("This list gave no such NextToken; start over without one.") from None
        conditions = " AND ".join(f"{name} = ?" for name in key)
        return context.rows(
            f"SELECT * FROM {kind.table} WHERE {conditions}"  # noqa: S608  ours
            f" AND (created_at, {kind.word}_id) > (?, ?) ORDER BY created_at, {kind.word}_id LIMIT ?",
            *key.values(),
            created_at,
            last_id,
            number,
        )

    return LongListing((), lambda row: f"{row['created_at']!r}/{row[0]}", shown, read=read)


def find_by_attribute(
    context: Context, store_id: str, kind: Kind, attribute: UniqueAttribute, value: str
) -> str | None:
    """Return the id of the user or group that holds a unique value, without regard to case, or None."""
    row = context.find(kind.table, identity_store_id=store_id, **{attribute.column: folded(value)})
    return row[0] if row else None


def find_by_external_id(
    context: Context, store_id: str, kind: Kind, external_id: dict[str, str]
) -> str | None:
    """Return the id of the user or group to which an identity provider gave an id, or None."""
    found: str | None = context.value(
        f"SELECT {kind.word}_id FROM {kind.table} WHERE identity_store_id = ?"  # noqa: S608  ours
        " AND EXISTS (SELECT 1 FROM json_each(profile_json, '$.ExternalIds') AS given WHERE "
        "json_extract(given.value, '$.Issuer') = ? AND json_extract(given.value, '$.Id') = ?)",
        store_id,
        external_id["Issuer"],
        external_id["Id"],
    )
    return found


def require_unique(
    context: Context, store_id: str, kind: Kind, profile: dict[str, Any], own_id: str | None = None
) -> None:
    """Refuse a profile that has what another user or group of the store holds: a name, an address, an id."""
    for attribute in kind.unique:
        value = attribute.value_in(profile)
        if value is not None:
            holder = find_by_attribute(context, store_id, kind, attribute, value)
            _require_own(holder, own_id, attribute.word, value)
    for external_id in profile.get("ExternalIds", ()):
        holder = find_by_external_id(context, store_id, kind, external_id)
        _require_own(holder, own_id, "ExternalId", f"{external_id['Issuer']}/{external_id['Id']}")


def _require_own(holder: str | None, own_id: str | None, word: str, value: str) -> None:
    if holder not in (None, own_id):  # AWS's words ("Duplicate UserName"), then the value
        raise conflict(
            f"Duplicate {word}: {value!r} is in use in this identity store (capitals make no difference to "
            "names).",
            Reason="UNIQUENESS_CONSTRAINT_VIOLATION",
        )
