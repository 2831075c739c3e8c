"""A whole table of jobs, checked before the first one starts: every problem at once, each with its line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from idc_aws.errors import InvalidValueError, KitError, ParametersError, Problem, RunFailedError
from idc_aws.identifiers import did_you_mean
from idc_aws.project import find_scenario
from idc_aws.scenario.reading import location_of, scenario_parameters, with_overrides
from idc_aws.scenario.scenario import Scenario
from idc_aws.scenario.values import shortened
from idc_runner.batch.jobs import Job, fingerprint, scenario_of
from idc_runner.batch.table import COLUMNS, LESSON, OWN, STANDING, JobEntry, JobTable, in_order, read_table
from idc_runner.execution import ALWAYS_GIVEN, require_known
from idc_runner.notebooks import LessonNotebook, find_notebooks, known_parameters, select_notebooks

_MOST_SUGGESTIONS = 20


def load_jobs(
    path: Path, project: Path, overrides: Mapping[str, Any] | None = None, *, work: Path | None = None
) -> list[Job]:
    """Read a table of jobs and check all of it; reads files only."""
    table = read_table(path)
    checks = _Checks(table, path.absolute().parent, project.absolute(), work or project, overrides or {})
    jobs = [checks.job(position, entry) for position, entry in table.entries.items()]
    checks.names()
    if table.problems:
        # A wrong value of the defaults, or a wrong scenario file, is one problem for all jobs that have it.
        once = dict.fromkeys(table.problems)
        raise ParametersError(sorted(once, key=lambda problem: (problem.file, problem.line or 0)))
    return _with_fingerprints([job for job in jobs if job is not None])


def _with_fingerprints(jobs: Sequence[Job]) -> list[Job]:
    known = {job.name: job for job in jobs}
    done: dict[str, Job] = {}
    for name in in_order({job.name: job.after for job in jobs}):
        job = known[name]
        before = [done[each].fingerprint for each in job.after]
        done[name] = replace(job, fingerprint=fingerprint(job, before))
    return list(done.values())


def _known_here(word: str, choices: Sequence[str]) -> str:
    return did_you_mean(word, choices) or f"Known here: {', '.join(choices)}."


class _Checks:
    """Collects the problems of one table."""

    def __init__(
        self, table: JobTable, base: Path, project: Path, work: Path, overrides: Mapping[str, Any]
    ) -> None:
        self.table, self.base, self.overrides = table, base, dict(overrides)
        self.default_scenario = find_scenario(None, work, project)
        self.found = find_notebooks(project / "notebooks")
        self.names_of_jobs = [name for name in table.names.values() if name is not None]
        self.suggestions_left = _MOST_SUGGESTIONS

    @contextmanager
    def at(self, position: int, *path: str) -> Iterator[None]:
        """Take down what is refused in the block as a problem of that place in a job."""
        try:
            yield
        except KitError as error:
            self.table.add_new(position, path, error)

    def job(self, position: int, entry: JobEntry) -> Job | None:
        before = len(self.table.problems)
        notebooks: tuple[LessonNotebook, ...] = ()
        scenario_file: Path | None = None
        sandbox = STANDING
        with self.at(position, "notebook"):
            notebooks = self.notebooks(entry)
        with self.at(position, "scenario"):
            scenario_file = self.scenario_file(entry.scenario)
        overrides, extra = self.values(position, entry, notebooks)
        with self.at(position, "sandbox"):
            sandbox = self.sandbox(entry.sandbox or STANDING)
        if scenario_file is None:
            return None
        job = Job(
            name=entry.name,
            notebooks=notebooks,
            scenario_file=scenario_file,
            overrides={**overrides, **self.overrides},
            extra=extra,
            after=tuple(entry.after),
            sandbox=sandbox,
        )
        if scenario_file.is_file():
            self.scenario(position, entry, job)
        return job if len(self.table.problems) == before else None

    def notebooks(self, entry: JobEntry) -> tuple[LessonNotebook, ...]:
        if entry.notebook is None:
            if self.table.columns and "notebook" not in self.table.columns:
                near = did_you_mean("notebook", self.table.columns)
                remedy = near or f"Add it, with {LESSON}, a number, or a path in each line."
                self.table.add_to_column("notebook", "there is no column 'notebook'", remedy)
            elif not self.table.has_wrong_defaults:
                raise InvalidValueError(
                    "the job does not say which notebook",
                    remedy=f"Write notebook: {LESSON}, a number, or a path.",
                )
            return ()
        words = [word.strip() for word in entry.notebook.split(",") if word.strip()]
        if any("/" in word for word in words):
            return _of_different_names([self.own_notebook(word) for word in words])
        if words == [LESSON]:
            chosen = select_notebooks(self.found, teardown=entry.teardown)
        else:
            chosen = select_notebooks(self.found, only=words or [entry.notebook])
        for notebook in chosen:
            require_known(notebook)
        return tuple(chosen)

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

    def scenario_file(self, word: str | None) -> Path:
        if word is None:
            return self.default_scenario
        path = self.path(word)
        if not path.is_file():
            near = did_you_mean(path.name, [each.name for each in path.parent.glob("*.y*ml")])
            remedy = near or f"Paths start from the folder of the table, {str(self.base)!r}."
            raise InvalidValueError(f"there is no scenario file {word!r}", remedy=remedy)
        return path

    def sandbox(self, word: str) -> str:
        if word in (STANDING, OWN):
            return word
        if "/" not in word:
            near = did_you_mean(word, [STANDING, OWN])
            remedy = near or f"Write {OWN}, {STANDING}, or a folder such as ./{word}."
            raise InvalidValueError(f"no sandbox is called {word!r}", remedy=remedy)
        return str(self.path(word))

    def values(
        self, position: int, entry: JobEntry, notebooks: Sequence[LessonNotebook]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what is set in the scenario, and what is set of the notebooks' other parameters."""
        in_scenario: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        known = {name for notebook in notebooks for name in known_parameters(notebook)} - set(ALWAYS_GIVEN)
        choices = [*Scenario.model_fields, *sorted(known)]
        for key, value in entry.values.items():
            with self.at(position, "set", key):
                first = str(location_of(key)[0])
                if first in Scenario.model_fields:
                    in_scenario[key] = value
                elif key in known:
                    extra[key] = value
                elif key in self.table.columns:
                    remedy = _known_here(first, [*COLUMNS, *choices])
                    self.table.add_to_column(key, f"unknown column {key!r}", remedy)
                else:
                    raise InvalidValueError(f"unknown key {key!r}", remedy=_known_here(first, choices))
        return in_scenario, extra

    def scenario(self, position: int, entry: JobEntry, job: Job) -> None:
        try:
            scenario_of(job.scenario_file)
        except ParametersError as error:
            self.table.problems.extend(error.problems)
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
        with self.at(position, "sandbox"):
            if scenario.target == "aws" and job.sandbox != STANDING:
                raise RunFailedError(
                    f"sandbox is {entry.sandbox!r}, but the target is 'aws'",
                    remedy="Remove one of the two: a run on AWS uses no sandbox.",
                )

    def leading_somewhere(self, position: int, job: Job) -> dict[str, Any]:
        """Return those values that the scenario has a place for, and note the others."""
        data, kept = scenario_parameters(scenario_of(job.scenario_file)), {}
        for key, value in job.overrides.items():
            with self.at(position, "set", key):
                data = with_overrides(data, {key: value})
                kept[key] = value
        return kept

    def add_of_scenario(self, position: int, entry: JobEntry, problem: Problem) -> None:
        near = (key for key in entry.values if problem.path.startswith(key) or key.startswith(problem.path))
        key = next(near, None)
        said = problem.message if key == problem.path else f"{problem.path}: {problem.message}"
        with self.at(position, "set", *([] if key is None else [key])):
            raise InvalidValueError(said, remedy=problem.remedy)

    def names(self) -> None:
        """Look at what jobs say of one another: names that stand twice, that nobody has, and circles."""
        seen: dict[str, int] = {}
        for position, name in self.table.names.items():
            if name is None:
                continue
            # Folders of some systems do not tell upper from lower case.
            first = seen.setdefault(name.casefold(), position)
            if first != position:
                line = self.table.file.line_of(("jobs", first))
                message = f"the name {name!r} appears twice; first in line {line}"
                remedy = "Give each job a name of its own: its folder is called so."
                self.table.add(position, ("name",), message, remedy)
        names = set(self.names_of_jobs)
        for position, entry in self.table.entries.items():
            for other in entry.after:
                if other not in names and not self.table.is_cut:
                    remedy = self.near_name(other) or "Write the name of a job of this table."
                    self.table.add(position, ("after",), f"no job is called {other!r}", remedy)
        entries = self.table.entries.values()
        try:
            in_order({entry.name: tuple(each for each in entry.after if each in names) for entry in entries})
        except InvalidValueError as error:
            first_name = error.message.split("'")[1]
            found = self.table.entries.items()
            at = next(position for position, entry in found if entry.name == first_name)
            self.table.add_new(at, ("after",), error)

    def near_name(self, name: str) -> str:
        # Each is held against all names of the table: thousands of wrong ones would take minutes.
        self.suggestions_left -= 1
        return did_you_mean(name, self.names_of_jobs) if self.suggestions_left >= 0 else ""


def _of_different_names(notebooks: Sequence[LessonNotebook]) -> tuple[LessonNotebook, ...]:
    twice = [name for name, number in Counter(each.name for each in notebooks).items() if number > 1]
    if twice:
        raise InvalidValueError(
            f"several notebooks of the job are called {twice[0]!r}",
            remedy="Name them differently: what is executed is kept under the notebook's name.",
        )
    return tuple(notebooks)
