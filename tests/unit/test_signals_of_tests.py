"""Tests that send signals hold where the suite was started with signals ignored."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"
SCRIPT = f"""
import os, runpy, signal
runpy.run_path({str(CONFTEST)!r})
os.kill(os.getpid(), int(os.environ["NUMBER"]))
"""


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_a_suite_started_with_ignored_signals_listens_to_them(number):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, "NUMBER": str(int(number))},
        preexec_fn=lambda: signal.signal(number, signal.SIG_IGN),
        capture_output=True,
        check=False,
    )
    assert done.returncode == -number
