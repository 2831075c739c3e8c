"""The AWS config file: read as AWS's tools read it, its lines and sections, and its safe replacement."""

from __future__ import annotations

import codecs
import configparser
import io
import itertools
import os
import re
import shlex
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

from botocore.configloader import build_profile_map, raw_config_parse
from botocore.exceptions import ConfigNotFound, ConfigParseError

from idc_aws.errors import ConfigFileError
from idc_aws.files import replaced_file

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
    lines, end = _lines_to_edit(text)
    block = [f"[{header}]", mark_line(mark), *(f"{key} = {value}" for key, value in values.items())]
    between = [end] if lines and lines[-1].strip() else []
    return "".join([*lines, *between, *(line + end for line in block)])


def with_values(
    text: str, section: Section, values: Mapping[str, str], dropped: Iterable[str] = (), mark: str = ""
) -> str:
    """Return the text with a section's keys set or dropped, and its mark; every other line stays."""
    lines, end = _lines_to_edit(text)
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


def _lines_to_edit(text: str) -> tuple[list[str], str]:
    """Return the lines of a text, the last one closed, and what ends them."""
    found = re.search(r"\r\n|\r|\n", text)
    lines, end = split_lines(text), found[0] if found else "\n"
    if lines and lines[-1][-1:] not in ("\r", "\n"):
        lines[-1] += end
    return lines, end


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


_LARGEST_BYTES = 16 * 1024 * 1024
_UNCHANGED = "Nothing was changed."


@dataclass(frozen=True)
class ConfigFile:
    """A config file at one moment."""

    path: Path
    content: bytes | None
    sections: dict[str, dict[str, Any]] = field(default_factory=dict)

    @cached_property
    def meaning(self) -> dict[str, Any]:
        """What AWS's tools make of the sections: ``profiles``, ``sso_sessions``, ``services`` and others."""
        return build_profile_map(self.sections)

    @property
    def profiles(self) -> dict[str, dict[str, Any]]:
        """The profiles by name, each with its keys."""
        return self.meaning["profiles"]

    @property
    def sso_sessions(self) -> dict[str, dict[str, Any]]:
        """The sessions by name, each with its keys."""
        return self.meaning["sso_sessions"]

    @property
    def text(self) -> str:
        """The file's text with its own line ends, decoded as botocore does."""
        return (self.content or b"").decode(text_encoding())


def text_encoding() -> str:
    """Return the encoding in which AWS's tools read a config file here: the one of the locale."""
    return io.TextIOWrapper(io.BytesIO()).encoding


def config_path() -> Path:
    """Return where AWS's tools look for the config file of this user."""
    if os.environ.get("AWS_CONFIG_FILE") == "":
        raise ConfigFileError(
            "AWS_CONFIG_FILE is set to '', so AWS's tools read no config file",
            remedy="Unset AWS_CONFIG_FILE, or let it name a file.",
        )
    return _path_of("AWS_CONFIG_FILE", "~/.aws/config")


def credentials_path() -> Path:
    """Return where AWS's tools look for the credentials file of this user."""
    return _path_of("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")


def _path_of(variable: str, default: str) -> Path:
    named = os.environ.get(variable, default)
    path = os.path.expanduser(os.path.expandvars(named))  # noqa: PTH111  as botocore; it never raises
    if path.startswith("~"):
        raise ConfigFileError(
            f"the home folder in {named!r} is not known", remedy=f"Set HOME, or let {variable} name the file."
        )
    return Path(path)


def read_config(path: Path) -> ConfigFile:
    """Return a config file, or an empty one where there is none; reads only."""
    content = read_content(path)
    return ConfigFile(path, content, {} if content is None else parse_config(path, content))


def refuse_config(path: Path, line: int | None, found: str, remedy: str) -> NoReturn:
    """Refuse a config file: where, what was found, what to do."""
    place = str(path) if line is None else f"{path}:{line}"
    raise ConfigFileError(f"{place}: {found}", remedy=f"{remedy} {_UNCHANGED}")


def read_content(path: Path) -> bytes | None:
    """Return a file's bytes, or None where there is none; what is no regular file is refused."""
    with refused_config(path, "cannot be read", "Make it readable for you."):
        try:
            status = path.stat()
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            refuse_config(
                path, None, f"this is {kind}, where a config file should be", "Move it, or name another."
            )
        if status.st_size > _LARGEST_BYTES:
            refuse_config(
                path, None, f"{status.st_size:,} bytes are too many for a config file", "Check the file."
            )
        return path.read_bytes()


@contextmanager
def refused_config(path: Path, what: str, remedy: str) -> Iterator[None]:
    """Turn what the system refuses within the block into an error that names the file."""
    try:
        yield
    except (OSError, RuntimeError) as error:  # RuntimeError: a link that leads to itself, in older Pythons
        words = getattr(error, "strerror", None) or error
        raise ConfigFileError(f"{str(path)!r} {what}: {words}", remedy=f"{remedy} {_UNCHANGED}") from error


def parse_config(path: Path, content: bytes) -> dict[str, dict[str, Any]]:
    """Return a file's sections as botocore reads them."""
    try:
        return raw_config_parse(str(path))
    except ConfigNotFound:
        return {}
    except ConfigParseError as error:
        line, found, remedy = _first_problem(error.kwargs.get("error"), content)
        refuse_config(path, line, f"{found}; no AWS tool can read this file", remedy)


def _first_problem(error: Any, content: bytes) -> tuple[int | None, str, str]:
    """Return line, problem and remedy; no value is shown, because it may be a secret."""
    line, found, remedy = None, "this cannot be parsed", "Correct it."
    if isinstance(error, configparser.DuplicateOptionError):
        line, found = error.lineno, f"duplicate key {error.option!r} in [{error.section}]"
        remedy = "Remove one of the two lines."
    elif isinstance(error, configparser.DuplicateSectionError):
        line, found = error.lineno, f"a second section [{error.section}]"
        remedy = "Make the two sections one."
    elif isinstance(error, configparser.MissingSectionHeaderError):
        line, found = error.lineno, "a line before the first [heading]"
        remedy = "Move it below a heading such as [default]."
        if content.startswith(codecs.BOM_UTF8):
            found, remedy = "the file begins with a byte-order mark (BOM)", "Save it as UTF-8 without BOM."
    elif isinstance(error, configparser.ParsingError):
        line = getattr(error, "lineno", None) or next((number for number, _ in error.errors), None)
        found, remedy = "neither a [heading] nor key = value", "Correct the line, or make it a comment (#)."
    elif isinstance(error, UnicodeDecodeError):
        (line, byte), encoding = _undecodable(content), text_encoding().upper()
        found, remedy = f"byte 0x{byte:02x} is not {encoding} text", f"Save the file as {encoding}."
    elif isinstance(error, ValueError):
        line = find_bad_nested_line(content.decode(text_encoding(), "replace"))
        found, remedy = "a line of a nested block without '='", "Write it as key = value."
    return line, found, remedy


def _undecodable(content: bytes) -> tuple[int, int]:
    try:
        content.decode(text_encoding())
    except UnicodeDecodeError as error:
        before = content[: error.start].decode(text_encoding(), "replace")
        return len(split_lines(before + ".")), content[error.start]
    return 1, content[0]


def replace_config(
    before: ConfigFile, text: str, prove: Callable[[ConfigFile], None], *, keep: bool = True
) -> Path | None:
    """Put a new text in a config file's place, in one step, and return the backup of the old one. Writes."""
    with refused_config(before.path, "was not written", "Make file and folder writable for you."):
        target = Path(os.path.realpath(before.path))
        _refuse_protected(before, target)
        if not before.path.is_symlink():
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with replaced_file(target) as new:
            content = text.encode(text_encoding())
            _write_content(new, content, like=target if before.content is not None else None)
            prove(ConfigFile(before.path, content, _parsed(before, new, content)))
            if read_content(before.path) != before.content:
                found = "another program has changed this file meanwhile"
                refuse_config(before.path, None, found, "Plan and run again.")
            backup = _back_up(target) if before.content and keep else None
        _flush_folder(target.parent)
    return backup


def _parsed(before: ConfigFile, new: Path, content: bytes) -> dict[str, dict[str, Any]]:
    try:
        return parse_config(new, content)
    except ConfigFileError:  # its lines are not those of the file that the user sees
        refuse_config(
            before.path, None, "with this change no AWS tool could read the file", "Change it yourself."
        )


def _refuse_protected(before: ConfigFile, target: Path) -> None:
    if before.content is None:
        return
    status = target.stat()
    if not status.st_mode & stat.S_IWUSR or not os.access(target, os.W_OK):
        refuse_config(
            before.path, None, "this file is read-only", "Make it writable (chmod u+w), or name another."
        )
    backups = [path for path in target.parent.glob(f"{target.name}.backup-*") if path.samefile(target)]
    if status.st_nlink > 1 + len(backups):
        found = "this file has several names (hard links), and a new file would take only one of them"
        refuse_config(before.path, None, found, "Make it a file of its own (cp), or use a symbolic link.")


def _write_content(path: Path, content: bytes, like: Path | None) -> None:
    with path.open("wb") as file:
        if like is not None:
            _take_owner_and_mode(file.fileno(), like.stat())
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _take_owner_and_mode(descriptor: int, like: os.stat_result) -> None:
    own = os.fstat(descriptor)
    if own.st_uid != like.st_uid:
        os.fchown(descriptor, like.st_uid, -1)
    if own.st_gid != like.st_gid:
        with suppress(PermissionError):  # a group that the owner is not in
            os.fchown(descriptor, -1, like.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(like.st_mode))


def _back_up(target: Path) -> Path:
    """Give the old file a second name: no copy that could be cut short, and no disk that could be full."""
    for number in itertools.count(1):
        backup = target.with_name(f"{target.name}.backup-{number}")
        try:
            os.link(target, backup)
        except FileExistsError:
            continue
        except OSError:  # a file system without hard links
            backup.touch(mode=0o600, exist_ok=False)
            _write_content(backup, target.read_bytes(), like=target)
        return backup
    raise AssertionError  # pragma: no cover


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
