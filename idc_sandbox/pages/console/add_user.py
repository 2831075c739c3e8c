"""The wizard that adds a user: details, groups, review; then a mail, or a one-time password."""

from __future__ import annotations

from starlette.responses import Response

from idc_sandbox.api.identity_store.profiles import profile_of
from idc_sandbox.errors import ServiceError, validation_error
from idc_sandbox.pages.console import user_fields
from idc_sandbox.pages.console.desk import ROOT, Console, Screen
from idc_sandbox.pages.console.directory import (
    Directory,
    Identity,
    in_directory,
    matching,
    names_of,
    readable,
    ticked,
)

_STEPS = ("details", "groups", "review")
_DELIVERIES = {
    "email": "Send an email to this user with password setup instructions",
    "one-time-password": "Generate a one-time password that you can share with this user",
}


def _show(directory: Directory) -> Response:
    """Show the first step, or the one whose form was refused."""
    return _show_step(directory, str(directory.console.form.get("step", "")))


def _take(directory: Directory) -> Response:
    """Lead on or back; nothing is written before *Add user*."""
    wanted = str(directory.console.form.get("to", ""))
    if wanted in ("groups", "review", "add"):
        _check_details(directory)
    return _add(directory) if wanted == "add" else _show_step(directory, wanted)


def _show_step(directory: Directory, step: str) -> Response:
    console = directory.console
    step = step if step in _STEPS else "details"
    groups = readable(directory.groups) if step != "details" else None
    values = user_fields.typed_values(console.form)
    if step == "details":  # as it was typed: what fills itself is filled when it is left empty
        values |= {"display_name": str(console.form.get("display_name", ""))}
    return console.show(
        f"add-user-{step}.html",
        step=step,
        values=values,
        confirm_email=console.form.get("confirm_email", ""),
        delivery=_delivery(console),
        deliveries=_DELIVERIES if directory.keeps_passwords() else {},
        sections=user_fields.OPTIONAL,
        primary=user_fields.PRIMARY,
        groups=_shown_groups(console, list(groups.value)) if groups else [],
        chosen=names_of(list(groups.value), ticked(console, "group"), "GroupId", "DisplayName")
        if groups
        else "",
        why_not=groups.why_not if groups else "",
        ticked=ticked(console, "group"),
        looked_for=console.form.get("find", ""),
        details=[*values.items(), ("confirm_email", values["email"]), ("delivery", _delivery(console))],
        chosen_groups=[("group", group_id) for group_id in ticked(console, "group")],
        crumbs=(("Users", f"{ROOT}/users"),),
    )


def _shown_groups(console: Console, groups: list[Identity]) -> list[Identity]:
    kept = set(ticked(console, "group"))
    found = matching(groups, console.form.get("find", ""), "DisplayName", "Description")
    return [one for one in groups if one["GroupId"] in kept or one in found]


def _delivery(console: Console) -> str:
    return str(console.form.get("delivery", "email"))


def _check_details(directory: Directory) -> None:
    """Refuse what the first step cannot be: the console's own rules, the API's, and names that are taken."""
    console = directory.console
    values = user_fields.typed_values(console.form)
    user_fields.check_values(values)
    user_fields.check_user_name(values["user_name"])
    if values["email"] != str(console.form.get("confirm_email", "")).strip():
        raise validation_error("Email address and Confirm email address differ.")
    if _delivery(console) not in _DELIVERIES:
        raise validation_error("Choose how the user gets a password.")
    profile_of("User", user_fields.new_profile(values))
    for path, label in (("userName", "Username"), ("emails.value", "Email address")):
        name = "user_name" if path == "userName" else "email"
        if _is_taken(directory, path, values[name]):
            raise validation_error(f"{label} {values[name]!r} is another user's already.")


def _is_taken(directory: Directory, path: str, value: str) -> bool:
    alternate = {"UniqueAttribute": {"AttributePath": path, "AttributeValue": value}}
    try:
        directory.call("GetUserId", AlternateIdentifier=alternate)
    except ServiceError as error:
        if error.code in ("ResourceNotFoundException", "AccessDeniedException"):
            return False
        raise
    return True


def _add(directory: Directory) -> Response:
    """Create the user and the memberships, and make the way to the first password."""
    console = directory.console
    values = user_fields.typed_values(console.form)
    user_id = directory.call("CreateUser", **user_fields.new_profile(values))["UserId"]
    for group_id in ticked(console, "group"):
        directory.add_member(group_id, user_id)
    if not directory.keeps_passwords():  # the identity provider, or Active Directory, asks for theirs
        return console.go("/users", "user-added", values["display_name"])
    if _delivery(console) == "email":
        console.do("POST", f"users/{user_id}/invite")
        return console.go("/users", "user-invited", values["display_name"])
    return show_one_time_password(directory, user_id, values["user_name"])


def show_one_time_password(directory: Directory, user_id: str, user_name: str) -> Response:
    """Make a one-time password and show it, this once."""
    console = directory.console
    password = console.do("POST", f"users/{user_id}/reset-password", delivery="one-time-password")
    settings = readable(lambda: console.do("GET", "settings", instance_arn=directory.instance_arn), {})
    return console.show(
        "one-time-password.html",
        user_id=user_id,
        user_name=user_name,
        password=password["one_time_password"],
        portal_url=settings.value["access_portal"]["url"] if settings.value else "",
        crumbs=(("Users", f"{ROOT}/users"),),
    )


ADD_USER_SCREENS = (Screen("/users/add", in_directory(_show), in_directory(_take)),)
