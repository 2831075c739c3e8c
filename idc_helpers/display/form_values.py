"""The values of one step's form: seeded from the scenario, checked by its models, never half applied."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from idc_helpers.errors import ParametersError, Problem
from idc_helpers.models import (
    AccessControlAttributes,
    AccessPortal,
    AccountAssignment,
    Authentication,
    Group,
    IdentitySource,
    Instance,
    Management,
    Mfa,
    PermissionSet,
    Scenario,
    Sessions,
    User,
)
from idc_helpers.parameters import scenario_parameters, validate_scenario
from idc_helpers.project import find_scenario, work_folder
from idc_helpers.runbook.run_context import RunContext
from idc_helpers.scenario_saving import save_scenario_part

FORM = "the form"


@dataclass(frozen=True)
class Section:
    """The part of the scenario that a step's form shows.

    Attributes
    ----------
    path
        The keys that lead to it.
    model
        The model of the part, or of one item where it is a list.
    is_list
        Whether it is a list of items.
    fields
        Only these fields of the model; empty: all of them.
    """

    path: tuple[str, ...]
    model: type[BaseModel]
    is_list: bool = False
    fields: tuple[str, ...] = ()

    @property
    def dotted(self) -> str:
        """The path as a problem names it."""
        return ".".join(self.path)


SECTIONS: Mapping[str, Section] = {
    "instance": Section(("instance",), Instance),
    "access_control_attributes": Section(("access_control_attributes",), AccessControlAttributes),
    "identity_source": Section(("identity_source",), IdentitySource),
    "access_portal": Section(("access_portal",), AccessPortal),
    "standard_authentication": Section(("authentication",), Authentication, fields=("send_email_otp",)),
    "multi_factor_authentication": Section(("authentication", "mfa"), Mfa),
    "sessions": Section(("authentication", "sessions"), Sessions),
    "delegated_administrator": Section(("management",), Management),
    "permission_sets": Section(("permission_sets",), PermissionSet, is_list=True),
    "groups": Section(("groups",), Group, is_list=True),
    "account_assignments": Section(("account_assignments",), AccountAssignment, is_list=True),
    "users": Section(("users",), User, is_list=True),
}

# What a person typed, by notebook, step and seed: running the cells again in the same kernel keeps it.
_KEPT: dict[tuple[str, str, str], Any] = {}


class FormValues:
    """What the form of one step holds, and the scenario that follows from it.

    Parameters
    ----------
    context
        The run; its scenario is the seed and is not changed.
    step
        The step's name.
    """

    def __init__(self, context: RunContext, step: str) -> None:
        self.section = SECTIONS[step]
        self._seed = context
        self._parameters = scenario_parameters(context.scenario)
        seed = _part(self._parameters, self.section)
        self._key = (context.notebook, step, json.dumps(seed, sort_keys=True))
        self.context = context
        self.problems: list[Problem] = []
        self._values = seed
        if self._key in _KEPT:
            self.set(_KEPT[self._key])

    @property
    def values(self) -> Any:
        """A mapping, or a list of mappings, as the scenario file would hold it; a copy."""
        return copy.deepcopy(self._values)

    @property
    def scenario(self) -> Scenario:
        """The last scenario that was right; see `require`."""
        return self.context.scenario

    def set(self, values: Any) -> list[Problem]:
        """Take values over and return what is wrong with them; with problems the scenario stays as it was."""
        self._values = copy.deepcopy(values)
        _KEPT[self._key] = self._values
        changed = _with_part(self._parameters, self.section, self._values)
        try:
            scenario = validate_scenario(changed, source=FORM)
        except ParametersError as error:
            self.problems = error.problems
        else:
            self.problems = []
            self.context = replace(self._seed, scenario=scenario)
        return self.problems

    def save(self, path: str, *, update: bool = False) -> Path:
        """Write the form's values to a scenario file and return its path, relative to the work folder.

        Parameters
        ----------
        path
            Relative to the work folder. A new file is a copy of the present scenario with these values.
        update
            Whether this part of a file that exists may be changed; the rest of it stays.

        Raises
        ------
        ParametersError
            When the form holds a value that cannot be right, or the file is not a scenario.
        InvalidValueError
            When the file may not or cannot be written.
        """
        self.require()
        work = work_folder().resolve()
        target = (work / path).resolve()
        source = self._seed.scenario_file or find_scenario()
        save_scenario_part(
            source, target, lambda found: _with_part(found, self.section, self._values), update=update
        )
        return target.relative_to(work) if target.is_relative_to(work) else target

    def require(self) -> RunContext:
        """Return the run with the form's values.

        Raises
        ------
        ParametersError
            When the form holds a value that cannot be right: what it held before is not used in its place.
        """
        if self.problems:
            raise ParametersError(self.problems)
        return self.context


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
