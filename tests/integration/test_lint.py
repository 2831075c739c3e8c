"""`make lint`: style and types, beside the other tests, since it takes half a minute."""

import subprocess
import sys
from pathlib import Path

import pytest

KIT = Path(__file__).parents[2]
PACKAGES = ("idc_aws", "idc_helpers", "idc_runner", "idc_sandbox")


@pytest.mark.parametrize(
    "command",
    [
        ("ruff", "check", "."),
        ("ruff", "format", "--check", "."),
        ("mypy", *(word for package in PACKAGES for word in ("-p", package))),
    ],
    ids=["style", "format", "types"],
)
def test_nothing_is_found(command):
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=KIT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
