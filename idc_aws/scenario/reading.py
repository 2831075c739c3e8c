"""A scenario's file, and those that it includes: read, checked, and every value with its file and line."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema

from idc_aws.errors import InvalidValueError, ParametersError, Problem
from idc_aws.identifiers import did_you_mean
from idc_aws.scenario.people import Person
from idc_aws.scenario.policies import policy_advice
from idc_aws.scenario.scenario import Scenario, repeated_values, unknown_person
from idc_aws.scenario.values import RULE_ERROR, Refusal, shortened
from idc_aws.scenario.yaml_lines import Location, YamlFile, dotted, read_yaml
from idc_aws.scrubbing import scrub, secret_places

INCLUDE = "include"
INCLUDE_SCHEMA = {
    "description": "Other files with sections of this scenario, relative to this one. Lists are joined; "
    "everything else is in one file only.",
    "items": {"minLength": 1, "type": "string"},
    "title": "Include",
    "type": "array",
}
_HOW = "Write a list of files: [people.yaml, access.yaml]."


def with_included(file: YamlFile) -> YamlFile:
    """Return a scenario file with what it includes: lists joined, everything else in one file only."""
    _Including(file).include(file, [Path(file.name)])
    file.data = {name: value for name, value in file.data.items() if name != INCLUDE}
    return file


def scenario_files(path: str | Path) -> list[Path]:
    """Return the files of a scenario, itself first; those that cannot be read are left out."""
    try:
        file = read_yaml(path)
    except ParametersError:
        return [Path(path)]
    including = _Including(file)
    including.include(file, [Path(path)])
    return including.files


def in_file_order(problems: Iterable[Problem], file: YamlFile) -> list[Problem]:
    """Return problems by file, the scenario's own first, and by line."""
    return sorted(problems, key=lambda one: (one.file != file.name, one.file, one.line or 0))


class _Including:
    """Puts the sections of included files into the file that a person named."""

    def __init__(self, whole: YamlFile) -> None:
        self._whole = whole
        self._whole.data = dict(whole.data)
        self.files = [Path(whole.name)]
        self._named = {self.files[0].resolve(): whole.name}

    def include(self, file: YamlFile, way: list[Path]) -> None:
        """Include what a file names; `way` leads from the scenario to it."""
        listed = file.data.get(INCLUDE) or []
        if not isinstance(listed, list):
            self._refuse(file, (INCLUDE,), f"{listed!r} is not a list of files", _HOW)
            return
        for position, name in enumerate(listed):
            place: Location = (INCLUDE, position)
            if not isinstance(name, str) or not name:
                self._refuse(file, place, f"{name!r} is not the name of a file", _HOW)
                continue
            self._include_one(file, place, way[-1].parent / Path(name).expanduser(), way)

    def _include_one(self, file: YamlFile, place: Location, path: Path, way: list[Path]) -> None:
        resolved = path.resolve()
        if resolved in self._named:
            round_trip = " → ".join(str(each) for each in [*way, path])
            is_circle = resolved in [each.resolve() for each in way]
            said = f"includes itself: {round_trip}" if is_circle else f"{str(path)!r} is included already"
            self._refuse(file, place, said, "Name each file once.")
            return
        self._named[resolved] = str(path)
        try:
            found = read_yaml(path)
        except ParametersError as error:
            for problem in error.problems:
                self._refuse(file, place, f"{problem.file}: {problem.message}", problem.remedy)
            return
        self.files.append(path)
        self._merge(found)
        self.include(found, [*way, path])

    def _merge(self, found: YamlFile) -> None:
        whole, moved = self._whole, dict[Location, Location]()
        for name, value in found.data.items():
            if name == INCLUDE:
                continue
            there = whole.data.get(name)
            if isinstance(value, list) and (there is None or isinstance(there, list)):
                begin = len(there or [])
                whole.data[name] = [*(there or []), *value]
                for number in range(len(value)):
                    moved[name, number] = (name, begin + number)
                if there is None:
                    moved[name,] = (name,)
            elif name in whole.data:
                self._refuse_second(found, name)
            else:
                whole.data[name] = value
                moved[name,] = (name,)
        for own, place in moved.items():
            whole.elsewhere[place] = (found.name, own)
        self._take_lines(found, moved)

    def _take_lines(self, found: YamlFile, moved: dict[Location, Location]) -> None:
        def placed(location: Location) -> Location | None:
            start = next((part for n in (2, 1) if (part := location[:n]) in moved), None)
            return None if start is None else (*moved[start], *location[len(start) :])

        for location, line in found.lines.items():
            if (place := placed(location)) is not None:
                self._whole.lines[place] = line
        for location, text in found.unquoted.items():
            if (place := placed(location)) is not None:
                self._whole.unquoted[place] = text
        for location, problem in found.problems:
            self._whole.problems.append((placed(location) or (found.name, *location), problem))

    def _refuse_second(self, found: YamlFile, name: str) -> None:
        first, own = self._whole.own_place((name,))
        at = f"{first}:{self._whole.line_of((name,))}" if own else first
        message = f"{name!r} is defined already in {at}"
        self._refuse(found, (name,), message, "Keep one of the two: only lists are joined.")

    def _refuse(self, file: YamlFile, place: Location, message: str, remedy: str) -> None:
        problem = Problem(file.name, file.line_of(place), dotted(place), message, remedy)
        self._whole.problems.append(((file.name, *place), problem))


# What pydantic found, in words that name the value and the remedy.


def refusals_in(
    error: ValidationError, unquoted: Mapping[Location, str], root: type[BaseModel] = Scenario
) -> list[Refusal]:
    """Return what is wrong with a scenario, one refusal for each value."""
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
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, InvalidValueError):
        return Refusal(location, cause.message, cause.remedy, detail["input"])
    if detail["type"] == RULE_ERROR:
        said = detail["ctx"]
        return Refusal(location, said["message"], said["remedy"], detail["input"], said["other"])
    if detail["type"] == "extra_forbidden":
        return key_refusal(location[-1], location, _keys_at(location[:-1], root))
    if detail["type"] == "missing":
        return Refusal(location, f"{location[-1]!r} is missing", f"Add it: {_described(location, root)}")
    typed = unquoted.get(location, str(detail["input"]))
    return Refusal(location, *_message_and_remedy(detail, location, typed, root), detail["input"])


def _message_and_remedy(
    detail: Mapping[str, Any], location: Location, typed: str, root: type[BaseModel]
) -> tuple[str, str]:
    kind, value, described = detail["type"], detail["input"], _described(location, root)
    is_single = not isinstance(value, dict | list)
    if value is None:
        return "there is no value", f"Write one, or remove the key: {described}"
    if kind == "too_short" and not value:
        return f"{value!r} is empty", f"Write one at least: {described}"
    if kind == "literal_error":
        field = _field_at(location, root)
        choices = _texts_in(field.annotation) if field else []
        remedy = f"{did_you_mean(str(value), choices)} Choose {' or '.join(map(repr, choices))}."
        return f"{shortened(value)} is not one of the choices", remedy.strip()
    if kind == "string_type" and is_single:
        return f"{value!r} is {_kind_of(value)}, not a text", f'Put it in quotes: "{typed}".'
    if kind in _SHAPES:
        wanted, remedy = _SHAPES[kind]
        remedy = remedy.format(value) if is_single else f"{_OF_MANY.get(wanted, '')} {described}".strip()
        return f"{shortened(value)} is {_kind_of(value)}, not {wanted}", remedy
    return f"{shortened(value)}: {detail['msg'][:1].lower()}{detail['msg'][1:]}", described


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


# What to do where one value is wanted and there are several, or a list and there are keys.
_OF_MANY = {
    "a text": "Write one text, without brackets, '-' or keys.",
    "a list": "Begin each entry of it with '- '.",
    "a group of keys": "Write keys and values below it, without brackets or '-'.",
}
_KINDS = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "a text",
    dict: "a group of keys",
    list: "a list",
}


def _kind_of(value: object) -> str:
    return _KINDS.get(type(value), f"a Python {type(value).__name__}")


def _described(location: Location, root: type[BaseModel]) -> str:
    field = _field_at(location, root)
    return (field.description if field else None) or "parameters/schema.json lists the possible values."


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
    known = list(_by_key(model)) if model else []
    return [*known, INCLUDE] if model is Scenario else known


def _texts_in(annotation: Any) -> list[str]:
    if isinstance(annotation, str):
        return [annotation]
    return [text for argument in get_args(annotation) for text in _texts_in(argument)]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for argument in get_args(annotation) if (model := _model_in(argument))), None)


PERSON_PARAMETERS = tuple(Person.model_fields)
"""The keys of `person`, which the notebooks of the person's half have as parameters of their own."""


def load_scenario(path: str | Path) -> Scenario:
    """Read a scenario file; nothing is called.

    Parameters
    ----------
    path
        A YAML file, such as ``parameters/sandbox.yaml``; what it includes counts as written in it. Keys that
        it does not have keep their defaults.

    Raises
    ------
    ParametersError
        When the file cannot be read, or something in it cannot be right: all problems, with their lines.
    """
    file = _read(path)
    scenario, refusals = _checked(file.data, file)
    # Of files only: a notebook's parameters may replace the users, or name one whom a form has made.
    refusals += unknown_person(file.data)
    # As texts: what YAML reads as a number, and pydantic names so, is a key that the file has as a text.
    reported = {_as_texts(location) for location, _ in file.problems}
    problems = [problem for _, problem in file.problems]
    problems += _problems((one for one in refusals if _as_texts(one.location) not in reported), file)
    if scenario is None or problems:
        raise ParametersError(in_file_order(problems, file))
    return scenario


def _as_texts(location: Location) -> tuple[str, ...]:
    return tuple(str(step).casefold() for step in location)


def _read(path: str | Path) -> YamlFile:
    file = read_yaml(path)
    return with_included(file) if INCLUDE in file.data else file


def _problems(refusals: Iterable[Refusal], file: YamlFile) -> list[Problem]:
    return [file.problem(one.location, _placed(one, file), one.remedy) for one in refusals]


def _placed(one: Refusal, file: YamlFile) -> str:
    """Return a refusal's message; another place that it names is the one in its file."""
    if not one.other:
        return one.message
    return one.message.replace(dotted(one.other), file.place(one.other, one.location))


def refused_on_target(refusals: Iterable[Refusal], path: str | Path | None = None) -> ParametersError:
    """Return the refusal of values that the target showed to be wrong, with their lines in a file."""
    file = _read(path) if path is not None else YamlFile("parameters")
    return ParametersError(in_file_order(_problems(refusals, file), file))


def scenario_warnings(scenario: Scenario, path: str | Path | None = None) -> list[Problem]:
    """Return what is allowed in a scenario and probably not meant; nothing is called."""
    found = [
        replace(advice, location=("permission_sets", number, "inline_policy", *advice.location))
        for number, policy in enumerate(one.inline_policy for one in scenario.permission_sets)
        if policy
        for advice in policy_advice(policy)
    ]
    if not found:
        return []
    file = _read(path) if path is not None else YamlFile("parameters")
    return _problems(found, file)


def scenario_refusals(mapping: Mapping[str, Any]) -> list[Refusal]:
    """Return what a scenario that is data already would be refused for; empty: it is fine."""
    return _checked(mapping, YamlFile("parameters"))[1]


def validate_scenario(mapping: Mapping[str, Any], source: str = "parameters") -> Scenario:
    """Check a scenario that is data already, such as papermill's parameters; `source` names it."""
    file = YamlFile(source)
    scenario, refusals = _checked(mapping, file)
    if scenario is None:
        raise ParametersError(_problems(refusals, file))
    return scenario


def chosen_person(scenario: Scenario, **given: object) -> Person:
    """Return the scenario's person with what a notebook's parameters say instead; nothing is called."""
    source = "the notebook's parameters"
    person = scenario.person.model_dump(exclude_none=True)
    if "user_name" not in person and scenario.users:
        person["user_name"] = scenario.users[0].user_name
    if given.get("user_name") not in (None, "", person.get("user_name")):
        # The account and the permission set are another person's.
        person = {name: value for name, value in person.items() if name == "profile_name"}
    person |= {name: value for name, value in given.items() if value not in (None, "")}
    if "user_name" not in person:
        message, remedy = "nobody is named", "Give `user_name`, or `person.user_name` in the scenario."
        raise ParametersError([Problem(source, None, "person.user_name", message, remedy)])
    return validate_scenario({"person": person}, source).person


def scenario_parameters(scenario: Scenario) -> dict[str, Any]:
    """Return a scenario as plain data that papermill can inject and JSON can hold; None is left out."""
    return scenario.model_dump(mode="json", exclude_none=True)


def scenario_json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a scenario, with which editors complete and check the files."""
    schema = {"$schema": GenerateJsonSchema.schema_dialect, **Scenario.model_json_schema()}
    schema["properties"] = {INCLUDE: INCLUDE_SCHEMA, **schema["properties"]}
    return schema


def write_schema(path: str | Path) -> None:
    """Write the JSON Schema of a scenario to a file, ``parameters/schema.json`` by custom."""
    text = json.dumps(scenario_json_schema(), indent=2, ensure_ascii=False)
    Path(path).write_text(f"{text}\n", encoding="utf-8")


def _checked(data: Mapping[str, Any], file: YamlFile) -> tuple[Scenario | None, list[Refusal]]:
    scenario, refusals = _modelled(data, file)
    secrets = [
        Refusal(
            location,
            f"holds what looks like a secret: {kind}",
            "Take it out, and make it invalid where it was issued. "
            "Receipts keep no secrets, so undo could not restore it.",
        )
        for location, kind in secret_places(data)
    ]
    if not secrets:
        return scenario, refusals
    # What else is wrong is said without the values: one of them is the secret.
    others = [one for one in refusals if not any(_overlap(one.location, s.location) for s in secrets)]
    scrubbed = [replace(one, message=scrub(one.message), remedy=scrub(one.remedy)) for one in others]
    return None, secrets + scrubbed


def _overlap(one: Location, other: Location) -> bool:
    """Tell whether one of two places is in the other."""
    common = min(len(one), len(other))
    return one[:common] == other[:common]


def _modelled(data: Mapping[str, Any], file: YamlFile) -> tuple[Scenario | None, list[Refusal]]:
    try:
        return Scenario.model_validate(dict(data)), []
    except ValidationError as error:
        refusals = refusals_in(error, file.unquoted)
    # pydantic compares entries only once each of them is right by itself.
    said = {(refusal.location, refusal.message) for refusal in refusals}
    more = [refusal for refusal in repeated_values(data) if (refusal.location, refusal.message) not in said]
    return None, refusals + more


_STEP = re.compile(r"(?P<name>[^.\[\]]+)|\[(?P<position>\d+)\]", re.ASCII)


def location_of(key: str) -> Location:
    """Return the place that a dotted key names."""
    steps: list[str | int] = []
    for match in _STEP.finditer(key):
        steps.append(match["name"] if match["name"] is not None else int(match["position"]))
    if not steps or isinstance(steps[0], int) or dotted(tuple(steps)) != key:
        raise InvalidValueError(
            f"{key!r} is not a key of a scenario",
            remedy="Write it as region, instance.name or permission_sets[0].session_duration.",
        )
    return tuple(steps)


def with_overrides(data: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return a scenario's data with other values at some places; the data that is given stays as it is."""
    changed = copy.deepcopy(dict(data))
    for key, value in overrides.items():
        _set(changed, key, value)
    return changed


def _set(data: dict[str, Any], key: str, value: Any) -> None:
    *way, last = location_of(key)
    here: Any = data
    for step, after in zip(way, [*way, last][1:], strict=True):
        _require_place(here, step, key)
        if isinstance(here, dict):
            here = here.setdefault(step, [] if isinstance(after, int) else {})
        else:
            if step == len(here):
                here.append([] if isinstance(after, int) else {})
            here = here[step]
    _require_place(here, last, key)
    if isinstance(here, list) and last == len(here):
        here.append(value)
    else:
        here[last] = value


def _require_place(here: Any, step: str | int, key: str) -> None:
    if isinstance(here, dict) and isinstance(step, str):
        return
    if isinstance(here, list) and isinstance(step, int):
        if step <= len(here):
            return
        raise InvalidValueError(
            f"{key!r} names entry {step} of a list that has {len(here)}",
            remedy=f"Entries are counted from 0; [{len(here)}] adds one.",
        )
    found = _kind_of(here) if isinstance(here, list | dict) else repr(here)
    raise InvalidValueError(
        f"{key!r} leads nowhere: where {step!r} should be, the scenario has {found}",
        remedy="Look at the scenario: lists take a position in brackets, groups of keys a name after a dot.",
    )
