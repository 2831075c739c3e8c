"""What all models share: immutable, strict about keys, and able to say several things at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

Location = tuple[str | int, ...]
RULE_ERROR = "kit_rule"


class Model(BaseModel):
    """A part of the desired state: it never changes, and refuses keys that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


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
