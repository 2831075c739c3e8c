"""A table of jobs, read from YAML or CSV, with the line of everything in it, and the jobs' order."""

from __future__ import annotations

import graphlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, ConfigDict, Field, StrictBool, ValidationError

from idc_aws.errors import InvalidValueError, KitError, ParametersError, Problem
from idc_aws.identifiers import did_you_mean
from idc_aws.scenario.reading import refusals_in
from idc_aws.scenario.tables import DELIMITERS, csv_rows, is_before_headers, without_sep
from idc_aws.scenario.values import Model, Refusal, TextRule
from idc_aws.scenario.yaml_lines import (
    Location,
    YamlFile,
    read_yaml,
    read_yaml_value,
    refused_yaml,
    text_of,
)

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
    """What every job of the file has unless it says otherwise; docs/batch.md says what each key means."""

    model_config = ConfigDict(populate_by_name=True)

    notebook: str | None = Field(default=None, description="'lesson', a number, several, or a path.")
    scenario: str | None = Field(default=None, description="The path of the scenario's file.")
    values: dict[str, Any] = Field(
        default_factory=dict, alias="set", description="Keys of the scenario, and their values for this job."
    )
    after: list[str] = Field(default_factory=list, description="Names of jobs that must have passed first.")
    sandbox: str | None = Field(default=None, description="'standing', 'own', or the path of a folder.")
    teardown: StrictBool = Field(default=True, description="Whether the lesson undoes all at its end.")


class JobEntry(JobDefaults):
    """One job."""

    name: _JobName = Field(description="The job's name, which names its folder too.")


class BatchFile(Model):
    """A table of jobs."""

    defaults: JobDefaults = Field(
        default_factory=JobDefaults, description="Values for every job that does not set its own."
    )
    jobs: list[JobEntry] = Field(min_length=1, description="A job has a name and a notebook at least.")


COLUMNS = ("name", "notebook", "scenario", "after", "sandbox", "teardown")
_WORDS = {"true": True, "false": False}


class JobTable:
    """The jobs of a file, and where each of them stands."""

    def __init__(self, file: YamlFile) -> None:
        self.file = file
        self.is_cut = any(at == () for at, _ in file.problems)
        known = {_texts(at) for at, _ in file.problems} | ({("jobs",)} if self.is_cut else set())
        refusals = [one for one in _refusals(file) if _texts(one.location) not in known]
        self.problems = [problem for _, problem in file.problems]
        self.problems += [file.problem(one.location, one.message, one.remedy) for one in refusals]
        self._wrong = _by_place([*(at for at, _ in file.problems), *(one.location for one in refusals)])
        self.entries: dict[int, JobEntry] = {}
        self.names: dict[int, str | None] = {}
        defaults = JobDefaults.model_validate(self._right(file.data.get("defaults"), ("defaults",)))
        jobs = file.data.get("jobs")
        for position, job in enumerate(jobs if isinstance(jobs, list) else []):
            self._take(position, job, defaults)

    def _take(self, position: int, job: object, defaults: JobDefaults) -> None:
        right = self._right(job, ("jobs", position))
        self.names[position] = right.get("name")
        entry = JobEntry.model_validate({"name": f"job-{position + 1}", **right})
        self.entries[position] = _with_defaults(entry, defaults)

    def _right(self, data: object, place: Location) -> dict[str, Any]:
        """Return those keys of a job, or of the defaults, that nothing was said against."""
        if not isinstance(data, dict):
            return {}
        wrong = self._wrong.get(place, set())
        kept = _without(data, {at[0] for at in wrong if len(at) == 1})
        parts = {key: {at[1] for at in wrong if at[:1] == (key,) and len(at) > 1} for key in ("set", "after")}
        return kept | {key: _without(kept[key], of_part) for key, of_part in parts.items() if key in kept}

    @property
    def columns(self) -> list[str]:
        """The headings, where the file is CSV."""
        return [str(at[1]) for at in self.file.lines if at[:1] == ("columns",)]

    def add_to_column(self, heading: str, message: str, remedy: str) -> None:
        """Take down a problem of a column, at the line of the headings."""
        line = self.file.lines.get(("columns", heading), self.file.lines.get(("columns", "name")))
        self.problems.append(Problem(self.file.name, line, heading, message, remedy))

    def add(self, position: int, path: Location, message: str, remedy: str) -> None:
        """Take down a problem of a job, at its line."""
        location: Location = ("jobs", position, *path)
        if location not in self.file.lines and ("defaults", *path) in self.file.lines:
            location = ("defaults", *path)
        self.problems.append(self.file.problem(location, message, remedy))

    def add_new(self, position: int, path: Location, error: KitError) -> None:
        """Take down what is wrong at a place in a job, unless something is said against it already."""
        if not self._is_reported(position, path):
            self.add(position, path, error.message, error.remedy)

    @property
    def has_wrong_defaults(self) -> bool:
        """Whether something is said against the defaults: what jobs lack may be what is misspelt there."""
        return ("defaults",) in self._wrong

    def _is_reported(self, position: int, path: Location) -> bool:
        """Return whether something is said against a place in a job, or in the defaults for it."""
        own, common = self._wrong.get(("jobs", position), set()), self._wrong.get(("defaults",), set())
        return any(at == path[: len(at)] or (at[:1] == path and path != ("set",)) for at in own | common)


def read_table(path: Path) -> JobTable:
    """Read a file of jobs; nothing else is looked at yet, and what is wrong is kept with it."""
    return JobTable(_read_csv(path) if path.suffix.casefold() == ".csv" else read_yaml(path))


def _texts(location: Location) -> tuple[str, ...]:
    return tuple(str(step) for step in location)


def _without(data: object, keys: Collection[object]) -> Any:
    """Return a list without the entries of some positions, or a mapping without some keys."""
    if isinstance(data, list):
        return [item for position, item in enumerate(data) if position not in keys]
    given = data if isinstance(data, dict) else {}
    return {key: value for key, value in given.items() if isinstance(key, str) and key not in keys}


def _by_place(locations: Iterable[Location]) -> dict[Location, set[Location]]:
    """Return places by the job, or the defaults, that they are in, each from there."""
    found: dict[Location, set[Location]] = {}
    for at in locations:
        length = 2 if at[:1] == ("jobs",) else 1
        found.setdefault(at[:length], set()).add(at[length:])
    return found


def _refusals(file: YamlFile) -> list[Refusal]:
    try:
        BatchFile.model_validate(file.data)
    except ValidationError as error:
        return refusals_in(error, file.unquoted, BatchFile)
    return []


def _with_defaults(entry: JobEntry, defaults: JobDefaults) -> JobEntry:
    missing = {
        name: getattr(defaults, name)
        for name in JobDefaults.model_fields
        if name not in entry.model_fields_set and name in defaults.model_fields_set
    }
    return entry.model_copy(update={**missing, "values": {**defaults.values, **entry.values}})


def _read_csv(path: Path) -> YamlFile:
    file = YamlFile(str(path))
    rows = list(_csv_rows(file))
    if not rows and file.problems:
        raise ParametersError([problem for _, problem in file.problems])
    if not rows:
        raise refused_yaml(
            file.name, 1, "the file is empty", "Write a line of headings and a line for each job."
        )
    while rows and is_before_headers(rows[0][1]):
        rows.pop(0)
    rows = [(line, _without_empty_end(cells)) for line, cells in rows]
    line, headings = rows[0]
    headings = [heading.strip() for heading in headings]
    _require_headings(file.name, line, headings)
    file.lines |= {("columns", heading): line for heading in headings}
    jobs: list[dict[str, Any]] = []
    for line, cells in rows[1:]:
        if not any(cell.strip() for cell in cells):
            continue
        place: Location = ("jobs", len(jobs))
        if len(cells) > len(headings):
            message = f"the line has {len(cells)} cells, and there are {len(headings)} headings"
            file.keep((*place, "cells"), line, message, 'Put a cell that holds a comma in quotes: "05,07".')
        jobs.append(_job(headings, cells, file, line, place))
        file.lines |= {place: line} | {(*place, *step): line for step in _places(headings)}
    file.data = {"jobs": jobs}
    return file


def _without_empty_end(cells: list[str]) -> list[str]:
    """Return cells without those that a spreadsheet adds to the right of a table."""
    filled = [place for place, cell in enumerate(cells, 1) if cell.strip()]
    return cells[: filled[-1]] if filled else []


def _places(headings: list[str]) -> Iterator[Location]:
    for heading in headings:
        yield (heading,) if heading in COLUMNS else ("set", heading)


def _csv_rows(file: YamlFile) -> Iterator[tuple[int, list[str]]]:
    named, text, first = without_sep(text_of(file.name))
    # A sheet of some countries is saved with semicolons.
    headings = next((line for line in text.split("\n") if line.strip() and line[0] != "#"), "")
    delimiter = named or max(DELIMITERS, key=headings.count)
    return csv_rows(text, delimiter, lambda line, *why: file.keep((), line, *why), first)


def _require_headings(name: str, line: int, headings: list[str]) -> None:
    if "name" not in headings:
        remedy = did_you_mean("name", headings) or f"The headings are: {', '.join(headings)}."
        raise refused_yaml(name, line, "there is no column 'name'", remedy)
    twice = sorted({heading for heading in headings if headings.count(heading) > 1})
    if twice or "" in headings:
        what = f"the column {twice[0]!r} appears twice" if twice and twice[0] else "a column has no heading"
        raise refused_yaml(name, line, what, "Give each column one heading of its own.")


def _job(headings: list[str], cells: list[str], file: YamlFile, line: int, place: Location) -> dict[str, Any]:
    given = {heading: cell.strip() for heading, cell in zip(headings, cells, strict=False) if cell.strip()}
    job: dict[str, Any] = {heading: given[heading] for heading in COLUMNS if heading in given}
    if "after" in job:
        job["after"] = job["after"].replace(";", " ").replace(",", " ").split()
    if "teardown" in job:
        job["teardown"] = _WORDS.get(job["teardown"].casefold(), job["teardown"])
    job["set"] = {
        heading: _value(text, file, line, (*place, "set", heading))
        for heading, text in given.items()
        if heading not in COLUMNS
    }
    return job


def _value(text: str, file: YamlFile, line: int, place: Location) -> Any:
    """Return a cell's value: a text, true or false, or what stands in brackets or braces as YAML."""
    if text[0] not in "[{":
        return _WORDS.get(text.casefold(), text)
    try:
        return read_yaml_value(text, file, place, line)
    except (yaml.YAMLError, ValueError, RecursionError):
        message = f"{text!r} is not a list or mapping"
        file.keep(place, line, message, 'Write it as ["a", "b"] or {"key": "x"}.')
    return None


_LONGEST_CIRCLE = 10


def in_order(after: Mapping[str, Sequence[str]]) -> list[str]:
    """Return all names, each after those that it waits for."""
    try:
        return list(graphlib.TopologicalSorter(after).static_order())
    except graphlib.CycleError as error:
        circle = [repr(name) for name in reversed(error.args[1])]
        if len(circle) > _LONGEST_CIRCLE:
            circle = [*circle[: _LONGEST_CIRCLE - 1], f"{len(circle) - _LONGEST_CIRCLE} more", circle[-1]]
        raise InvalidValueError(
            f"{' waits for '.join(circle)}: none of them could ever start",
            remedy="Take one of these names out of an `after`.",
        ) from error
