"""The console's words for fields, values and things, as ``data/forms.toml`` has them; a form's groups."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel

from idc_aws.changes import Action, State, in_words, key_in_words
from idc_aws.files import read_table
from idc_aws.identifiers import AWS_POLICY_PREFIX, describe_length
from idc_aws.scenario.access import AccountAssignment
from idc_aws.scenario.policies import PermissionsBoundary
from idc_aws.scenario.values import IN_A_FILE
from idc_aws.settings import CONSOLE_SETTINGS

SYMBOLS: Mapping[Action, str] = {
    Action.CREATE: "+",
    Action.UPDATE: "~",
    Action.DELETE: "-",
    Action.UNCHANGED: "=",
    Action.BY_HAND: "✎",
    Action.SKIPPED: "⊘",
}
"""What stands before a change, on screens and in terminals."""


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


# A rule between fields is told at this one.
WHOLE_PROBLEM_AT: Mapping[type[BaseModel], str] = {
    AccountAssignment: "group",
    PermissionsBoundary: "managed_policy",
}


def words_of(model: type[BaseModel], name: str) -> FieldWords:
    """Return what a form says about a field; where nothing is written, what the model says."""
    label = name.replace("_", " ").capitalize()
    words = FieldWords(*forms_table()["fields"].get(model.__name__, {}).get(name, [label]))
    if words.help:
        return words
    description = re.sub(IN_A_FILE, "", model.model_fields[name].description or "")
    says_more = description.rstrip(".").casefold() != words.label.casefold()
    return FieldWords(words.label, description if says_more else "", words.source)


def label_of(name: str, value: Any) -> str:
    """Return what the console calls a value of a field; empty where it has no words of its own."""
    written = str(value).lower() if isinstance(value, bool) else str(value)
    label: str = forms_table()["labels"].get(name, {}).get(written, "")
    return label


@cache
def _labels() -> Mapping[str, str]:
    """Return the label of each field that a state may have, whatever its kind."""
    found = dict(forms_table()["states"])
    for setting in CONSOLE_SETTINGS.values():
        found = {**setting.fields, **found}
    for fields in forms_table()["fields"].values():
        found = {**{name: label.removesuffix(" – optional") for name, (label, *_) in fields.items()}, **found}
    return found


def is_field(name: str) -> bool:
    """Return whether a word is the name of a field that has a label."""
    return name in _labels()


def format_field(name: str) -> str:
    """Return what the console calls a field of a state, such as ``"Session duration"``."""
    return _labels().get(name) or name.replace("_", " ").capitalize()


LENGTHS = ("duration", "session_duration", "user_interactive", "user_background")
"""The fields that hold a length of time, and such a name of an exercise."""


def format_value(name: str, value: Any) -> str:
    """Return a field's value in the console's words: lists with commas, what is nested deeper as JSON."""
    if isinstance(value, list | dict):
        return _format_parts(name, value)
    if (label := label_of(name, value)) or isinstance(value, bool):
        return label or ("yes" if value else "no")
    if name in LENGTHS:
        return describe_length(str(value))
    return str(value).rpartition("/")[2] if str(value).startswith(AWS_POLICY_PREFIX) else str(value)


def _format_parts(name: str, value: list[Any] | dict[str, Any]) -> str:
    if isinstance(value, dict) and _is_reference(value):
        return f"{value['path']}{value['name']}"
    if isinstance(value, list) and all(isinstance(part, str) or _is_reference(part) for part in value):
        return ", ".join(format_value(name, part) for part in value)
    if isinstance(value, dict) and name in PARTED:
        return ", ".join(f"{format_field(key)}: {format_value(key, part)}" for key, part in value.items())
    if isinstance(value, dict) and all(isinstance(part, str) for part in value.values()):
        return ", ".join(f"{key}={part}" for key, part in value.items())
    return json.dumps(value, ensure_ascii=False)


PARTED = ("address", "enterprise", "permissions_boundary")
"""The fields of a state that have fields of their own."""


def _is_reference(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"path", "name"}


def format_fields(state: State) -> State:
    """Return a state for people: whom an assignment is for in one field, as the form has it."""
    if "principal_type" not in state:
        return state
    rest = {name: value for name, value in state.items() if not name.startswith("principal_")}
    return {state["principal_type"].lower(): state.get("principal_name"), **rest}


def format_key(kind: str, key: str) -> str:
    """Return what people call a thing, such as ``"group Auditors · ReadOnlyAccess · 111122223333"``."""
    setting = CONSOLE_SETTINGS.get(key) if kind == "console_setting" else None
    return setting.title if setting else key_in_words(kind, key)


def format_thing(kind: str, key: str) -> str:
    """Return kind and key as people say them, such as ``"group Auditors"``; a setting has its title alone."""
    return format_key(kind, key) if kind == "console_setting" else in_words(kind, key)


def groups_of(model: type[BaseModel], only: tuple[str, ...] = ()) -> tuple[FieldGroup, ...]:
    """Return a model's groups of fields: every field is in exactly one; `only` these, where given."""
    groups = forms_table()["groups"].get(model.__name__, [["", *model.model_fields]])
    return tuple(
        FieldGroup(title, tuple(name for name in names if not only or name in only))
        for title, *names in groups
    )
