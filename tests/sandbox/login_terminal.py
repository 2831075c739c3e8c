"""A terminal in which the machine's AWS CLI does ``aws login``, for tests with and without a browser."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Mapping

import pytest
from patience import PATIENCE_S

LOGIN_SINCE = (2, 32, 0)
LOGIN_ADDRESS = r"http://127\.0\.0\.1:\d+/v1/authorize\?\S+"


def require_login_cli() -> str:
    """Return an AWS CLI that has ``aws login``; without one the test is skipped."""
    found = shutil.which("aws")
    said = (
        subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout
        if found
        else ""
    )
    version = re.match(r"aws-cli/(\d+)\.(\d+)\.(\d+)", said)
    if found is None or version is None or tuple(map(int, version.groups())) < LOGIN_SINCE:
        pytest.skip(f"`aws login` needs AWS CLI 2.32 on the path; found {said.strip() or 'none'}")
    return found


class Terminal:
    """A command that talks with its person."""

    def __init__(self, variables: Mapping[str, str], *words: str) -> None:
        self.text = ""
        self.process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=variables,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        while piece := os.read(self.process.stdout.fileno(), 4096):
            self.text += piece.decode()

    def wait_for(self, pattern: str) -> str:
        """Return what of the output fits a pattern, as soon as it is there."""
        deadline = time.monotonic() + PATIENCE_S
        while not (found := re.search(pattern, self.text)):
            assert time.monotonic() < deadline, self.text
            assert self.process.poll() is None, self.text
            time.sleep(0.05)
        return found[0]

    def type(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()

    def end(self) -> int:
        """Wait for the end of the command and of what it says, and return its exit status."""
        status = self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        return status
