"""A person's record that a setting was made in the console, where no API can show it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, Field, JsonValue, model_validator

from idc_helpers.errors import InvalidValueError
from idc_helpers.models.base import Model
from idc_helpers.models.texts import ProfileText


def _something(value: JsonValue) -> JsonValue:
    if value is None:
        raise InvalidValueError(
            "there is no value",
            remedy="Write the value that the console shows, in quotes where it is a text.",
        )
    return value


class Attestation(Model):
    """Who set what, when, and what was seen on the screen."""

    setting: ProfileText = Field(
        description="The setting's path in this file, such as 'authentication.mfa.prompt'."
    )
    value: Annotated[JsonValue, AfterValidator(_something)] = Field(description="The value that was set.")
    by: ProfileText = Field(description="Who did it.")
    on: date = Field(description="The day it was done, such as '2026-11-23'.")
    seen: ProfileText = Field(description="What the console showed afterwards.")

    @model_validator(mode="before")
    @classmethod
    def _undo_yaml_truth(cls, data: Any) -> Any:
        # YAML 1.1 reads the key `on` as true, and papermill reads parameter files with it.
        if isinstance(data, Mapping) and True in data and "on" not in data:
            return {"on" if key is True else key: value for key, value in data.items()}
        return data
