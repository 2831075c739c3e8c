"""Small tasks for the learner, one a notebook, each with an examination that reads the target."""

from __future__ import annotations

from collections.abc import Mapping

from idc_aws.errors import NotFoundError
from idc_aws.identifiers import did_you_mean
from idc_helpers.runbook.exercises.administrator import ACCESS_EXERCISES, SETTINGS_EXERCISES
from idc_helpers.runbook.exercises.exercise import Examination, Exercise, Finding, Look
from idc_helpers.runbook.exercises.person import PEOPLE_EXERCISES

__all__ = ["EXERCISES", "Examination", "Exercise", "Finding", "Look", "find_exercise"]

EXERCISES: Mapping[str, Exercise] = {
    exercise.name: exercise for exercise in (*SETTINGS_EXERCISES, *ACCESS_EXERCISES, *PEOPLE_EXERCISES)
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
