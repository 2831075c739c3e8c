"""What a form says, as ``data/forms.toml`` has it: labels, help, and which fields stand together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel

from idc_aws.files import read_table
from idc_aws.scenario.access import AccountAssignment
from idc_aws.scenario.policies import PermissionsBoundary
from idc_aws.scenario.scenario import Mfa
from idc_aws.settings import CONSOLE_SETTINGS


@cache
def forms_table() -> Mapping[str, Any]:
    """Return what forms say and offer; read when a form is first made."""
    return read_table("forms", "idc_helpers")


@dataclass(frozen=True)
class FieldWords:
    """What a form says about one field."""

    label: str
    help: str = ""
    source: str = ""


@dataclass(frozen=True)
class FieldGroup:
    """Fields that stand together."""

    title: str
    names: tuple[str, ...]


# What only a person who writes YAML needs to know.
_IN_A_FILE = re.compile(r",? in quotes(?:: [^.]*)?")

# A rule between fields is told at this one.
WHOLE_PROBLEM_AT: Mapping[type[BaseModel], str] = {
    AccountAssignment: "group",
    PermissionsBoundary: "managed_policy",
}


def words_of(model: type[BaseModel], name: str) -> FieldWords:
    """Return what a form says about a field; where nothing is written, what the model says."""
    in_console = CONSOLE_SETTINGS["multi_factor_authentication"].fields if model is Mfa else {}
    label = in_console.get(name) or name.replace("_", " ").capitalize()
    words = FieldWords(*forms_table()["fields"].get(model.__name__, {}).get(name, [label]))
    if words.help:
        return words
    description = _IN_A_FILE.sub("", model.model_fields[name].description or "")
    says_more = description.rstrip(".").casefold() != words.label.casefold()
    return FieldWords(words.label, description if says_more else "", words.source)


def label_of(name: str, value: Any) -> str:
    """Return what the console calls a value of a field; empty where it has no words of its own."""
    written = str(value).lower() if isinstance(value, bool) else str(value)
    label: str = forms_table()["labels"].get(name, {}).get(written, "")
    return label


def groups_of(model: type[BaseModel], only: tuple[str, ...] = ()) -> tuple[FieldGroup, ...]:
    """Return a model's groups of fields: every field is in exactly one; `only` these, where given."""
    groups = forms_table()["groups"].get(model.__name__, [["", *model.model_fields]])
    return tuple(
        FieldGroup(title, tuple(name for name in names if not only or name in only))
        for title, *names in groups
    )
