"""Choices that follow from other choices: fields that are inactive, and why; values that are forced.

Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/how-to-configure-mfa-device-enforcement.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from idc_helpers.models import Mfa


@dataclass(frozen=True)
class Inactive:
    """Why a field cannot be changed now.

    Attributes
    ----------
    reason
        A sentence.
    value
        What it holds meanwhile; None: what it held.
    """

    reason: str
    value: Any = None


def inactive_fields(model: type[BaseModel], values: Mapping[str, Any]) -> dict[str, Inactive]:
    """Return the fields of a form that the others leave no choice for, by name."""
    if model is not Mfa:
        return {}
    inactive: dict[str, Inactive] = {}
    if values.get("user_without_device") == "require-registration":
        inactive["users_manage_own_devices"] = Inactive(
            "Forced on: who must register a device at sign-in has to be allowed to add one.", True
        )
    if values.get("prompt") == "never":
        reason = "Inactive: nobody is asked for MFA, so this has no effect. Choose another prompt first."
        names = ("allowed_types", "user_without_device", "users_manage_own_devices")
        inactive |= {name: Inactive(reason, getattr(inactive.get(name), "value", None)) for name in names}
    return inactive
