"""The scenario's file with papermill's own command: from any folder, with -p, --cwd and absolute paths."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from kit_commands import PATIENCE_S

KIT = Path(__file__).parents[2]
SOURCE = """\
from idc_aws.scenario.reading import load_scenario
from idc_aws.project import find_scenario
path = find_scenario(str(scenario_file))
load_scenario(path)
print(path)"""


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder with a notebook and scenarios, far from the kit."""
    desk = tmp_path_factory.mktemp("desk").resolve()
    for name in ("here", "there"):
        (desk / name).mkdir()
    for name in ("here/mine.yaml", "there/theirs.yaml", "here/both.yaml", "there/both.yaml"):
        (desk / name).write_text("target: sandbox\n", "utf-8")
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": kernel})
    parameters = nbformat.v4.new_code_cell('scenario_file = ""')
    parameters.metadata["tags"] = ["parameters"]
    notebook.cells = [parameters, nbformat.v4.new_code_cell(SOURCE)]
    nbformat.write(notebook, desk / "here" / "one.ipynb")
    return desk


# papermill's own command, several times in one process: importing it takes longer than running the notebook.
COMMANDS = """\
import json, os, sys
import nbformat
from papermill.cli import papermill
for folder, arguments in json.loads(sys.argv[1]):
    os.chdir(folder)
    os.environ["PWD"] = folder
    papermill.main(arguments, standalone_mode=False)
    print(nbformat.read(arguments[1], as_version=4).cells[-1].outputs[0]["text"].strip())
"""
AWS = "parameters/aws-organization.yaml"
CASES = [
    ("here", ("-p", "scenario_file", "../there/theirs.yaml"), "{desk}/there/theirs.yaml"),
    ("here", ("-p", "scenario_file", "mine.yaml", "--cwd", "../there"), "{desk}/here/mine.yaml"),
    ("here", ("-p", "scenario_file", "both.yaml", "--cwd", "../there"), "{desk}/there/both.yaml"),
    ("there", ("-r", "scenario_file", "{desk}/here/mine.yaml"), "{desk}/here/mine.yaml"),
    ("there", ("-p", "scenario_file", AWS), "{kit}/" + AWS),
    ("there", ("-y", "scenario_file: ''"), "{kit}/parameters/sandbox.yaml"),
]


def test_the_scenario_is_found_from_any_folder(desk):
    commands, wanted = [], []
    for name, arguments, found in CASES:
        notebook = os.path.relpath(desk / "here" / "one.ipynb", desk / name)
        given = [argument.format(desk=desk) for argument in arguments]
        words = [notebook, str(desk / "out.ipynb"), "--no-progress-bar", *given]
        commands.append((str(desk / name), words))
        wanted.append(found.format(desk=desk, kit=KIT))
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS, json.dumps(commands)],
        cwd=desk,
        env={**os.environ, "HOME": str(desk), "PYTHONPATH": str(KIT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    assert [str(Path(line).resolve()) for line in done.stdout.splitlines()] == wanted
