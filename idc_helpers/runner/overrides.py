"""Values in place of some of a scenario's, by dotted keys such as ``permission_sets[0].session_duration``."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

from idc_helpers.errors import InvalidValueError
from idc_helpers.yaml_positions import Location, dotted

_STEP = re.compile(r"(?P<name>[^.\[\]]+)|\[(?P<position>\d+)\]", re.ASCII)


def location_of(key: str) -> Location:
    """Return the place that a dotted key names.

    Parameters
    ----------
    key
        Names with dots between them, and positions of lists, counted from 0, in brackets.

    Raises
    ------
    InvalidValueError
        When the key is not written like that.
    """
    steps: list[str | int] = []
    for match in _STEP.finditer(key):
        steps.append(match["name"] if match["name"] is not None else int(match["position"]))
    if not steps or isinstance(steps[0], int) or dotted(tuple(steps)) != key:
        raise InvalidValueError(
            f"{key!r} is not a key of a scenario",
            remedy="Write it as region, instance.name or permission_sets[0].session_duration.",
        )
    return tuple(steps)


def with_overrides(data: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return a scenario's data with other values at some places; the data that is given stays as it is.

    Parameters
    ----------
    data
        As ``scenario_parameters`` returns it.
    overrides
        Values by dotted key. A position one past a list's end adds an entry.

    Raises
    ------
    InvalidValueError
        When a key leads nowhere: its list is shorter, or something on its way is a single value.
    """
    changed = copy.deepcopy(dict(data))
    for key, value in overrides.items():
        _set(changed, key, value)
    return changed


def _set(data: dict[str, Any], key: str, value: Any) -> None:
    *way, last = location_of(key)
    here: Any = data
    for step, after in zip(way, [*way, last][1:], strict=True):
        _require_place(here, step, key)
        if isinstance(here, dict):
            here = here.setdefault(step, [] if isinstance(after, int) else {})
        else:
            if step == len(here):
                here.append([] if isinstance(after, int) else {})
            here = here[step]
    _require_place(here, last, key)
    if isinstance(here, list) and last == len(here):
        here.append(value)
    else:
        here[last] = value


def _require_place(here: Any, step: str | int, key: str) -> None:
    if isinstance(here, dict) and isinstance(step, str):
        return
    if isinstance(here, list) and isinstance(step, int):
        if step <= len(here):
            return
        raise InvalidValueError(
            f"{key!r} names entry {step} of a list that has {len(here)}",
            remedy=f"Entries are counted from 0; [{len(here)}] adds one.",
        )
    kinds: dict[type, str] = {list: "a list", dict: "a group of keys"}
    found = kinds.get(type(here), repr(here))
    raise InvalidValueError(
        f"{key!r} leads nowhere: where {step!r} should be, the scenario has {found}",
        remedy="Look at the scenario: lists take a position in brackets, groups of keys a name after a dot.",
    )
