"""Everything about a run that can be refused before anything is called, started or written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from idc_helpers.errors import InvalidValueError, ParametersError, Problem, RunFailedError
from idc_helpers.models import Scenario
from idc_helpers.parameters import PERSON_PARAMETERS, load_scenario, scenario_parameters, validate_scenario
from idc_helpers.project import find_scenario
from idc_helpers.runner.edited import edited_notebooks, require_unedited
from idc_helpers.runner.engines import NO_LIMITS, TimeLimits
from idc_helpers.runner.notebooks import LessonNotebook, find_notebooks, known_parameters, select_notebooks
from idc_helpers.suggestions import did_you_mean

ALWAYS_GIVEN = ("target", "mode", "region", "expected_account", "profile", "scenario_file", "run_folder")


@dataclass(frozen=True)
class RunRequest:
    """What a person asked for.

    Attributes
    ----------
    project
        The kit's folder: its notebooks are executed.
    scenario_file
        The scenario; None: ``parameters/sandbox.yaml``.
    only
        Numbers or names of notebooks; empty: all.
    target, mode
        In place of what the scenario says.
    runs
        The folder that holds the runs; None: ``runs/`` of the work folder.
    teardown
        Whether the last notebook takes everything back.
    fresh_sandbox
        Whether the run gets a sandbox of its own, empty at the start and stopped at the end.
    mask_personal_data
        Whether people's names, e-mail addresses, phone numbers and addresses have stand-ins in all that the
        run writes but its receipts.
    work
        The folder in which the person works; None: the kit's.
    edited_notebooks
        Whether notebooks that were edited may write to AWS.
    limits
        For each cell and notebook.
    """

    project: Path
    scenario_file: Path | None = None
    only: tuple[str, ...] = ()
    target: str | None = None
    mode: str | None = None
    runs: Path | None = None
    teardown: bool = True
    fresh_sandbox: bool = False
    mask_personal_data: bool = False
    work: Path | None = None
    edited_notebooks: bool = False
    limits: TimeLimits = NO_LIMITS

    @property
    def runs_folder(self) -> Path:
        """Where the run's folder is made."""
        return self.runs.absolute() if self.runs else ((self.work or self.project) / "runs").resolve()


@dataclass(frozen=True)
class PreparedRun:
    """A run that may start.

    Attributes
    ----------
    scenario
        What is desired, checked.
    scenario_file
        Absolute.
    mode
        ``"plan"`` or ``"apply"``.
    notebooks
        What is executed, in order.
    known
        The parameters that each notebook knows, by its name.
    extra
        Values of parameters that no scenario has, such as the person's.
    edited
        Paths of notebooks whose cells differ from the kit's repository.
    """

    scenario: Scenario
    scenario_file: Path
    mode: str
    notebooks: tuple[LessonNotebook, ...]
    known: Mapping[str, frozenset[str]]
    extra: Mapping[str, Any] = field(default_factory=dict)
    edited: tuple[str, ...] = ()

    def parameters(self, notebook: LessonNotebook, run_folder: Path) -> dict[str, Any]:
        """Return what papermill sets in a notebook: what all of them get, and its parts of the scenario.

        The keys of ``person`` are parameters of their own.
        """
        sections = scenario_parameters(self.scenario)
        sections |= sections.get("person", {})
        given = {
            "target": self.scenario.target,
            "mode": self.mode,
            "region": self.scenario.region,
            "expected_account": self.scenario.expected_account,
            "profile": self.scenario.profile,
            "scenario_file": str(self.scenario_file),
            "run_folder": str(run_folder),
        }
        everything = {**self.extra, **sections, **given}
        return {name: value for name, value in everything.items() if name in self.known[notebook.name]}


def prepare_run(request: RunRequest) -> PreparedRun:
    """Read and check everything; reads files only.

    Raises
    ------
    ParametersError
        When the scenario has problems; all of them are named.
    InvalidValueError
        When an option names something that there is not.
    RunFailedError
        When a notebook cannot take the parameters of a run, or was edited and would write to AWS.
    """
    scenario_file = find_scenario(request.scenario_file, request.work or request.project, request.project)
    scenario = _overridden(load_scenario(scenario_file), request)
    if request.fresh_sandbox and scenario.target != "sandbox":
        raise InvalidValueError(
            f"a fresh sandbox was asked for, but the target is {scenario.target!r}",
            remedy="Leave --fresh-sandbox out, or add --target sandbox.",
        )
    found = find_notebooks(request.project / "notebooks")
    notebooks = tuple(select_notebooks(found, only=request.only, teardown=request.teardown))
    for notebook in notebooks:
        require_known(notebook)
    prepared = prepared_run(scenario, scenario_file, notebooks)
    edited = edited_notebooks(notebooks, request.project)
    if scenario.target == "aws" and prepared.mode == "apply":
        require_unedited(edited, allowed=request.edited_notebooks)
    return replace(prepared, edited=edited)


def prepared_run(
    scenario: Scenario,
    scenario_file: Path,
    notebooks: tuple[LessonNotebook, ...],
    extra: Mapping[str, Any] | None = None,
) -> PreparedRun:
    """Return a run of a scenario that is checked already, in its own mode or the target's usual one."""
    known = {notebook.name: known_parameters(notebook) for notebook in notebooks}
    default_mode = "apply" if scenario.target == "sandbox" else "plan"
    return PreparedRun(scenario, scenario_file, scenario.mode or default_mode, notebooks, known, extra or {})


def _overridden(scenario: Scenario, request: RunRequest) -> Scenario:
    overrides = {name: value for name in ("target", "mode") if (value := getattr(request, name)) is not None}
    if not overrides:
        return scenario
    return validate_scenario({**scenario_parameters(scenario), **overrides}, source="the command line")


def require_known(notebook: LessonNotebook) -> None:
    """Return when a notebook of the lesson takes what each run gives, and nothing that no scenario has.

    Raises
    ------
    RunFailedError
        When it lacks one of `ALWAYS_GIVEN`.
    ParametersError
        When nothing would ever set one of its parameters.
    """
    known = known_parameters(notebook)
    missing = [name for name in ALWAYS_GIVEN if name not in known]
    if missing:
        raise RunFailedError(
            f"the notebook {notebook.name!r} does not know the parameters {', '.join(missing)}",
            remedy="Give them a default in its cell with the tag `parameters`.",
        )
    sections = set(Scenario.model_fields) | set(ALWAYS_GIVEN)
    unknown = sorted(known - sections - set(PERSON_PARAMETERS))
    if unknown:
        raise ParametersError([_unknown(notebook, name, sections) for name in unknown])


def _unknown(notebook: LessonNotebook, name: str, choices: set[str]) -> Problem:
    remedy = did_you_mean(name, choices) or "Scenarios have no such key, so nothing would ever set it."
    return Problem(
        str(notebook.path), None, name, "the parameters cell has a name that no scenario has", remedy
    )
