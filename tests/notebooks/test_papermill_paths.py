"""The scenario's file with papermill's own command: from any folder, with -p, --cwd and absolute paths."""

from __future__ import annotations

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


def papermill(desk, folder, *arguments):
    """Run the notebook as a shell in a folder would, and return the path that it found."""
    output = desk / "out.ipynb"
    environment = {**os.environ, "HOME": str(desk), "PWD": str(folder), "PYTHONPATH": str(KIT)}
    notebook = os.path.relpath(desk / "here" / "one.ipynb", folder)
    done = subprocess.run(
        [sys.executable, "-m", "papermill", notebook, str(output), "--no-progress-bar", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    return Path(nbformat.read(output, as_version=4).cells[-1].outputs[0]["text"].strip())


@pytest.mark.parametrize(
    ("folder", "arguments", "found"),
    [
        ("here", ("-p", "scenario_file", "../there/theirs.yaml"), "there/theirs.yaml"),
        ("here", ("-p", "scenario_file", "mine.yaml", "--cwd", "../there"), "here/mine.yaml"),
        ("here", ("-p", "scenario_file", "both.yaml", "--cwd", "../there"), "there/both.yaml"),
        ("there", ("-r", "scenario_file", "{desk}/here/mine.yaml"), "here/mine.yaml"),
        ("there", ("-p", "scenario_file", "parameters/aws-organization.yaml"), None),
        ("there", ("-y", "scenario_file: ''"), None),
    ],
)
def test_the_scenario_is_found_from_any_folder(desk, folder, arguments, found):
    given = [argument.format(desk=desk) for argument in arguments]
    path = papermill(desk, desk / folder, *given)
    if found is None:
        name = "sandbox.yaml" if "-y" in arguments else "aws-organization.yaml"
        assert path == KIT / "parameters" / name
    else:
        assert path.resolve() == desk / found
