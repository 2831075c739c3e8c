"""Groups and their members."""

from __future__ import annotations

from functools import partial

from starlette.responses import Response

from idc_sandbox.errors import validation_error
from idc_sandbox.pages.console.applications import applications_of
from idc_sandbox.pages.console.desk import ROOT, Console, Screen
from idc_sandbox.pages.console.directory import (
    Identity,
    access_of,
    add_member,
    groups_of,
    matching,
    matching_or_ticked,
    memberships_of,
    names_of,
    page_of,
    readable,
    require_ticked,
    require_typed,
    ticked,
    typed_or,
    users_of,
)

_CRUMBS = (("Groups", f"{ROOT}/groups"),)
_TABS = {"users": "Users", "accounts": "AWS accounts", "applications": "Applications"}


def _show_groups(console: Console) -> Response:
    if console.problem and console.form.get("act") == "delete":
        return _confirm_deletion(console)
    looked_for = console.query("find")
    groups = readable(partial(groups_of, console))
    found = matching(list(groups.value), looked_for, "DisplayName", "Description")
    return console.show(
        "groups.html", page=page_of(console, found), why_not=groups.why_not, looked_for=looked_for
    )


def _take_groups(console: Console) -> Response:
    """Ask before groups are deleted, and delete them when it was confirmed."""
    group_ids = require_ticked(console, "group", "group")
    return _delete(console, group_ids) if console.form.get("act") == "delete" else _confirm_deletion(console)


def _delete(console: Console, group_ids: list[str]) -> Response:
    names = [_described(console, one)["DisplayName"] for one in group_ids]
    if to_type := _to_type(console, group_ids, names):
        require_typed(console, to_type)
    for group_id in group_ids:
        console.call_store("DeleteGroup", GroupId=group_id)
    return console.go("/groups", "group-deleted", ", ".join(names))


def _confirm_deletion(console: Console) -> Response:
    groups = [_described(console, one) for one in ticked(console, "group")]
    group_ids, names = [one["GroupId"] for one in groups], [one["DisplayName"] for one in groups]
    return console.show(
        "groups-delete.html",
        groups=groups,
        to_type=_to_type(console, group_ids, names),
        crumbs=_CRUMBS,
    )


def _to_type(console: Console, group_ids: list[str], names: list[str]) -> str:
    """Return what confirms a deletion: of several the word, of one with members its name, else nothing."""
    if len(group_ids) > 1:
        return "Delete"
    return names[0] if memberships_of(console, group_ids[0]) else ""


def _described(console: Console, group_id: str) -> Identity:
    return console.call_store("DescribeGroup", GroupId=group_id)


def _show_create(console: Console) -> Response:
    users = readable(partial(users_of, console))
    return console.show(
        "groups-create.html",
        users=matching_or_ticked(console, list(users.value), "user", "UserName", "DisplayName"),
        why_not=users.why_not,
        ticked=ticked(console, "user"),
        form=console.form,
        crumbs=_CRUMBS,
    )


def _take_create(console: Console) -> Response:
    """Create a group with its first members; *Find* only looks for users, and keeps what was typed."""
    if console.form.get("act") == "find":
        return _show_create(console)
    name = _required_name(console)
    answer = console.call_store("CreateGroup", DisplayName=name, Description=_description(console))
    for user_id in ticked(console, "user"):
        add_member(console, answer["GroupId"], user_id)
    return console.go("/groups", "group-created", name)


def _required_name(console: Console) -> str:
    name = str(console.form.get("name", "")).strip()
    if not name:
        raise validation_error("Group name is needed.")
    return name


def _description(console: Console) -> str | None:
    return str(console.form.get("description", "")).strip() or None


def _show_group(console: Console) -> Response:
    group_id = console.part("group_id")
    group = _described(console, group_id)
    tab = console.query("tab") if console.query("tab") in _TABS else "users"
    memberships = readable(lambda: memberships_of(console, group_id), {})
    members = readable(lambda: [one for one in users_of(console) if one["UserId"] in memberships.value])
    access = readable(lambda: access_of(console, group_id, "GROUP")) if tab == "accounts" else None
    here = f"{ROOT}/groups/{group_id}"
    return console.show(
        "group.html",
        group=group,
        members=members,
        has_members=bool(memberships.value),
        access=access,
        applications=readable(lambda: applications_of(console, group_id, "GROUP"))
        if tab == "applications"
        else None,
        tab=tab,
        tabs=[(label, f"{here}?tab={name}") for name, label in _TABS.items()],
        here=here,
        crumbs=_CRUMBS,
    )


def _take_group(console: Console) -> Response:
    """Delete the group, or remove members."""
    group_id = console.part("group_id")
    if console.form.get("act") == "delete":
        return _delete(console, [group_id])
    user_ids = require_ticked(console, "user", "user")
    names = names_of(users_of(console), user_ids, "UserId", "UserName")
    memberships = memberships_of(console, group_id)
    for user_id in user_ids:
        if user_id in memberships:  # who has left meanwhile is out already
            console.call_store("DeleteGroupMembership", MembershipId=memberships[user_id])
    return console.go(f"/groups/{group_id}", "members-removed", names)


def _show_edit(console: Console) -> Response:
    group = _described(console, console.part("group_id"))
    return console.show(
        "groups-edit.html",
        group=group,
        name=typed_or(console, "name", group["DisplayName"]),
        description=typed_or(console, "description", group.get("Description", "")),
        crumbs=(*_CRUMBS, (group["DisplayName"], f"{ROOT}/groups/{group['GroupId']}")),
    )


def _take_edit(console: Console) -> Response:
    """Write name and description; an empty description is removed."""
    group_id = console.part("group_id")
    name, description = _required_name(console), _description(console)
    operations = [
        {"AttributePath": "displayName", "AttributeValue": name},
        {"AttributePath": "description"} | ({} if description is None else {"AttributeValue": description}),
    ]
    console.call_store("UpdateGroup", GroupId=group_id, Operations=operations)
    return console.go(f"/groups/{group_id}", "group-saved", name)


def _show_add(console: Console) -> Response:
    group_id = console.part("group_id")
    group = _described(console, group_id)
    members = memberships_of(console, group_id)
    others = readable(lambda: [one for one in users_of(console) if one["UserId"] not in members])
    return console.show(
        "groups-add-users.html",
        group=group,
        users=matching_or_ticked(console, list(others.value), "user", "UserName", "DisplayName"),
        why_not=others.why_not,
        ticked=ticked(console, "user"),
        form=console.form,
        crumbs=(*_CRUMBS, (group["DisplayName"], f"{ROOT}/groups/{group_id}")),
    )


def _take_add(console: Console) -> Response:
    """Make the ticked users members."""
    group_id = console.part("group_id")
    if console.form.get("act") == "find":
        return _show_add(console)
    user_ids = require_ticked(console, "user", "user")
    for user_id in user_ids:
        add_member(console, group_id, user_id)
    names = names_of(users_of(console), user_ids, "UserId", "UserName")
    return console.go(f"/groups/{group_id}", "members-added", names)


GROUP_SCREENS = (
    Screen("/groups", _show_groups, _take_groups),
    Screen("/groups/create", _show_create, _take_create),
    Screen("/groups/{group_id}", _show_group, _take_group),
    Screen("/groups/{group_id}/edit", _show_edit, _take_edit),
    Screen("/groups/{group_id}/add-users", _show_add, _take_add),
)
