"""Scenarios: read from a file or from papermill's parameters, and refused with everything that is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.json_schema import GenerateJsonSchema

from idc_helpers.errors import ParametersError, Problem
from idc_helpers.models import Scenario
from idc_helpers.models.base import Refusal
from idc_helpers.models.uniqueness import repeated_values
from idc_helpers.problems import key_refusal, refusals_in
from idc_helpers.yaml_positions import YamlFile, dotted, read_yaml

# Of the notebooks of the person's half: who, and with which permission set; no keys of the scenario.
PERSON_PARAMETERS = ("user_name", "account_id", "permission_set", "profile_name")


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
    reported = {location for location, _ in file.problems}
    problems = [problem for _, problem in file.problems]
    problems += [_problem(refusal, file) for refusal in refusals if refusal.location not in reported]
    if scenario is None or problems:
        raise ParametersError(sorted(problems, key=lambda problem: problem.line or 0))
    return scenario


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
