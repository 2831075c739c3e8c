"""A whole table of jobs, checked before the first one starts: every problem at once, each with its line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from idc_aws.errors import InvalidValueError, KitError, ParametersError, Problem, RunFailedError
from idc_aws.identifiers import did_you_mean
from idc_aws.project import find_scenario
from idc_aws.scenario.reading import location_of, scenario_parameters, with_overrides
from idc_aws.scenario.scenario import Scenario
from idc_aws.scenario.values import shortened
from idc_aws.scenario.yaml_lines import Location
from idc_runner.batch.jobs import Job, fingerprint, scenario_of
from idc_runner.batch.table import COLUMNS, LESSON, OWN, STANDING, JobEntry, JobTable, in_order, read_table
from idc_runner.notebooks import LessonNotebook, find_notebooks, known_parameters, select_notebooks
from idc_runner.run import ALWAYS_GIVEN, require_known

_MOST_SUGGESTIONS = 20


def load_jobs(
    path: Path, project: Path, overrides: Mapping[str, Any] | None = None, *, work: Path | None = None
) -> list[Job]:
    """Read a table of jobs and check all of it; reads files only."""
    table = read_table(path)
    checks = _Checks(table, path.absolute().parent, project.absolute(), work or project, overrides or {})
    jobs = [checks.job(position, entry) for position, entry in table.entries.items()]
    checks.names()
    if checks.problems:
        raise ParametersError(_each_once(checks.problems))
    return _with_fingerprints([job for job in jobs if job is not None])


def _each_once(problems: Iterable[Problem]) -> list[Problem]:
    # A wrong value among the defaults, or a wrong scenario file, is one problem, however many jobs have it.
    return sorted(dict.fromkeys(problems), key=lambda problem: (problem.file, problem.line or 0))


def _with_fingerprints(jobs: Sequence[Job]) -> list[Job]:
    known = {job.name: job for job in jobs}
    done: dict[str, Job] = {}
    for name in in_order({job.name: job.after for job in jobs}):
        job = known[name]
        before = [done[each].fingerprint for each in job.after]
        done[name] = replace(job, fingerprint=fingerprint(job, before))
    return list(done.values())


def _of_different_names(notebooks: Sequence[LessonNotebook]) -> tuple[LessonNotebook, ...]:
    twice = [name for name, number in Counter(each.name for each in notebooks).items() if number > 1]
    if twice:
        raise InvalidValueError(
            f"several notebooks of the job are called {twice[0]!r}",
            remedy="Name them differently: what is executed is kept under the notebook's name.",
        )
    return tuple(notebooks)


class _Checks:
    """Collects the problems of one table."""

    def __init__(
        self, table: JobTable, base: Path, project: Path, work: Path, overrides: Mapping[str, Any]
    ) -> None:
        self.table, self.base, self.overrides = table, base, dict(overrides)
        self.default_scenario = find_scenario(None, work, project)
        self.problems = list(table.problems)
        self.found = find_notebooks(project / "notebooks")
        self.names_of_jobs = [name for name in table.names.values() if name is not None]
        self.suggestions_left = _MOST_SUGGESTIONS

    def add(self, position: int, path: Location, error: KitError) -> None:
        if not self.table.is_reported(position, path):
            self.problems.append(self.table.problem(position, path, error.message, error.remedy))

    def job(self, position: int, entry: JobEntry) -> Job | None:
        before = len(self.problems)
        notebooks = self.notebooks(position, entry)
        scenario_file = self.scenario_file(position, entry)
        overrides, extra = self.values(position, entry, notebooks)
        job = Job(
            name=entry.name,
            notebooks=notebooks,
            scenario_file=scenario_file,
            overrides={**overrides, **self.overrides},
            extra=extra,
            after=tuple(entry.after),
            sandbox=self.sandbox(position, entry),
        )
        if scenario_file.is_file():
            self.scenario(position, entry, job)
        return job if len(self.problems) == before else None

    def notebooks(self, position: int, entry: JobEntry) -> tuple[LessonNotebook, ...]:
        if entry.notebook is None and self.table.columns and "notebook" not in self.table.columns:
            near = did_you_mean("notebook", self.table.columns)
            remedy = near or f"Add it, with {LESSON}, a number, or a path in each line."
            self.problems.append(
                self.table.column_problem("notebook", "there is no column 'notebook'", remedy)
            )
            return ()
        if entry.notebook is None and self.table.has_wrong_defaults:
            return ()
        if entry.notebook is None:
            missing = InvalidValueError(
                "the job does not say which notebook",
                remedy=f"Write notebook: {LESSON}, a number, or a path.",
            )
            self.add(position, ("notebook",), missing)
            return ()
        words = [word.strip() for word in entry.notebook.split(",") if word.strip()]
        try:
            if words == [LESSON]:
                chosen = select_notebooks(self.found, teardown=entry.teardown)
            elif any("/" in word for word in words):
                return _of_different_names([self.own_notebook(word) for word in words])
            else:
                chosen = select_notebooks(self.found, only=words or [entry.notebook])
            for notebook in chosen:
                require_known(notebook)
            return tuple(chosen)
        except KitError as error:
            self.add(position, ("notebook",), error)
        return ()

    def path(self, word: str) -> Path:
        try:
            path = (self.base / word).resolve()
            path.is_file()
        except (OSError, ValueError) as error:
            said = getattr(error, "strerror", None) or error
            raise InvalidValueError(
                f"{shortened(word)} is not a path: {said}", remedy="Write the path of a file or a folder."
            ) from error
        return path

    def own_notebook(self, word: str) -> LessonNotebook:
        path = self.path(word)
        if path.suffix != ".ipynb" or not path.is_file():
            near = did_you_mean(path.name, [each.name for each in path.parent.glob("*.ipynb")])
            raise InvalidValueError(
                f"there is no notebook {word!r} in {str(self.base)!r}",
                remedy=near or "Paths start from the folder of the table.",
            )
        notebook = LessonNotebook(path.stem, path)
        known_parameters(notebook)
        return notebook

    def scenario_file(self, position: int, entry: JobEntry) -> Path:
        if entry.scenario is None:
            return self.default_scenario
        try:
            path = self.path(entry.scenario)
        except InvalidValueError as error:
            self.add(position, ("scenario",), error)
            return self.default_scenario
        if not path.is_file():
            near = did_you_mean(path.name, [each.name for each in path.parent.glob("*.y*ml")])
            remedy = near or f"Paths start from the folder of the table, {str(self.base)!r}."
            missing = InvalidValueError(f"there is no scenario file {entry.scenario!r}", remedy=remedy)
            self.add(position, ("scenario",), missing)
        return path

    def sandbox(self, position: int, entry: JobEntry) -> str:
        word = entry.sandbox or STANDING
        if word in (STANDING, OWN):
            return word
        if "/" not in word:
            remedy = (
                did_you_mean(word, [STANDING, OWN])
                or f"Write {OWN}, {STANDING}, or a folder such as ./{word}."
            )
            self.add(
                position, ("sandbox",), InvalidValueError(f"no sandbox is called {word!r}", remedy=remedy)
            )
        try:
            return str(self.path(word))
        except InvalidValueError as error:
            self.add(position, ("sandbox",), error)
        return STANDING

    def values(
        self, position: int, entry: JobEntry, notebooks: Sequence[LessonNotebook]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what is set in the scenario, and what is set of the notebooks' other parameters."""
        in_scenario: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        known: set[str] = set()
        for notebook in notebooks:
            known |= known_parameters(notebook) - set(ALWAYS_GIVEN)
        for key, value in entry.values.items():
            try:
                first = location_of(key)[0]
            except InvalidValueError as error:
                self.add(position, ("set", key), error)
                continue
            if first in Scenario.model_fields:
                in_scenario[key] = value
            elif key in known:
                extra[key] = value
            elif key in self.table.columns:
                choices = [*COLUMNS, *Scenario.model_fields, *sorted(known)]
                remedy = did_you_mean(str(first), choices) or f"Known here: {', '.join(choices)}."
                self.problems.append(self.table.column_problem(key, f"unknown column {key!r}", remedy))
            else:
                choices = [*Scenario.model_fields, *sorted(known)]
                remedy = did_you_mean(str(first), choices) or f"Known here: {', '.join(choices)}."
                unknown = InvalidValueError(f"unknown key {key!r}", remedy=remedy)
                self.add(position, ("set", key), unknown)
        return in_scenario, extra

    def scenario(self, position: int, entry: JobEntry, job: Job) -> None:
        try:
            scenario_of(job.scenario_file)
        except ParametersError as error:
            self.problems.extend(error.problems)
            return
        try:
            scenario = job.scenario()
        except ParametersError as error:
            for problem in error.problems:
                self.add_of_scenario(position, entry, problem)
            return
        except InvalidValueError:
            self.scenario(position, entry, replace(job, overrides=self.leading_somewhere(position, job)))
            return
        if scenario.target == "aws" and job.sandbox != STANDING:
            wrong = RunFailedError(
                f"sandbox is {entry.sandbox!r}, but the target is 'aws'",
                remedy="Remove one of the two: a run on AWS uses no sandbox.",
            )
            self.add(position, ("sandbox",), wrong)

    def leading_somewhere(self, position: int, job: Job) -> dict[str, Any]:
        """Return those values that the scenario has a place for, and note the others."""
        data, kept = scenario_parameters(scenario_of(job.scenario_file)), {}
        for key, value in job.overrides.items():
            try:
                data = with_overrides(data, {key: value})
                kept[key] = value
            except InvalidValueError as error:
                self.add(position, ("set", key), error)
        return kept

    def add_of_scenario(self, position: int, entry: JobEntry, problem: Problem) -> None:
        near = (key for key in entry.values if problem.path.startswith(key) or key.startswith(problem.path))
        key = next(near, None)
        path: Location = ("set", key) if key is not None else ("set",)
        said = problem.message if key == problem.path else f"{problem.path}: {problem.message}"
        self.add(position, path, InvalidValueError(said, remedy=problem.remedy))

    def names(self) -> None:
        """Look at what jobs say of one another: names that stand twice, that nobody has, and circles."""
        seen: dict[str, int] = {}
        for position, name in self.table.names.items():
            if name is None:
                continue
            # Folders of some systems do not tell upper from lower case.
            first = seen.setdefault(name.casefold(), position)
            if first != position:
                message = f"the name {name!r} appears twice; first in line {self.line_of(first)}"
                remedy = "Give each job a name of its own: its folder is called so."
                self.problems.append(self.table.problem(position, ("name",), message, remedy))
        names = set(self.names_of_jobs)
        for position, entry in self.table.entries.items():
            for other in entry.after:
                if other not in names and not self.table.is_cut:
                    remedy = self.near_name(other) or "Write the name of a job of this table."
                    message = f"no job is called {other!r}"
                    self.problems.append(self.table.problem(position, ("after",), message, remedy))
        self.circles(names)

    def near_name(self, name: str) -> str:
        # Each is held against all names of the table: thousands of wrong ones would take minutes.
        self.suggestions_left -= 1
        return did_you_mean(name, self.names_of_jobs) if self.suggestions_left >= 0 else ""

    def line_of(self, position: int) -> int:
        return self.table.file.line_of(("jobs", position))

    def circles(self, names: Collection[str]) -> None:
        entries = self.table.entries.items()
        try:
            in_order(
                {entry.name: tuple(each for each in entry.after if each in names) for _, entry in entries}
            )
        except InvalidValueError as error:
            first = error.message.split("'")[1]
            self.add(next(at for at, entry in entries if entry.name == first), ("after",), error)
