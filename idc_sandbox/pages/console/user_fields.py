"""The fields of a user's profile, as the console has them, and the wizard that adds a user."""

# https://docs.aws.amazon.com/singlesignon/latest/userguide/addusers.html
# Labels and order inside the optional sections are UNCONFIRMED at AWS; each attribute of CreateUser has one.

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

from starlette.responses import Response

from idc_sandbox.api.identity_store.profiles import ENTERPRISE, attributes_of, profile_of
from idc_sandbox.errors import ServiceError, validation_error
from idc_sandbox.pages.console.desk import ROOT, Console, Screen
from idc_sandbox.pages.console.directory import (
    add_member,
    groups_of,
    keeps_passwords,
    matching_or_ticked,
    names_of,
    readable,
    ticked,
)

_LISTS = ("Emails", "PhoneNumbers", "Addresses", "Photos", "Roles")
_USER_NAME = re.compile(r"[\w+=,.@-]{1,128}", re.ASCII)


class Field(NamedTuple):
    """A field of the form, and the path of its attribute."""

    name: str
    label: str
    path: tuple[str, ...]
    hint: str = ""


class Section(NamedTuple):
    """Fields that stand together."""

    label: str
    fields: tuple[Field, ...]

    def is_filled(self, values: Mapping[str, str]) -> bool:
        """Tell whether one of its fields holds something."""
        return any(values[field.name] for field in self.fields)


def _enterprise(name: str, label: str, *path: str, hint: str = "") -> Field:
    return Field(name, label, ("Extensions", ENTERPRISE, *path), hint)


USER_NAME = Field(
    "user_name", "Username", ("UserName",), "It cannot be changed later. Letters, digits and + = , . @ - _"
)
EMAIL = Field("email", "Email address", ("Emails", "Value"))
FIRST_NAME = Field("first_name", "First name", ("Name", "GivenName"))
LAST_NAME = Field("last_name", "Last name", ("Name", "FamilyName"))
DISPLAY_NAME = Field(
    "display_name", "Display name", ("DisplayName",), "Left empty, it becomes first and last name."
)
PRIMARY = Section("Primary information", (USER_NAME, EMAIL, FIRST_NAME, LAST_NAME, DISPLAY_NAME))
OPTIONAL = (
    Section(
        "Contact methods",
        (
            Field("phone", "Phone number", ("PhoneNumbers", "Value")),
            Field("phone_type", "Phone type", ("PhoneNumbers", "Type"), "Such as work."),
        ),
    ),
    Section(
        "Job-related information",
        (
            Field("user_type", "User type", ("UserType",)),
            Field("title", "Title", ("Title",)),
            _enterprise("employee_number", "Employee number", "employeeNumber"),
            _enterprise("cost_center", "Cost center", "costCenter"),
            _enterprise("organization", "Organization", "organization"),
            _enterprise("division", "Division", "division"),
            _enterprise("department", "Department", "department"),
            _enterprise("manager", "Manager", "manager", "value", hint="The manager's username."),
            _enterprise("manager_name", "Manager's display name", "manager", "displayName"),
            Field("role", "Role", ("Roles", "Value")),
        ),
    ),
    Section(
        "Address",
        (
            Field("street", "Street address", ("Addresses", "StreetAddress")),
            Field("city", "City", ("Addresses", "Locality")),
            Field("region", "State or Region", ("Addresses", "Region")),
            Field("postal_code", "Postal code", ("Addresses", "PostalCode")),
            Field("country", "Country", ("Addresses", "Country")),
            Field("address", "Formatted address", ("Addresses", "Formatted")),
            Field("address_type", "Address type", ("Addresses", "Type"), "Such as work."),
        ),
    ),
    Section(
        "Preferences",
        (
            Field("language", "Preferred language", ("PreferredLanguage",), "Such as en-us."),
            Field("locale", "Locale", ("Locale",), "Such as en-US."),
            Field("timezone", "Time zone", ("Timezone",), "Such as Europe/Vienna."),
        ),
    ),
    Section(
        "Additional attributes",
        (
            Field("middle_name", "Middle name", ("Name", "MiddleName")),
            Field("prefix", "Honorific prefix", ("Name", "HonorificPrefix")),
            Field("suffix", "Honorific suffix", ("Name", "HonorificSuffix")),
            Field("formatted_name", "Formatted name", ("Name", "Formatted")),
            Field("nickname", "Nickname", ("NickName",)),
            Field("profile_url", "Profile URL", ("ProfileUrl",)),
            Field("website", "Website", ("Website",)),
            Field("photo", "Photo URL", ("Photos", "Value")),
            Field("birthdate", "Birthdate", ("Birthdate",), "Written YYYY-MM-DD."),
        ),
    ),
)
SECTIONS = (PRIMARY, *OPTIONAL)
FIELDS = tuple(field for section in SECTIONS for field in section.fields)
_EDITED = tuple(field for field in FIELDS if field is not USER_NAME)


def values_of(user: Mapping[str, Any]) -> dict[str, str]:
    """Return what a user's profile has, by the names of the fields; empty where it has nothing."""
    return {field.name: _read(user, field.path) for field in FIELDS}


def typed_values(form: Mapping[str, str]) -> dict[str, str]:
    """Return what was typed, by the names of the fields; the display name follows from the names."""
    values = {field.name: str(form.get(field.name, "")).strip() for field in FIELDS}
    names = f"{values[FIRST_NAME.name]} {values[LAST_NAME.name]}".strip()
    return values | {DISPLAY_NAME.name: values[DISPLAY_NAME.name] or names}


def check_values(values: Mapping[str, str], needed: Iterable[Field] = PRIMARY.fields) -> None:
    """Refuse what the console wants beyond the API, with the labels of the form."""
    missing = [field.label for field in needed if not values[field.name]]
    if missing:
        raise validation_error(f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} needed.")
    email = values[EMAIL.name]
    if email and not re.fullmatch(r"[^@\s]+@[^@\s]+", email):
        raise validation_error(f"Email address {email!r} is not one; it looks like ana@example.com.")


def check_user_name(user_name: str) -> None:
    """Refuse a user name that the console does not take; the API takes more characters."""
    if not _USER_NAME.fullmatch(user_name):
        raise validation_error(
            f"Username {user_name[:128]!r} must have 1 to 128 letters, digits and + = , . @ - _ only."
        )


def new_profile(values: Mapping[str, str]) -> dict[str, Any]:
    """Return the request that creates a user with these values."""
    profile = _with_values({}, FIELDS, values)
    profile["Emails"][0] |= {"Type": "work", "Primary": True}
    return profile


def profile_changes(user: Mapping[str, Any], values: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the operations that give a user these values; what no field shows stays as it is."""
    names = (*attributes_of("User"), "Extensions")
    before = {name: user[name] for name in names if user.get(name)}
    after = _with_values(before, _EDITED, values)
    operations = []
    for name in names:
        if before.get(name) != after.get(name):
            path, value = f"{name[:1].lower()}{name[1:]}", after.get(name)
            if name == "Extensions":
                path, value = ENTERPRISE, (value or {}).get(ENTERPRISE)
            operations.append({"AttributePath": path} | ({"AttributeValue": value} if value else {}))
    return operations


def _with_values(
    profile: Mapping[str, Any], fields: Iterable[Field], values: Mapping[str, str]
) -> dict[str, Any]:
    changed = copy.deepcopy(dict(profile))
    for field in fields:
        _write(changed, field.path, values[field.name])
    return changed


def _read(container: Any, path: tuple[str, ...]) -> str:
    for name in path:
        container = container[0] if isinstance(container, list) else container
        container = container.get(name) or {}
    return container if isinstance(container, str) else ""


def _write(container: dict[str, Any], path: tuple[str, ...], text: str) -> None:
    """Set or, with an empty text, remove what a path leads to; what is empty then goes along."""
    name, rest = path[0], path[1:]
    if not rest:
        if text:
            container[name] = text
        else:
            container.pop(name, None)
        return
    entries: Any = container.get(name) or ([{}] if name in _LISTS else {})
    inner: dict[str, Any] = entries[0] if name in _LISTS else entries
    _write(inner, rest, text)
    is_without_value = name in _LISTS and rest == ("Value",) and not text
    if is_without_value or not inner.keys() - {"Primary"}:
        entries = entries[1:] if name in _LISTS else {}
    if entries:
        container[name] = entries
    else:
        container.pop(name, None)


_STEPS = ("details", "groups", "review")
_DELIVERIES = {
    "email": "Send an email to this user with password setup instructions",
    "one-time-password": "Generate a one-time password that you can share with this user",
}


def _show(console: Console) -> Response:
    """Show the first step, or the one whose form was refused."""
    return _show_step(console, str(console.form.get("step", "")))


def _take(console: Console) -> Response:
    """Lead on or back; nothing is written before *Add user*."""
    wanted = str(console.form.get("to", ""))
    if wanted in ("groups", "review", "add"):
        _check_details(console)
    return _add(console) if wanted == "add" else _show_step(console, wanted)


def _show_step(console: Console, step: str) -> Response:
    step = step if step in _STEPS else "details"
    groups = readable(partial(groups_of, console)) if step != "details" else None
    values = typed_values(console.form)
    if step == "details":  # as it was typed: what fills itself is filled when it is left empty
        values |= {"display_name": str(console.form.get("display_name", ""))}
    return console.show(
        f"add-user-{step}.html",
        step=step,
        values=values,
        confirm_email=console.form.get("confirm_email", ""),
        delivery=_delivery(console),
        deliveries=_DELIVERIES if keeps_passwords(console) else {},
        sections=OPTIONAL,
        primary=PRIMARY,
        groups=matching_or_ticked(console, list(groups.value), "group", "DisplayName", "Description")
        if groups
        else [],
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


def _delivery(console: Console) -> str:
    return str(console.form.get("delivery", "email"))


def _check_details(console: Console) -> None:
    """Refuse what the first step cannot be: the console's own rules, the API's, and names that are taken."""
    values = typed_values(console.form)
    check_values(values)
    check_user_name(values["user_name"])
    if values["email"] != str(console.form.get("confirm_email", "")).strip():
        raise validation_error("Email address and Confirm email address differ.")
    if _delivery(console) not in _DELIVERIES:
        raise validation_error("Choose how the user gets a password.")
    profile_of("User", new_profile(values))
    for path, label in (("userName", "Username"), ("emails.value", "Email address")):
        name = "user_name" if path == "userName" else "email"
        if _is_taken(console, path, values[name]):
            raise validation_error(f"{label} {values[name]!r} is another user's already.")


def _is_taken(console: Console, path: str, value: str) -> bool:
    alternate = {"UniqueAttribute": {"AttributePath": path, "AttributeValue": value}}
    try:
        console.call_store("GetUserId", AlternateIdentifier=alternate)
    except ServiceError as error:
        if error.code in ("ResourceNotFoundException", "AccessDeniedException"):
            return False
        raise
    return True


def _add(console: Console) -> Response:
    """Create the user and the memberships, and make the way to the first password."""
    values = typed_values(console.form)
    user_id = console.call_store("CreateUser", **new_profile(values))["UserId"]
    for group_id in ticked(console, "group"):
        add_member(console, group_id, user_id)
    if not keeps_passwords(console):  # the identity provider, or Active Directory, asks for theirs
        return console.go("/users", "user-added", values["display_name"])
    if _delivery(console) == "email":
        console.do("POST", f"users/{user_id}/invite")
        return console.go("/users", "user-invited", values["display_name"])
    return show_one_time_password(console, user_id, values["user_name"])


def show_one_time_password(console: Console, user_id: str, user_name: str) -> Response:
    """Make a one-time password and show it, this once."""
    password = console.do("POST", f"users/{user_id}/reset-password", delivery="one-time-password")
    settings = readable(console.settings, {})
    return console.show(
        "one-time-password.html",
        user_id=user_id,
        user_name=user_name,
        password=password["one_time_password"],
        portal_url=settings.value["access_portal"]["url"] if settings.value else "",
        crumbs=(("Users", f"{ROOT}/users"),),
    )


ADD_USER_SCREENS = (Screen("/users/add", _show, _take),)
