"""Every process collects the same tests: a run on several stops where they differ."""

import os
import subprocess
import sys
from pathlib import Path

KIT = Path(__file__).parents[2]


def test_another_process_finds_the_same_tests(request, tmp_path):
    # Later, in another order of sets, and elsewhere: a name made of these would differ.
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    surroundings = {**os.environ, "PYTHONHASHSEED": "7", "TMPDIR": str(tmp_path)}
    for name in [name for name in surroundings if name.startswith("PYTEST_")]:
        del surroundings[name]
    ended = subprocess.run(command, cwd=KIT, env=surroundings, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout[-2000:]
    found = {line for line in ended.stdout.splitlines() if "::" in line}
    here = {item.nodeid for item in request.session.items if item.location[0].startswith("tests")}
    assert here
    assert here - found == set()
