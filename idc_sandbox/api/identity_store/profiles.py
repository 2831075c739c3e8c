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
_TEXT_ATTRIBUTES = ("employeeNumber", "costCenter", "organization", "division", "department")
_MANAGER_ATTRIBUTES = ("value", "displayName", "$ref")


def require_extension_names(names: Iterable[str]) -> list[str]:
    """Return extension names after a check that each is supported."""
    listed = list(names)
    for name in listed:
        if name != ENTERPRISE:
            raise validation_error(
                f"The extension {name!r} is not supported; the only one is {ENTERPRISE!r}."
            )
    return listed


def _canonical_extension(document: Any) -> dict[str, Any]:
    """Return the enterprise extension with its attributes spelt as in SCIM; unset ones are dropped."""
    attributes = _spelt(document, (*_TEXT_ATTRIBUTES, "manager"), ENTERPRISE)
    if "manager" in attributes:
        attributes["manager"] = _spelt(attributes["manager"], _MANAGER_ATTRIBUTES, f"{ENTERPRISE}.manager")
    return {name: value for name, value in attributes.items() if value != {}}


def _canonical_extension_path(segments: list[str]) -> list[str]:
    """Return the segments of a path below the extension, spelt as in SCIM."""
    if not segments:
        return []
    first = _spell(segments[0], (*_TEXT_ATTRIBUTES, "manager"), f"does not exist in {ENTERPRISE!r}")
    if len(segments) == 1:
        return [first]
    path = f"{ENTERPRISE}.{first}"
    if first != "manager" or len(segments) > 2:
        raise validation_error(
            f"The attribute path {'.'.join([ENTERPRISE, *segments])!r} does not exist below {path!r}."
        )
    return [first, _spell(segments[1], _MANAGER_ATTRIBUTES, f"does not exist in {path!r}")]


def _extension_violations(extension: dict[str, Any]) -> list[str]:
    """Return how the extension's values break the rules of the model's strings."""
    shape = service_model("identitystore").shape_for("SensitiveStringType")
    problems: list[str] = []
    for name, value in extension.items():
        texts = {f"{name}.{key}": text for key, text in value.items()} if name == "manager" else {name: value}
        for path, text in texts.items():
            problems += violations(shape, text, f"extensions.{ENTERPRISE}.{path}")
    return problems


def _spelt(document: Any, known: tuple[str, ...], path: str) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise validation_error(
            f"The value of {path!r} must be an object with {', '.join(known)}, not {document!r}."
        )
    problem = f"does not exist in {path!r}"
    return {_spell(name, known, problem): value for name, value in document.items() if value is not None}


def _spell(name: str, known: Iterable[str], problem: str) -> str:
    """Return how a known attribute is spelt: SCIM compares names without regard to case."""
    for spelling in known:
        if spelling.casefold() == name.casefold():
            return spelling
    shown = [f"{spelling[:1].lower()}{spelling[1:]}" for spelling in known]
    import difflib  # noqa: PLC0415  no start waits for what only mistakes need

    near = difflib.get_close_matches(name, shown, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    there = f"there are {', '.join(shown)}" if shown else "nothing lies below a plain value"
    raise validation_error(f"The attribute {name!r} {problem}; {there}.{hint}")


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
    """Return the shapes of the attributes that a client may write, by name; without Extensions."""
    model = service_model("identitystore")
    created = model.shape_for(f"Create{noun}Request").members
    described = model.shape_for(noun).members
    attributes = {name: shape for name, shape in created.items() if name not in _NO_ATTRIBUTES}
    return attributes | {name: described[name] for name in _WRITTEN_BY_UPDATE_ONLY}


def profile_of(noun: str, request: dict[str, Any]) -> dict[str, Any]:
    """Return the profile in a CreateUser or CreateGroup request, extensions included, checked."""
    names = [name for name in attributes_of(noun) if name not in _WRITTEN_BY_UPDATE_ONLY]
    profile = {name: request[name] for name in names if request.get(name) is not None}
    extensions = request.get("Extensions") or {}
    if noun == "User" and require_extension_names(extensions):
        extension = _canonical_extension(extensions[ENTERPRISE])
        profile |= {"Extensions": {ENTERPRISE: extension}} if extension else {}
    check_profile(noun, profile)
    return profile


def check_profile(noun: str, profile: dict[str, Any]) -> None:
    """Hold a whole profile against model and rules."""
    attributes, problems = attributes_of(noun), []
    for name, value in profile.items():
        if name in attributes:
            problems += violations(attributes[name], value, f"{name[:1].lower()}{name[1:]}")
    problems += _extension_violations(profile.get("Extensions", {}).get(ENTERPRISE, {}))
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
        extension, _, rest = path.partition(".")
        if noun == "User" and extension.casefold() == ENTERPRISE:
            _write_extension(changed, rest.split(".") if rest else [], value)
        else:
            segments, shape = _resolve(path, attributes_of(noun))
            _write(changed, segments, None if value is None else _canonical(shape, value, path))
    return changed


def _write_extension(profile: dict[str, Any], segments: list[str], value: Any) -> None:
    _write(profile, ["Extensions", ENTERPRISE, *_canonical_extension_path(segments)], value)
    # As a whole, so that a manager or an extension given as an object is spelt and checked like any other.
    extension = _canonical_extension(profile.get("Extensions", {}).get(ENTERPRISE, {}))
    _write(profile, ["Extensions", ENTERPRISE], extension or None)


def _write(container: dict[str, Any], segments: list[str], value: Any) -> None:
    """Set or, with None, remove what the segments lead to."""
    first, rest = segments[0], segments[1:]
    if rest:
        inner = container.setdefault(first, {})
        if not isinstance(inner, dict):
            inner = container[first] = {}
        _write(inner, rest, value)
    elif value is None:
        container.pop(first, None)
    else:
        container[first] = value


def _resolve(path: str, attributes: dict[str, Shape]) -> tuple[list[str], Shape]:
    """Return a path's segments as the model spells them, and the shape of what lies there."""
    first, *rest = path.split(".")
    segments = [_spell(first, attributes, _not_updated(path))]
    shape = attributes[segments[0]]
    for segment in rest:
        if shape.type_name == "list":
            raise validation_error(
                f"Unsupported update operation on multi-value attribute {first}, please provide full "
                f"replacement of Multi-Value attribute types: the path {first!r} with the whole list."
            )
        segments.append(_spell(segment, shape.members, _not_updated(path)))
        shape = shape.members[segments[-1]]
    return segments, shape


def _not_updated(path: str) -> str:
    return f"in the path {path!r} cannot be updated"


def _canonical(shape: Shape, value: Any, path: str) -> Any:
    """Return a document with its names spelt as in the model; what is no object or list stays as it is."""
    if shape.type_name == "structure" and isinstance(value, dict):
        named = {_spell(name, shape.members, _not_updated(path)): inner for name, inner in value.items()}
        return {
            name: _canonical(shape.members[name], inner, path)
            for name, inner in named.items()
            if inner is not None
        }
    if shape.type_name == "list" and isinstance(value, list):
        return [_canonical(shape.member, item, path) for item in value]
    return value
