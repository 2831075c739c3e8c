"""What a user and a group may hold, extensions included, and how attribute paths change it."""

from __future__ import annotations

import copy
import datetime
import functools
from collections.abc import Iterable
from typing import Any

from idc_sandbox.errors import validation_error
from idc_sandbox.wire.models import Shape, refuse_violations, service_model, violations

ENTERPRISE = "aws:identitystore:enterprise"  # the one extension of a user's profile: SCIM's enterprise user
# The model has the shape of their values, and not those of the extension and of the manager in it.
_TEXT = {"shape": "SensitiveStringType"}
_TEXT_ATTRIBUTES = ("employeeNumber", "costCenter", "organization", "division", "department")
_MANAGER = {"type": "structure", "members": dict.fromkeys(("value", "displayName", "$ref"), _TEXT)}
_MEMBERS = {**dict.fromkeys(_TEXT_ATTRIBUTES, _TEXT), "manager": {"shape": "Manager"}}
_MORE_SHAPES = {"Enterprise": {"type": "structure", "members": _MEMBERS}, "Manager": _MANAGER}


def require_extension_names(names: Iterable[str]) -> list[str]:
    """Return extension names after a check that each is supported."""
    listed = list(names)
    for name in listed:
        if name != ENTERPRISE:
            raise validation_error(
                f"The extension {name!r} is not supported; the only one is {ENTERPRISE!r}."
            )
    return listed


def _spell(name: str, known: Iterable[str], path: str) -> str:
    """Return how a known attribute is spelt: SCIM compares names without regard to case."""
    for spelling in known:
        if spelling.casefold() == name.casefold():
            return spelling
    shown = [f"{spelling[:1].lower()}{spelling[1:]}" for spelling in known]
    import difflib  # noqa: PLC0415  no start waits for what only mistakes need

    near = difflib.get_close_matches(name, shown, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    there = f"there are {', '.join(shown)}" if shown else "nothing lies below a plain value"
    raise validation_error(f"The attribute {name!r} in the path {path!r} cannot be written; {there}.{hint}")


NAME_OF_NOUN = {"User": "UserName", "Group": "DisplayName"}
RESERVED_NAMES = ("Administrator", "AWSAdministrators")
_REQUIRED = {
    "User": ("userName", "displayName", "name.givenName", "name.familyName"),
    "Group": ("displayName",),
}
# No input of CreateUser and CreateGroup: a SCIM client brings external ids. Updates take every attribute.
_WRITTEN_BY_UPDATE_ONLY = ("ExternalIds",)
_NO_ATTRIBUTES = ("IdentityStoreId", "Extensions")


@functools.cache
def attributes_of(noun: str) -> dict[str, Shape]:
    """Return the shapes of the attributes that a client may write, by name; a user's extension is one."""
    model = service_model("identitystore")
    created = model.shape_for(f"Create{noun}Request").members
    described = model.shape_for(noun).members
    attributes = {name: shape for name, shape in created.items() if name not in _NO_ATTRIBUTES}
    attributes |= {name: described[name] for name in _WRITTEN_BY_UPDATE_ONLY}
    if noun == "User":
        attributes[ENTERPRISE] = model.shape_for("Enterprise", _MORE_SHAPES)
    return attributes


def profile_of(noun: str, request: dict[str, Any]) -> dict[str, Any]:
    """Return the profile in a CreateUser or CreateGroup request, extensions included, checked."""
    names = [name for name in attributes_of(noun) if name not in _WRITTEN_BY_UPDATE_ONLY]
    profile = {name: request[name] for name in names if request.get(name) is not None}
    extensions = request.get("Extensions") or {}
    if noun == "User" and require_extension_names(extensions):
        extension = _canonical(attributes_of(noun)[ENTERPRISE], extensions[ENTERPRISE], ENTERPRISE)
        profile |= {} if extension is None else {"Extensions": {ENTERPRISE: extension}}
    check_profile(noun, profile)
    return profile


def check_profile(noun: str, profile: dict[str, Any]) -> None:
    """Hold a whole profile against model and rules."""
    attributes, problems = attributes_of(noun), []
    for name, value in (profile | profile.get("Extensions", {})).items():
        if name in attributes:
            problems += violations(attributes[name], value, f"{name[:1].lower()}{name[1:]}")
    for path in _REQUIRED[noun]:
        if _value_at(profile, path) is None:
            problems.append(
                f"'{path}' is required for a {noun.lower()} of IAM Identity Center and cannot be removed"
            )
    refuse_violations(problems)
    refuse_violations(_broken_rules(noun, profile))


def primary_email(profile: dict[str, Any]) -> str | None:
    """Return the address that must be unique in the store: the model allows one a user."""
    emails = profile.get("Emails")
    return str(emails[0]["Value"]) if emails else None


def folded(text: str) -> str:
    """Return a text as it is compared: without regard to case, as SCIM asks; UNCONFIRMED at AWS for names."""
    return text.casefold()


def _value_at(profile: dict[str, Any], path: str) -> Any:
    value: Any = profile
    for segment in path.split("."):
        value = value.get(f"{segment[:1].upper()}{segment[1:]}") if isinstance(value, dict) else None
    return value


def _broken_rules(noun: str, profile: dict[str, Any]) -> list[str]:
    problems, name = [], profile[NAME_OF_NOUN[noun]]
    if folded(name) in {folded(reserved) for reserved in RESERVED_NAMES}:
        problems.append(
            f"Value '{name}' at '{_REQUIRED[noun][0]}' is reserved; {' and '.join(RESERVED_NAMES)} cannot be "
            "used, choose another"
        )
    for list_name in ("Emails", "PhoneNumbers"):
        if any(entry.get("Value") is None for entry in profile.get(list_name, ())):
            problems.append(f"an entry of '{list_name[:1].lower()}{list_name[1:]}' needs a value")
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


def apply_operations(noun: str, profile: dict[str, Any], operations: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a profile after attribute operations, in their order; the given one is left as it is."""
    changed = copy.deepcopy(profile)
    for operation in operations:
        path, value = operation["AttributePath"], operation.get("AttributeValue")
        segments, shape = _resolve(path, attributes_of(noun))
        holder = ["Extensions"] if segments[0] == ENTERPRISE else []
        _write(changed, [*holder, *segments], _canonical(shape, value, path))
    return changed


def _write(container: dict[str, Any], segments: list[str], value: Any) -> None:
    """Set or, with None, remove what the segments lead to, and what nothing is left of."""
    first, rest = segments[0], segments[1:]
    if rest:
        inner = container.setdefault(first, {})
        if not isinstance(inner, dict):
            inner = container[first] = {}
        _write(inner, rest, value)
        if not inner:
            del container[first]
    elif value is None:
        container.pop(first, None)
    else:
        container[first] = value


def _resolve(path: str, attributes: dict[str, Shape]) -> tuple[list[str], Shape]:
    """Return a path's segments as the model spells them, and the shape of what lies there."""
    first, *rest = path.split(".")
    segments = [_spell(first, attributes, path)]
    shape = attributes[segments[0]]
    for segment in rest:
        if shape.type_name == "list":
            raise validation_error(
                f"Unsupported update operation on multi-value attribute {first}, please provide full "
                f"replacement of Multi-Value attribute types: the path {first!r} with the whole list."
            )
        segments.append(_spell(segment, shape.members, path))
        shape = shape.members[segments[-1]]
    return segments, shape


def _canonical(shape: Shape, value: Any, path: str) -> Any:
    """Return a document with its names spelt as in the model, or None where it says nothing.

    What is not of its shape stays as it is: the model's check says so.
    """
    if shape.type_name == "structure" and isinstance(value, dict):
        named = {_spell(name, shape.members, path): inner for name, inner in value.items()}
        written = {name: _canonical(shape.members[name], inner, path) for name, inner in named.items()}
        return {name: inner for name, inner in written.items() if inner is not None} or None
    if shape.type_name == "list" and isinstance(value, list):
        inner = shape.member
        return [_canonical(inner, one, path) or {} if isinstance(one, dict) else one for one in value]
    return value
