"""Scenarios: read from a file or from papermill's parameters, and refused with everything that is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.json_schema import GenerateJsonSchema

from idc_helpers.errors import ParametersError, Problem
from idc_helpers.models import Person, Scenario
from idc_helpers.models.base import Refusal
from idc_helpers.models.person import unknown_person
from idc_helpers.models.uniqueness import repeated_values
from idc_helpers.problems import key_refusal, refusals_in
from idc_helpers.scrubbing import scrub, secret_places
from idc_helpers.yaml_positions import YamlFile, dotted, read_yaml

PERSON_PARAMETERS = tuple(Person.model_fields)
"""The keys of `person`, which the notebooks of the person's half have as parameters of their own."""


def load_scenario(path: str | Path) -> Scenario:
    """Read a scenario file; nothing is called.

    Parameters
    ----------
    path
        A YAML file, such as ``parameters/sandbox.yaml``. Keys that it does not have keep their defaults.

    Raises
    ------
    ParametersError
        The file cannot be read, or something in it cannot be right. All problems are listed, each with its
        file, line, place, value and remedy.
    """
    file = read_yaml(path)
    scenario, refusals = _checked(file.data, file)
    # Of files only: a notebook's parameters may replace the users, or name one whom a form has made.
    refusals += unknown_person(file.data)
    reported = {location for location, _ in file.problems}
    problems = [problem for _, problem in file.problems]
    problems += [_problem(refusal, file) for refusal in refusals if refusal.location not in reported]
    if scenario is None or problems:
        raise ParametersError(sorted(problems, key=lambda problem: problem.line or 0))
    return scenario


def scenario_warnings(scenario: Scenario, path: str | Path | None = None) -> list[Problem]:
    """Return what is allowed in a scenario and probably not meant; nothing is called.

    Parameters
    ----------
    scenario
        The scenario, which may differ from its file.
    path
        Its file, for the lines; None: no lines.
    """
    found = [
        replace(advice, location=("permission_sets", number, "inline_policy", *advice.location))
        for number, policy in enumerate(one.inline_policy for one in scenario.permission_sets)
        if policy
        for advice in _policy_advice(policy)
    ]
    if not found:
        return []
    file = read_yaml(path) if path is not None else YamlFile("parameters")
    return [
        Problem(
            file.name,
            file.line_of(one.location) if file.lines else None,
            dotted(one.location),
            one.message,
            one.remedy,
        )
        for one in found
    ]


def _policy_advice(policy: Mapping[str, Any]) -> list[Refusal]:
    from idc_helpers.policy_advice import policy_advice  # noqa: PLC0415  only where there is a policy

    return policy_advice(policy)


def validate_scenario(mapping: Mapping[str, Any], source: str = "parameters") -> Scenario:
    """Check a scenario that is data already, such as papermill's parameters; nothing is called.

    Parameters
    ----------
    mapping
        Keys and values as in a scenario file.
    source
        What to call the data in messages, in place of a file's name.

    Raises
    ------
    ParametersError
        Something cannot be right. All problems are listed, without lines.
    """
    file = YamlFile(source)
    scenario, refusals = _checked(mapping, file)
    if scenario is None:
        raise ParametersError(
            [Problem(source, None, dotted(r.location), r.message, r.remedy) for r in refusals]
        )
    return scenario


def chosen_person(scenario: Scenario, **given: object) -> Person:
    """Return the scenario's person with what a notebook's parameters say instead; nothing is called.

    A notebook may name a user of whom the scenario does not know, such as one who was made by a form.

    Parameters
    ----------
    scenario
        The desired state.
    **given
        Keys of ``person``; None and empty ones leave what the scenario says.

    Returns
    -------
    Person
        Its ``user_name`` is set: where nobody is named, it is the first of the scenario's users.

    Raises
    ------
    ParametersError
        A value is refused, or there is nobody.
    """
    source = "the notebook's parameters"
    person = scenario.person.model_dump(exclude_none=True)
    person |= {name: value for name, value in given.items() if value not in (None, "")}
    if "user_name" not in person:
        if not scenario.users:
            message, remedy = "nobody is named", "Give `user_name`, or `person.user_name` in the scenario."
            raise ParametersError([Problem(source, None, "person.user_name", message, remedy)])
        person["user_name"] = scenario.users[0].user_name
    return validate_scenario({"person": person}, source).person


def check_overrides(names: Iterable[str], known: Iterable[str], source: str = "parameters") -> None:
    """Refuse parameters that a notebook does not have: papermill itself only warns.

    Parameters
    ----------
    names
        The names of the parameters that were given.
    known
        The names that exist.
    source
        What to call the parameters in messages.

    Raises
    ------
    ParametersError
        At least one name is unknown. All of them are listed, each with the nearest name that exists.
    """
    choices = list(known)
    unknown = [key_refusal(name, (name,), choices) for name in names if name not in choices]
    if unknown:
        raise ParametersError(
            [Problem(source, None, dotted(r.location), r.message, r.remedy) for r in unknown]
        )


def scenario_parameters(scenario: Scenario) -> dict[str, Any]:
    """Return a scenario as plain data that papermill can inject and JSON can hold; None is left out.

    ``validate_scenario(scenario_parameters(scenario))`` is the same scenario again.
    """
    return scenario.model_dump(mode="json", exclude_none=True)


def scenario_json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a scenario, with which editors complete and check the files."""
    return {"$schema": GenerateJsonSchema.schema_dialect, **Scenario.model_json_schema()}


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
    said = {one.location[:depth] for one in secrets for depth in range(len(one.location) + 1)}
    others = [
        one for one in refusals if one.location not in said and not any(_is_in(one, s) for s in secrets)
    ]
    return None, [
        *secrets,
        *(replace(one, message=scrub(one.message), remedy=scrub(one.remedy)) for one in others),
    ]


def _is_in(refusal: Refusal, secret: Refusal) -> bool:
    return refusal.location[: len(secret.location)] == secret.location


def _modelled(data: Mapping[str, Any], file: YamlFile) -> tuple[Scenario | None, list[Refusal]]:
    try:
        return Scenario.model_validate(dict(data)), []
    except ValidationError as error:
        refusals = refusals_in(error, file.unquoted)
    # pydantic compares entries only once each of them is right by itself.
    said = {(refusal.location, refusal.message) for refusal in refusals}
    more = [refusal for refusal in repeated_values(data) if (refusal.location, refusal.message) not in said]
    return None, refusals + more


def _problem(refusal: Refusal, file: YamlFile) -> Problem:
    line = file.line_of(refusal.location)
    return Problem(file.name, line, dotted(refusal.location), refusal.message, refusal.remedy)
