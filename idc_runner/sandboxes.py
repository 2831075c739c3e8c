"""A sandbox of a run's own: on a free port, with its state in the run's folder, stopped at the end.

The sandbox is a package of its own, so it is spoken to as a process: ``python -m idc_sandbox``.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from idc_aws.errors import SandboxError
from idc_aws.sandbox import SandboxAddress, find_sandbox, start_sandbox

SEED = 7
_TIMEOUT_S = 60


def sandbox_command(*arguments: str) -> list[str]:
    """Return the command line that reaches the sandbox package with this Python."""
    return [sys.executable, "-m", "idc_sandbox", *arguments]


def stop_sandbox(state: Path) -> None:
    """Stop the sandbox of a state folder, if it runs; its state stays."""
    done = _run("stop", "--state", str(state))
    if done.returncode != 0:
        raise SandboxError(
            f"the sandbox with state in {str(state)!r} did not stop: {done.stderr.strip()}",
            remedy="End its process by hand; its number is in server.json there.",
        )


def sandbox_runs(state: Path | None = None) -> bool:
    """Return whether the sandbox of a folder (or the standing one) answers; starts nothing."""
    return find_sandbox(state) is not None


@contextmanager
def sandbox_of_its_own(
    state: Path, *, seed: int | None = SEED, is_shared: bool = False
) -> Iterator[SandboxAddress]:
    """Run a sandbox on a free port for the length of a block."""
    ran_before = state.exists() and sandbox_runs(state)
    try:
        yield start_sandbox(state, port=None if ran_before else 0, seed=seed)
    finally:
        if not (ran_before and is_shared) and state.exists():
            stop_sandbox(state)


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = sandbox_command(*arguments)
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise SandboxError(
            f"the sandbox did not answer `{arguments[0]}` within {_TIMEOUT_S} s",
            remedy="Look at server.log in its state folder.",
        ) from error
