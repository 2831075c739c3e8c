"""What the model tests share: build a scenario from plain data, and read what was refused."""

from __future__ import annotations

from typing import Any

import pytest

from idc_aws.errors import ParametersError
from idc_aws.scenario.reading import validate_scenario
from idc_aws.scenario.scenario import Scenario


def refused(parameters: dict[Any, Any]) -> dict[str, str]:
    """Return what was refused: the message and the remedy by the place."""
    with pytest.raises(ParametersError) as caught:
        validate_scenario(parameters)
    return {problem.path: f"{problem.message}. {problem.remedy}" for problem in caught.value.problems}


def accepted(parameters: dict[Any, Any]) -> Scenario:
    """Return the scenario that these parameters make."""
    return validate_scenario(parameters)


def user(**fields: Any) -> dict[str, Any]:
    """Return the data of a user, with these fields changed or added."""
    return {"user_name": "ana", "given_name": "Ana", "family_name": "Silva", **fields}
