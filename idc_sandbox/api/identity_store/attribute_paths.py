"""What UpdateUser and UpdateGroup change: operations, each with a path into the profile and a value or none.

A path is ``nickName``, ``name.givenName``, ``emails`` or ``aws:identitystore:enterprise.costCenter``. Names
are compared without regard to case: clients write ``displayName`` and ``DisplayName``, and so they do inside
values (``value`` and ``Value``). A list is replaced whole. An operation without a value removes.
"""

from __future__ import annotations

import copy
import difflib
from typing import Any

from idc_sandbox.api.identity_store.extensions import (
    ENTERPRISE,
    canonical_extension,
    canonical_extension_path,
)
from idc_sandbox.errors import validation_error
from idc_sandbox.service_models import ListShape, Shape, StructureShape


def apply_operations(
    profile: dict[str, Any],
    operations: list[dict[str, Any]],
    attributes: dict[str, Shape],
    *,
    with_extensions: bool,
) -> dict[str, Any]:
    """Return a profile after attribute operations, in their order; the given one is left as it is.

    Parameters
    ----------
    profile
        Attributes as in DescribeUser or DescribeGroup.
    operations
        ``AttributePath`` and, unless the attribute is to be removed, ``AttributeValue``.
    attributes
        The shapes of the attributes that may be written, by name.
    with_extensions
        Whether the resource has extensions: users do, groups do not.

    Raises
    ------
    ServiceError
        ``ValidationException`` for a path or a name within a value that does not exist, and for a path into a
        list. The values themselves are the caller's to check, on the whole profile.
    """
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
    name = _spell(first, attributes, path)
    segments, shape = [name], attributes[name]
    for segment in rest:
        if isinstance(shape, ListShape):
            raise validation_error(
                f"Unsupported update operation on multi-value attribute {first}, please provide full "
                f"replacement of Multi-Value attribute types: the path {first!r} with the whole list."
            )
        members = shape.members if isinstance(shape, StructureShape) else {}
        name = _spell(segment, members, path)
        segments.append(name)
        shape = members[name]
    return segments, shape


def _canonical(shape: Shape, value: Any, path: str) -> Any:
    """Return a document with its names spelt as in the model; what is no object or list stays as it is."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        named = {_spell(name, shape.members, path): inner for name, inner in value.items()}
        return {
            name: _canonical(shape.members[name], inner, path)
            for name, inner in named.items()
            if inner is not None
        }
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_canonical(shape.member, item, path) for item in value]
    return value


def _spell(name: str, known: dict[str, Any], path: str) -> str:
    for spelling in known:
        if spelling.casefold() == name.casefold():
            return spelling
    shown = [spelling[:1].lower() + spelling[1:] for spelling in known]
    near = difflib.get_close_matches(name, shown, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    there = f"there are {', '.join(shown)}" if shown else "nothing lies below a plain value"
    raise validation_error(f"The attribute {name!r} in the path {path!r} cannot be updated; {there}.{hint}")
