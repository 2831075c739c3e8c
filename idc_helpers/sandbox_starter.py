"""Starts or finds the sandbox, as a process of its own: ``python -m idc_sandbox``.

The helper package never imports the sandbox: the two speak AWS's protocols, and this command line.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from idc_helpers.errors import SandboxError
from idc_helpers.module_processes import run_module
from idc_helpers.sandbox_finder import SandboxAddress, find_sandbox
from idc_helpers.scrubbing import remember_secret

__all__ = ["SandboxAddress", "start_sandbox"]

_TIMEOUT_S = 120


def start_sandbox(
    state_folder: str | Path | None = None, *, port: int | None = None, seed: int | None = None
) -> SandboxAddress:
    """Start the sandbox of a state folder, or find the one that runs.

    Parameters
    ----------
    state_folder
        Its folder, made when missing; None: ``$IDC_SANDBOX_STATE``, or the user's state folder.
    port
        None: the sandbox's usual one; 0: any free one. A sandbox that runs already keeps its own.
    seed
        For new state: the same seed gives the same ids. None: the sandbox's own choice.

    Raises
    ------
    SandboxError
        When it does not start, in its own words.
    """
    running = find_sandbox(state_folder) if seed is None else None  # another seed is refused by the sandbox
    if running is not None and port in (None, 0, running.port):
        return _remembered(running)
    arguments = ["start", "--json"]
    for option, value in (("--state", state_folder), ("--port", port), ("--seed", seed)):
        if value is not None:
            arguments += [option, str(value)]
    answer = _ask(arguments)
    try:
        address = SandboxAddress(**{known.name: answer[known.name] for known in fields(SandboxAddress)})
    except KeyError as error:
        raise SandboxError(
            f"the sandbox's answer to start lacks {error.args[0]!r}",
            remedy="The sandbox and the helper package are of different versions: install them together.",
        ) from error
    return _remembered(address)


def _remembered(address: SandboxAddress) -> SandboxAddress:
    remember_secret(address.secret_access_key)
    remember_secret(address.control_secret)
    return address


def jupyter_variables() -> dict[str, str]:
    """Return the variables that let a Jupyter Server show the sandbox's pages; starts nothing.

    Raises
    ------
    SandboxError
        When the sandbox's package does not answer.
    """
    answer = _ask(["jupyter", "--json"])
    return {name: str(value) for name, value in answer.items()}


def _ask(arguments: Sequence[str]) -> dict[str, Any]:
    done = _run(arguments)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().removeprefix("error: ")
        raise SandboxError(
            f"the sandbox did not {arguments[0]}: {said or f'exit status {done.returncode}'}",
            remedy="`idc doctor` looks at what it needs.",
        )
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError as error:
        raise SandboxError(
            f"the sandbox answered {arguments[0]} with {done.stdout[:80]!r}, which is not JSON",
            remedy="Install the sandbox package and the helper package of the same version.",
        ) from error
    return answer


def _run(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return run_module("idc_sandbox", arguments, timeout_s=_TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise SandboxError(
            f"the sandbox did not answer within {_TIMEOUT_S} s",
            remedy="Stop it with `idc sandbox stop`, and look at server.log in its state folder.",
        ) from error
