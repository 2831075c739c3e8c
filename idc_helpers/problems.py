"""What pydantic found, in words that name the value and the remedy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from idc_helpers.errors import InvalidValueError
from idc_helpers.models import Scenario
from idc_helpers.models.base import RULE_ERROR, Location, Refusal
from idc_helpers.models.texts import shortened
from idc_helpers.suggestions import did_you_mean


def refusals_in(
    error: ValidationError, unquoted: Mapping[Location, str], root: type[BaseModel] = Scenario
) -> list[Refusal]:
    """Return what is wrong with a scenario, one refusal for each value.

    Parameters
    ----------
    error
        What pydantic raised for a scenario.
    unquoted
        The characters of the scalars that are not in quotes, by place; empty where there is no file.
    root
        The model of the whole file, where it is not a scenario.
    """
    return [_refusal(detail, unquoted, root) for detail in error.errors(include_url=False)]


def key_refusal(name: object, location: Location, known: Iterable[str]) -> Refusal:
    """Return the refusal of a key that does not exist, with the nearest one that does."""
    choices = list(known)
    question = did_you_mean(str(name), choices)
    remedy = question or f"Known here: {', '.join(choices)}."
    return Refusal(location, f"unknown key {name!r}", remedy)


def _refusal(detail: Mapping[str, Any], unquoted: Mapping[Location, str], root: type[BaseModel]) -> Refusal:
    # pydantic adds a step of its own to the place of a mapping's key.
    location: Location = tuple(step for step in detail["loc"] if step != "[key]")
    kind, value = detail["type"], detail["input"]
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, InvalidValueError):
        return Refusal(location, cause.message, cause.remedy, value)
    if kind == RULE_ERROR:
        return Refusal(location, detail["ctx"]["message"], detail["ctx"]["remedy"], value)
    if kind == "extra_forbidden":
        return key_refusal(location[-1], location, _keys_at(location[:-1], root))
    if kind == "missing":
        return Refusal(location, f"{location[-1]!r} is missing", f"Add it: {_described(location, root)}")
    return _wrong_value(location, kind, value, detail, unquoted, root)


def _wrong_value(  # noqa: PLR0917 -- one caller, just above
    location: Location,
    kind: str,
    value: object,
    detail: Mapping[str, Any],
    unquoted: Mapping[Location, str],
    root: type[BaseModel],
) -> Refusal:
    if value is None:
        return Refusal(
            location,
            "there is no value",
            f"Write one, or remove the key: {_described(location, root)}",
            value,
        )
    if kind == "too_short" and not value:
        return Refusal(
            location, f"{value!r} is empty", f"Write one at least: {_described(location, root)}", value
        )
    if kind == "literal_error":
        choices = [repr(choice) for choice in _choices_at(location, root)]
        question = did_you_mean(str(value), [choice.strip("'") for choice in choices])
        remedy = f"{question} Choose {' or '.join(choices)}.".strip()
        return Refusal(location, f"{shortened(value)} is not one of the choices", remedy, value)
    if kind in ("string_type", "literal_error") and not isinstance(value, dict | list):
        typed = unquoted.get(location, str(value))
        return Refusal(
            location, f"{value!r} is {_kind_of(value)}, not a text", f'Put it in quotes: "{typed}".', value
        )
    if kind in _SHAPES:
        wanted, remedy = _SHAPES[kind]
        remedy = remedy.format(value) if not isinstance(value, dict | list) else _described(location, root)
        return Refusal(location, f"{shortened(value)} is {_kind_of(value)}, not {wanted}", remedy, value)
    return Refusal(
        location,
        f"{shortened(value)}: {detail['msg'][:1].lower()}{detail['msg'][1:]}",
        _described(location, root),
        value,
    )


_LIST = ("a list", "Write it as a list: [{}].")
_KEYS = ("a group of keys", "Write keys and values below it, as in key: value.")
_BOOLEAN = ("true or false", "Write true or false, without quotes.")
_WHOLE = ("a whole number", "Write a whole number, without quotes.")
# What pydantic calls a value of the wrong shape: what it should be, and how to write that.
_SHAPES = {
    "string_type": ("a text", "Write it as a text, in quotes."),
    "list_type": _LIST,
    "dict_type": _KEYS,
    "model_type": _KEYS,
    "model_attributes_type": _KEYS,
    "bool_type": _BOOLEAN,
    "bool_parsing": _BOOLEAN,
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
}


def _kind_of(value: object) -> str:
    kinds: tuple[tuple[type, str], ...] = (
        (bool, "true or false"),
        (int, "a number"),
        (float, "a number"),
        (str, "a text"),
        (dict, "a group of keys"),
        (list, "a list"),
    )
    return next((words for kind, words in kinds if isinstance(value, kind)), f"a {type(value).__name__}")


def _described(location: Location, root: type[BaseModel]) -> str:
    field = _field_at(location, root)
    return (field.description if field else None) or "See parameters/schema.json for what is possible."


def _field_at(location: Location, root: type[BaseModel]) -> FieldInfo | None:
    names = [step for step in location if isinstance(step, str)]
    model: type[BaseModel] | None = root
    field: FieldInfo | None = None
    for name in names:
        known = _by_key(model) if model else {}
        if name not in known:
            return field
        field = known[name]
        model = _model_in(field.annotation)
    return field


def _by_key(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _keys_at(location: Location, root: type[BaseModel]) -> list[str]:
    field = _field_at(location, root)
    model = root if field is None else _model_in(field.annotation)
    return list(_by_key(model)) if model else []


def _choices_at(location: Location, root: type[BaseModel]) -> list[str]:
    field = _field_at(location, root)
    return _texts_in(field.annotation) if field else []


def _texts_in(annotation: Any) -> list[str]:
    if isinstance(annotation, str):
        return [annotation]
    return [text for argument in get_args(annotation) for text in _texts_in(argument)]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for argument in get_args(annotation) if (model := _model_in(argument))), None)
