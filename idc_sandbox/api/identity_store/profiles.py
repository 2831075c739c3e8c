"""What a user and a group may hold: the service model's attributes, and rules that it does not state."""

from __future__ import annotations

import datetime
import functools
from typing import Any

from idc_sandbox.api.identity_store.extensions import (
    ENTERPRISE,
    canonical_extension,
    extension_violations,
    require_extension_names,
)
from idc_sandbox.errors import validation_error
from idc_sandbox.model_validation import service_model, violations
from idc_sandbox.service_models import Shape

RESERVED_NAMES = ("Administrator", "AWSAdministrators")

# External ids are no input of CreateUser and CreateGroup, where a SCIM client brings them; UpdateUser and
# UpdateGroup take whatever attribute User and Group have.
_WRITTEN_BY_UPDATE_ONLY = ("ExternalIds",)


@functools.cache
def user_attributes() -> dict[str, Shape]:
    """Return the shapes of the attributes that a client may write on a user, by name; without Extensions."""
    return _written_attributes("CreateUser", "User", apart=("IdentityStoreId", "Extensions"))


@functools.cache
def group_attributes() -> dict[str, Shape]:
    """Return the shapes of the attributes that a client may write on a group, by name."""
    return _written_attributes("CreateGroup", "Group", apart=("IdentityStoreId",))


def _written_attributes(operation_name: str, resource: str, *, apart: tuple[str, ...]) -> dict[str, Shape]:
    model = service_model("identitystore")
    created = model.shape_for(f"{operation_name}Request").members
    described = model.shape_for(resource).members
    attributes = {name: shape for name, shape in created.items() if name not in apart}
    return attributes | {name: described[name] for name in _WRITTEN_BY_UPDATE_ONLY}


def user_profile_of(request: dict[str, Any]) -> dict[str, Any]:
    """Return the profile in a CreateUser request, extensions included, checked.

    Raises
    ------
    ServiceError
        ``ValidationException`` as `check_user_profile`, and for an extension that AWS does not have.
    """
    names = [name for name in user_attributes() if name not in _WRITTEN_BY_UPDATE_ONLY]
    profile = {name: request[name] for name in names if request.get(name) is not None}
    extensions = request.get("Extensions") or {}
    if require_extension_names(extensions):
        extension = canonical_extension(extensions[ENTERPRISE])
        profile |= {"Extensions": {ENTERPRISE: extension}} if extension else {}
    check_user_profile(profile)
    return profile


def group_profile_of(request: dict[str, Any]) -> dict[str, Any]:
    """Return the profile in a CreateGroup request, checked.

    Raises
    ------
    ServiceError
        ``ValidationException`` as `check_group_profile`.
    """
    profile = {
        name: request[name] for name in ("DisplayName", "Description") if request.get(name) is not None
    }
    check_group_profile(profile)
    return profile


def check_user_profile(profile: dict[str, Any]) -> None:
    """Hold a whole user profile against model and rules.

    Raises
    ------
    ServiceError
        ``ValidationException`` with every problem: a broken constraint of the model; no ``UserName``,
        ``DisplayName``, ``Name.GivenName`` or ``Name.FamilyName``, which Identity Center needs; a reserved
        user name; an e-mail address or phone number without a value; two primary photos; a birthdate that is
        not ``YYYY-MM-DD``.
    """
    problems = _model_violations(profile, user_attributes())
    problems += extension_violations(profile.get("Extensions", {}).get(ENTERPRISE, {}))
    name = profile.get("Name") if isinstance(profile.get("Name"), dict) else {}
    for path, value in _required_of_user(profile, name or {}).items():
        if value is None:
            problems.append(f"'{path}' is required for a user of IAM Identity Center and cannot be removed")
    _refuse(problems)
    _refuse(_user_rules(profile))


def check_group_profile(profile: dict[str, Any]) -> None:
    """Hold a whole group profile against model and rules.

    Raises
    ------
    ServiceError
        ``ValidationException`` with every problem: a broken constraint, no ``DisplayName``, a reserved one.
    """
    problems = _model_violations(profile, group_attributes())
    if profile.get("DisplayName") is None:
        problems.append("'displayName' is required for a group of IAM Identity Center and cannot be removed")
    _refuse(problems)
    _refuse(_reserved(profile["DisplayName"], "displayName"))


def primary_email(profile: dict[str, Any]) -> str | None:
    """Return the address that must be unique in the store: the model allows one a user."""
    emails = profile.get("Emails")
    return str(emails[0]["Value"]) if emails else None


def folded(text: str) -> str:
    """Return a text as it is compared: without regard to case.

    UNCONFIRMED at AWS for user names and group names. Without regard to case is what SCIM asks for user
    names, and a set-up that keeps this rule works under either.
    """
    return text.casefold()


def _required_of_user(profile: dict[str, Any], name: dict[str, Any]) -> dict[str, Any]:
    return {
        "userName": profile.get("UserName"),
        "displayName": profile.get("DisplayName"),
        "name.givenName": name.get("GivenName"),
        "name.familyName": name.get("FamilyName"),
    }


def _model_violations(profile: dict[str, Any], attributes: dict[str, Shape]) -> list[str]:
    problems: list[str] = []
    for name, value in profile.items():
        if name in attributes:
            problems += violations(attributes[name], value, f"{name[:1].lower()}{name[1:]}")
    return problems


def _user_rules(profile: dict[str, Any]) -> list[str]:
    problems = _reserved(profile["UserName"], "userName")
    for name in ("Emails", "PhoneNumbers"):
        if any(entry.get("Value") is None for entry in profile.get(name, ())):
            problems.append(f"an entry of '{name[:1].lower()}{name[1:]}' needs a value")
    if sum(bool(photo.get("Primary")) for photo in profile.get("Photos", ())) > 1:
        problems.append("only one of 'photos' can be the primary one")
    birthdate = profile.get("Birthdate")
    if birthdate is not None and not _is_date(birthdate):
        problems.append(f"Value '{birthdate}' at 'birthdate' must be a date of the form YYYY-MM-DD")
    return problems


def _is_date(text: str) -> bool:
    try:
        return len(text) == len("YYYY-MM-DD") and datetime.date.fromisoformat(text) is not None
    except ValueError:
        return False


def _reserved(name: str, path: str) -> list[str]:
    if folded(name) not in {folded(reserved) for reserved in RESERVED_NAMES}:
        return []
    return [
        f"Value '{name}' at '{path}' is reserved; {' and '.join(RESERVED_NAMES)} cannot be used, choose "
        "another"
    ]


def _refuse(problems: list[str]) -> None:
    if problems:
        plural = "s" if len(problems) > 1 else ""
        raise validation_error(f"{len(problems)} validation error{plural} detected: {'; '.join(problems)}")
