"""Parameters that papermill injected: unknown ones are refused, those that a notebook passes over are used.

papermill only warns of a parameter that the notebook does not have, and runs with the default in its place.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any

from idc_helpers.display.interaction import running_shell
from idc_helpers.errors import ParametersError, Problem
from idc_helpers.identifiers import did_you_mean
from idc_helpers.models import Scenario
from idc_helpers.parameters import PERSON_PARAMETERS

FIRST_LINE = "# Parameters"
"""papermill's first line of the cell that it injects."""
NOTEBOOK_PARAMETERS = ("scenario_file", "run_folder")


def injected_names(cells: Iterable[str]) -> list[str]:
    """Return the names that papermill's injected cells assign, in order, each once."""
    names: dict[str, None] = {}
    for source in cells:
        if source.lstrip().split("\n", 1)[0].strip() == FIRST_LINE:
            names.update(dict.fromkeys(_assigned(source)))
    return list(names)


def _assigned(source: str) -> list[str]:
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return []  # the cell failed by itself
    targets = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def check_names(names: Iterable[str]) -> None:
    """Return when every name is a key of the scenario or a notebook's own parameter.

    Raises
    ------
    ParametersError
        Naming each other one, with the nearest right name.
    """
    known = [*Scenario.model_fields, *NOTEBOOK_PARAMETERS, *PERSON_PARAMETERS]
    problems = [
        Problem(
            "the notebook's parameters",
            None,
            name,
            f"{name!r} is not a parameter",
            did_you_mean(name, known) or f"Use one of: {', '.join(known)}.",
        )
        for name in names
        if name not in known
    ]
    if problems:
        raise ParametersError(problems)


def injected_parameters() -> dict[str, Any]:
    """Return the keys of the scenario that papermill injected into this kernel, with their values.

    Raises
    ------
    ParametersError
        When it injected a name that no notebook knows.
    """
    shell = running_shell()
    history = getattr(getattr(shell, "history_manager", None), "input_hist_raw", ())
    names = injected_names(history)
    check_names(names)
    namespace = getattr(shell, "user_ns", {})
    return {name: namespace[name] for name in names if name in Scenario.model_fields and name in namespace}
