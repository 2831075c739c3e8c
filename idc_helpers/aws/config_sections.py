"""The lines of a config file: which section and key each belongs to, and edits that leave the others alone.

The rules are those of Python's ``configparser``, which AWS's tools read with. An edit is only ever used after
botocore has read its result (`profile_writing`).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_HEADING = re.compile(r"\[(.+)\]")
_QUOTING = re.compile(r"[\\\"']")
_DELIMITER = re.compile(r"\s*[=:]\s*")
_MARK = re.compile(r"# made by identity-center-runbook-kit for (.+)")


@dataclass
class Option:
    """A key with its value: lines ``start`` to ``end`` (excluded), counted from 0."""

    name: str
    start: int
    end: int


@dataclass
class Section:
    """A heading and what is below it, to its last key (``end``); ``mark``: for what the kit made it."""

    header: str
    start: int
    end: int
    options: list[Option] = field(default_factory=list)
    mark: str = ""

    def line_of(self, name: str) -> int:
        """Return the line of a key, counted from 1; the heading's where the key is not written here."""
        return 1 + next((option.start for option in self.options if option.name == name), self.start)

    def is_named(self, kind: str, name: str) -> bool:
        """Tell whether AWS's tools take this section for that profile (or session, ...)."""
        if self.header == name == "default" and kind == "profile":
            return True
        if name not in self.header and not _QUOTING.search(self.header):
            return False  # most are others, and splitting takes its time
        try:
            parts = shlex.split(self.header)
        except ValueError:
            return False
        return self.header.startswith(kind) and len(parts) == 2 and parts[1] == name


def split_lines(text: str) -> list[str]:
    """Return the lines with their ends; only CR and LF end one, as where a file is read."""
    return _LINE.findall(text)


def scan(lines: Iterable[str]) -> list[Section]:
    """Return the sections of a file that `configparser` can read."""
    sections: list[Section] = []
    option, indent = None, 0
    for number, line in enumerate(lines):
        text = line.strip()
        if not text or text[0] in "#;":
            if sections and sections[-1].start + 1 == number and (mark := _MARK.fullmatch(text)):
                sections[-1].mark, sections[-1].end = mark[1], number + 1
            continue
        column = len(line) - len(line.lstrip())
        if option is not None and column > indent:  # the value goes on
            option.end = sections[-1].end = number + 1
            continue
        indent, option = column, None
        if heading := _HEADING.match(text):
            sections.append(Section(heading[1], number, number + 1))
        elif sections:
            option = Option(_DELIMITER.split(text, maxsplit=1)[0].lower(), number, number + 1)
            sections[-1].options.append(option)
            sections[-1].end = number + 1
    return sections


def find_sections(text: str, kind: str, name: str) -> list[Section]:
    """Return the sections that mean this profile or session: more than one where it is spelt in two ways."""
    return [section for section in scan(split_lines(text)) if section.is_named(kind, name)]


def find_bad_nested_line(text: str) -> int | None:
    """Return the first line, from 1, of a block below ``key =`` that is not itself ``key = value``."""
    lines = split_lines(text)
    for option in (option for section in scan(lines) for option in section.options):
        first, *rest = lines[option.start : option.end]
        if len(parts := _DELIMITER.split(first.strip(), maxsplit=1)) > 1 and not parts[1]:
            for number, line in enumerate(rest, option.start + 2):
                if line.strip() and line.strip()[0] not in "#;" and "=" not in line:
                    return number
    return None


def with_section(text: str, header: str, values: Mapping[str, str], mark: str) -> str:
    """Return the text with a new section at its end."""
    lines, end = split_lines(text), _line_end(text)
    _close_last_line(lines, end)
    block = [f"[{header}]", mark_line(mark), *(f"{key} = {value}" for key, value in values.items())]
    between = [end] if lines and lines[-1].strip() else []
    return "".join([*lines, *between, *(line + end for line in block)])


def with_values(
    text: str, section: Section, values: Mapping[str, str], dropped: Iterable[str] = (), mark: str = ""
) -> str:
    """Return the text with a section's keys set or dropped, and its mark; every other line stays."""
    lines, end = split_lines(text), _line_end(text)
    _close_last_line(lines, end)
    written = {option.name for option in section.options}
    indent = _indent(lines[section.options[-1].start]) if section.options else ""
    added = [f"{indent}{key} = {value}{end}" for key, value in values.items() if key not in written]
    lines[section.end : section.end] = added
    for option in reversed(section.options):
        if option.name in dropped:
            lines[option.start : option.end] = []
        elif option.name in values:
            line = f"{_indent(lines[option.start])}{option.name} = {values[option.name]}{end}"
            lines[option.start : option.end] = [line]
    if mark:
        first = section.start + 1
        lines[first : first + bool(section.mark)] = [mark_line(mark) + end]
    return "".join(lines)


def without_section(text: str, section: Section) -> str:
    """Return the text without a section, up to its last key, and without the empty lines behind it."""
    lines = split_lines(text)
    stop = section.end
    while stop < len(lines) and not lines[stop].strip():
        stop += 1
    return "".join(lines[: section.start] + lines[stop:])


def mark_line(mark: str) -> str:
    """Return the comment that says for what the kit made a section."""
    return f"# made by identity-center-runbook-kit for {mark}"


def _line_end(text: str) -> str:
    found = re.search(r"\r\n|\r|\n", text)
    return found[0] if found else "\n"


def _close_last_line(lines: list[str], end: str) -> None:
    if lines and lines[-1][-1:] not in ("\r", "\n"):
        lines[-1] += end


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]
