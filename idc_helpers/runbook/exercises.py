"""Small tasks for the learner, one a notebook, in the words of ``data/exercises.toml``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from idc_aws.errors import KitError, NotFoundError
from idc_aws.files import read_table
from idc_aws.identifiers import did_you_mean
from idc_aws.scenario.reading import chosen_person
from idc_helpers.runbook.examinations import EXAMINATIONS, CleanUp, Examination, Look, left_by
from idc_helpers.runbook.run import RunContext


@dataclass(frozen=True)
class Exercise:
    """One task."""

    name: str
    notebook: str
    title: str
    task: str
    hint: str
    afterwards: str
    examine: Callable[[Look], Examination]
    names: Mapping[str, str] = field(default_factory=dict)
    asks: bool = False
    leaves_things: bool = False


def _exercise(values: dict[str, Any], left: str) -> Exercise:
    said = [values.pop("afterwards", ""), left if values.get("leaves_things") else ""]
    examine = EXAMINATIONS[values["name"]]
    return Exercise(**values, afterwards=" ".join(filter(None, said)), examine=examine)


_TABLE = read_table("exercises", "idc_helpers")
EXERCISES: dict[str, Exercise] = {
    values["name"]: _exercise(values, _TABLE["left"]) for values in _TABLE["exercise"]
}
"""All of them by name, in the order of the notebooks."""


def find_exercise(name: str) -> Exercise:
    """Return the exercise of a name."""
    if name not in EXERCISES:
        raise NotFoundError(
            f"there is no exercise {name!r}. {did_you_mean(name, EXERCISES)}".rstrip(),
            remedy=f"One of: {', '.join(EXERCISES)}.",
        )
    return EXERCISES[name]


def names_for(context: RunContext, exercise: Exercise) -> dict[str, str]:
    """Return an exercise's names, with what the scenario says of the person."""
    names = dict(exercise.names)
    with suppress(KitError):  # nobody is named: the exercise's own names count
        person = chosen_person(context.scenario)
        said = {"user_name": str(person.user_name), "profile_name": person.profile_name}
        names |= {name: value for name, value in said.items() if name in names}
    return names


def list_leftovers(context: RunContext) -> tuple[CleanUp, ...]:
    """Return what exercises left that no receipt names: memberships, assignments, groups, permission sets."""
    # They are known by the names that the exercises give them: on AWS one may be somebody else's.
    found: list[CleanUp] = []
    if context.connection.instance_or_none() is None:
        return ()
    # People before groups, assignments before the sets that they stand on.
    for exercise in reversed(EXERCISES.values()):
        # What cannot be read here, such as the permission sets of an account instance, is not there either.
        if exercise.leaves_things:
            with suppress(KitError):
                found += left_by(exercise.name, Look(context, names_for(context, exercise)))
    return tuple(found)
