"""The values of one step's form: seeded from the scenario, checked by its models, never half applied."""

from __future__ import annotations

import copy
import json
import re
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel

from idc_aws.errors import InvalidValueError, ParametersError, Problem
from idc_aws.identifiers import describe_length
from idc_aws.project import find_scenario, work_folder
from idc_aws.scenario.policies import CustomerManagedPolicy
from idc_aws.scenario.reading import scenario_parameters, validate_scenario
from idc_aws.scenario.saving import save_scenario_part
from idc_aws.scenario.scenario import Mfa, Scenario
from idc_aws.scenario.values import IN_A_FILE, shortened
from idc_helpers.runbook.steps import Step
from idc_helpers.runbook.words import format_field, is_field, label_of, words_of

FORM = "the form"
MOST_NAMED = 20
"""Of more problems a form's message names this many; each is shown at its field."""


def unwrapped(annotation: Any) -> Any:
    """Return a type without ``None`` and without what ``Annotated`` says about it."""
    if get_origin(annotation) is Annotated:
        return unwrapped(get_args(annotation)[0])
    if get_origin(annotation) in (typing.Union, types.UnionType):
        return unwrapped(next(part for part in get_args(annotation) if part is not type(None)))
    return annotation


def is_model(kind: Any) -> bool:
    """Return whether a type is a model, with fields of its own."""
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def nested_model(annotation: Any) -> type[BaseModel] | None:
    """Return the model that gets fields of its own, or None for a field of another type."""
    kind = unwrapped(annotation)
    return kind if is_model(kind) and kind is not CustomerManagedPolicy else None


@dataclass(frozen=True)
class Section:
    """The part of the scenario that a step's form shows."""

    path: tuple[str, ...]
    model: type[BaseModel]
    is_list: bool = False
    fields: tuple[str, ...] = ()

    @property
    def dotted(self) -> str:
        """The path as a problem names it."""
        return ".".join(self.path)


def section_of(dotted: str) -> Section:
    """Return a section by its place in the scenario: a model, a list of models, or one field of a model."""
    *path, last = dotted.split(".")
    holder: type[BaseModel] = Scenario
    for name in path:
        holder = unwrapped(holder.model_fields[name].annotation)
    kind = unwrapped(holder.model_fields[last].annotation)
    is_list = get_origin(kind) is list
    item = unwrapped(get_args(kind)[0]) if is_list else kind
    if not is_model(item):
        return Section(tuple(path), holder, fields=(last,))
    return Section((*path, last), item, is_list)


TYPED: dict[tuple[str, str, str], Any] = {}
"""What was typed in this kernel, by notebook, step and seed: running the cells again keeps it."""


class FormValues:
    """What the form of one step holds: the scenario that the step makes true follows from it."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self.section = section_of(step.entry.section)
        self._parameters = scenario_parameters(step.context.scenario)
        self._seed = _part(self._parameters, self.section)
        self._values = self._seed
        seed = json.dumps(self._seed, sort_keys=True, default=str)
        self._key = (step.context.notebook, step.name, seed)

    @property
    def values(self) -> Any:
        """A mapping, or a list of mappings, as the scenario file would hold it; a copy."""
        return copy.deepcopy(self._values)

    def at(self, place: str) -> Any:
        """Return what was typed at a place of the form such as ``"[0].name"``, or None, without a copy."""
        return _value_at(self._values, place)

    def restore(self) -> None:
        """Set what was typed last over what the scenario says, if anything was."""
        if self._key in TYPED:
            self.set(TYPED[self._key])

    def set(self, values: Any) -> None:
        """Take values over; with problems the scenario stays as it was, and the step does nothing."""
        self._values = TYPED[self._key] = copy.deepcopy(values)
        changed = _with_part(self._parameters, self.section, self._values)
        try:
            self.step.scenario = validate_scenario(changed, source=FORM)
        except ParametersError as error:
            self.step.problems = error.problems
        else:
            self.step.problems = ()
        self.step.changed()

    def save(self, path: str, *, update: bool = False) -> Path:
        """Write the form's values to a scenario file and return its path, relative to the work folder."""
        if self.step.problems:
            raise ParametersError(self.step.problems)
        if not path:
            raise InvalidValueError("no file is named", remedy="Write a name that ends in '.yaml'.")
        work = work_folder().resolve()
        target = (work / path).resolve()
        source = self.step.context.scenario_file or find_scenario()
        save_scenario_part(
            source, target, lambda found: _with_part(found, self.section, self._values), update=update
        )
        return target.relative_to(work) if target.is_relative_to(work) else target


def _part(parameters: Mapping[str, Any], section: Section) -> Any:
    part: Any = parameters
    for key in section.path:
        part = part.get(key) or {}
    if section.is_list:
        return copy.deepcopy(list(part))
    return {
        name: copy.deepcopy(value)
        for name, value in part.items()
        if not section.fields or name in section.fields
    }


def _with_part(parameters: Mapping[str, Any], section: Section, values: Any) -> dict[str, Any]:
    changed = copy.deepcopy(dict(parameters))
    holder = changed
    for key in section.path[:-1]:
        holder = holder.setdefault(key, {})
    last = section.path[-1]
    if section.fields:
        values = {**holder.get(last, {}), **values}
    if values or section.is_list:
        holder[last] = copy.deepcopy(values)
    else:
        holder.pop(last, None)
    return changed


def problems_by_place(values: FormValues) -> dict[str, str]:
    """Return messages by their place in the form, such as ``{"[0].session_duration": "…"}``."""
    by_place: dict[str, str] = {}
    for problem in values.step.problems:
        text = _message(problem, values)
        by_place[problem.path] = f"{by_place[problem.path]} {text}" if problem.path in by_place else text
    return inside(by_place, values.section.dotted)


def _message(problem: Problem, values: FormValues) -> str:
    """Return what is wrong and what to do, in the form's words and not in a file's."""
    rest = problem.path.removeprefix(values.section.dotted)
    model, name = _field_at(values.section.model, _names_in(rest))
    if rest.endswith(name) and problem.message.endswith((" is missing", " is empty")):
        return f"{words_of(model, name).label} is missing." if name else problem.message
    found = values.at(rest)
    typed = shortened(found) if found else ""
    texts = (_in_form_words(text, model, name, typed) for text in (problem.message, problem.remedy))
    return " ".join(f"{text.rstrip('.')}." for text in texts if text)


def _value_at(values: Any, rest: str) -> Any:
    """Return what was typed at a place of the form, or None."""
    for step in re.findall(r"\w+", rest, re.ASCII):
        if isinstance(values, list):
            values = dict(enumerate(values)).get(int(step) if step.isdecimal() else -1)
        else:
            values = values.get(step) if isinstance(values, dict) else None
    return values


# What a message says to somebody who writes a file, and what to somebody at a form.
_OF_A_FILE = (
    (r"Write an ISO 8601 duration, .*", "Write a length such as 90 minutes, 8 hours or 7 days."),
    (r"(?<=an account assignment has one principal).*", ""),
    (r"Give 'group' or 'user'", "Choose a group or a user"),
    (r"^(\[\]|False)(?= does not go with)", "this"),
    (r"Write the policy as a YAML mapping, or fix", "Fix"),
    (r"Write a mapping", "Write an object"),
    (IN_A_FILE, ""),
    (r"\b[a-z_]+\[(\d+)\]", lambda at: f"no. {int(at[1]) + 1}"),
    (r"'?\bP(?=[\dT])[\dWDTHMS]+\b'?", lambda at: describe_length(at[0].strip("'"))),
)
_FIELD = re.compile(r"'?\b(prompt(?=[ a-z]* ')|[a-z]+(?:_[a-z]+)+)\b'?(?:( to)? '([\w-]+)')?", re.ASCII)


def _in_form_words(text: str, model: type[BaseModel], name: str, typed: str) -> str:
    for pattern, words in _OF_A_FILE:
        text = re.sub(pattern, words, text, flags=re.ASCII)
    text = re.sub(r"'([\w-]+)'", lambda at: _quoted(label_of(name, at[1])) or at[0], text, flags=re.ASCII)
    # What was typed stays as it is.
    parts = text.split(typed) if typed else [text]
    return typed.join(_FIELD.sub(lambda at: _with_label(at, model), part) for part in parts)


def _quoted(words: str) -> str:
    return f"“{words}”" if words else ""


def _with_label(at: re.Match[str], model: type[BaseModel]) -> str:
    """Return a field's label, and that of its value, for their names in a message."""
    name, to, value = at[1], at[2] or "", at[3]
    if name not in model.model_fields and not is_field(name):
        return at[0]
    label = words_of(model, name).label if name in model.model_fields else format_field(name)
    chosen = f"{to} {_quoted(label_of(name, value)) or repr(value)}" if value else ""
    return f"{_quoted(label)}{chosen}"


def inside(problems: Mapping[str, str], name: str) -> dict[str, str]:
    """Return the problems at or below one place, by the rest of their place."""
    found = {}
    for place, text in problems.items():
        if place == name or place.startswith((f"{name}.", f"{name}[")):
            found[place[len(name) :].removeprefix(".")] = text
    return found


def format_problems(values: FormValues) -> str:
    """Return how many values are to be fixed and where, in the form's words; empty: all is well."""
    problems = values.step.problems
    if not problems:
        return ""
    places = dict.fromkeys(_format_place(problem.path, values) for problem in problems[:MOST_NAMED])
    number = "1 value needs" if len(problems) == 1 else f"{len(problems)} values need"
    more = f"; and {len(problems) - MOST_NAMED} more" if len(problems) > MOST_NAMED else ""
    return f"{number} fixing: {'; '.join(places)}{more}. Apply stays disabled until then."


def describe_problems(values: FormValues) -> str:
    """Return what is wrong with each value and where, a line each; empty: all is well."""
    problems = values.step.problems
    more = [f"and {len(problems) - MOST_NAMED} more"] if len(problems) > MOST_NAMED else []
    return "\n".join([*(_describe(problem, values) for problem in problems[:MOST_NAMED]), *more])


def _describe(problem: Problem, values: FormValues) -> str:
    place, text = _format_place(problem.path, values), _message(problem, values)
    label, _, number = place.partition(" of no. ")
    if text == f"{label} is missing.":  # the field is named once
        return f"No. {number}: {text}" if number else text
    return f"{place}: {text}"


def _format_place(path: str, values: FormValues) -> str:
    rest = path.removeprefix(values.section.dotted)
    if not path.startswith(values.section.dotted):
        return path
    item = re.match(r"\[(\d+)\]", rest, re.ASCII)
    model, name = _field_at(values.section.model, _names_in(rest))
    label = words_of(model, name).label if name in model.model_fields else name
    where = f"no. {int(item[1]) + 1}" if item else ""
    return " of ".join(part for part in (label, where) if part) or "the form"


def _names_in(path: str) -> list[str]:
    return re.findall(r"[A-Za-z_]+", path)


def _field_at(model: type[BaseModel], names: Sequence[str]) -> tuple[type[BaseModel], str]:
    """Return the field that has a widget of its own, and its model; an empty name: the model as a whole."""
    name, rest = (names[0], names[1:]) if names else ("", ())
    inner = nested_model(model.model_fields[name].annotation) if name in model.model_fields else None
    return _field_at(inner, rest) if inner and rest else (model, name)


@dataclass(frozen=True)
class Inactive:
    """Why a field cannot be changed now."""

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
