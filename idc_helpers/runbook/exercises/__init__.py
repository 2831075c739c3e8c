"""Small tasks for the learner, one a notebook, each with an examination that reads the target."""

from __future__ import annotations

from collections.abc import Mapping

from idc_helpers.errors import NotFoundError
from idc_helpers.identifiers import did_you_mean
from idc_helpers.runbook.exercises.access import ACCESS_EXERCISES
from idc_helpers.runbook.exercises.exercise import Examination, Exercise, Finding, Look
from idc_helpers.runbook.exercises.people import PEOPLE_EXERCISES
from idc_helpers.runbook.exercises.settings import SETTINGS_EXERCISES

__all__ = ["EXERCISES", "Examination", "Exercise", "Finding", "Look", "find_exercise"]

EXERCISES: Mapping[str, Exercise] = {
    exercise.name: exercise for exercise in (*SETTINGS_EXERCISES, *ACCESS_EXERCISES, *PEOPLE_EXERCISES)
}
"""All of them by name, in the order of the notebooks."""


def find_exercise(name: str) -> Exercise:
    """Return the exercise of a name.

    Raises
    ------
    NotFoundError
        When there is none.
    """
    if name not in EXERCISES:
        raise NotFoundError(
            f"there is no exercise {name!r}. {did_you_mean(name, EXERCISES)}".rstrip(),
            remedy=f"One of: {', '.join(EXERCISES)}.",
        )
    return EXERCISES[name]
