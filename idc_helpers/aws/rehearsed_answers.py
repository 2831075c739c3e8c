"""Answers to calls that are not sent: of the shape that AWS's own service model says, with placeholders."""

from __future__ import annotations

import datetime
from typing import Any

# Of the states that a shape knows, the one in which nothing has to be waited for.
_SETTLED = ("SUCCEEDED", "ACTIVE", "ENABLED")


def modelled_answer(shape: Any, number: int) -> tuple[dict[str, Any], dict[str, str]]:
    """Return an answer, and its placeholders with their places in it, as the CLI's ``--query`` names them.

    Parameters
    ----------
    shape
        botocore's output shape; None: the operation answers nothing.
    number
        Which call it is, counted from 1; placeholders name it.
    """
    makes: dict[str, str] = {}
    return (_structure(shape, "", number, makes) if shape is not None else {}), makes


def _structure(shape: Any, path: str, number: int, makes: dict[str, str]) -> dict[str, Any]:
    return {
        name: _value(member, name, f"{path}.{name}".removeprefix("."), number, makes)
        for name, member in shape.members.items()
    }


def _value(shape: Any, name: str, path: str, number: int, makes: dict[str, str]) -> Any:
    if shape.type_name == "structure":
        return _structure(shape, path, number, makes)
    if shape.type_name == "string":
        return _text(shape, name, path, number, makes)
    return _EMPTY.get(shape.type_name)


def _text(shape: Any, name: str, path: str, number: int, makes: dict[str, str]) -> str:
    if shape.enum:
        return str(next((state for state in _SETTLED if state in shape.enum), shape.enum[0]))
    placeholder = f"‹{name} made by call {number}›"
    makes.setdefault(placeholder, path)
    return placeholder


_EMPTY: dict[str, Any] = {
    "list": [],
    "map": {},
    "boolean": False,
    "integer": 0,
    "long": 0,
    "timestamp": datetime.datetime.fromtimestamp(0, datetime.UTC),
}
