"""One checked job: what it runs, with which values, after which others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from idc_helpers.errors import RunFailedError
from idc_helpers.models import Scenario
from idc_helpers.parameters import load_scenario, scenario_parameters, validate_scenario
from idc_helpers.runner.batch.models import OWN, STANDING
from idc_helpers.runner.notebooks import LessonNotebook
from idc_helpers.runner.overrides import with_overrides
from idc_helpers.runner.preparing import PreparedRun, prepared_run


class BatchEndedError(RunFailedError):
    """A notebook was asked for when the batch had ended already; nothing of it was begun."""


@dataclass(frozen=True)
class Job:
    """A job that may start once the jobs before it have passed.

    Attributes
    ----------
    name
        Its folder's name too.
    notebooks
        What it executes, in order.
    scenario_file
        Absolute.
    overrides
        Values in place of the scenario's, by dotted key.
    extra
        Values of parameters that no scenario has.
    after
        Names of the jobs that must have passed.
    sandbox
        ``"standing"``, ``"own"``, or an absolute folder.
    fingerprint
        Of each of its inputs, by what it is: the same ones mean that the job need not run again.
    """

    name: str
    notebooks: tuple[LessonNotebook, ...]
    scenario_file: Path
    overrides: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    sandbox: str = STANDING
    fingerprint: Mapping[str, str] = field(default_factory=dict)

    def state_folder(self, folder: Path) -> Path | None:
        """Return the state of the job's sandbox, given the job's folder; None: the standing one."""
        if self.sandbox == STANDING:
            return None
        return folder / "sandbox" if self.sandbox == OWN else Path(self.sandbox)

    def scenario(self) -> Scenario:
        """Return what is desired; reads the scenario file.

        Raises
        ------
        ParametersError
            When it cannot be right.
        InvalidValueError
            When an override leads nowhere.
        """
        scenario = scenario_of(self.scenario_file)
        if not self.overrides:
            return scenario
        return validate_scenario(
            with_overrides(scenario_parameters(scenario), self.overrides), source=f"job {self.name}"
        )

    def prepared(self) -> PreparedRun:
        """Return the job as a run; reads files only. Raises as `scenario`."""
        return prepared_run(self.scenario(), self.scenario_file, self.notebooks, self.extra)


def scenario_of(path: Path) -> Scenario:
    """Return the scenario of a file; jobs that share a file read it once, as long as it does not change."""
    try:
        status = path.stat()
    except OSError:
        return load_scenario(path)  # it says what is wrong
    return _scenario_of(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=16)
def _scenario_of(path: Path, _changed_ns: int, _size: int) -> Scenario:
    return load_scenario(path)
