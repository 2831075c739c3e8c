"""Starts a scripted person, as a process of its own: ``python -m idc_sandbox.persona``.

The person goes through the sandbox's pages over HTTP, with a password and an authenticator app that never
leave that process; here only what was done is known.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Any

from idc_helpers.errors import SandboxError
from idc_helpers.module_processes import start_module


class PersonaRefusedError(SandboxError):
    """A page did not let the persona go on; the message says what the page said."""


class PersonaProcess:
    """A scripted person at the sandbox's pages.

    Parameters
    ----------
    site_url
        Where the pages are.
    user_name
        Who it is.
    memory
        File in which the person's process keeps password and authenticator app from one notebook to the next.
    """

    def __init__(self, site_url: str, user_name: str, memory: Path) -> None:
        self.user_name = user_name
        arguments = [site_url, user_name, "--memory", str(memory)]
        self._process = start_module("idc_sandbox.persona", arguments)

    def __repr__(self) -> str:
        return f"PersonaProcess({self.user_name!r})"

    def __enter__(self) -> PersonaProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def do(self, action: str, **options: Any) -> Any:
        """Let the person do something, such as ``"sign_in"``, and return what came of it.

        Raises
        ------
        PersonaRefusedError
            With what the page says.
        SandboxError
            When the person's process ended.
        """
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps({"do": action, "with": options}) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except OSError:
            line = ""
        if not line:
            raise self._ended(action)
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise PersonaRefusedError(f"{self.user_name!r} could not {action!r}: {answer['error']}")
        return answer["result"]

    def close(self) -> None:
        """End the process; what the person has in mind stays in the memory file."""
        process = self._process
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None and not stream.closed:
                stream.close()
        process.wait(timeout=30)

    def _ended(self, action: str) -> SandboxError:
        words = self._process.stderr.read().strip() if self._process.stderr else ""
        return SandboxError(
            f"the scripted person ended before {action!r}: {words.splitlines()[-1] if words else 'no word'}",
            remedy="Run the cell again; `idc doctor` looks at what the sandbox needs.",
        )
