"""Whose personal data a batch masks: the people of its scenarios, and those of its targets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from idc_helpers.runner.batch.jobs import Job
from idc_helpers.runner.batch.models import OWN, STANDING


def people_of(jobs: Iterable[Job]) -> list[dict[str, Any]]:
    """Return the people of all jobs, each once, in the fields of a scenario's user; reads the targets.

    Raises
    ------
    KitError
        When a target cannot be read: what nobody knows cannot be masked.
    """
    from idc_helpers.aws.connection import connect  # noqa: PLC0415 -- boto3 is slow to import
    from idc_helpers.runner.run import people_of_run  # noqa: PLC0415

    people: dict[str, dict[str, Any]] = {}
    places = set()
    for job in jobs:
        scenario = job.scenario()
        place = (scenario.target, scenario.region, scenario.profile, job.sandbox)
        if job.sandbox == OWN or place in places:
            found = [user.model_dump(mode="json", exclude_none=True) for user in scenario.users]
        else:
            places.add(place)
            target, region, profile, _ = place
            connection = connect(
                target=target,
                region=region,
                profile=profile,
                state_folder=None if job.sandbox == STANDING else job.sandbox,
            )
            found = people_of_run(scenario, connection)
        people.update((repr(person), person) for person in found)
    return list(people.values())
