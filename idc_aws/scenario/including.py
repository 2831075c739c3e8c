"""A scenario in several files: what it includes counts as written in it, and keeps its file and its line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from idc_aws.errors import ParametersError, Problem
from idc_aws.scenario.yaml_lines import Location, YamlFile, dotted, read_yaml

INCLUDE = "include"
INCLUDE_SCHEMA = {
    "description": "Other files with sections of this scenario, relative to this one. Lists are joined; "
    "everything else is in one file only.",
    "items": {"minLength": 1, "type": "string"},
    "title": "Include",
    "type": "array",
}
_HOW = "Write a list of files: [people.yaml, access.yaml]."


def with_included(file: YamlFile) -> YamlFile:
    """Return a scenario file with what it includes: lists joined, everything else in one file only."""
    _Including(file).include(file, [Path(file.name)])
    file.data = {name: value for name, value in file.data.items() if name != INCLUDE}
    return file


def scenario_files(path: str | Path) -> list[Path]:
    """Return the files of a scenario, itself first; those that cannot be read are left out."""
    try:
        file = read_yaml(path)
    except ParametersError:
        return [Path(path)]
    including = _Including(file)
    including.include(file, [Path(path)])
    return including.files


def in_file_order(problems: Iterable[Problem], file: YamlFile) -> list[Problem]:
    """Return problems by file, the scenario's own first, and by line."""
    return sorted(problems, key=lambda one: (one.file != file.name, one.file, one.line or 0))


class _Including:
    """Puts the sections of included files into the file that a person named."""

    def __init__(self, whole: YamlFile) -> None:
        self._whole = whole
        self._whole.data = dict(whole.data)
        self.files = [Path(whole.name)]
        self._named = {self.files[0].resolve(): whole.name}

    def include(self, file: YamlFile, way: list[Path]) -> None:
        """Include what a file names; `way` leads from the scenario to it."""
        listed = file.data.get(INCLUDE) or []
        if not isinstance(listed, list):
            self._refuse(file, (INCLUDE,), f"{listed!r} is not a list of files", _HOW)
            return
        for position, name in enumerate(listed):
            place: Location = (INCLUDE, position)
            if not isinstance(name, str) or not name:
                self._refuse(file, place, f"{name!r} is not the name of a file", _HOW)
                continue
            self._include_one(file, place, way[-1].parent / Path(name).expanduser(), way)

    def _include_one(self, file: YamlFile, place: Location, path: Path, way: list[Path]) -> None:
        resolved = path.resolve()
        if resolved in self._named:
            round_trip = " → ".join(str(each) for each in [*way, path])
            is_circle = resolved in [each.resolve() for each in way]
            said = f"includes itself: {round_trip}" if is_circle else f"{str(path)!r} is included already"
            self._refuse(file, place, said, "Name each file once.")
            return
        self._named[resolved] = str(path)
        try:
            found = read_yaml(path)
        except ParametersError as error:
            for problem in error.problems:
                self._refuse(file, place, f"{problem.file}: {problem.message}", problem.remedy)
            return
        self.files.append(path)
        self._merge(found)
        self.include(found, [*way, path])

    def _merge(self, found: YamlFile) -> None:
        whole, moved = self._whole, dict[Location, Location]()
        for name, value in found.data.items():
            if name == INCLUDE:
                continue
            there = whole.data.get(name)
            if isinstance(value, list) and (there is None or isinstance(there, list)):
                begin = len(there or [])
                whole.data[name] = [*(there or []), *value]
                for number in range(len(value)):
                    moved[name, number] = (name, begin + number)
                if there is None:
                    moved[name,] = (name,)
            elif name in whole.data:
                self._refuse_second(found, name)
            else:
                whole.data[name] = value
                moved[name,] = (name,)
        for own, place in moved.items():
            whole.elsewhere[place] = (found.name, own)
        self._take_lines(found, moved)

    def _take_lines(self, found: YamlFile, moved: dict[Location, Location]) -> None:
        def placed(location: Location) -> Location | None:
            start = next((part for n in (2, 1) if (part := location[:n]) in moved), None)
            return None if start is None else (*moved[start], *location[len(start) :])

        for location, line in found.lines.items():
            if (place := placed(location)) is not None:
                self._whole.lines[place] = line
        for location, text in found.unquoted.items():
            if (place := placed(location)) is not None:
                self._whole.unquoted[place] = text
        for location, problem in found.problems:
            self._whole.problems.append((placed(location) or (found.name, *location), problem))

    def _refuse_second(self, found: YamlFile, name: str) -> None:
        first, own = self._whole.own_place((name,))
        at = f"{first}:{self._whole.line_of((name,))}" if own else first
        message = f"{name!r} is defined already in {at}"
        self._refuse(found, (name,), message, "Keep one of the two: only lists are joined.")

    def _refuse(self, file: YamlFile, place: Location, message: str, remedy: str) -> None:
        problem = Problem(file.name, file.line_of(place), dotted(place), message, remedy)
        self._whole.problems.append(((file.name, *place), problem))
