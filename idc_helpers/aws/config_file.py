"""The AWS config file as AWS's own tools read it; one that they cannot read is refused with its line.

botocore's reader decides what a file means, here as in boto3 and the AWS CLI.

Source: https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-files.html
"""

from __future__ import annotations

import codecs
import configparser
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

from botocore.configloader import build_profile_map, raw_config_parse
from botocore.exceptions import ConfigNotFound, ConfigParseError

from idc_helpers.aws.config_sections import find_bad_nested_line, split_lines
from idc_helpers.errors import ConfigFileError

_LARGEST_BYTES = 16 * 1024 * 1024
_UNCHANGED = "Nothing was changed."


@dataclass(frozen=True)
class ConfigFile:
    """A config file at one moment.

    Attributes
    ----------
    path
        As it was asked for; it may be a link.
    content
        The file's bytes; None where there is no file.
    sections
        By heading, as it is written between the brackets: the keys with their values.
    """

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
        profiles: dict[str, dict[str, Any]] = self.meaning["profiles"]
        return profiles

    @property
    def sso_sessions(self) -> dict[str, dict[str, Any]]:
        """The sessions by name, each with its keys."""
        sessions: dict[str, dict[str, Any]] = self.meaning["sso_sessions"]
        return sessions

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
    """Return a config file, or an empty one where there is none; reads only.

    Raises
    ------
    ConfigFileError
        When it is not a file that can be read, or AWS's tools cannot parse it: with the line.
    """
    content = read_content(path)
    return (
        ConfigFile(path, content)
        if content is None
        else ConfigFile(path, content, parse_config(path, content))
    )


def refuse(path: Path, line: int | None, found: str, remedy: str) -> NoReturn:
    """Refuse a config file: where, what was found, what to do.

    Raises
    ------
    ConfigFileError
        Always.
    """
    place = str(path) if line is None else f"{path}:{line}"
    raise ConfigFileError(f"{place}: {found}", remedy=f"{remedy} {_UNCHANGED}")


def read_content(path: Path) -> bytes | None:
    """Return a file's bytes, or None where there is none; what is no regular file is refused."""
    with refused(path, "cannot be read", "Make it readable for you."):
        try:
            status = path.stat()
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            refuse(path, None, f"this is {kind}, where a config file should be", "Move it, or name another.")
        if status.st_size > _LARGEST_BYTES:
            refuse(path, None, f"{status.st_size:,} bytes are too many for a config file", "Check the file.")
        return path.read_bytes()


@contextmanager
def refused(path: Path, what: str, remedy: str) -> Iterator[None]:
    """Turn what the system refuses within the block into an error that names the file."""
    try:
        yield
    except (OSError, RuntimeError) as error:  # RuntimeError: a link that leads to itself, in older Pythons
        words = getattr(error, "strerror", None) or error
        raise ConfigFileError(f"{str(path)!r} {what}: {words}", remedy=f"{remedy} {_UNCHANGED}") from error


def parse_config(path: Path, content: bytes) -> dict[str, dict[str, Any]]:
    """Return a file's sections as botocore reads them."""
    try:
        sections: dict[str, dict[str, Any]] = raw_config_parse(str(path))
    except ConfigNotFound:
        return {}
    except ConfigParseError as error:
        line, found, remedy = _first_problem(error.kwargs.get("error"), content)
        refuse(path, line, f"{found}; no AWS tool can read this file", remedy)
    return sections


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
