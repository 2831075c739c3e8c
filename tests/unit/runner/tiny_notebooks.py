"""Notebooks of a few cells, each for one behaviour, and a project folder that holds them."""

from pathlib import Path

import nbformat

PARAMETERS = """\
target = "sandbox"
mode = None
region = "us-east-1"
expected_account = None
profile = None
scenario_file = ""
run_folder = ""
groups = None
"""
EVENTS = """\
from pathlib import Path
from idc_helpers.runbook.records import EventLog
events = EventLog(Path(run_folder) / "events.jsonl", {name!r})
"""
PASSES = """\
changes = {"create": 0, "update": 0, "delete": 0, "unchanged": 2}
events.write("planned", step="groups", changes=changes, by_hand=0)
events.write("applied", step="groups", changes=changes)
events.write("checked", step="groups", checks=[{"name": "group ana", "passed": True, "detail": "exists"}])
"""
FAILED_CHECK = """\
check = {"name": "group ana", "passed": False, "detail": "found nothing"}
events.write("checked", step="groups", checks=[check])
"""
RAISES = """\
from idc_aws.errors import WriteFailedError
raise WriteFailedError("the write 'x' failed", remedy="Do this next.")
"""


def write_notebook(folder: Path, name: str, *cells: str, parameters: str | None = PARAMETERS) -> Path:
    """Write a notebook whose first cell has the tag `parameters` (None: no such cell)."""
    document = nbformat.v4.new_notebook()
    if parameters is not None:
        document.cells.append(nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}))
    document.cells += [nbformat.v4.new_code_cell(cell) for cell in cells]
    document.metadata["kernelspec"] = {"name": "python3", "language": "python", "display_name": "Python 3"}
    path = folder / f"{name}.ipynb"
    nbformat.write(document, path)
    return path


def tell(name: str, *cells: str) -> tuple[str, ...]:
    """Return cells that may use `events`, the log of the notebook of that name."""
    return (EVENTS.format(name=name), *cells)


def make_project(folder: Path, scenario: str = "target: sandbox\n") -> Path:
    """Make the folders of a kit, with a scenario and no notebook."""
    (folder / "notebooks").mkdir(parents=True)
    (folder / "parameters").mkdir()
    (folder / "parameters" / "sandbox.yaml").write_text(scenario, "utf-8")
    return folder
