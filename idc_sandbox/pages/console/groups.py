"""Groups and their members."""

from __future__ import annotations

from starlette.responses import Response

from idc_sandbox.errors import validation_error
from idc_sandbox.pages.console.applications import applications_of
from idc_sandbox.pages.console.desk import ROOT, Console, Screen
from idc_sandbox.pages.console.directory import (
    Directory,
    Identity,
    in_directory,
    matching,
    names_of,
    page_of,
    readable,
    require_ticked,
    require_typed,
    ticked,
    typed_or,
)

_CRUMBS = (("Groups", f"{ROOT}/groups"),)
_TABS = {"users": "Users", "accounts": "AWS accounts", "applications": "Applications"}


def _show_groups(directory: Directory) -> Response:
    console = directory.console
    if console.problem and console.form.get("act") == "delete":
        return _confirm_deletion(directory)
    looked_for = console.query("find")
    groups = readable(directory.groups)
    found = matching(list(groups.value), looked_for, "DisplayName", "Description")
    return console.show(
        "groups.html", page=page_of(console, found), why_not=groups.why_not, looked_for=looked_for
    )


def _take_groups(directory: Directory) -> Response:
    """Ask before groups are deleted, and delete them when it was confirmed."""
    console = directory.console
    group_ids = require_ticked(console, "group", "group")
    if console.form.get("act") != "delete":
        return _confirm_deletion(directory)
    names = [_described(directory, one)["DisplayName"] for one in group_ids]
    if to_type := _to_type(directory, group_ids, names):
        require_typed(console, to_type)
    for group_id in group_ids:
        directory.call("DeleteGroup", GroupId=group_id)
    return console.go("/groups", "group-deleted", ", ".join(names))


def _confirm_deletion(directory: Directory) -> Response:
    console = directory.console
    groups = [_described(directory, one) for one in ticked(console, "group")]
    group_ids, names = [one["GroupId"] for one in groups], [one["DisplayName"] for one in groups]
    return console.show(
        "groups-delete.html",
        groups=groups,
        to_type=_to_type(directory, group_ids, names),
        crumbs=_CRUMBS,
    )


def _to_type(directory: Directory, group_ids: list[str], names: list[str]) -> str:
    """Return what confirms a deletion: of several the word, of one with members its name, else nothing."""
    if len(group_ids) > 1:
        return "Delete"
    return names[0] if directory.memberships_of(group_ids[0]) else ""


def _described(directory: Directory, group_id: str) -> Identity:
    return directory.call("DescribeGroup", GroupId=group_id)


def _show_create(directory: Directory) -> Response:
    users = readable(directory.users)
    return directory.console.show(
        "groups-create.html",
        users=_shown_users(directory.console, list(users.value)),
        why_not=users.why_not,
        ticked=ticked(directory.console, "user"),
        form=directory.console.form,
        crumbs=_CRUMBS,
    )


def _take_create(directory: Directory) -> Response:
    """Create a group with its first members; *Find* only looks for users, and keeps what was typed."""
    console = directory.console
    if console.form.get("act") == "find":
        return _show_create(directory)
    name = _required_name(console)
    answer = directory.call("CreateGroup", DisplayName=name, Description=_description(console))
    for user_id in ticked(console, "user"):
        directory.add_member(answer["GroupId"], user_id)
    return console.go("/groups", "group-created", name)


def _required_name(console: Console) -> str:
    name = str(console.form.get("name", "")).strip()
    if not name:
        raise validation_error("Group name is needed.")
    return name


def _description(console: Console) -> str | None:
    return str(console.form.get("description", "")).strip() or None


def _shown_users(console: Console, users: list[Identity]) -> list[Identity]:
    """Return the users that are looked for, and those who are ticked already."""
    kept = set(ticked(console, "user"))
    found = matching(users, console.form.get("find", ""), "UserName", "DisplayName")
    return [one for one in users if one["UserId"] in kept or one in found]


def _show_group(directory: Directory) -> Response:
    console, group_id = directory.console, directory.console.part("group_id")
    group = _described(directory, group_id)
    tab = console.query("tab") if console.query("tab") in _TABS else "users"
    memberships = readable(lambda: directory.memberships_of(group_id), {})
    members = readable(lambda: [one for one in directory.users() if one["UserId"] in memberships.value])
    access = readable(lambda: directory.access_of(group_id, "GROUP")) if tab == "accounts" else None
    here = f"{ROOT}/groups/{group_id}"
    return console.show(
        "group.html",
        group=group,
        members=members,
        has_members=bool(memberships.value),
        access=access,
        applications=readable(lambda: applications_of(directory, group_id, "GROUP"))
        if tab == "applications"
        else None,
        tab=tab,
        tabs=[(label, f"{here}?tab={name}") for name, label in _TABS.items()],
        here=here,
        crumbs=_CRUMBS,
    )


def _take_group(directory: Directory) -> Response:
    """Delete the group, or remove members."""
    console, group_id = directory.console, directory.console.part("group_id")
    if console.form.get("act") == "delete":
        name = _described(directory, group_id)["DisplayName"]
        if to_type := _to_type(directory, [group_id], [name]):
            require_typed(console, to_type)
        directory.call("DeleteGroup", GroupId=group_id)
        return console.go("/groups", "group-deleted", name)
    user_ids = require_ticked(console, "user", "user")
    names = names_of(directory.users(), user_ids, "UserId", "UserName")
    memberships = directory.memberships_of(group_id)
    for user_id in user_ids:
        if user_id in memberships:  # who has left meanwhile is out already
            directory.call("DeleteGroupMembership", MembershipId=memberships[user_id])
    return console.go(f"/groups/{group_id}", "members-removed", names)


def _show_edit(directory: Directory) -> Response:
    console = directory.console
    group = _described(directory, console.part("group_id"))
    return console.show(
        "groups-edit.html",
        group=group,
        name=typed_or(console, "name", group["DisplayName"]),
        description=typed_or(console, "description", group.get("Description", "")),
        crumbs=(*_CRUMBS, (group["DisplayName"], f"{ROOT}/groups/{group['GroupId']}")),
    )


def _take_edit(directory: Directory) -> Response:
    """Write name and description; an empty description is removed."""
    console, group_id = directory.console, directory.console.part("group_id")
    name, description = _required_name(console), _description(console)
    operations = [
        {"AttributePath": "displayName", "AttributeValue": name},
        {"AttributePath": "description"} | ({} if description is None else {"AttributeValue": description}),
    ]
    directory.call("UpdateGroup", GroupId=group_id, Operations=operations)
    return console.go(f"/groups/{group_id}", "group-saved", name)


def _show_add(directory: Directory) -> Response:
    console, group_id = directory.console, directory.console.part("group_id")
    group = _described(directory, group_id)
    members = directory.memberships_of(group_id)
    others = readable(lambda: [one for one in directory.users() if one["UserId"] not in members])
    return console.show(
        "groups-add-users.html",
        group=group,
        users=_shown_users(console, list(others.value)),
        why_not=others.why_not,
        ticked=ticked(console, "user"),
        form=console.form,
        crumbs=(*_CRUMBS, (group["DisplayName"], f"{ROOT}/groups/{group_id}")),
    )


def _take_add(directory: Directory) -> Response:
    """Make the ticked users members."""
    console, group_id = directory.console, directory.console.part("group_id")
    if console.form.get("act") == "find":
        return _show_add(directory)
    user_ids = require_ticked(console, "user", "user")
    for user_id in user_ids:
        directory.add_member(group_id, user_id)
    names = names_of(directory.users(), user_ids, "UserId", "UserName")
    return console.go(f"/groups/{group_id}", "members-added", names)


GROUP_SCREENS = (
    Screen("/groups", in_directory(_show_groups), in_directory(_take_groups)),
    Screen("/groups/create", in_directory(_show_create), in_directory(_take_create)),
    Screen("/groups/{group_id}", in_directory(_show_group), in_directory(_take_group)),
    Screen("/groups/{group_id}/edit", in_directory(_show_edit), in_directory(_take_edit)),
    Screen("/groups/{group_id}/add-users", in_directory(_show_add), in_directory(_take_add)),
)
