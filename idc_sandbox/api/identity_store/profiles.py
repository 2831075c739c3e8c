"""What a user and a group may hold, extensions included, and how attribute paths change it."""

from __future__ import annotations

import copy
import datetime
import difflib
import functools
from collections.abc import Iterable
from typing import Any

from idc_sandbox.errors import validation_error
from idc_sandbox.wire.models import ListShape, Shape, StructureShape, service_model, violations

# The one extension of a user's profile: ``aws:identitystore:enterprise``, SCIM's enterprise user.

ENTERPRISE = "aws:identitystore:enterprise"
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


def canonical_extension(document: Any) -> dict[str, Any]:
    """Return the enterprise extension with its attributes spelt as in SCIM; unset ones are dropped."""
    attributes = _spelt(document, (*_TEXT_ATTRIBUTES, "manager"), ENTERPRISE)
    if "manager" in attributes:
        attributes["manager"] = _spelt(attributes["manager"], _MANAGER_ATTRIBUTES, f"{ENTERPRISE}.manager")
    return {name: value for name, value in attributes.items() if value != {}}


def canonical_extension_path(segments: list[str]) -> list[str]:
    """Return the segments of a path below the extension, spelt as in SCIM."""
    if not segments:
        return []
    first = _spell(segments[0], (*_TEXT_ATTRIBUTES, "manager"), ENTERPRISE)
    if len(segments) == 1:
        return [first]
    path = f"{ENTERPRISE}.{first}"
    if first != "manager" or len(segments) > 2:
        raise validation_error(
            f"The attribute path {'.'.join([ENTERPRISE, *segments])!r} does not exist below {path!r}."
        )
    return [first, _spell(segments[1], _MANAGER_ATTRIBUTES, path)]


def extension_violations(extension: dict[str, Any]) -> list[str]:
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
    return {_spell(name, known, path): value for name, value in document.items() if value is not None}


def _spell(name: str, known: tuple[str, ...], path: str) -> str:
    # SCIM compares attribute names without regard to case.
    for spelling in known:
        if spelling.casefold() == name.casefold():
            return spelling
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise validation_error(
        f"The attribute {name!r} does not exist in {path!r}; there are {', '.join(known)}.{hint}"
    )


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
    """Return the profile in a CreateUser request, extensions included, checked."""
    names = [name for name in user_attributes() if name not in _WRITTEN_BY_UPDATE_ONLY]
    profile = {name: request[name] for name in names if request.get(name) is not None}
    extensions = request.get("Extensions") or {}
    if require_extension_names(extensions):
        extension = canonical_extension(extensions[ENTERPRISE])
        profile |= {"Extensions": {ENTERPRISE: extension}} if extension else {}
    check_user_profile(profile)
    return profile


def group_profile_of(request: dict[str, Any]) -> dict[str, Any]:
    """Return the profile in a CreateGroup request, checked."""
    profile = {
        name: request[name] for name in ("DisplayName", "Description") if request.get(name) is not None
    }
    check_group_profile(profile)
    return profile


def check_user_profile(profile: dict[str, Any]) -> None:
    """Hold a whole user profile against model and rules."""
    problems = _model_violations(profile, user_attributes())
    problems += extension_violations(profile.get("Extensions", {}).get(ENTERPRISE, {}))
    name = profile.get("Name") if isinstance(profile.get("Name"), dict) else {}
    for path, value in _required_of_user(profile, name or {}).items():
        if value is None:
            problems.append(f"'{path}' is required for a user of IAM Identity Center and cannot be removed")
    _refuse(problems)
    _refuse(_user_rules(profile))


def check_group_profile(profile: dict[str, Any]) -> None:
    """Hold a whole group profile against model and rules."""
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


# What UpdateUser and UpdateGroup change: operations, each with a path into the profile and a value or none.


def apply_operations(
    profile: dict[str, Any],
    operations: list[dict[str, Any]],
    attributes: dict[str, Shape],
    *,
    with_extensions: bool,
) -> dict[str, Any]:
    """Return a profile after attribute operations, in their order; the given one is left as it is."""
    changed = copy.deepcopy(profile)
    for operation in operations:
        path, value = operation["AttributePath"], operation.get("AttributeValue")
        extension, _, rest = path.partition(".")
        if with_extensions and extension.casefold() == ENTERPRISE:
            _write_extension(changed, rest.split(".") if rest else [], value)
        else:
            segments, shape = _resolve(path, attributes)
            _write(changed, segments, None if value is None else _canonical(shape, value, path))
    return changed


def _write_extension(profile: dict[str, Any], segments: list[str], value: Any) -> None:
    below = canonical_extension_path(segments)
    _write(profile, ["Extensions", ENTERPRISE, *below], value)
    # Written as a whole, so that a manager or an extension given as an object is spelt and checked like any
    # other.
    extension = canonical_extension(profile.get("Extensions", {}).get(ENTERPRISE, {}))
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
    first, *rest = path.split(".")
    name = _attribute_paths_spell(first, attributes, path)
    segments, shape = [name], attributes[name]
    for segment in rest:
        if isinstance(shape, ListShape):
            raise validation_error(
                f"Unsupported update operation on multi-value attribute {first}, please provide full "
                f"replacement of Multi-Value attribute types: the path {first!r} with the whole list."
            )
        members = shape.members if isinstance(shape, StructureShape) else {}
        name = _attribute_paths_spell(segment, members, path)
        segments.append(name)
        shape = members[name]
    return segments, shape


def _canonical(shape: Shape, value: Any, path: str) -> Any:
    """Return a document with its names spelt as in the model; what is no object or list stays as it is."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        named = {_attribute_paths_spell(name, shape.members, path): inner for name, inner in value.items()}
        return {
            name: _canonical(shape.members[name], inner, path)
            for name, inner in named.items()
            if inner is not None
        }
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_canonical(shape.member, item, path) for item in value]
    return value


def _attribute_paths_spell(name: str, known: dict[str, Any], path: str) -> str:
    for spelling in known:
        if spelling.casefold() == name.casefold():
            return spelling
    shown = [spelling[:1].lower() + spelling[1:] for spelling in known]
    near = difflib.get_close_matches(name, shown, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    there = f"there are {', '.join(shown)}" if shown else "nothing lies below a plain value"
    raise validation_error(f"The attribute {name!r} in the path {path!r} cannot be updated; {there}.{hint}")
