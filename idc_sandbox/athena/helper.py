"""The engine's process as the sandbox has it: started, asked, answered, ended."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[2]
_START = (
    "import sys; sys.path.insert(0, sys.argv[1]); from idc_sandbox.athena.engine.worker import main; main()"
)
_LONGEST_LINE = 64 * 1024 * 1024


class EngineGoneError(Exception):
    """The process ended without having said how its query ended."""


class Engine:
    """One process for one query: it has imported what it needs, and waits for its job.

    Parameters
    ----------
    folder
        Where it works.
    """

    def __init__(self, folder: Path) -> None:
        # Isolated, with nothing of this process's environment: no key, no path of the user's.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", _START, str(_ROOT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=folder,
            env={"LC_ALL": "C.UTF-8"},
            start_new_session=True,
        )

    def is_alive(self) -> bool:
        """Tell whether the process runs."""
        return self._process.poll() is None

    def run(
        self, job: dict[str, Any], answer: Callable[[str, dict[str, Any]], dict[str, Any]]
    ) -> dict[str, Any]:
        """Give it its job, answer its questions, and return what it says at the end."""
        try:
            self._hear()  # it is ready
            self._say(job)
            while "ask" in (message := self._hear()):
                self._say(answer(message["ask"], message["values"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise EngineGoneError(f"{type(error).__name__}") from error
        finally:
            self.kill()
        return message

    def _say(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline(_LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise EngineGoneError("it ended")
        message: dict[str, Any] = json.loads(line)
        return message

    def kill(self) -> None:
        """End the process, whatever it does."""
        with suppress(OSError):
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
