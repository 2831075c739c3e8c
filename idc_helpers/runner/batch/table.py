"""A table of jobs, read from YAML or CSV, with the line of everything in it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from idc_helpers.errors import ParametersError, Problem
from idc_helpers.problems import refusals_in
from idc_helpers.runner.batch.models import BatchFile, JobDefaults, JobEntry
from idc_helpers.suggestions import did_you_mean
from idc_helpers.yaml_positions import Location, YamlFile, dotted, read_yaml

_COLUMNS = ("name", "notebook", "scenario", "after", "sandbox", "teardown")
_WORDS = {"true": True, "false": False}


class JobTable:
    """The jobs of a file, and where each of them stands.

    Attributes
    ----------
    entries
        The jobs, each with the file's defaults already in it.
    """

    def __init__(self, file: YamlFile, batch: BatchFile) -> None:
        self.file = file
        self.entries = [_with_defaults(entry, batch.defaults) for entry in batch.jobs]

    def problem(self, position: int, path: Location, message: str, remedy: str) -> Problem:
        """Return a problem of a job, at its line.

        Parameters
        ----------
        position
            Of the job, counted from 0.
        path
            The place in the job, such as ``("set", "region")``; where the file has it among its defaults
            alone, that line is named.
        message, remedy
            What is wrong, and what to do.
        """
        location: Location = ("jobs", position, *path)
        if location not in self.file.lines and ("defaults", *path) in self.file.lines:
            location = ("defaults", *path)
        return Problem(self.file.name, self.file.line_of(location), dotted(location), message, remedy)


def read_table(path: Path) -> JobTable:
    """Read a file of jobs; nothing else is looked at yet.

    Parameters
    ----------
    path
        YAML, or CSV where the name ends in ``.csv``.

    Raises
    ------
    ParametersError
        When it cannot be read, or says what no job can say; all problems are listed with their lines.
    """
    file = _read_csv(path) if path.suffix.casefold() == ".csv" else read_yaml(path)
    problems = [problem for _, problem in file.problems]
    reported = {location for location, _ in file.problems}
    batch = None
    try:
        batch = BatchFile.model_validate(file.data)
    except ValidationError as error:
        for refusal in refusals_in(error, file.unquoted, BatchFile):
            if refusal.location not in reported:
                problems.append(
                    Problem(
                        file.name,
                        file.line_of(refusal.location),
                        dotted(refusal.location),
                        refusal.message,
                        refusal.remedy,
                    )
                )
    if batch is None or problems:
        raise ParametersError(sorted(problems, key=lambda problem: problem.line or 0))
    return JobTable(file, batch)


def _with_defaults(entry: JobEntry, defaults: JobDefaults) -> JobEntry:
    missing = {
        name: getattr(defaults, name)
        for name in JobDefaults.model_fields
        if name not in entry.model_fields_set and name in defaults.model_fields_set
    }
    return entry.model_copy(update={**missing, "values": {**defaults.values, **entry.values}})


def _read_csv(path: Path) -> YamlFile:
    file = YamlFile(str(path))
    rows = list(_csv_rows(path, file.name))
    if not rows:
        raise _refused(file.name, 1, "the file is empty", "Write a line of headings and a line for each job.")
    line, headings = rows[0]
    headings = [heading.strip() for heading in headings]
    _require_headings(file.name, line, headings)
    jobs: list[dict[str, Any]] = []
    for line, cells in rows[1:]:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(headings):
            raise _refused(
                file.name,
                line,
                f"the line has {len(cells)} cells, and there are {len(headings)} headings",
                'Put a cell that holds a comma in quotes: "05,07".',
            )
        place: Location = ("jobs", len(jobs))
        jobs.append(_job(headings, cells, file.name, line))
        file.lines |= {place: line} | {(*place, *step): line for step in _places(headings)}
    file.data = {"jobs": jobs}
    return file


def _places(headings: list[str]) -> Iterator[Location]:
    for heading in headings:
        yield (heading,) if heading in _COLUMNS else ("set", heading)


def _csv_rows(path: Path, name: str) -> Iterator[tuple[int, list[str]]]:
    try:
        text = path.read_text("utf-8-sig")  # spreadsheets put a mark before the first letter
    except UnicodeDecodeError as error:
        raise _refused(
            name, None, f"is not text in UTF-8: {error.reason}", "Save it as CSV UTF-8."
        ) from error
    except OSError as error:
        near = did_you_mean(path.name, [each.name for each in path.parent.glob("*.csv")])
        remedy = near or "Check the path and its permissions."
        raise _refused(name, None, f"cannot be read: {error.strerror}", remedy) from error
    # A sheet of some countries is saved with semicolons.
    delimiter = ";" if text.partition("\n")[0].count(";") > text.partition("\n")[0].count(",") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    start = 1
    try:
        for cells in reader:
            yield start, cells
            start = reader.line_num + 1
    except csv.Error as error:
        raise _refused(name, start, f"is not CSV: {error}", "Look at the quotes of this line.") from error


def _require_headings(name: str, line: int, headings: list[str]) -> None:
    if "name" not in headings:
        remedy = did_you_mean("name", headings) or f"The headings are: {', '.join(headings)}."
        raise _refused(name, line, "there is no column 'name'", remedy)
    twice = sorted({heading for heading in headings if headings.count(heading) > 1})
    if twice or "" in headings:
        what = f"the column {twice[0]!r} stands twice" if twice and twice[0] else "a column has no heading"
        raise _refused(name, line, what, "Give each column one heading of its own.")


def _job(headings: list[str], cells: list[str], name: str, line: int) -> dict[str, Any]:
    given = {heading: cell.strip() for heading, cell in zip(headings, cells, strict=False) if cell.strip()}
    job: dict[str, Any] = {heading: given[heading] for heading in _COLUMNS if heading in given}
    if "after" in job:
        job["after"] = job["after"].replace(";", " ").replace(",", " ").split()
    if "teardown" in job:
        job["teardown"] = _WORDS.get(job["teardown"].casefold(), job["teardown"])
    job["set"] = {
        heading: _value(text, heading, name, line)
        for heading, text in given.items()
        if heading not in _COLUMNS
    }
    return job


def _value(text: str, heading: str, name: str, line: int) -> Any:
    """Return a cell's value: a text, true or false, or what stands in brackets or braces as YAML."""
    if text[0] not in "[{":
        return _WORDS.get(text.casefold(), text)
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise _refused(
            name,
            line,
            f"{heading}: {text!r} is not a list or mapping",
            'Write it as ["a", "b"] or {"key": "x"}.',
        ) from error


def _refused(name: str, line: int | None, message: str, remedy: str) -> ParametersError:
    return ParametersError([Problem(name, line, "", message, remedy)])
