"""The operations of the identity store: those of users and groups are the same."""

# What each does: https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_Operations.html
# What AWS does not document is decided here and marked "UNCONFIRMED at AWS" where it is decided.
from __future__ import annotations

import functools
import ipaddress
import json
import sqlite3
from collections.abc import Callable
from operator import itemgetter
from typing import Any

from idc_sandbox.api.identity_store.profiles import (
    NAME_OF_NOUN,
    apply_operations,
    check_profile,
    folded,
    profile_of,
    require_extension_names,
)
from idc_sandbox.api.identity_store.references import (
    GROUP,
    MEMBERSHIP,
    USER,
    Kind,
    UniqueAttribute,
    find_by_attribute,
    find_by_external_id,
    find_named,
    find_row,
    key_of,
    listed,
    missing,
    require_store,
    require_store_instance,
    require_unique,
    stamps,
)
from idc_sandbox.api.instance_rules import identity_store_arn, is_administrator
from idc_sandbox.context import Context
from idc_sandbox.errors import conflict, quota_exceeded, validation_error
from idc_sandbox.wire.registry import Listing, operation

QUOTA_OF_NOUN = {"User": 200_000, "Group": 100_000}


def _create(kind: Kind, context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Create an enabled user without a password (the API gives none), or a group without members."""
    store_id = require_store(context, request, write=True)
    profile = profile_of(kind.noun, request)
    require_unique(context, store_id, kind, profile)
    _require_room(context, store_id, kind)
    identity_id = context.ids.identity_id(kind.word, store_id)
    now, caller = context.now, context.caller.principal_arn
    context.insert(
        kind.table,
        **{f"{kind.word}_id": identity_id},
        identity_store_id=store_id,
        **_profile_columns(kind, profile),
        created_at=now,
        created_by=caller,
        updated_at=now,
        updated_by=caller,
    )
    return _revised(kind, find_row(context, store_id, identity_id, kind))


def _describe(kind: Kind, context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Answer the attributes of a user or group; extensions only when they are asked for."""
    store_id = require_store(context, request)
    extension_names = _asked_extensions(kind, request)
    row = find_row(context, store_id, request[f"{kind.noun}Id"], kind)
    return shown_identity(kind, row, extension_names)


def _list(kind: Kind, context: Context, request: dict[str, Any]) -> Listing:
    """List users or groups, oldest first; the filter by name is deprecated and works."""
    store_id = require_store(context, request)
    extension_names = _asked_extensions(kind, request)
    name = _filter_value(request, NAME_OF_NOUN[kind.noun])
    named = {} if name is None else {kind.unique[0].column: folded(name)}
    key = {"identity_store_id": store_id, **named}
    return listed(context, kind, lambda row: shown_identity(kind, row, extension_names), **key)


def _update(kind: Kind, context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Apply attribute operations to a user or group: all of them or, when one is refused, none."""
    row = find_named(context, request, kind, write=True)
    _require_revision(row, request)
    profile = apply_operations(kind.noun, json.loads(row["profile_json"]), request["Operations"])
    check_profile(kind.noun, profile)
    require_unique(context, row["identity_store_id"], kind, profile, row[0])
    write_identity(context, kind, row, **_profile_columns(kind, profile))
    return _revised(kind, find_row(context, row["identity_store_id"], row[0], kind))


def _delete(kind: Kind, context: Context, request: dict[str, Any]) -> None:
    """Delete a user or group with its memberships."""
    # Account assignments that name it stay listed and give nobody access. UNCONFIRMED: people report them.
    row = find_named(context, request, kind, write=True)
    _require_revision(row, request)
    context.delete(kind.table, **{f"{kind.word}_id": row[0]})


def _get_id(kind: Kind, context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Answer the id of the user or group with a name, an e-mail address or an external id."""
    store_id = require_store(context, request)
    alternate_identifier = request["AlternateIdentifier"]
    external_id = alternate_identifier.get("ExternalId")
    if external_id is not None:
        found = find_by_external_id(context, store_id, kind, external_id)
        named = f"{external_id['Issuer']}/{external_id['Id']}"
    else:
        attribute, named = _unique_attribute(kind, alternate_identifier["UniqueAttribute"])
        found = find_by_attribute(context, store_id, kind, attribute, named)
    if found is None:
        raise missing(kind, named, store_id)
    return key_of(kind, store_id, found)


_ALIKE: dict[str, Callable[[Kind, Context, dict[str, Any]], Any]] = {
    "Create{}": _create,
    "Describe{}": _describe,
    "List{}s": _list,
    "Update{}": _update,
    "Delete{}": _delete,
    "Get{}Id": _get_id,
}
for _kind in (USER, GROUP):
    for _name, _handler in _ALIKE.items():
        operation("identitystore", _name.format(_kind.noun))(functools.partial(_handler, _kind))


def write_identity(context: Context, kind: Kind, row: sqlite3.Row, **columns: Any) -> None:
    """Write columns of a user or group as a new revision by the caller, now."""
    caller = context.caller.principal_arn
    revision = row["revision"] + 1
    context.update(kind.table, row, **columns, revision=revision, updated_at=context.now, updated_by=caller)


@functools.lru_cache(maxsize=4096)  # a company is read over and over, and few of its people change
def shown_identity(kind: Kind, row: sqlite3.Row, extension_names: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return a user or group as Describe and List answer it."""
    profile = json.loads(row["profile_json"])
    extensions = profile.pop("Extensions", {})
    shown = {**_revised(kind, row), **profile, **stamps(row)}
    if kind is USER:
        shown["UserStatus"] = row["user_status"]
        if asked := {name: extensions[name] for name in extension_names if name in extensions}:
            shown["Extensions"] = asked
    return shown


def _asked_extensions(kind: Kind, request: dict[str, Any]) -> tuple[str, ...]:
    return tuple(require_extension_names(request.get("Extensions") or [])) if kind is USER else ()


def _revised(kind: Kind, row: sqlite3.Row) -> dict[str, Any]:
    return {**key_of(kind, row["identity_store_id"], row[0]), "Revision": str(row["revision"])}


def _profile_columns(kind: Kind, profile: dict[str, Any]) -> dict[str, Any]:
    values = {attribute.column: attribute.value_in(profile) for attribute in kind.unique}
    name_column = kind.unique[0].column.removesuffix("_folded")
    return {
        name_column: profile[NAME_OF_NOUN[kind.noun]],
        **{column: None if value is None else folded(value) for column, value in values.items()},
        "profile_json": json.dumps(profile, ensure_ascii=False),
    }


def _filter_value(request: dict[str, Any], attribute_path: str) -> str | None:
    """Return the value of the one filter that a list takes, or None without a filter."""
    for one in request.get("Filters") or ():
        if one["AttributePath"].casefold() != attribute_path.casefold():
            raise validation_error(
                f"The filter on {one['AttributePath']!r} is not supported; the only one is "
                f"{attribute_path!r}."
            )
        return str(one["AttributeValue"])
    return None


def _require_revision(row: sqlite3.Row, request: dict[str, Any]) -> None:
    """Refuse a write whose ``Revision`` is not the resource's; without one, any revision will do."""
    expected = request.get("Revision")
    if expected is not None and expected != str(row["revision"]):
        raise conflict(
            f"The revision {expected!r} is not the current one, {str(row['revision'])!r}: somebody changed "
            "it since. Read it again and decide again.",
            Reason="CONCURRENT_MODIFICATION",
        )


def _require_room(context: Context, identity_store_id: str, kind: Kind) -> None:
    quota = QUOTA_OF_NOUN[kind.noun]
    number = context.value(
        f"SELECT count(*) FROM {kind.table} WHERE identity_store_id = ?",  # noqa: S608  ours
        identity_store_id,
    )
    if number >= quota:
        raise quota_exceeded(
            f"The identity store {identity_store_id!r} has {number} {kind.word}s and may have {quota}; AWS "
            "raises this on request."
        )


def _unique_attribute(kind: Kind, given: dict[str, Any]) -> tuple[UniqueAttribute, str]:
    path, value = given["AttributePath"], given["AttributeValue"]
    attribute = next((one for one in kind.unique if one.path.casefold() == path.casefold()), None)
    if attribute is None:
        raise validation_error(
            f"The attribute {path!r} is not a unique attribute of a {kind.word}; there is "
            f"{' and '.join(one.path for one in kind.unique)}."
        )
    if not isinstance(value, str) or not value:
        raise validation_error(
            f"attribute value cannot be empty or null for attribute path {path!r}: a text is needed, not "
            f"{value!r}."
        )
    return attribute, value


@operation("identitystore", "CreateGroupMembership")
def create_group_membership(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Make a user a member of a group; a second time is a conflict."""
    group = find_named(context, request, GROUP, write=True)
    store_id = group["identity_store_id"]
    user = _member(context, store_id, request)
    if _find_membership(context, group, user):
        raise conflict(
            f"Member and Group relationship already exists. The user {user['user_name']!r} is in the group "
            f"{group['display_name']!r}.",
            Reason="UNIQUENESS_CONSTRAINT_VIOLATION",
        )
    membership_id = context.ids.identity_id("membership", store_id)
    context.insert(
        "group_membership",
        membership_id=membership_id,
        identity_store_id=store_id,
        group_id=group["group_id"],
        user_id=user["user_id"],
        created_at=context.now,
        created_by=context.caller.principal_arn,
    )
    return key_of(MEMBERSHIP, store_id, membership_id)


@operation("identitystore", "DescribeGroupMembership")
def describe_group_membership(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Answer who is in which group, since when and by whom."""
    return _shown_membership(find_named(context, request, MEMBERSHIP))


@operation("identitystore", "DeleteGroupMembership")
def delete_group_membership(context: Context, request: dict[str, Any]) -> None:
    """Take a user out of a group; user and group stay."""
    row = find_named(context, request, MEMBERSHIP, write=True)
    context.delete("group_membership", membership_id=row["membership_id"])


@operation("identitystore", "ListGroupMemberships")
def list_group_memberships(context: Context, request: dict[str, Any]) -> Listing:
    """List a group's memberships, oldest first."""
    group = find_named(context, request, GROUP)
    return listed(context, MEMBERSHIP, _shown_membership, group_id=group["group_id"])


@operation("identitystore", "ListGroupMembershipsForMember")
def list_group_memberships_for_member(context: Context, request: dict[str, Any]) -> Listing:
    """List a user's memberships, oldest first."""
    user = _member(context, require_store(context, request), request)
    return listed(context, MEMBERSHIP, _shown_membership, user_id=user["user_id"])


@operation("identitystore", "GetGroupMembershipId")
def get_group_membership_id(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Answer the id of a user's membership in a group."""
    group = find_named(context, request, GROUP)
    store_id = group["identity_store_id"]
    user = _member(context, store_id, request)
    membership = _find_membership(context, group, user)
    if membership is None:
        raise missing(MEMBERSHIP, f"{group['group_id']}/{user['user_id']}", store_id)
    return key_of(MEMBERSHIP, store_id, membership["membership_id"])


@operation("identitystore", "IsMemberInGroups")
def is_member_in_groups(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Answer for each of at most 100 groups, in their order, whether a user is a member."""
    store_id = require_store(context, request)
    user = _member(context, store_id, request)
    groups = [find_row(context, store_id, reference, GROUP) for reference in request["GroupIds"]]
    return {
        "Results": [
            {
                "GroupId": group["group_id"],
                "MemberId": {"UserId": user["user_id"]},
                "MembershipExists": _find_membership(context, group, user) is not None,
            }
            for group in groups
        ]
    }


def _member(context: Context, store_id: str, request: dict[str, Any]) -> sqlite3.Row:
    return find_row(context, store_id, request["MemberId"]["UserId"], USER)


def _find_membership(context: Context, group: sqlite3.Row, user: sqlite3.Row) -> sqlite3.Row | None:
    return context.find("group_membership", group_id=group["group_id"], user_id=user["user_id"])


@functools.lru_cache(maxsize=4096)
def _shown_membership(row: sqlite3.Row) -> dict[str, Any]:
    return {
        **key_of(MEMBERSHIP, row["identity_store_id"], row["membership_id"]),
        "GroupId": row["group_id"],
        "MemberId": {"UserId": row["user_id"]},
        **stamps(row),
    }


_LISTS = ("ApiRestrictSourceVpcs", "ApiAllowSourceIps", "ScimAllowSourceIps")
_SETTING = "identity_store_network"
# Where every caller of the sandbox is: it listens on loopback only, and no VPC endpoint leads there.
_CALLER = ipaddress.ip_address("127.0.0.1")


@operation("identitystore", "DescribeIdentityStore")
def describe_identity_store(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Answer an identity store's ARN and network configuration."""
    instance = require_store_instance(context, request)
    network = json.loads(instance["settings_json"]).get(_SETTING, {"VpceAccessRequired": False})
    return {**_shown_store(instance), "NetworkConfiguration": network}


@operation("identitystore", "ListIdentityStores")
def list_identity_stores(context: Context, request: dict[str, Any]) -> Listing:  # noqa: ARG001
    """List the stores that the caller administers in this Region; not the organization's to a member."""
    rows = context.find_all("instance", region=context.region)
    own = [row for row in rows if is_administrator(context, row)]
    return Listing(own, itemgetter("identity_store_id"), _shown_store)


@operation("identitystore", "UpdateIdentityStore")
def update_identity_store(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Replace the whole network configuration of an identity store; what is not given is cleared."""
    instance = require_store_instance(context, request, write=True)
    given = request.get("NetworkConfiguration")
    if given is not None:
        network = {name: value for name, value in given.items() if value is not None}
        _check_network(network)
        settings = json.loads(instance["settings_json"]) | {_SETTING: network}
        context.update("instance", instance, settings_json=json.dumps(settings))
    return _shown_store(instance)


def _check_network(network: dict[str, Any]) -> None:
    """Refuse, as AWS does, a change that would lock out its caller."""
    given = [name for name in _LISTS if network.get(name)]
    if not network["VpceAccessRequired"]:
        if given:
            raise validation_error(
                f"{', '.join(given)} must be empty when VpceAccessRequired is false: they narrow access "
                "through an endpoint."
            )
        return
    addresses = network.get("ApiAllowSourceIps", [])
    allowed = [ipaddress.ip_network(text, strict=False) for text in addresses]
    if not any(_CALLER in one for one in allowed):
        raise validation_error(
            f"This configuration would lock you out: you call from {str(_CALLER)!r}, through no VPC "
            f"endpoint, and ApiAllowSourceIps is {addresses!r}. Add your address to it."
        )


def _shown_store(instance: sqlite3.Row) -> dict[str, Any]:
    return {
        "IdentityStoreId": instance["identity_store_id"],
        "IdentityStoreArn": identity_store_arn(instance),
    }
