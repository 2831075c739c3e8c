"""What all models share: immutable, strict about keys, and able to say several things at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from idc_helpers.yaml_positions import Location

RULE_ERROR = "kit_rule"


class Model(BaseModel):
    """A part of the desired state: it never changes, and refuses keys that it does not know.

    A field that may be left out may also be empty: null, ``""``, ``[]`` and ``{}`` are read as left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _leave_out_what_is_empty(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        return {name: value for name, value in data.items() if not cls._is_left_out(name, value)}

    @classmethod
    def _is_left_out(cls, name: object, value: object) -> bool:
        field = cls.model_fields.get(name) if isinstance(name, str) else None
        if field is None or field.is_required() or not is_nothing(value):
            return False
        usual = field.get_default(call_default_factory=True)
        return not (isinstance(value, list) and isinstance(usual, list) and usual)  # then none says something


def is_nothing(value: object) -> bool:
    """Return whether a value is how a file says nothing: null, an empty text, list or mapping."""
    return value is None or (isinstance(value, str | list | Mapping) and not value)


@dataclass(frozen=True)
class Refusal:
    """A rule between several values that was broken, and the place of the value to change."""

    location: Location
    message: str
    remedy: str
    value: object = None


def refuse(refusals: Iterable[Refusal]) -> None:
    """Raise all refusals as one pydantic error, each at its own place; do nothing where there is none.

    Raises
    ------
    pydantic.ValidationError
        There is at least one refusal.
    """
    details = [
        InitErrorDetails(
            type=PydanticCustomError(
                RULE_ERROR, "{message}. {remedy}", {"message": refusal.message, "remedy": refusal.remedy}
            ),
            loc=refusal.location,
            input=refusal.value,
        )
        for refusal in refusals
    ]
    if details:
        raise ValidationError.from_exception_data("scenario", details)
