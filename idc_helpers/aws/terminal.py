"""The terminal of a sandbox: its own HOME and endpoint, the AWS CLI in it, or boto3 where there is no CLI.

A person's real ``~/.aws`` is neither read nor written there.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from idc_helpers.aws.command_line import CommandLine, find_command_line
from idc_helpers.aws.connected import Connection
from idc_helpers.errors import CredentialsError, SandboxError
from idc_helpers.module_processes import run_module

_TIMEOUT_S = 120
_KEYS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
)


@dataclass(frozen=True)
class Answer:
    """What a command answered.

    Attributes
    ----------
    values
        The answer's members; empty when it was refused.
    refusal
        What the client said when it was refused; empty otherwise.
    """

    values: dict[str, Any] = field(default_factory=dict)
    refusal: str = ""


@dataclass(frozen=True)
class Terminal:
    """Runs commands as a person would in the terminal of a sandbox.

    Attributes
    ----------
    variables
        The environment, without keys of anybody: a profile has to get its own.
    find
        Returns the AWS CLI, or None: boto3 stands in.
    administrator_key_id
        The id of the sandbox administrator's key: a long-lived one, to compare others with.
    """

    variables: dict[str, str] = field(repr=False)
    find: Callable[[], CommandLine | None] = field(default=lambda: None, repr=False)
    administrator_key_id: str = ""

    @cached_property
    def command_line(self) -> CommandLine | None:
        """The AWS CLI, or None: boto3 stands in. Asked for once: programs answer late on a busy machine."""
        return self.find()

    @property
    def config_file(self) -> Path:
        """The config file of this terminal."""
        return Path(self.variables["AWS_CONFIG_FILE"])

    @property
    def token_folder(self) -> Path:
        """Where clients keep the tokens that a login gave them."""
        return Path(self.variables["HOME"]) / ".aws" / "sso" / "cache"

    def call(self, service: str, operation: str, *, profile: str, **parameters: str) -> Answer:
        """Make one call with a profile: ``call("sts", "get-caller-identity", profile="practice")``."""
        words = [word for name, value in parameters.items() for word in (f"--{name}", value)]
        arguments = [service, operation, *words, "--profile", profile]
        if self.command_line is not None:
            return _answer(self.run(*arguments, "--output", "json"))
        call = run_module(
            "idc_helpers.aws.profile_call", arguments, timeout_s=_TIMEOUT_S, environment=self.variables
        )
        return _answer(call)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the AWS CLI and return what it said.

        Raises
        ------
        CredentialsError
            When there is no CLI that can sign in.
        """
        if self.command_line is None:
            raise CredentialsError("there is no AWS CLI v2 here", remedy="Install it; notebook 10 says how.")
        return self._run([self.command_line.program, *arguments])

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, env=self.variables, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S
        )


def sandbox_terminal(connection: Connection, *, use_command_line: bool = True) -> Terminal:
    """Return the terminal of a connection's sandbox. Makes its HOME.

    Raises
    ------
    SandboxError
        On AWS, or when the sandbox does not answer.
    """
    if connection.console is None:
        raise SandboxError("the practice terminal is the sandbox's; on AWS use your own")
    arguments = ["env", "--json", "--state", connection.console.state_folder]
    done = run_module("idc_sandbox", arguments, timeout_s=_TIMEOUT_S)
    if done.returncode != 0:
        raise SandboxError(f"the sandbox does not say what a terminal needs: {done.stderr.strip()}")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    variables = inherited | json.loads(done.stdout) | {"BROWSER": "true", "TERM": "dumb"}
    key_id = variables["AWS_ACCESS_KEY_ID"]
    for name in _KEYS:
        variables.pop(name, None)
    # A child finds this very package, wherever it runs.
    package = str(Path(__file__).parents[2])
    variables["PYTHONPATH"] = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
    return Terminal(variables, find_command_line if use_command_line else lambda: None, key_id)


def _answer(done: subprocess.CompletedProcess[str]) -> Answer:
    if done.returncode != 0:
        return Answer(refusal=" ".join(done.stderr.split()) or f"exit status {done.returncode}")
    return Answer(json.loads(done.stdout) if done.stdout.strip() else {})
