"""The AWS CLI of this machine: which one there is, and what it can do."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from idc_helpers.aws.calls import in_threads

_VERSION = re.compile(r"aws-cli/(\d+)\.(\d+)\.(\d+)", re.ASCII)
_TIMEOUT_S = 60
_INSTALL = "https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html"
_SIGNS_IN = (2, 9, 0)
_TAKES_ENDPOINT_URL = (2, 13, 0)
_PREFERS_PKCE = (2, 22, 0)


@dataclass(frozen=True)
class CommandLine:
    """An AWS CLI.

    Attributes
    ----------
    program
        Its path.
    version
        Such as ``(2, 36, 7)``.
    """

    program: str
    version: tuple[int, int, int]

    @property
    def can_sign_in(self) -> bool:
        """Whether it has ``configure sso`` with named sessions."""
        return self.version >= _SIGNS_IN

    @property
    def takes_endpoint_url(self) -> bool:
        """Whether it reads ``AWS_ENDPOINT_URL``; an older one needs rules of its own to reach the sandbox."""
        return self.version >= _TAKES_ENDPOINT_URL

    @property
    def prefers_pkce(self) -> bool:
        """Whether ``sso login`` opens a browser on this machine unless told to use a device code."""
        return self.version >= _PREFERS_PKCE

    def __str__(self) -> str:
        return f"AWS CLI {'.'.join(map(str, self.version))}"


def find_command_lines(search_path: str | None = None) -> list[CommandLine]:
    """Return the AWS CLIs of a search path, in its order; runs each one's ``--version``.

    Parameters
    ----------
    search_path
        As ``PATH``; None: this process's.
    """
    programs: dict[str, Path] = {}
    for folder in (os.environ.get("PATH", "") if search_path is None else search_path).split(os.pathsep):
        program = Path(folder) / "aws"
        if folder and program.is_file() and os.access(program, os.X_OK):
            programs.setdefault(os.path.realpath(program), program)
    versions = in_threads(_version, programs.values())  # each takes half a second and more
    found = zip(programs.values(), versions, strict=True)
    return [CommandLine(str(program), version) for program, version in found if version]


def find_command_line(search_path: str | None = None) -> CommandLine | None:
    """Return the first AWS CLI that can sign in, or None; runs each one's ``--version``."""
    return next((one for one in find_command_lines(search_path) if one.can_sign_in), None)


def word_in_terminal(found: list[CommandLine]) -> str:
    """Return what to type in a terminal for the AWS CLI that can sign in: ``aws``, or where it is."""
    usable = next((one for one in found if one.can_sign_in), None)
    return "aws" if usable is None or usable == found[0] else usable.program


def advice(found: list[CommandLine]) -> str:
    """Return what to know about the CLIs that were found, with the remedy where there is one to take."""
    usable = next((one for one in found if one.can_sign_in), None)
    if usable is None:
        return f"{_why_none(found)} The same login is done with boto3 here. To install version 2: {_INSTALL}"
    if not usable.takes_endpoint_url:
        return (
            f"{_which(usable, found[0])}{usable} is older than 2.13 and ignores AWS_ENDPOINT_URL: for the"
            f" sandbox it gets rules by AWS_DATA_PATH. It knows the device code only. To get a newer one:"
            f" {_INSTALL}"
        )
    grant = "an authorization code with PKCE" if usable.prefers_pkce else "a device code"
    return f"{_which(usable, found[0])}{usable} signs in with {grant} unless you choose otherwise."


def _which(usable: CommandLine, first: CommandLine) -> str:
    """Return what to type in a terminal where another `aws` stands before the one that can sign in."""
    if usable == first:
        return ""
    return (
        f"The first aws on the path is {first}, which cannot sign in: in a terminal, type {usable.program}. "
    )


def _why_none(found: list[CommandLine]) -> str:
    if not found:
        return "There is no AWS CLI on the path."
    newest = max(found, key=lambda one: one.version)
    if newest.version < (2, 0, 0):
        return f"There is only {newest}: version 1 has neither `aws configure sso` nor `aws sso login`."
    return f"There is only {newest}: `aws configure sso` with named sessions needs 2.9 or newer."


def _version(program: Path) -> tuple[int, int, int] | None:
    # Asking takes half a second and more: an answer holds until the file is another one.
    status = program.stat()
    return _asked_version(program, status.st_ino, status.st_mtime_ns)


@lru_cache
def _asked_version(program: Path, _inode: int, _changed_ns: int) -> tuple[int, int, int] | None:
    try:
        done = subprocess.run(
            [str(program), "--version"], capture_output=True, text=True, check=False, timeout=_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _VERSION.search(done.stdout + done.stderr)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None
