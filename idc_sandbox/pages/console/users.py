"""Users: the list, and a user's own page."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from starlette.responses import Response

from idc_sandbox.errors import ServiceError, validation_error
from idc_sandbox.pages.console import user_fields
from idc_sandbox.pages.console.applications import applications_of
from idc_sandbox.pages.console.desk import ROOT, Console, Screen
from idc_sandbox.pages.console.directory import (
    Identity,
    Readable,
    access_of,
    add_member,
    groups_of,
    keeps_passwords,
    matching,
    memberships_in_groups,
    names_of,
    page_of,
    readable,
    require_ticked,
    require_typed,
    ticked,
    typed_or,
    users_of,
)
from idc_sandbox.pages.console.user_fields import ADD_USER_SCREENS, show_one_time_password
from idc_sandbox.pages.visits import qr_code
from idc_sandbox.sign_in.people import counted

_CRUMBS = (("Users", f"{ROOT}/users"),)


def _show_users(console: Console) -> Response:
    if console.problem and console.form.get("act") == "delete":
        return _confirm_deletion(console)
    looked_for = console.query("find")
    users = readable(partial(users_of, console))
    page = page_of(console, matching(list(users.value), looked_for, "UserName"))
    return console.show(
        "users.html",
        page=page,
        why_not=users.why_not,
        looked_for=looked_for,
        devices={one["UserId"]: _devices_in_words(console, one["UserId"]) for one in page.rows},
    )


def _devices_in_words(console: Console, user_id: str) -> str:
    found = readable(lambda: _devices(console, user_id))
    if found.why_not:
        return "-"
    return counted(len(found.value), "device") if found.value else "None"


def _take_users(console: Console) -> Response:
    """Ask before users are deleted, and delete them when it was confirmed."""
    user_ids = require_ticked(console, "user", "user")
    return _delete(console, *user_ids) if console.form.get("act") == "delete" else _confirm_deletion(console)


def _delete(console: Console, *user_ids: str) -> Response:
    if len(user_ids) > 1:
        require_typed(console, "Delete")
    names = [_described(console, one)["UserName"] for one in user_ids]
    for user_id in user_ids:
        console.call_store("DeleteUser", UserId=user_id)
    return console.go("/users", "user-deleted", ", ".join(names))


def _confirm_deletion(console: Console) -> Response:
    users = [_described(console, one) for one in ticked(console, "user")]
    return console.show("users-delete.html", users=users, crumbs=_CRUMBS)


def _described(console: Console, user_id: str) -> Identity:
    return console.call_store("DescribeUser", UserId=user_id, Extensions=[user_fields.ENTERPRISE])


def _devices(console: Console, user_id: str) -> list[Any]:
    found: list[Any] = console.do("GET", f"users/{user_id}/mfa-devices")["mfa_devices"]
    return found


def _sessions(console: Console, user_id: str) -> list[Any]:
    found: list[Any] = console.do("GET", f"users/{user_id}/sessions")["sessions"]
    return found


def _show_user(console: Console) -> Response:
    user_id = console.part("user_id")
    user = _described(console, user_id)
    memberships = readable(lambda: memberships_in_groups(console, user_id), {})
    devices = readable(lambda: _devices(console, user_id))
    sessions = readable(lambda: _sessions(console, user_id))
    verified = readable(lambda: console.do("GET", f"users/{user_id}/email")["is_verified"], otherwise=True)
    here = f"{ROOT}/users/{user_id}"
    labels = {
        "profile": "Profile",
        "groups": f"Groups ({len(memberships.value)})",
        "accounts": "AWS accounts",
        "applications": "Applications",
        "mfa": f"MFA devices ({len(devices.value)})",
        "sessions": f"Active sessions ({len(sessions.value)})",
    }
    tab = console.query("tab") if console.query("tab") in labels else "profile"
    groups = (
        readable(partial(groups_of, console))
        if tab in ("groups", "accounts", "applications")
        else Readable([], "")
    )
    return console.show(
        "user.html",
        user=user,
        is_enabled=user["UserStatus"] == "ENABLED",
        keeps_passwords=keeps_passwords(console),
        email=user_fields.values_of(user)["email"],
        is_verified=verified.value,
        sections=_shown_sections(user, console.query("find")),
        looked_for=console.query("find"),
        groups=[one for one in groups.value if one["GroupId"] in memberships.value],
        group_names={one["GroupId"]: one["DisplayName"] for one in groups.value},
        groups_why_not=memberships.why_not or groups.why_not,
        access=readable(lambda: access_of(console, user_id, "USER")) if tab == "accounts" else None,
        applications=readable(lambda: applications_of(console, user_id, "USER"))
        if tab == "applications"
        else None,
        devices=devices,
        sessions=sessions,
        tab=tab,
        tabs=[(label, f"{here}?tab={name}") for name, label in labels.items()],
        here=here,
        crumbs=_CRUMBS,
    )


def _shown_sections(user: Identity, looked_for: str) -> list[tuple[str, list[tuple[str, str]]]]:
    values, text = user_fields.values_of(user), looked_for.strip().casefold()
    sections = [
        (
            section.label,
            [(one.label, values[one.name]) for one in section.fields if text in one.label.casefold()],
        )
        for section in user_fields.SECTIONS
    ]
    return [(label, rows) for label, rows in sections if rows]


# What a form on a user's page may ask for.


def _set_status(status: str) -> Callable[[Console, str], Response]:
    def act(console: Console, user_id: str) -> Response:
        console.do("POST", f"users/{user_id}/{status}")
        return console.go(f"/users/{user_id}", f"user-{status}d")

    return act


def _reset_password(console: Console, user_id: str) -> Response:
    if console.form.get("delivery") == "one-time-password":
        return show_one_time_password(console, user_id, _described(console, user_id)["UserName"])
    console.do("POST", f"users/{user_id}/reset-password", delivery=str(console.form.get("delivery", "")))
    return console.go(f"/users/{user_id}", "reset-mailed")


def _verify_email(console: Console, user_id: str) -> Response:
    console.do("POST", f"users/{user_id}/verify-email")
    return console.go(f"/users/{user_id}", "verification-mailed")


def _leave_groups(console: Console, user_id: str) -> Response:
    group_ids = require_ticked(console, "group", "group")
    memberships = memberships_in_groups(console, user_id)
    for group_id in group_ids:
        if group_id in memberships:
            console.call_store("DeleteGroupMembership", MembershipId=memberships[group_id])
    names = names_of(groups_of(console), group_ids, "GroupId", "DisplayName")
    return console.go(f"/users/{user_id}?tab=groups", "groups-left", names)


def _delete_device(console: Console, user_id: str) -> Response:
    require_typed(console, "DELETE")
    answer = console.do("POST", f"users/{user_id}/mfa-devices/{_id_in(console, 'device')}/delete")
    return console.go(f"/users/{user_id}?tab=mfa", "device-deleted", answer["deleted"]["name"])


def _rename_device(console: Console, user_id: str) -> Response:
    path = f"users/{user_id}/mfa-devices/{_id_in(console, 'device')}/rename"
    answer = console.do("POST", path, name=str(console.form.get("name", "")))
    return console.go(f"/users/{user_id}?tab=mfa", "device-renamed", answer["renamed"]["name"])


def _end_sessions(console: Console, user_id: str) -> Response:
    session_ids = require_ticked(console, "session", "session")
    require_typed(console, "confirm")
    active = {one["session_id"] for one in _sessions(console, user_id)}
    for session_id in session_ids:
        if session_id in active:  # one that ended meanwhile is no problem
            console.do("POST", f"users/{user_id}/sessions/{session_id}/delete")
    return console.go(
        f"/users/{user_id}?tab=sessions", "sessions-ended", counted(len(session_ids), "session")
    )


def _id_in(console: Console, name: str) -> str:
    """Return an id that a form carries; a slash or question mark in it would lead to another route."""
    return re.sub(r"[^A-Za-z0-9-]", "", str(console.form.get(name, "")))


_ACTS: dict[str, Callable[[Console, str], Response]] = {
    "disable": _set_status("disable"),
    "enable": _set_status("enable"),
    "delete": _delete,
    "reset-password": _reset_password,
    "verify-email": _verify_email,
    "leave-groups": _leave_groups,
    "delete-device": _delete_device,
    "rename-device": _rename_device,
    "end-sessions": _end_sessions,
}


def _take_user(console: Console) -> Response:
    act = _ACTS.get(str(console.form.get("act", "")))
    if act is None:
        raise validation_error("Choose one of the acts on this page.")
    return act(console, console.part("user_id"))


def _show_edit(console: Console) -> Response:
    user = _described(console, console.part("user_id"))
    values = user_fields.values_of(user)
    if console.problem:
        values |= {name: str(console.form.get(name, "")) for name in values if name != "user_name"}
    return console.show(
        "user-edit.html",
        user=user,
        values=values,
        primary=user_fields.PRIMARY,
        sections=user_fields.OPTIONAL,
        crumbs=(*_CRUMBS, (user["UserName"], f"{ROOT}/users/{user['UserId']}")),
    )


def _take_edit(console: Console) -> Response:
    """Write what has changed of the profile; the user name cannot be changed."""
    user_id = console.part("user_id")
    values = user_fields.typed_values(console.form)
    needed = (user_fields.FIRST_NAME, user_fields.LAST_NAME, user_fields.DISPLAY_NAME)
    user_fields.check_values(values, needed)
    operations = user_fields.profile_changes(_described(console, user_id), values)
    if operations:
        console.call_store("UpdateUser", UserId=user_id, Operations=operations)
    return console.go(f"/users/{user_id}", "user-saved")


def _show_join(console: Console) -> Response:
    user_id = console.part("user_id")
    user = _described(console, user_id)
    memberships = memberships_in_groups(console, user_id)
    others = readable(lambda: [one for one in groups_of(console) if one["GroupId"] not in memberships])
    return console.show(
        "user-join.html",
        user=user,
        groups=others.value,
        why_not=others.why_not,
        ticked=ticked(console, "group"),
        crumbs=(*_CRUMBS, (user["UserName"], f"{ROOT}/users/{user_id}")),
    )


def _take_join(console: Console) -> Response:
    """Make the user a member of the ticked groups."""
    user_id = console.part("user_id")
    group_ids = require_ticked(console, "group", "group")
    for group_id in group_ids:
        add_member(console, group_id, user_id)
    names = names_of(groups_of(console), group_ids, "GroupId", "DisplayName")
    return console.go(f"/users/{user_id}?tab=groups", "groups-joined", names)


def _show_register(console: Console) -> Response:
    """Show the secret of an authenticator app for the user, and the form that asks for a security key."""
    user_id = console.part("user_id")
    user, path = _described(console, user_id), f"users/{user_id}/mfa-devices"
    # After a mistyped code the app that has the secret already need not get another one.
    app, why_no_app = _started(console, f"{path}/start", secret=typed_or(console, "secret"))
    key, why_no_key = _started(console, f"{path}/start-key")
    return console.show(
        "user-register.html",
        user=user,
        app=app,
        why_no_app=why_no_app,
        picture=qr_code(app["uri"]) if app else "",
        key=key,
        why_no_key=why_no_key,
        name=typed_or(console, "name"),
        crumbs=(*_CRUMBS, (user["UserName"], f"{ROOT}/users/{user_id}")),
    )


def _started(console: Console, path: str, **values: str) -> tuple[dict[str, Any] | None, str]:
    """Start a registration, or return why this kind of device cannot be one more of the user's."""
    try:
        return console.do("POST", path, **values), ""
    except ServiceError as error:  # a role may register one kind and not the other, too
        return None, error.message


def _take_register(console: Console) -> Response:
    """Register the app when its code is right, or the security key that the browser asked."""
    user_id = console.part("user_id")
    proof = {name: str(console.form.get(name, "")) for name in ("code", "credential", "name")}
    act = "register-key" if proof["credential"] else "register"
    answer = console.do("POST", f"users/{user_id}/mfa-devices/{act}", **proof)
    return console.go(f"/users/{user_id}?tab=mfa", "device-registered", answer["registered"]["name"])


USER_SCREENS = (
    Screen("/users", _show_users, _take_users),
    *ADD_USER_SCREENS,  # before a user's page: its path would fit that one too
    Screen("/users/{user_id}", _show_user, _take_user),
    Screen("/users/{user_id}/register-device", _show_register, _take_register),
    Screen("/users/{user_id}/edit", _show_edit, _take_edit),
    Screen("/users/{user_id}/add-to-groups", _show_join, _take_join),
)
