"""What is wrong with the values of a form, by the place of the field that has to change."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from pydantic import BaseModel

from idc_helpers.display.form_values import FormValues
from idc_helpers.display.form_words import words_of
from idc_helpers.errors import Problem


def problems_by_place(problems: Sequence[Problem], values: FormValues) -> dict[str, str]:
    """Return messages by their place in the form, such as ``{"[0].session_duration": "…"}``."""
    by_place: dict[str, str] = {}
    for problem in problems:
        text = " ".join(
            f"{part.rstrip('.')}." for part in (_message(problem, values), problem.remedy) if part
        )
        by_place[problem.path] = f"{by_place[problem.path]} {text}" if problem.path in by_place else text
    return inside(by_place, values.section.dotted)


def _message(problem: Problem, values: FormValues) -> str:
    """Return what is wrong; a field that is missing is called as the form calls it, not as the file does."""
    rest = problem.path.removeprefix(values.section.dotted)
    names = re.findall(r"[A-Za-z_]+", rest)
    if len(names) == 1 and problem.message == f"{names[0]!r} is missing":
        return f"{_label(values.section.model, names)} is missing"
    return problem.message


def inside(problems: Mapping[str, str], name: str) -> dict[str, str]:
    """Return the problems at or below one place, by the rest of their place."""
    found = {}
    for place, text in problems.items():
        if place == name or place.startswith((f"{name}.", f"{name}[")):
            found[place[len(name) :].removeprefix(".")] = text
    return found


def problems_in_words(problems: Sequence[Problem], values: FormValues) -> str:
    """Return how many values are to be mended and where, in the form's words; empty: all is well."""
    if not problems:
        return ""
    places = dict.fromkeys(_place_in_words(problem.path, values) for problem in problems)
    number = "1 value needs" if len(problems) == 1 else f"{len(problems)} values need"
    return f"{number} fixing: {'; '.join(places)}. Apply stays disabled until then."


def _place_in_words(path: str, values: FormValues) -> str:
    rest = path.removeprefix(values.section.dotted)
    item = re.match(r"\[(\d+)\]", rest, re.ASCII)
    names = re.findall(r"[A-Za-z_]+", rest)
    label = _label(values.section.model, names) if names else ""
    if not path.startswith(values.section.dotted):
        return path
    where = f"no. {int(item[1]) + 1}" if item else ""
    return " of ".join(part for part in (label, where) if part) or "the form"


def _label(model: type[BaseModel], names: Sequence[str]) -> str:
    name = names[0]
    return words_of(model, name).label if name in model.model_fields else name
