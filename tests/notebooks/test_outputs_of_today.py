"""Real kernels leave today what the notebooks hold as their outputs."""

import os
import re
import subprocess
import sys

import nbformat
from kit_commands import KIT


def test_every_cell_leaves_its_stored_outputs():
    cells = [
        cell
        for path in KIT.glob("notebooks/*.ipynb")
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "code"
    ]
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "IDC_", "PYTEST_"))
    }
    command = [sys.executable, "-m", "idc_runner.stored_outputs", "check"]
    done = subprocess.run(command, cwd=KIT, env=kept, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.findall(r"(\d+) passed", done.stdout)[-1]) == len(cells) > 100
