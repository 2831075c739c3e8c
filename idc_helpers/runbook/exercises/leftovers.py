"""All that is left of exercises, in the order in which it can be removed; reads only."""

from __future__ import annotations

from contextlib import suppress

from idc_helpers.errors import KitError
from idc_helpers.runbook.exercises.access import ACCESS_EXERCISES
from idc_helpers.runbook.exercises.exercise import CleanUp, Look
from idc_helpers.runbook.run_context import RunContext


def list_leftovers(context: RunContext) -> tuple[CleanUp, ...]:
    """Return what exercises left that no receipt names: memberships, assignments, groups, permission sets.

    Things are known by the names that the exercises give them, so on AWS one may be somebody else's.
    """
    found: list[CleanUp] = []
    if context.connection.instance_or_none() is None:
        return ()
    # People before groups, assignments before the sets that they stand on.
    for exercise in reversed(ACCESS_EXERCISES):
        # What cannot be read here, such as the permission sets of an account instance, is not there either.
        with suppress(KitError):
            found += exercise.examine(Look(context, exercise.names)).clean_up
    return tuple(found)
