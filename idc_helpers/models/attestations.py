"""A person's record that a setting was made in the console, where no API can show it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Literal

from pydantic import Field, JsonValue, model_validator

from idc_helpers.models.base import Model
from idc_helpers.models.texts import ProfileText


class Attestation(Model):
    """Who set what, when, and what was seen on the screen."""

    setting: Literal[
        "access_portal",
        "identity_source",
        "standard_authentication",
        "multi_factor_authentication",
        "sessions",
    ] = Field(description="The setting, as plans name it.")
    value: dict[str, JsonValue] = Field(
        min_length=1, description="Its fields as the plan names them, such as {send_email_otp: true}."
    )
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
