"""A part of a scenario written to a scenario file: for batch runs of what was filled in on a form."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from idc_helpers.errors import InvalidValueError, ParametersError
from idc_helpers.managed_policies import PREDEFINED
from idc_helpers.models import Scenario
from idc_helpers.parameters import load_scenario, scenario_parameters, validate_scenario
from idc_helpers.yaml_editing import dumped, edited_yaml
from idc_helpers.yaml_positions import read_yaml


def save_scenario_part(
    source: Path,
    target: Path,
    change: Callable[[Mapping[str, Any]], dict[str, Any]],
    *,
    update: bool = False,
) -> None:
    """Write a scenario file with one part changed; its other keys and its comments stay.

    Parameters
    ----------
    source
        The present scenario: a new file starts as its copy.
    target
        The file to write.
    change
        Returns the parameters of a scenario with the part changed.
    update
        Whether a file that exists may be changed: then only this part of *it* changes.

    Raises
    ------
    InvalidValueError
        When the file exists and may not be changed, has another ending than ``.yaml``, cannot be written, or
        would hold a secret.
    ParametersError
        When the result would not be a scenario; nothing is written then.
    """
    if target.suffix not in (".yaml", ".yml"):
        raise InvalidValueError(
            f"{target.name!r} is not the name of a scenario file", remedy="Let it end in '.yaml'."
        )
    if target.exists() and not update:
        raise InvalidValueError(
            f"there is a file {str(target)!r} already",
            remedy="Choose another name, or say that this part of it may be changed.",
        )
    base = target if target.exists() else source
    text = _changed_text(base, change, str(target))
    _write(target, text)


def _changed_text(base: Path, change: Callable[[Mapping[str, Any]], dict[str, Any]], name: str) -> str:
    old = load_scenario(base)
    wanted = validate_scenario(change(scenario_parameters(old)), source=name)
    written, after = read_yaml(base).data, _lean(wanted)
    before = _with_written(written, _lean(old), scenario_parameters(old))
    text = edited_yaml(
        base.read_text("utf-8"), before, _with_written(written, after, scenario_parameters(wanted))
    )
    if not _means(text, wanted):
        # An unusual layout, such as anchors: right and without comments beats pretty and wrong.
        text = dumped(after)
    if not _means(text, wanted):
        raise InvalidValueError(f"{name!r} could not be written so that it reads the same again")
    return text


def _lean(scenario: Scenario) -> dict[str, Any]:
    """Return a scenario's parameters as a person would write them: without what is the default anyway."""
    values = scenario.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    for permission_set in values.get("permission_sets", []):
        predefined = permission_set.get("predefined")
        if predefined is None:
            continue
        others = [one for one in permission_set.get("managed_policies", []) if one != PREDEFINED[predefined]]
        permission_set["managed_policies"] = others
        if not others:
            del permission_set["managed_policies"]
        if permission_set.get("name") == predefined:
            del permission_set["name"]
    for user in values.get("users", []):
        if user.get("display_name") == f"{user.get('given_name')} {user.get('family_name')}":
            del user["display_name"]
    return values


def _with_written(written: Any, lean: dict[str, Any], full: Mapping[str, Any]) -> dict[str, Any]:
    """Return lean values and what the file writes out although it is the default: it stays written out."""
    kept = dict(lean)
    for name in written:
        if isinstance(written[name], dict) and isinstance(full.get(name), dict):
            kept[name] = _with_written(written[name], kept.get(name) or {}, full[name])
        elif name in full:
            kept.setdefault(name, full[name])
    return kept


def _means(text: str, wanted: Scenario) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scenario.yaml"
        path.write_text(text, "utf-8")
        try:
            return load_scenario(path) == wanted
        except ParametersError:
            return False


def _write(target: Path, text: str) -> None:
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(text, "utf-8")
        beside.replace(target)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise InvalidValueError(
            f"{str(target)!r} cannot be written: {error.strerror}", remedy="Choose another folder."
        ) from error
