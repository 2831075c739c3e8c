"""What the screens of users and groups share: the identity store, its lists, and who is ticked on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from idc_sandbox.api.settings import DIRECTORY, read_identity_source
from idc_sandbox.errors import ServiceError, validation_error
from idc_sandbox.pages.console.desk import Console

ROWS_OF_A_PAGE = 50
Identity = dict[str, Any]


def users_of(console: Console) -> list[Identity]:
    """Return all users, by user name."""
    return sorted(console.list_store("ListUsers"), key=lambda one: one["UserName"].casefold())


def groups_of(console: Console) -> list[Identity]:
    """Return all groups, by name."""
    return sorted(console.list_store("ListGroups"), key=lambda one: (one.get("DisplayName") or "").casefold())


def memberships_of(console: Console, group_id: str) -> dict[str, str]:
    """Return the membership of each member of a group, by the member's id."""
    found = console.list_store("ListGroupMemberships", GroupId=group_id)
    return {one["MemberId"]["UserId"]: one["MembershipId"] for one in found}


def memberships_in_groups(console: Console, user_id: str) -> dict[str, str]:
    """Return the membership of a user in each of their groups, by the group's id."""
    found = console.list_store("ListGroupMembershipsForMember", MemberId={"UserId": user_id})
    return {one["GroupId"]: one["MembershipId"] for one in found}


def keeps_passwords(console: Console) -> bool:
    """Tell whether people sign in with a password of this directory, to callers who may not ask too."""
    (instance,) = console.context.find_all("instance", instance_arn=console.instance_arn)
    return bool(read_identity_source(console.context, instance)["type"] == DIRECTORY)


def add_member(console: Console, group_id: str, user_id: str) -> None:
    """Make a user a member of a group."""
    console.call_store("CreateGroupMembership", GroupId=group_id, MemberId={"UserId": user_id})


def access_of(console: Console, principal_id: str, principal_type: str) -> list[Access]:
    """Return the permission sets that somebody has in accounts, those of a user's groups among them."""
    principal = {"PrincipalId": principal_id, "PrincipalType": principal_type}
    found = console.list_sso("ListAccountAssignmentsForPrincipal", **principal)
    set_names = {
        arn: console.call_sso("DescribePermissionSet", PermissionSetArn=arn)["PermissionSet"]["Name"]
        for arn in {one["PermissionSetArn"] for one in found}
    }
    names = account_names(console) if found else {}
    rows = [
        Access(
            names.get(one["AccountId"], ""),
            one["AccountId"],
            set_names[one["PermissionSetArn"]],
            one["PrincipalId"] if one["PrincipalType"] == "GROUP" else "",
        )
        for one in found
    ]
    return sorted(rows)


def account_names(console: Console) -> dict[str, str]:
    """Return the names of the organization's accounts by id; none where they may not be read."""
    try:
        return {one["Id"]: one["Name"] for one in console.organization_items("ListAccounts")}
    except ServiceError:
        return {}


class Access(NamedTuple):
    """A permission set that somebody has in an account; `group_id` names the group that it comes through."""

    account_name: str
    account_id: str
    permission_set_name: str
    group_id: str


class Readable(NamedTuple):
    """What somebody may read, or why not."""

    value: Any
    why_not: str


def readable(read: Callable[[], Any], otherwise: Any = ()) -> Readable:
    """Return what is read, or the refusal to read it: a box says so, and the rest of its page is shown."""
    try:
        return Readable(read(), "")
    except ServiceError as error:
        if error.code != "AccessDeniedException":
            raise
        return Readable(otherwise, error.message)


def typed_or(console: Console, name: str, otherwise: str = "") -> str:
    """Return what was typed into a form that was refused, else what is there."""
    return str(console.form.get(name, "")) if console.problem else otherwise


def ticked(console: Console, name: str) -> list[str]:
    """Return what was ticked, each once."""
    return list(dict.fromkeys(console.form.getlist(name)))


def filled_rows(console: Console, key: str, value: str) -> list[tuple[str, str]]:
    """Return the rows of keys and values in which something was typed, without the spaces around it."""
    rows = zip(console.form.getlist(key), console.form.getlist(value), strict=False)
    stripped = [(key.strip(), value.strip()) for key, value in rows]
    return [row for row in stripped if any(row)]


def require_ticked(console: Console, name: str, what: str) -> list[str]:
    """Return what was ticked, at least one."""
    found = ticked(console, name)
    if not found:
        raise validation_error(f"Tick at least one {what} first.")
    return found


def require_typed(console: Console, wanted: str) -> None:
    """Refuse what is to be confirmed by typing and was not."""
    if console.form.get("typed", "").strip() != wanted.strip():
        raise validation_error(f"Type {wanted} to confirm.")


def matching_or_ticked(
    console: Console, identities: list[Identity], kind: str, *names: str
) -> list[Identity]:
    """Return the users or groups that a form looks for, and those that are ticked in it already."""
    kept, found = ticked(console, kind), matching(identities, console.form.get("find", ""), *names)
    return [one for one in identities if one[f"{kind.capitalize()}Id"] in kept or one in found]


def matching(identities: list[Identity], looked_for: str, *names: str) -> list[Identity]:
    """Return those with the looked for text in one of their values, in any case."""
    text = looked_for.strip().casefold()
    return [
        one
        for one in identities
        if not text or any(text in str(one.get(name, "")).casefold() for name in names)
    ]


class ListPage(NamedTuple):
    """One page of a list."""

    rows: list[Any]
    number: int
    last: int
    total: int


def page_of(console: Console, rows: list[Any]) -> ListPage:
    """Return the page of a list that the address names; the nearest one where it names none."""
    last = max(1, -(-len(rows) // ROWS_OF_A_PAGE))
    asked = console.query("page")
    number = min(max(1, int(asked)), last) if asked.isascii() and asked.isdecimal() and len(asked) < 6 else 1
    start = (number - 1) * ROWS_OF_A_PAGE
    return ListPage(rows[start : start + ROWS_OF_A_PAGE], number, last, len(rows))


def names_of(identities: list[Identity], ids: list[str], key: str, name: str) -> str:
    """Return the names of some users or groups, as a notice says them."""
    wanted = set(ids)
    return ", ".join(one[name] for one in identities if one[key] in wanted)
