"""A sandbox of a run's own: on a free port, with its state in the run's folder, stopped at the end.

The sandbox is a package of its own, so it is spoken to as a process: ``python -m idc_sandbox``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from idc_helpers.errors import SandboxError

SEED = 7
STATE_VARIABLE = "IDC_SANDBOX_STATE"
_TIMEOUT_S = 120


def sandbox_command(*arguments: str) -> list[str]:
    """Return the command line that reaches the sandbox package with this Python."""
    return [sys.executable, "-m", "idc_sandbox", *arguments]


def start_sandbox(state: Path, *, port: int = 0, seed: int | None = SEED) -> dict[str, Any]:
    """Start the sandbox of a state folder, or find the one that runs, and return what it says of itself.

    Parameters
    ----------
    state
        Its folder; made when missing.
    port
        0 takes any free one.
    seed
        The same seed gives the same ids; None keeps the state's own.

    Raises
    ------
    SandboxError
        When it does not start, with its own words.
    """
    seeded = ["--seed", str(seed)] if seed is not None else []
    return _ask("start", "--state", str(state), "--port", str(port), *seeded, "--json")


def stop_sandbox(state: Path) -> None:
    """Stop the sandbox of a state folder; its state stays."""
    _ask("stop", "--state", str(state), "--json")


def sandbox_runs(state: Path | None = None) -> bool:
    """Return whether the sandbox of a folder (or the standing one) answers; starts nothing."""
    folder = ["--state", str(state)] if state is not None else []
    found = _run(("status", *folder, "--json"))
    return found.returncode == 0


@contextmanager
def sandbox_of_its_own(state: Path, *, seed: int | None = SEED) -> Iterator[dict[str, Any]]:
    """Run a sandbox for the length of a block; one that ran before is left running."""
    ran_before = state.exists() and sandbox_runs(state)
    about = start_sandbox(state, seed=seed)
    try:
        yield about
    finally:
        if not ran_before:
            stop_sandbox(state)


def _ask(*arguments: str) -> dict[str, Any]:
    done = _run(arguments)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().removeprefix("error: ")
        raise SandboxError(
            f"the sandbox did not {arguments[0]}: {said or f'exit status {done.returncode}'}",
            remedy="`idc doctor` looks at what it needs.",
        )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _run(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    command = sandbox_command(*arguments)
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise SandboxError(
            f"the sandbox did not {arguments[0]} within {_TIMEOUT_S} s",
            remedy="Stop it with `idc sandbox stop`, and look at server.log in its state folder.",
        ) from error
