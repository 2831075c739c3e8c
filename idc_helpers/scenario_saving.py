"""A part of a scenario written to a scenario file: for batch runs of what was filled in on a form."""

from __future__ import annotations

import codecs
import contextlib
import os
import stat
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from idc_helpers.errors import InvalidValueError, ParametersError
from idc_helpers.managed_policies import PREDEFINED
from idc_helpers.models import Scenario
from idc_helpers.parameters import load_scenario, scenario_parameters, validate_scenario
from idc_helpers.yaml_editing import dumped, edited_yaml
from idc_helpers.yaml_loading import text_of
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
    exists = _exists(target)
    if exists and not update:
        raise InvalidValueError(
            f"there is a file {str(target)!r} already",
            remedy="Choose another name, or say that this part of it may be changed.",
        )
    base = target if exists else source
    text = _changed_text(base, change, str(target), is_replaced=exists)
    _write(target, _as_in(base, text))


def _exists(target: Path) -> bool:
    try:
        target.lstat()
        return target.exists()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:  # no file can have such a name
        raise _not_written(target, getattr(error, "strerror", None) or error) from error


def _changed_text(
    base: Path, change: Callable[[Mapping[str, Any]], dict[str, Any]], name: str, *, is_replaced: bool
) -> str:
    old = load_scenario(base)
    wanted = validate_scenario(change(scenario_parameters(old)), source=name)
    written, after = read_yaml(base).data, _lean(wanted)
    before = _with_written(written, _lean(old), scenario_parameters(old))
    kept = _with_written(written, after, scenario_parameters(wanted))
    present = text_of(str(base))
    for whole_keys in (False, True):
        with contextlib.suppress(LookupError):
            text = edited_yaml(present, before, kept, whole_keys=whole_keys)
            if _means(text, wanted):
                return text
    if is_replaced and "#" in present:
        raise InvalidValueError(
            f"{name!r} is laid out so that it cannot be changed without losing its comments",
            remedy="Save under a new name, or change it yourself: anchors and merged keys are in the way.",
        )
    # An unusual layout: right and without comments beats pretty and wrong.
    text = dumped(after)
    if not _means(text, wanted):
        raise InvalidValueError(f"{name!r} could not be written so that it reads the same again")
    return text


def _as_in(base: Path, text: str) -> bytes:
    """Return a text as bytes, with the byte-order mark and the line ends of a file."""
    present = base.read_bytes()
    ends = "\r\n" if b"\r\n" in present and present.count(b"\r\n") == present.count(b"\n") else "\n"
    mark = codecs.BOM_UTF8 if present.startswith(codecs.BOM_UTF8) else b""
    return mark + text.replace("\n", ends).encode()


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


def _write(target: Path, content: bytes) -> None:
    target = Path(os.path.realpath(target))  # a link stays a link
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else None
        if mode is not None and not mode & stat.S_IWUSR:
            raise _not_written(target, "it is read-only")
        target.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(content)
        if mode is not None:
            beside.chmod(mode)
        beside.replace(target)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise _not_written(target, error.strerror) from error


def _not_written(target: Path, found: object) -> InvalidValueError:
    return InvalidValueError(f"{str(target)!r} cannot be written: {found}", remedy="Choose another file.")
