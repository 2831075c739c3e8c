"""An imported scenario as files that a person reads: comments, one file or one for each topic."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from idc_aws import desired
from idc_aws.files import write_explained
from idc_aws.importing import Imported
from idc_aws.project import work_folder
from idc_aws.scenario.reading import INCLUDE
from idc_aws.scenario.saving import dumped
from idc_aws.scenario.scenario import Scenario

USUAL_FILE = "parameters/imported.yaml"
MAIN = "scenario.yaml"
_TOPICS = {
    "permission_sets.yaml": ("permission_sets",),
    "people.yaml": ("groups", "users"),
    "access.yaml": ("account_assignments",),
}
_TOGETHER = ("target", "region", "profile", "expected_account")
_PERSONAL = " Personal data: keep this file where only those who need it can read it."
_OF_THE_FILE = """\
What IAM Identity Center held when this file was written. A plan of it changes nothing (`idc plan -f {name}`):
change a value here, plan again, and only that changes. What exists and is not in here is never touched."""


def main_file(target: Path) -> Path:
    """Return the scenario's own file: the target where it ends in .yaml, else one in that folder."""
    return target if target.suffix in (".yaml", ".yml") else target / MAIN


def scenario_texts(imported: Imported, target: Path) -> dict[Path, str]:
    """Return the texts of the scenario's files by path, the main one first: one, or one for each topic."""
    if main_file(target) == target:
        return {target: _text(imported, imported.data, target, _OF_THE_FILE.format(name=target.name))}
    main, topics = dict(imported.data), {}
    for name, sections in _TOPICS.items():
        part = {section: main.pop(section) for section in sections if section in main}
        if part or any(imported.left_out.get(section) for section in sections):
            about = f"A part of {MAIN}, which includes it."
            topics[target / name] = _text(imported, part, target / name, about, sections)
    if topics:
        main[INCLUDE] = [path.name for path in topics]
    head = _OF_THE_FILE.format(name=f"{target.name}/{MAIN}")
    left = {name for name in imported.left_out if not any(name in part for part in _TOPICS.values())}
    return {target / MAIN: _text(imported, main, target / MAIN, head, tuple(left), is_main=True), **topics}


def _text(
    imported: Imported,
    data: Mapping[str, Any],
    path: Path,
    about: str,
    sections: Iterable[str] | None = None,
    *,
    is_main: bool = False,
) -> str:
    parts = [f"{_schema_line(path)}{_commented(about)}"]
    places = {name: data[name] for name in _TOGETHER if name in data}
    if places:
        parts.append(f"{_commented('Where this was read.')}{dumped(places)}")
    for name, value in data.items():
        if name not in _TOGETHER:
            parts.append(f"{_commented(_about(name))}{_spaced(dumped({name: value}), name)}")
    if sections is None or is_main:
        parts += filter(None, (_attestations(imported), _others(imported)))
    shown = (
        imported.left_out
        if sections is None
        else {name: imported.left_out.get(name, []) for name in sections}
    )
    lines = [line for name in sorted(shown) for line in shown[name]]
    if lines:
        parts.append(_commented("Left out, and never touched by a plan:\n" + _listed(lines)))
    return "\n".join(parts)


def _about(section: str) -> str:
    if section == INCLUDE:
        return "The files that hold the rest."
    described = Scenario.model_fields[section].description or ""
    return described.removesuffix(" Empty: leave them as they are.") + _PERSONAL * (section == "users")


def _spaced(text: str, name: str) -> str:
    """Return a dumped section with an empty line between its entries, as people write permission sets."""
    return text.replace("\n  - ", "\n\n  - ").replace("\n\n", "\n", 1) if name == "permission_sets" else text


def _schema_line(path: Path) -> str:
    folder = path.parent.absolute()
    schema = next(
        (each for each in (folder, work_folder() / "parameters") if (each / "schema.json").is_file()), None
    )
    if schema is None:
        return ""
    return f"# yaml-language-server: $schema={os.path.relpath(schema / 'schema.json', folder)}\n#\n"


def _attestations(imported: Imported) -> str:
    """Return a block to fill in for what no API shows; empty where the settings were read."""
    if imported.settings_are_readable:
        return ""
    usual = Scenario()
    states: dict[str, Any] = {}
    for read in (
        desired.identity_source_states,
        desired.standard_authentication_states,
        desired.multi_factor_authentication_states,
        desired.session_states,
    ):
        states |= read(usual)
    entries = [
        {
            "setting": name,
            "value": value,
            "by": "YOUR NAME",
            "on": "YYYY-MM-DD",
            "seen": "WHAT THE CONSOLE SHOWED",
        }
        for name, value in states.items()
    ]
    head = (
        "No API shows these settings. Look in the console, correct the values, fill in who looked and when,\n"
        "and take the '# ' away: then a plan counts them as done. A value that is not the usual one also\n"
        "belongs into its section, identity_source or authentication.\n"
    )
    return _commented(f"{head}\n{dumped({'attestations': entries})}")


def _others(imported: Imported) -> str:
    """Return what is no part of a scenario: what was not read, and applications."""
    unread = [f"{what}: {why}" for what, why in imported.unread.items()]
    said = (
        ("Could not be read, so that this is not the whole:", unread),
        ("Applications, which the kit does not manage:", [*map(repr, imported.applications)]),
    )
    return "\n".join(_commented(f"{words}\n{_listed(lines)}") for words, lines in said if lines)


def _listed(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _commented(text: str) -> str:
    """Return a text as comments: nothing in it ends its line, or what YAML takes."""
    lines = text.rstrip("\n").split("\n")
    clean = ("".join(each if each.isprintable() else repr(each)[1:-1] for each in line) for line in lines)
    return "".join(f"# {line}".rstrip() + "\n" for line in clean)


def write_texts(texts: Mapping[Path, str]) -> None:
    """Write files that their owner alone may read: they name people. Those that exist are replaced."""
    for path, text in texts.items():
        write_explained(Path(os.path.realpath(path)), text, "Choose another place.")
