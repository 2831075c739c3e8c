"""The one extension of a user's profile: ``aws:identitystore:enterprise``, SCIM's enterprise user.

AWS gives its content as a document, without a shape; the attributes are those of SCIM's schema, which the
service's SCIM endpoint and attributes for access control (``${path:enterprise.costCenter}``) name.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from idc_sandbox.errors import validation_error
from idc_sandbox.model_validation import service_model, violations

ENTERPRISE = "aws:identitystore:enterprise"
_TEXT_ATTRIBUTES = ("employeeNumber", "costCenter", "organization", "division", "department")
_MANAGER_ATTRIBUTES = ("value", "displayName", "$ref")


def require_extension_names(names: Iterable[str]) -> list[str]:
    """Return extension names after a check that each is supported.

    Raises
    ------
    ServiceError
        ``ValidationException`` for any other than ``aws:identitystore:enterprise``.
    """
    listed = list(names)
    for name in listed:
        if name != ENTERPRISE:
            raise validation_error(
                f"The extension {name!r} is not supported; the only one is {ENTERPRISE!r}."
            )
    return listed


def canonical_extension(document: Any) -> dict[str, Any]:
    """Return the enterprise extension with its attributes spelt as in SCIM; unset ones are dropped.

    Raises
    ------
    ServiceError
        ``ValidationException`` for something that is no object, or that holds an unknown attribute.
    """
    attributes = _spelt(document, (*_TEXT_ATTRIBUTES, "manager"), ENTERPRISE)
    if "manager" in attributes:
        attributes["manager"] = _spelt(attributes["manager"], _MANAGER_ATTRIBUTES, f"{ENTERPRISE}.manager")
    return {name: value for name, value in attributes.items() if value != {}}


def canonical_extension_path(segments: list[str]) -> list[str]:
    """Return the segments of a path below the extension, spelt as in SCIM.

    Raises
    ------
    ServiceError
        ``ValidationException`` for a path that leads nowhere.
    """
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
