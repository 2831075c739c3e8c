"""The file of a batch: what one line may say. Strict about keys, as scenarios are."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, StrictBool

from idc_helpers.errors import InvalidValueError
from idc_helpers.models.base import Model
from idc_helpers.models.texts import TextRule

LESSON = "lesson"
STANDING, OWN = "standing", "own"


def _names_a_folder_of_its_own(name: str) -> str:
    if not name.strip("."):
        raise InvalidValueError(
            f"{name!r} names no folder of its own", remedy="Use a letter or a digit at least."
        )
    return name


_JobName = Annotated[
    str,
    TextRule(
        "a job's name",
        100,
        "the letters a to z and A to Z, digits and . _ - + @, because it names a folder",
        r"[A-Za-z0-9._+@-]",
    ),
    AfterValidator(_names_a_folder_of_its_own),
]


class JobDefaults(Model):
    """What every job of the file has unless it says otherwise."""

    model_config = ConfigDict(populate_by_name=True)

    notebook: str | None = Field(
        default=None,
        description="'lesson' for all notebooks in order, a number or name such as '05', several as '05,07', "
        "or the path of a notebook of your own.",
    )
    scenario: str | None = Field(
        default=None,
        description="The scenario file, from the folder of this file. Empty: the kit's sandbox.yaml.",
    )
    values: dict[str, Any] = Field(
        default_factory=dict,
        alias="set",
        description="Values in place of the scenario's, by key such as region or "
        "permission_sets[0].session_duration, and other parameters of the notebook.",
    )
    after: list[str] = Field(
        default_factory=list, description="Names of jobs that must have passed before this one starts."
    )
    sandbox: str | None = Field(
        default=None,
        description="'standing' (yours), 'own' (a fresh one, stopped at the end), or a folder such as "
        "./sandboxes/ana whose sandbox keeps its state.",
    )
    teardown: StrictBool = Field(
        default=True, description="Whether the lesson's last notebook undoes what the job made."
    )


class JobEntry(JobDefaults):
    """One job."""

    name: _JobName = Field(description="The name of the job and of its folder; no two jobs share one.")


class BatchFile(Model):
    """A table of jobs."""

    model_config = ConfigDict(title="Jobs of the Identity Center Runbook Kit")

    defaults: JobDefaults = Field(
        default_factory=JobDefaults, description="What every job has unless it says otherwise."
    )
    jobs: list[JobEntry] = Field(description="The jobs; independent ones run side by side.", min_length=1)
