"""Which kinds of wider access a plan names, and which have to be accepted: the kit's rules, or one's own."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from idc_aws.errors import ParametersError, Problem
from idc_aws.files import explained, read_table
from idc_aws.identifiers import did_you_mean

LEVELS = ("accept", "name", "off")


@dataclass(frozen=True)
class Rules:
    """What each rule asks for, and the lists that rules look into."""

    levels: Mapping[str, str]
    administrators: frozenset[str]
    escalations: Mapping[str, tuple[str, ...]]
    """The actions of each way to more rights."""


def read_rules(path: Path | None = None) -> Rules:
    """Return the kit's rules, with those of a file in their place; names all that is wrong in it at once."""
    table = _usual()
    if path is None:
        return _rules(table)
    with explained(f"the rules {str(path)!r} cannot be read", "Check the path."):
        data = path.read_bytes()
    try:
        own = tomllib.loads(data.decode("utf-8"))
    except ValueError as error:
        raise ParametersError(
            [Problem(str(path), None, "", f"it is not TOML: {error}", "Correct it.")]
        ) from error
    if problems := [Problem(str(path), None, *each) for each in _wrong_with(own, table)]:
        raise ParametersError(problems)
    return _rules({section: {**values, **own.get(section, {})} for section, values in table.items()})


@cache
def _usual() -> dict[str, Any]:
    return read_table("plan_rules", "idc_runner")


def _rules(table: Mapping[str, Any]) -> Rules:
    ways = {name: tuple(actions) for name, actions in table["escalations"].items()}
    return Rules(table["rules"], frozenset(table["administrators"]["policies"]), ways)


def _wrong_with(own: Mapping[str, Any], usual: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return path, message and remedy of everything that is wrong in rules of one's own."""
    found = []
    for section, values in own.items():
        if section not in usual:
            remedy = did_you_mean(section, usual) or f"There are: {', '.join(usual)}."
            found.append((section, "is not a section of rules", remedy))
        elif not isinstance(values, dict):
            found.append((section, f"{values!r:.60} is not a section", f"Write [{section}], then its lines."))
        elif section == "rules":
            found += [
                each for name, level in values.items() for each in _wrong_rule(name, level, usual[section])
            ]
        else:
            remedy = 'Write a list of texts, such as ["AdministratorAccess"].'
            found += [
                (f"{section}.{name}", f"{value!r:.60} is not a list of texts", remedy)
                for name, value in values.items()
                if not isinstance(value, list) or not all(isinstance(each, str) for each in value)
            ]
    return found


def _wrong_rule(name: str, level: Any, usual: Mapping[str, str]) -> list[tuple[str, str, str]]:
    if name not in usual:
        remedy = did_you_mean(name, usual) or f"There are: {', '.join(usual)}."
        return [(f"rules.{name}", "is not a rule", remedy)]
    if level not in LEVELS:
        return [
            (
                f"rules.{name}",
                f"{level!r:.60} is not what a rule can ask for",
                f"Write one of: {', '.join(LEVELS)}.",
            )
        ]
    return []
